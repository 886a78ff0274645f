package configs

import (
	"fmt"
	"hash/fnv"
	"net"
	"strings"
)

// checker looks at a decoded pipeline as a whole. A rule keeps quiet where a value that it needs was
// refused already, so that one mistake is one finding.
type checker struct {
	*decoder
	p     *Pipeline
	start place
}

func (c *checker) errorf(path, remedy, format string, args ...any) {
	c.wrong(c.nearest(path, c.start), path, mistakef(remedy, format, args...))
}

func (c *checker) warnf(path, remedy, format string, args ...any) {
	m := mistakef(remedy, format, args...)
	m.warning = true
	c.wrong(c.nearest(path, c.start), path, m)
}

// written reports whether some layer above the defaults says the option.
func (c *checker) written(path string) bool {
	_, ok := c.values[path]
	return ok
}

func (c *checker) sound(paths ...string) bool {
	for _, path := range paths {
		if c.failed[path] {
			return false
		}
	}
	return true
}

func (c *checker) pipeline() {
	c.derived()
	c.address()
	c.tables()
	c.postgres()
	c.retry()
	c.tls("source.tls", c.p.Source.TLS)
	c.router()
	c.kafka()
	c.limits()
}

// derived fills in what follows from the name.
func (c *checker) derived() {
	p := c.p
	under := "outferry_" + strings.ReplaceAll(p.Name, "-", "_")
	for _, d := range []struct {
		field *string
		value string
	}{
		{&p.Source.Postgres.Slot, under},
		{&p.Source.Postgres.Publication, under},
		{&p.Kafka.ClientID, "outferry-" + p.Name},
		{&p.Kafka.TransactionalID, "outferry-" + p.Name},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if p.Source.MySQL.ServerID == 0 {
		p.Source.MySQL.ServerID = derivedServerID(p.Name)
	}
	p.Router.Columns.Defaulted = map[string]bool{}
	for _, name := range []string{"id", "key", "route_by", "payload"} {
		if !c.written("router.columns." + name) {
			p.Router.Columns.Defaulted[name] = true
		}
	}
}

// derivedServerID gives each pipeline a replica number of its own, far from those that people choose.
func derivedServerID(name string) int {
	h := fnv.New32a()
	h.Write([]byte("outferry-" + name))
	return 1<<31 | int(h.Sum32()>>1)
}

// address resolves source.url into the fields beside it, or checks what stands in its place.
func (c *checker) address() {
	if !c.sound("source.url") {
		return
	}
	if c.p.Source.URL == "" {
		c.addressInParts()
		return
	}
	for _, part := range []string{"type", "host", "port", "database"} {
		if path := "source." + part; c.written(path) {
			c.errorf(path, "keep the url, or type, host, port and database", "can't stand beside source.url")
		}
	}
	a, m := parseAddress(string(c.p.Source.URL))
	if m != nil {
		if strings.Contains(string(c.p.Source.URL), "${") {
			m.remedy = "a variable whose name has small letters is written ${env:name}"
		}
		c.wrong(c.nearest("source.url", c.start), "source.url", m)
		return
	}
	c.use(a)
	if len(a.ignored) > 0 {
		c.warnf("source.url", "", "%s", a.ignoredParameters())
	}
	c.user("source.url")
}

func (c *checker) addressInParts() {
	if c.written("source.url") {
		c.errorf("source.url", urlForm, "is empty")
		return
	}
	s := &c.p.Source
	inParts := false
	for _, part := range []string{"type", "host", "port", "database"} {
		inParts = inParts || c.written("source."+part)
	}
	if !inParts {
		return // source.url is missing, which is said already
	}
	for _, part := range []struct{ path, value string }{
		{"source.type", s.Type}, {"source.host", s.Host}, {"source.database", s.Database},
	} {
		if part.value == "" && c.sound(part.path) && !c.meant[part.path] {
			c.errorf(part.path, "without source.url, type, host and database are needed", "missing")
		}
	}
	if strings.Contains(s.Host, "@") {
		c.errorf("source.host", "write the host alone; the login goes to source.user and source.password", "a host has no login")
	}
	if s.isMySQL() && !c.written("source.port") {
		s.Port = 3306
	}
	c.user("source.user")
}

func (c *checker) user(path string) {
	if c.p.Source.User == "" && c.sound("source.user") && !c.excused("source.user") {
		c.errorf(path, "write source.user, or a user in the url", "no user to log in as")
	}
}

// beside reports whether an option is said in the layer of the url, or above it.
func (c *checker) beside(path string) bool {
	return c.written(path) && (!c.shared[path] || c.shared["source.url"])
}

// use takes what a URL says, unless the file says the same thing beside it.
func (c *checker) use(a address) {
	s := &c.p.Source
	s.Type, s.Host, s.Port, s.Database = a.typ, a.host, a.port, a.database
	if a.user != "" && (s.User == "" || !c.beside("source.user")) {
		s.User = a.user
	}
	if a.password != "" {
		c.passwordInURL()
		if s.Password.IsZero() || !c.beside("source.password") {
			s.Password = SecretText(a.password)
		}
	}
	for _, t := range []struct {
		path  string
		field *string
		value string
	}{
		{"source.tls.mode", &s.TLS.Mode, a.tls.Mode},
		{"source.tls.ca_file", &s.TLS.CAFile, a.tls.CAFile},
		{"source.tls.cert_file", &s.TLS.CertFile, a.tls.CertFile},
		{"source.tls.key_file", &s.TLS.KeyFile, a.tls.KeyFile},
	} {
		if t.path == "source.tls.mode" && t.value == "disable" && c.shared[t.path] && *t.field != t.value && !c.beside(t.path) {
			c.warnf("source.url", "take it out of the url for that of defaults", "no TLS, where defaults say %s", *t.field)
		}
		if t.value != "" && !c.beside(t.path) {
			*t.field = t.value
		}
	}
}

// passwordInURL warns of a password that the file itself spells out.
func (c *checker) passwordInURL() {
	v := c.values["source.url"]
	if v.node == nil {
		return
	}
	if a, m := parseAddress(v.node.Value); m == nil && a.password != "" && !strings.Contains(a.password, "${") {
		c.warnf("source.url", "write source.password: ${file:/path} or ${NAME}, so that the file can be shared", "the password stands in the file")
	}
}

func (c *checker) retry() {
	r := c.p.Source.Retry
	if c.sound("source.retry.initial", "source.retry.max") && r.Initial > r.Max {
		c.errorf("source.retry.initial", "", "%s is above source.retry.max, %s", showDuration(r.Initial), showDuration(r.Max))
	}
}

func (c *checker) tls(path string, t TLS) {
	if (t.CertFile == "") != (t.KeyFile == "") && c.sound(path+".cert_file", path+".key_file") {
		have, lack := ".cert_file", ".key_file"
		if t.CertFile == "" {
			have, lack = lack, have
		}
		c.errorf(path+have, "a certificate and its key go together", "needs %s%s", path, lack)
	}
	files := t.CAFile + t.CertFile + t.KeyFile + t.ServerName
	if t.Mode == "disable" && files != "" && c.sound(path+".mode") {
		c.warnf(path, fmt.Sprintf("write %s.mode: verify-full", path), "mode is disable, so the rest has no effect")
	}
}

// isLoopback reports whether host:port is this machine.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// service checks the service document.
func (c *checker) service(s *Service) {
	if s.HTTP.Listen != "" && c.sound("service.http.listen") {
		if _, port, err := net.SplitHostPort(s.HTTP.Listen); err != nil || !isPort(port, 0) {
			c.errorf("service.http.listen", "write host:port, as 127.0.0.1:8087, or \"\" for none", "not an address to listen on")
		}
	}
	if !strings.HasPrefix(s.Metrics.Path, "/") {
		c.errorf("service.metrics.path", "write /metrics", "must start with a slash")
	}
}

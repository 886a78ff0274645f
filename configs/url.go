package configs

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// address is what a database URL says.
type address struct {
	typ      string
	host     string
	port     int
	database string
	user     string
	password string
	tls      TLS
	ignored  []string // parameters without a meaning here
	unclear  bool     // they may be a password that was not encoded
}

// engine is a kind of database, by the scheme of its URL.
type engine struct {
	typ        string
	port       int
	parameters map[string]func(a *address, value string) *mistake // those that matter
}

var engines = map[string]engine{
	"postgres":   postgresEngine,
	"postgresql": postgresEngine,
	"mysql":      mysqlEngine("mysql"),
	"mariadb":    mysqlEngine("mariadb"),
}

// mysqlEngine knows the parameters of the two JDBC drivers and of MySQL's own URLs.
func mysqlEngine(typ string) engine {
	return engine{typ: typ, port: 3306, parameters: map[string]func(*address, string) *mistake{
		"user":          func(a *address, v string) *mistake { a.user = v; return nil },
		"password":      func(a *address, v string) *mistake { a.password = v; return nil },
		"sslMode":       setMySQLMode,
		"ssl-mode":      setMySQLMode,
		"useSSL":        setUseSSL,
		"serverSslCert": func(a *address, v string) *mistake { a.tls.CAFile = v; return nil },
		"ssl-ca":        func(a *address, v string) *mistake { a.tls.CAFile = v; return nil },
		"ssl-cert":      func(a *address, v string) *mistake { a.tls.CertFile = v; return nil },
		"ssl-key":       func(a *address, v string) *mistake { a.tls.KeyFile = v; return nil },
	}}
}

// mysqlModes are the words of Connector/J and of MariaDB's connector.
var mysqlModes = map[string]string{
	"disabled": "disable", "preferred": "prefer", "required": "require", "verify_ca": "verify-ca", "verify_identity": "verify-full",
	"disable": "disable", "trust": "require", "verify-ca": "verify-ca", "verify-full": "verify-full", "prefer": "prefer", "require": "require",
}

func setMySQLMode(a *address, v string) *mistake {
	mode, ok := mysqlModes[strings.ToLower(v)]
	if !ok {
		return mistakef("", "its sslMode must be DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY")
	}
	a.tls.Mode = mode
	return nil
}

// setUseSSL reads the older switch, which never checked a certificate.
func setUseSSL(a *address, v string) *mistake {
	if a.tls.Mode == "" {
		a.tls.Mode = map[bool]string{true: "require", false: "disable"}[v != "false"]
	}
	return nil
}

var postgresEngine = engine{typ: "postgres", port: 5432, parameters: map[string]func(*address, string) *mistake{
	"user":        func(a *address, v string) *mistake { a.user = v; return nil },
	"password":    func(a *address, v string) *mistake { a.password = v; return nil },
	"sslmode":     setSSLMode,
	"ssl":         setSSL,
	"sslrootcert": func(a *address, v string) *mistake { a.tls.CAFile = v; return nil },
	"sslcert":     func(a *address, v string) *mistake { a.tls.CertFile = v; return nil },
	"sslkey":      func(a *address, v string) *mistake { a.tls.KeyFile = v; return nil },
}}

const urlForm = "write postgres://user@host:5432/database, mysql://user@host:3306/database or mariadb://user@host:3306/database"

// setSSLMode reads libpq's words. Its allow tries plain text first, which nobody wants on purpose.
func setSSLMode(a *address, v string) *mistake {
	if v == "allow" {
		v = "prefer"
	}
	words := []string{"disable", "prefer", "require", "verify-ca", "verify-full"}
	if !slices.Contains(words, v) {
		return mistakef("", "its sslmode must be %s", alternatives(words))
	}
	a.tls.Mode = v
	return nil
}

// setSSL reads the JDBC driver's own switch, which checks the certificate when it is on.
func setSSL(a *address, v string) *mistake {
	if a.tls.Mode == "" && v != "false" {
		a.tls.Mode = "verify-full"
	}
	return nil
}

var schemeForm = compiled(`^[a-zA-Z][a-zA-Z+.-]*(:[a-zA-Z]+)?$`)

// parseAddress reads a database URL. Its messages never quote it: there may be a password in it.
func parseAddress(text string) (address, *mistake) {
	rest := strings.TrimPrefix(text, "jdbc:")
	scheme, _, ok := strings.Cut(rest, "://")
	if !ok {
		return address{}, mistakef(urlForm, "not a database URL")
	}
	e, ok := engines[strings.ToLower(scheme)]
	if !ok {
		if !schemeForm.MatchString(scheme) {
			scheme = redacted // it may be a login
		}
		return address{}, mistakef(urlForm, "%s is no database that can be read: want postgres, mysql or mariadb, or one of them behind jdbc:", strconv.Quote(scheme))
	}
	u, err := url.Parse(rest)
	if err != nil {
		return address{}, mistakef("a user or password with : / ? # @ or % goes to source.user and source.password, or is percent-encoded", "not a valid URL")
	}
	return e.read(u)
}

func (e engine) read(u *url.URL) (address, *mistake) {
	a := address{typ: e.typ, port: e.port, database: strings.TrimPrefix(u.Path, "/"), user: u.User.Username()}
	a.password, _ = u.User.Password()
	if strings.Contains(u.Host, ",") {
		return a, mistakef("name the primary, or an address that follows it", "it names several hosts")
	}
	a.host = u.Hostname()
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return a, mistakef("write 1 to 65535, or leave it out for "+strconv.Itoa(e.port), "its port must be 1 to 65535")
		}
		a.port = n
	}
	if m := e.query(&a, u); m != nil {
		return a, m
	}
	switch {
	case a.host == "":
		return a, mistakef(urlForm, "it names no host")
	case a.database == "" || strings.Contains(a.database, "/"):
		return a, mistakef(urlForm, "it names no database")
	}
	return a, nil
}

func (e engine) query(a *address, u *url.URL) *mistake {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return mistakef("percent-encode what follows the question mark", "its parameters can't be read")
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a.unclear = a.unclear || strings.Contains(name+strings.Join(values[name], ""), "@")
		set := e.parameters[name]
		if set == nil {
			a.ignored = append(a.ignored, name)
			continue
		}
		if m := set(a, values.Get(name)); m != nil {
			return m
		}
	}
	return nil
}

// ignoredParameters names them where they can't be anything else.
func (a *address) ignoredParameters() string {
	if a.unclear {
		return "ignored parameters, or a password that holds a question mark: percent-encode it"
	}
	return "ignored parameters: " + strings.Join(a.ignored, ", ")
}

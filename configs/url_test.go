package configs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDatabaseURLs(t *testing.T) {
	type want struct {
		host, database, user, password, mode string
		port                                 int
	}
	for url, w := range map[string]want{
		"postgres://outferry@localhost/posts":                                 {"localhost", "posts", "outferry", "", "prefer", 5432},
		"postgresql://outferry:secret@db:6432/posts?sslmode=require":          {"db", "posts", "outferry", "secret", "require", 6432},
		"POSTGRES://u@h/d?sslmode=allow":                                      {"h", "d", "u", "", "prefer", 5432},
		"jdbc:postgresql://posts-db:5432/posts?user=outferry&password=p%40ss": {"posts-db", "posts", "outferry", "p@ss", "prefer", 5432},
		"jdbc:postgresql://h/d?user=u&ssl=true":                               {"h", "d", "u", "", "verify-full", 5432},
		"jdbc:postgresql://h/d?user=u&ssl=true&sslmode=require":               {"h", "d", "u", "", "require", 5432},
		"postgres://u:p%3A%2F%23%40@[::1]:5433/my%20db":                       {"::1", "my db", "u", "p:/#@", "prefer", 5433},
	} {
		text := strings.Replace(minimal, "postgres://outferry@localhost:5432/posts", "${URL}", 1)
		set, findings := LoadBytes("x.yaml", []byte(text), isolated(map[string]string{"URL": url}))
		if findings != nil {
			t.Errorf("%s: %s", url, findings.Error())
			continue
		}
		s := set.Pipelines[0].Source
		password, _ := s.Password.Get()
		got := want{s.Host, s.Database, s.User, password, s.TLS.Mode, s.Port}
		if got != w || s.Type != "postgres" {
			t.Errorf("%s: got %+v", url, got)
		}
	}
}

func TestWhatStandsBesideTheURLWins(t *testing.T) {
	text := strings.Replace(minimal, "postgres://outferry@localhost:5432/posts",
		"${URL}\n  user: other\n  password: ${PW}\n  tls: {mode: require}", 1)
	set, findings := LoadBytes("x.yaml", []byte(text), isolated(map[string]string{
		"URL": "postgres://outferry:no@db/posts?sslmode=disable&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem", "PW": "yes"}))
	if findings != nil {
		t.Fatal(findings.Error())
	}
	s := set.Pipelines[0].Source
	password, _ := s.Password.Get()
	if s.User != "other" || password != "yes" || s.TLS != (TLS{Mode: "require", CAFile: "/ca.pem", CertFile: "/c.pem", KeyFile: "/k.pem"}) {
		t.Errorf("got %+v, %s", s, password)
	}
}

func TestAddressInParts(t *testing.T) {
	text := strings.Replace(minimal, "url: postgres://outferry@localhost:5432/posts",
		"type: postgres\n  host: db\n  database: posts\n  user: outferry", 1)
	set, findings := LoadBytes("x.yaml", []byte(text), isolated(nil))
	if findings != nil {
		t.Fatal(findings.Error())
	}
	if s := set.Pipelines[0].Source; s.Type != "postgres" || s.Host != "db" || s.Port != 5432 || s.Database != "posts" || s.TLS.Mode != "prefer" {
		t.Errorf("got %+v", s)
	}
}

func TestMySQLAddresses(t *testing.T) {
	for text, want := range map[string]address{
		"mysql://u@h/d":          {typ: "mysql", host: "h", port: 3306, database: "d", user: "u"},
		"mariadb://u:p@h:3307/d": {typ: "mariadb", host: "h", port: 3307, database: "d", user: "u", password: "p"},
		"jdbc:mysql://h/d?sslMode=VERIFY_IDENTITY&serverTimezone=UTC": {typ: "mysql", host: "h", port: 3306, database: "d", tls: TLS{Mode: "verify-full"}, ignored: []string{"serverTimezone"}},
		"jdbc:mysql://h/d?useSSL=false":                               {typ: "mysql", host: "h", port: 3306, database: "d", tls: TLS{Mode: "disable"}},
		"jdbc:mariadb://h/d?user=u&sslMode=trust":                     {typ: "mariadb", host: "h", port: 3306, database: "d", user: "u", tls: TLS{Mode: "require"}},
	} {
		got, m := parseAddress(text)
		if m != nil {
			t.Errorf("%s: %s", text, m.message)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(address{})); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	if _, m := parseAddress("mysql://u@h/d?sslMode=maybe"); m == nil {
		t.Error("sslMode=maybe is accepted")
	}
}

// A MySQL pipeline needs no word that a PostgreSQL one does not.
func TestMySQLDefaults(t *testing.T) {
	text := strings.NewReplacer("postgres://outferry@localhost:5432/posts", "mysql://outferry@localhost/blog", "public.outbox", "outbox").Replace(minimal)
	set, findings := LoadBytes("x.yaml", []byte(text), isolated(nil))
	if findings != nil {
		t.Fatal(findings.Error())
	}
	s := set.Pipelines[0].Source
	if s.Type != "mysql" || s.Port != 3306 || s.Tables[0] != "blog.outbox" || s.MySQL.ServerID < 1<<31 || s.MySQL.Position != "auto" || s.MySQL.UUIDBinary != "auto" {
		t.Errorf("got %+v", s)
	}
}

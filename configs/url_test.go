package configs

import (
	"strings"
	"testing"
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

func TestMySQLIsRefusedByName(t *testing.T) {
	for _, url := range []string{"mysql://u@h/d", "mariadb://u@h/d", "jdbc:mysql://h/d", "jdbc:mariadb://h/d"} {
		if _, m := parseAddress(url); m == nil || !strings.HasSuffix(m.message, "is not in this build yet") {
			t.Errorf("%s: %+v", url, m)
		}
	}
}

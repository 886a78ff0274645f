package faults

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"outferry/internal/feedcheck"
	"outferry/internal/servers"
)

// makeDatabase makes a fresh database on the server that the options name.
func (s *stage) makeDatabase() {
	s.t.Helper()
	switch {
	case s.opts.mysql != nil:
		s.my = s.opts.mysql.Database(s.t)
	case s.opts.version != "":
		s.my = servers.MySQL(s.t, s.opts.version)
	case s.opts.postgres != nil:
		s.db = s.opts.postgres.Database(s.t)
	default:
		s.db = servers.Postgres(s.t, 15)
	}
}

func (s *stage) makeTables() {
	s.t.Helper()
	db := s.open()
	defer db.Close()
	if err := feedcheck.Prepare(s.within(time.Minute), s.dialect(), db, s.tables()); err != nil {
		s.t.Fatal(err)
	}
	if s.db != nil {
		s.db.Exec(s.t, "GRANT pg_read_all_stats TO app")
	}
}

func (s *stage) dialect() feedcheck.Dialect {
	if s.my != nil {
		return feedcheck.MySQL{}
	}
	return feedcheck.Postgres{}
}

// open connects as the application does, whatever lies between the instances and the server.
func (s *stage) open() *sql.DB {
	s.t.Helper()
	dsn := ""
	if s.my != nil {
		dsn = s.my.URL("app")
	} else {
		dsn = s.db.URL("app")
	}
	db, err := s.dialect().Open(dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// workload is the URL by which the writers come: over the link where the address may lead to another server.
func (s *stage) workload() string {
	switch {
	case s.my == nil:
		return s.db.URL("app")
	case s.opts.failover:
		return strings.Replace(s.my.URL("app"), fmt.Sprintf("127.0.0.1:%d", s.my.Port), s.opts.source, 1)
	}
	return s.my.URL("app")
}

// url is what the pipeline file names. On PostgreSQL the account is the superuser's: rights are tried elsewhere.
func (s *stage) url(address string) (url, password string) {
	if s.my == nil {
		return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", address, s.db.Name), "postgres"
	}
	scheme, _, _ := strings.Cut(s.my.URL("outferry"), "://")
	return fmt.Sprintf("%s://outferry@%s/%s", scheme, address, s.my.Name), "outferry"
}

// source is where the database listens.
func (s *stage) source() string {
	if s.my != nil {
		return fmt.Sprintf("127.0.0.1:%d", s.my.Port)
	}
	return fmt.Sprintf("127.0.0.1:%d", s.db.Port)
}

// slot is the one to look at, empty where the database has none.
func (s *stage) slot() string {
	if s.my != nil {
		return ""
	}
	return "outferry_" + s.name
}

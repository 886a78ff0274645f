package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
)

// logRig is a rig on MySQL or MariaDB.
type logRig struct {
	*rig
	my *servers.MySQLDatabase
}

// eachLog runs a test on every server of this run.
func eachLog(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

func newLogRig(t *testing.T, db *servers.MySQLDatabase, more ...string) *logRig {
	t.Helper()
	db.Exec(t, "CREATE TABLE outbox (id varchar(32) PRIMARY KEY, aggregatetype varchar(64), aggregateid varchar(64), type varchar(64), payload text)")
	return &logRig{my: db, rig: rigOn(t, db.URL("outferry"), "outbox", more)}
}

// ownServer is a rig on a server of its own, whose log may be purged and reset.
func ownServer(t *testing.T, o servers.MySQLOptions, more ...string) (*logRig, *servers.MySQLServer) {
	t.Helper()
	m := servers.StartMySQL(t, o)
	return newLogRig(t, m.Database(t), more...), m
}

func (r *logRig) maria() bool { return strings.HasPrefix(r.my.Version, "mariadb") }

// moveTo has the pipeline's file lead to another server, and what is written from now on go there.
func (r *logRig) moveTo(from, to *servers.MySQLServer) {
	r.Helper()
	text, err := os.ReadFile(r.file)
	if err != nil {
		r.Fatal(err)
	}
	text = bytes.ReplaceAll(text, fmt.Appendf(nil, ":%d/", from.Port), fmt.Appendf(nil, ":%d/", to.Port))
	if err := os.WriteFile(r.file, text, 0o600); err != nil {
		r.Fatal(err)
	}
	r.my = &servers.MySQLDatabase{Version: to.Version, Name: r.my.Name, Port: to.Port}
}

// insert commits one transaction of n rows, whose payloads count up.
func (r *logRig) insert(n int) {
	r.Helper()
	var rows []string
	for range n {
		r.next++
		rows = append(rows, fmt.Sprintf("('%06d', '%s', 'k', 't', '%[1]d')", r.next, r.name))
	}
	r.my.Exec(r.T, "INSERT INTO outbox VALUES "+strings.Join(rows, ","))
}

// awaitGone waits until the server has noticed that the reader is gone.
func (r *logRig) awaitGone(set ...string) {
	r.Helper()
	servers.Eventually(r.T, time.Minute, "the server sees that it is gone", func() bool { return !strings.Contains(r.do("show", setFlags(set)...).out, "RUNNING") })
}

func setFlags(set []string) (flags []string) {
	for _, s := range set {
		flags = append(flags, "--set", s)
	}
	return flags
}

// executed is the server's GTID set.
func (r *logRig) executed() string {
	r.Helper()
	if r.maria() {
		return r.my.Text(r.T, "SELECT @@GLOBAL.gtid_binlog_pos")
	}
	return strings.ReplaceAll(r.my.Text(r.T, "SELECT @@GLOBAL.gtid_executed"), "\n", "")
}

// runUntil runs the pipeline until it has published the payload and streams from a whole transaction.
func (r *logRig) runUntil(payload int, set ...string) {
	r.Helper()
	stop := r.launch(set...)
	defer func() { stop(); r.awaitGone(set...) }()
	r.await(payload)
	servers.Eventually(r.T, time.Minute, "it streams", func() bool {
		rec := r.record(set...)
		at := string(rec.Position)
		return strings.Contains(at, `"phase":"stream"`) && (strings.Contains(at, `"by_gtid":true,"file"`) || strings.Contains(at, `"by_gtid":false`))
	})
}

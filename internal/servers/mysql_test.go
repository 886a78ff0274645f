package servers_test

import (
	"crypto/tls"
	"database/sql"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"

	"outferry/internal/servers"
)

func TestSharedMySQLGivesFreshDatabases(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			a, b := servers.MySQL(t, version), servers.MySQL(t, version)
			if a.Port != b.Port || a.Name == b.Name {
				t.Fatalf("want two databases on one server, got %s on %d and %s on %d", a.Name, a.Port, b.Name, b.Port)
			}
			if _, err := a.Connect(t, "app").Exec("CREATE TABLE ferry (id int); INSERT INTO ferry VALUES (1)"); err != nil {
				t.Fatal(err)
			}
			var n int
			outferry := a.Connect(t, "outferry")
			if err := outferry.QueryRow("SELECT count(*) FROM ferry").Scan(&n); err != nil || n != 1 {
				t.Fatalf("%d rows, want 1: %v", n, err)
			}
			if _, err := outferry.Exec("INSERT INTO ferry VALUES (2)"); err == nil {
				t.Fatal("outferry may write")
			}
			t.Log(a.Text(t, "SELECT CONCAT(VERSION(), ' ', @@binlog_format, ' ', @@binlog_row_metadata)"))
		})
	}
}

func TestPrivateMySQLSurvivesEveryEnd(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Durable: true, Compress: true, RowMetadata: "FULL"})
			d := m.Database(t)
			d.Exec(t, "CREATE TABLE ferry (id int); INSERT INTO ferry VALUES (1)")
			for _, end := range []func(){m.Kill, m.Stop} {
				end()
				m.Start("max_binlog_size = 8192")
				if n := d.Text(t, "SELECT count(*) FROM ferry"); n != "1" {
					t.Fatalf("%s rows, want 1", n)
				}
			}
			if size := d.Text(t, "SELECT @@max_binlog_size"); size != "8192" {
				t.Fatalf("max_binlog_size is %s, want 8192", size)
			}
		})
	}
}

func TestPromotedReplicaHasEveryRow(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			m := servers.StartMySQL(t, servers.MySQLOptions{Version: version})
			r := m.Replica()
			d := m.Database(t)
			d.Exec(t, "CREATE TABLE ferry (id int); INSERT INTO ferry VALUES (1)")
			r.CatchUp(t, m)
			m.Kill()
			r.Promote()
			there := &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
			there.Exec(t, "INSERT INTO ferry VALUES (2)")
			if n := there.Text(t, "SELECT count(*) FROM ferry"); n != "2" {
				t.Fatalf("%s rows, want 2", n)
			}
			m.Start()
			m.Follow(r)
			m.CatchUp(t, r)
			if n := d.Text(t, "SELECT count(*) FROM ferry"); n != "2" {
				t.Fatalf("%s rows on the former source, want 2", n)
			}
		})
	}
}

func TestMySQLSpeaksTLS(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			ca := servers.NewCA(t)
			m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, TLS: ca})
			if file := m.Admin().Text(t, "SELECT @@ssl_ca"); file != ca.File {
				t.Fatalf("ssl_ca is %s, want %s", file, ca.File)
			}
			d := m.Database(t)
			d.Exec(t, "ALTER USER app REQUIRE X509")
			if err := d.Connect(t, "app").Ping(); err == nil {
				t.Fatal("let in without a certificate")
			}
			if err := pingMySQL(clientTLS(t, ca, "app"), d, "app"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func pingMySQL(config *tls.Config, d *servers.MySQLDatabase, user string) error {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", fmt.Sprintf("127.0.0.1:%d", d.Port)
	c.User, c.Passwd, c.DBName, c.TLS = user, user, d.Name, config
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	return db.Ping()
}

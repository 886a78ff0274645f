package servers_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"outferry/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

func TestSharedPostgresGivesFreshDatabases(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		a, b := servers.Postgres(t, version), servers.Postgres(t, version)
		if a.Port != b.Port || a.Name == b.Name {
			t.Fatalf("want two databases on one server, got %s on %d and %s on %d", a.Name, a.Port, b.Name, b.Port)
		}
		app := a.Connect(t, "app")
		if _, err := app.Exec(context.Background(), "CREATE TABLE ferry (id int); INSERT INTO ferry VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		if n := a.Text(t, "SELECT count(*) FROM ferry"); n != "1" {
			t.Fatalf("%s rows, want 1", n)
		}
		if major := a.Text(t, "SELECT current_setting('server_version_num')::int / $1::int", 10000); major != strconv.Itoa(version) {
			t.Fatalf("version %s, want %d", major, version)
		}
	}
}

func TestSlotsAreDroppedWithTheirDatabase(t *testing.T) {
	var slot *servers.Database
	t.Run("leaves a slot", func(t *testing.T) {
		slot = servers.Postgres(t, 15)
		slot.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", slot.Name)
	})
	d := servers.Postgres(t, 15)
	if n := d.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1", slot.Name); n != "0" {
		t.Fatal("the slot is still there")
	}
}

func TestOutferryMayOnlyReplicate(t *testing.T) {
	d := servers.Postgres(t, 15)
	d.Exec(t, "CREATE TABLE ferry (id int)")
	conn := d.Connect(t, "outferry")
	for _, sql := range []string{"SELECT * FROM ferry", "CREATE TABLE other (id int)", "CREATE PUBLICATION p FOR TABLE ferry"} {
		if _, err := conn.Exec(context.Background(), sql); err == nil {
			t.Errorf("%s: allowed", sql)
		}
	}
	if _, err := conn.Exec(context.Background(), "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", d.Name); err != nil {
		t.Error(err)
	}
}

func TestPrivatePostgresSurvivesEveryEnd(t *testing.T) {
	p := servers.StartPostgres(t, servers.PostgresOptions{Fsync: true})
	d := p.Database(t)
	d.Exec(t, "CREATE TABLE ferry (id int); INSERT INTO ferry VALUES (1)")
	for _, end := range []func(){p.Kill, p.StopImmediate, p.Stop} {
		end()
		p.Start()
		if n := d.Text(t, "SELECT count(*) FROM ferry"); n != "1" {
			t.Fatalf("%s rows, want 1", n)
		}
	}
}

func TestRestoredBackupForgetsWhatCameLater(t *testing.T) {
	p := servers.StartPostgres(t, servers.PostgresOptions{})
	d := p.Database(t)
	d.Exec(t, "CREATE TABLE ferry (id int)")
	p.Stop()
	backup := p.CopyData()
	p.Start()
	d.Exec(t, "INSERT INTO ferry VALUES (1)")
	p.Stop()
	p.Restore(backup)
	p.Start()
	if n := d.Text(t, "SELECT count(*) FROM ferry"); n != "0" {
		t.Fatalf("%s rows, want 0", n)
	}
	other := servers.StartPostgres(t, servers.PostgresOptions{From: backup})
	id := "SELECT system_identifier FROM pg_control_system()"
	q := &servers.Database{Name: d.Name, Port: other.Port}
	if q.Text(t, id) != d.Text(t, id) {
		t.Fatal("the copy is another system")
	}
}

func TestPromotedStandbyHasEveryRow(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		p := servers.StartPostgres(t, servers.PostgresOptions{Version: version})
		d := p.Database(t)
		s := p.Standby()
		d.Exec(t, "CREATE TABLE ferry (id int); INSERT INTO ferry SELECT generate_series(1, 1000)")
		s.CatchUp(t, p)
		p.Kill()
		s.Promote()
		there := &servers.Database{Name: d.Name, Port: s.Port}
		there.Exec(t, "INSERT INTO ferry VALUES (1001)")
		if n := there.Text(t, "SELECT count(*) FROM ferry"); n != "1001" {
			t.Fatalf("%s rows, want 1001", n)
		}
	}
}

func TestPostgresChecksClientCertificates(t *testing.T) {
	ca := servers.NewCA(t)
	p := servers.StartPostgres(t, servers.PostgresOptions{TLS: ca, HBA: []string{
		"hostssl all app 127.0.0.1/32 cert",
		"hostnossl all app 127.0.0.1/32 reject",
	}})
	cert, key := ca.Client(t, "app")
	url := p.DSN("app", "postgres") + "&sslrootcert=" + ca.File
	connect := func(extra string) error {
		conn, err := pgx.Connect(context.Background(), url+extra)
		if err == nil {
			conn.Close(context.Background())
		}
		return err
	}
	if err := connect(""); err == nil {
		t.Error("let in without TLS")
	}
	verify := "&sslmode=verify-full"
	if err := connect(verify); err == nil {
		t.Error("let in without a certificate")
	}
	if err := connect(verify + "&sslcert=" + cert + "&sslkey=" + key); err != nil {
		t.Error(err)
	}
}

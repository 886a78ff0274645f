package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby makes a hot standby that streams from this server over a physical slot. From version 17 on it
// keeps failover slots in step. Settings go to the standby alone.
func (p *PostgresServer) Standby(settings ...string) *PostgresServer {
	p.t.Helper()
	p.standbys++
	name := fmt.Sprintf("standby%d", p.standbys)
	o := p.options
	o.From = ""
	o.Settings = append(append(o.Settings[:len(o.Settings):len(o.Settings)], p.follow(name)...), settings...)
	s := preparePostgres(p.t, o)
	p.check(p.baseBackup(name, filepath.Join(s.dir, "data")))
	s.check(s.start())
	return s
}

func (p *PostgresServer) follow(name string) []string {
	lines := []string{
		fmt.Sprintf("primary_conninfo = 'host=127.0.0.1 port=%d user=postgres password=postgres dbname=postgres application_name=%s'", p.Port, name),
		"primary_slot_name = '" + name + "'",
		"hot_standby_feedback = on",
	}
	if p.Version >= 17 {
		lines = append(lines, "sync_replication_slots = on")
	}
	return lines
}

// baseBackup does what pg_basebackup does, which most archives lack: it copies the files of the running server
// between a start and a stop of the backup mode. The slot keeps the log from before the start.
func (p *PostgresServer) baseBackup(slot, to string) error {
	ctx, cancel := startContext()
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN("postgres", "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT pg_create_physical_replication_slot($1, true)", slot); err != nil {
		return err
	}
	start, stop := "SELECT pg_backup_start('standby', true)", "SELECT labelfile FROM pg_backup_stop(false)"
	if p.Version < 15 {
		start, stop = "SELECT pg_start_backup('standby', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"
	}
	if _, err := conn.Exec(ctx, start); err != nil {
		return fmt.Errorf("start a base backup: %w", err)
	}
	if err := copyTree(p.DataDir, to, notInBackup); err != nil {
		return fmt.Errorf("copy a base backup: %w", err)
	}
	return finishBackup(ctx, conn, stop, to)
}

func finishBackup(ctx context.Context, conn *pgx.Conn, stop, to string) error {
	var label string
	if err := conn.QueryRow(ctx, stop).Scan(&label); err != nil {
		return fmt.Errorf("stop a base backup: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(to, "backup_label"), []byte(label), 0o600),
		os.WriteFile(filepath.Join(to, "standby.signal"), nil, 0o600),
	)
}

// notInBackup tells what belongs to the running server alone, or comes again over the slot. Directories stay.
func notInBackup(path string) bool {
	if path == "postmaster.pid" || path == "postmaster.opts" {
		return true
	}
	for _, dir := range []string{"pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"} {
		if strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	wal, inWAL := strings.CutPrefix(path, "pg_wal/")
	return inWAL && wal != "archive_status" && wal != "summaries"
}

// CatchUp waits until this standby has replayed everything that the primary has flushed by now.
func (p *PostgresServer) CatchUp(t testing.TB, primary *PostgresServer) {
	t.Helper()
	from, here := &Database{Name: "postgres", Port: primary.Port}, &Database{Name: "postgres", Port: p.Port}
	defer from.close()
	defer here.close()
	lsn := from.Text(t, "SELECT pg_current_wal_flush_lsn()")
	Eventually(t, time.Minute, "the standby has replayed "+lsn, func() bool {
		return here.Text(t, "SELECT pg_last_wal_replay_lsn() >= '"+lsn+"'") == "true"
	})
}

// Promote makes a primary of this standby and waits until it is.
func (p *PostgresServer) Promote() {
	p.t.Helper()
	d := &Database{Name: "postgres", Port: p.Port}
	defer d.close()
	if d.Text(p.t, "SELECT pg_promote(true, 60)") != "true" {
		p.t.Fatal("promote the standby: not done within a minute")
	}
}

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"outferry/internal/postgres"
	"outferry/internal/servers"
)

// RecvLogical is pg_recvlogical with pgoutput, which decodes nothing and keeps nothing: what one slot can give.
type RecvLogical struct {
	rig    *Rig
	engine Engine
	shape  *Shape
	slots  []string
	begin  string
}

// Name implements Subject.
func (*RecvLogical) Name() string { return "pg_recvlogical" }

// Setup makes a publication, and a slot for each round.
func (r *RecvLogical) Setup(_ context.Context, rounds int) error {
	r.slots = nil
	r.engine.Exec("CREATE PUBLICATION raw FOR TABLE public.outbox")
	for range rounds {
		slot := strings.ReplaceAll(r.rig.name("raw"), "-", "_")
		r.engine.Exec("SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')")
		r.slots = append(r.slots, slot)
	}
	r.begin = r.engine.Text("SELECT pg_current_wal_lsn()")
	return nil
}

// Drain reads up to where the log ends now.
func (r *RecvLogical) Drain(ctx context.Context, round int) (*Run, error) {
	program, err := r.program(ctx)
	if err != nil {
		return nil, err
	}
	end := r.engine.Text("SELECT pg_current_wal_lsn()")
	begin := usage(0)
	p, err := r.rig.start("raw", []string{"PGPASSWORD=postgres"}, program, "-h", "127.0.0.1", "-p", fmt.Sprint(r.engine.Port()), "-U", "postgres", "-d", r.engine.Database(),
		"--slot", r.slots[round], "--start", "--no-loop", "-o", "proto_version=1", "-o", "publication_names=raw", "--endpos", end, "-f", "/dev/null")
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	// The server's word on how far it has sent, as a share of the log.
	progress := func(context.Context) (int, error) {
		if !p.Running() {
			return r.shape.Rows, nil
		}
		var sent float64
		text := r.engine.Text(fmt.Sprintf("SELECT coalesce(max((sent_lsn - '%s'::pg_lsn) / nullif('%s'::pg_lsn - '%[1]s'::pg_lsn, 0)), 0)::float FROM pg_stat_replication WHERE application_name = 'pg_recvlogical'", r.begin, end))
		_, err := fmt.Sscan(text, &sent)
		return int(min(max(sent, 0), 0.9999) * float64(r.shape.Rows)), err
	}
	run, err := follow(ctx, p.Pid(), r.shape.Rows, 0, begin, progress, nil)
	if err == nil && p.ExitCode() != 0 {
		err = p.Ended()
	}
	return run, err
}

func (r *RecvLogical) program(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("pg_recvlogical"); err == nil {
		return path, nil
	}
	bin, err := postgres.Binaries(ctx, 0)
	return filepath.Join(bin, "pg_recvlogical"), err
}

// BinlogTool is mysqlbinlog or mariadb-binlog writing the raw log to files, which decodes nothing.
type BinlogTool struct {
	rig     *Rig
	shape   *Shape
	engine  Engine
	program []string
	file    string
	pos     string
}

// NewBinlogTool installs it where it is missing.
func NewBinlogTool(r *Rig, e Engine, s *Shape) (*BinlogTool, error) {
	program, err := servers.BinlogTool(strings.HasPrefix(e.Name(), "mariadb"))
	return &BinlogTool{rig: r, engine: e, shape: s, program: program}, err
}

// Name implements Subject.
func (t *BinlogTool) Name() string { return filepath.Base(t.program[len(t.program)-1]) + " --raw" }

// Setup notes where the log stands.
func (t *BinlogTool) Setup(context.Context, int) (err error) {
	t.file, t.pos, err = logEnd(t.engine)
	return err
}

// logEnd is the file and place where the log ends.
func logEnd(e Engine) (file, pos string, err error) {
	m, ok := e.(*mysqlEngine)
	if !ok {
		return "", "", fmt.Errorf("%s has no binlog", e.Name())
	}
	db := m.db.Connect(&stand{}, "root")
	defer db.Close()
	rows, err := db.Query("SHOW MASTER STATUS")
	if err != nil {
		if rows, err = db.Query("SHOW BINARY LOG STATUS"); err != nil {
			return "", "", err
		}
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", "", err
	}
	values := make([]any, len(names))
	values[0], values[1] = &file, &pos
	for i := 2; i < len(values); i++ {
		values[i] = new([]byte)
	}
	rows.Next()
	return file, pos, rows.Scan(values...)
}

// Drain reads to the log's end. How far it is shows in the bytes that it has written.
func (t *BinlogTool) Drain(ctx context.Context, _ int) (*Run, error) {
	dir, err := os.MkdirTemp(t.rig.Dir, "log")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	total := t.engine.(*mysqlEngine).logBytes(t.file, t.pos)
	args := append([]string{}, t.program...)
	args = append(args, "--no-defaults", "--read-from-remote-server", "--host=127.0.0.1", fmt.Sprintf("--port=%d", t.engine.Port()), "--user=root", "--password=root",
		"--raw", "--to-last-log", "--start-position="+t.pos, "--result-file="+dir+"/", t.file)
	begin := usage(0)
	p, err := t.rig.start("raw", nil, args...)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	progress := func(context.Context) (int, error) {
		if !p.Running() {
			return t.shape.Rows, nil
		}
		return int(min(float64(written(dir))/float64(total), 0.9999) * float64(t.shape.Rows)), nil
	}
	run, err := follow(ctx, p.Pid(), t.shape.Rows, 0, begin, progress, nil)
	if err == nil && p.ExitCode() != 0 {
		err = p.Ended()
	}
	return run, err
}

func written(dir string) (n int64) {
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// logBytes counts the log's bytes after a place.
func (m *mysqlEngine) logBytes(file, pos string) (n int64) {
	files, _ := filepath.Glob(filepath.Join(m.server.DataDir, "binlog.[0-9]*"))
	var from int64
	fmt.Sscan(pos, &from)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && filepath.Base(f) >= file {
			n += info.Size()
		}
	}
	return max(n-from, 1)
}

// Part is a part of the way by itself, measured by this program as a child of its own: the reader without Kafka, or a producer without a
// database.
type Part struct {
	rig    *Rig
	engine Engine
	shape  *Shape
	kind   string // reader or producer
	at     []byte // position before the rows
	file   string
}

// NewPart measures the reader or the producer alone.
func NewPart(r *Rig, e Engine, s *Shape, kind string) *Part {
	return &Part{rig: r, engine: e, shape: s, kind: kind}
}

// Name implements Subject.
func (p *Part) Name() string { return p.kind + " alone" }

// Setup has a reader note its position.
func (p *Part) Setup(ctx context.Context, _ int) error {
	if p.kind != "reader" {
		return nil
	}
	o := NewOutferry(p.rig, p.engine, p.shape, "reader", "")
	name := p.rig.name("reader")
	p.file = o.file(name)
	if err := o.write(name); err != nil {
		return err
	}
	out, err := p.child(ctx, &Child{Part: "position", File: p.file})
	p.at = out.Position
	return err
}

// Drain implements Subject.
func (p *Part) Drain(ctx context.Context, _ int) (*Run, error) {
	c := &Child{Part: p.kind, File: p.file, Position: p.at, Shape: *p.shape, Broker: p.rig.Broker, Prefix: p.rig.name("producer") + "."}
	var t *topics
	if p.kind == "producer" {
		var err error
		if t, err = makeTopics(ctx, p.rig.client, p.rig.Broker, p.shape, c.Prefix); err != nil {
			return nil, err
		}
		defer t.remove(context.WithoutCancel(ctx))
	}
	before := Load()
	from := usage(0)
	out, err := p.child(ctx, c)
	if err != nil {
		return nil, err
	}
	to := usage(0)
	million := float64(p.shape.Rows) / 1e6
	run := &Run{Rows: p.shape.Rows, Short: out.Seconds < shortest.Seconds(), Rate: float64(p.shape.Rows) / out.Seconds, WholeRate: float64(p.shape.Rows) / out.Seconds, CPU: out.CPU / million, WholeCPU: out.CPU / million,
		DBCPU: (to.DB - from.DB).Seconds() / million, BrokerCPU: (to.Broker - from.Broker).Seconds() / million, Memory: out.Memory, LoadBefore: before, LoadAfter: Load(), Others: others(from, to)}
	if t != nil {
		if err := t.readBack(ctx, run); err != nil {
			run.Fault = err.Error()
		}
	}
	return run, nil
}

// child runs this program again, for one part.
func (p *Part) child(ctx context.Context, c *Child) (out ChildResult, err error) {
	arg, err := json.Marshal(c)
	if err != nil {
		return out, err
	}
	self, err := os.Executable()
	if err != nil {
		return out, err
	}
	cmd := exec.CommandContext(ctx, self, "child", string(arg))
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s alone: %w", p.kind, err)
	}
	return out, json.Unmarshal(text, &out)
}

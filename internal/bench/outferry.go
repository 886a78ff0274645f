package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"outferry/configs"
	"outferry/internal/process"
)

// Outferry is the built binary with its defaults: exactly once, every check, metrics on.
type Outferry struct {
	rig    *Rig
	engine Engine
	shape  *Shape
	label  string
	extra  string // more lines of its pipeline file's kafka section
	names  []string
}

// NewOutferry measures the defaults; extra lines of the file's kafka section change them, and the label says how.
func NewOutferry(r *Rig, e Engine, s *Shape, label, extra string) *Outferry {
	return &Outferry{rig: r, engine: e, shape: s, label: label, extra: extra}
}

// outferryDefaults are those that a rate depends on.
func outferryDefaults() string {
	set, _ := configs.LoadBytes("minimal", []byte("name: a\nsource: {url: postgres://a@b/c, tables: [outbox]}\nkafka: {brokers: [b:9092]}\n"), configs.Options{})
	p := set.Pipelines[0]
	return fmt.Sprintf("; a commit each %s, %d rows or %d MiB, of which %d MiB at most are under way", p.Commit.Interval, p.Commit.Rows, p.Commit.Bytes>>20, p.Kafka.MaxBuffered>>20)
}

// Name implements Subject.
func (o *Outferry) Name() string { return o.label }

func (o *Outferry) file(name string) string { return filepath.Join(o.rig.Dir, name+".yaml") }

func (o *Outferry) write(name string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\nsource:\n  url: %s\n  tables: [%s]\n  snapshot: no_data\n", name, o.engine.URL("outferry"), o.engine.Table())
	fmt.Fprintf(&b, "router:\n  topic: %s.${routedByValue}\n  expand_json: %t\n", name, o.shape.Expand)
	if o.shape.Headers {
		b.WriteString("  headers: {eventType: type, aggregate: aggregatetype}\n")
	}
	fmt.Fprintf(&b, "kafka:\n  brokers: [%s]\n%s", o.rig.Broker, o.extra)
	return os.WriteFile(o.file(name), []byte(b.String()), 0o600)
}

// launch starts one process for pipelines, and says where it answers.
func (o *Outferry) launch(names ...string) (p *process.Process, ready string, err error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, "", err
	}
	args := []string{o.rig.program, "run"}
	for _, name := range names {
		args = append(args, o.file(name))
	}
	env := []string{fmt.Sprintf("OUTFERRY__SERVICE__HTTP__LISTEN=127.0.0.1:%d", port)}
	p, err = o.rig.start(names[0], env, args...)
	return p, fmt.Sprintf("http://127.0.0.1:%d/readyz", port), err
}

// Setup gives each round a pipeline of its own, which has a slot and a position before the rows are written.
func (o *Outferry) Setup(ctx context.Context, rounds int) error {
	o.names = nil
	for round := range rounds {
		o.names = append(o.names, o.rig.name(fmt.Sprintf("%s-%s-%d", o.label, o.shape.Name, round)))
		if err := o.write(o.names[round]); err != nil {
			return err
		}
	}
	p, ready, err := o.launch(o.names...)
	if err != nil {
		return err
	}
	if err := waitReady(ctx, ready, p); err != nil {
		return err
	}
	// A first start without a snapshot streams before it has an offset: a marker of the heartbeat is not waited for, the stop writes none.
	return p.Stop(syscall.SIGTERM, time.Minute)
}

// Drain implements Subject.
func (o *Outferry) Drain(ctx context.Context, round int) (*Run, error) {
	name := o.names[round]
	t, err := makeTopics(ctx, o.rig.client, o.rig.Broker, o.shape, name+".")
	if err != nil {
		return nil, err
	}
	defer t.remove(context.WithoutCancel(ctx))
	begin := usage(0)
	p, _, err := o.launch(name)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	run, err := follow(ctx, p.Pid(), o.shape.Rows, 0, begin, t.committed, p.Done())
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, p.LastLines(5))
	}
	if err := t.readBack(ctx, run); err != nil {
		run.Fault = err.Error()
	}
	return run, p.Stop(syscall.SIGTERM, time.Minute)
}

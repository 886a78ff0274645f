package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"outferry/internal/bench/load"
)

// Options say what to measure.
type Options struct {
	Engines  []string
	Shapes   []string
	Rows     int
	Rounds   int
	Rates    []string
	Time     time.Duration
	Cold     bool // cold start and idle too
	Debezium bool

	Compressions bool // those that are not the default too
}

// ShapeNames are those that Options.Shapes may hold.
func ShapeNames() (names []string) {
	for _, s := range load.Shapes(1) {
		names = append(names, s.Name)
	}
	return names
}

func (o *Options) shapes() (list []*Shape, err error) {
	all := load.Shapes(o.Rows)
	if slices.Equal(o.Shapes, []string{"all"}) {
		o.Shapes = ShapeNames()
	}
	for _, name := range o.Shapes {
		i := slices.IndexFunc(all, func(s Shape) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no shape is called %q: there is %s", name, strings.Join(ShapeNames(), ", "))
		}
		list = append(list, &all[i])
	}
	return list, nil
}

// measurement is one on its way.
type measurement struct {
	Options
	rig    *Rig
	result *Result
	say    io.Writer
	order  *rand.Rand
}

// Measure does all that the options ask for. What was measured comes back also with an error.
func Measure(ctx context.Context, o Options, say io.Writer) (*Result, error) {
	shapes, err := o.shapes()
	if err != nil {
		return nil, err
	}
	rig, err := NewRig()
	if err != nil {
		return nil, err
	}
	defer rig.Close()
	seed := uint64(time.Now().UnixNano())
	m := &measurement{Options: o, rig: rig, say: say, order: rand.New(rand.NewPCG(seed, 0)), result: &Result{
		Date: time.Now().UTC().Format(time.RFC3339), Machine: ThisMachine(), BinaryMB: rig.BinaryMB(), Settings: settings(), Versions: versions(), OrderSeed: seed}}
	if err := m.warmUp(ctx); err != nil {
		return nil, fmt.Errorf("warm the broker up: %w", err)
	}
	for _, name := range o.Engines {
		if err := attempt(func() error { return m.engine(ctx, name, shapes) }); err != nil {
			m.result.Incomplete = fmt.Sprintf("%s: %v", name, err)
			return m.result, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m.result, nil
}

// warmUp has the broker's JVM compile what it runs, or the first subjects would pay for it.
func (m *measurement) warmUp(ctx context.Context) error {
	for _, s := range load.Shapes(500_000)[:2] {
		for range 2 {
			if _, err := NewPart(m.rig, nil, &s, "producer").Drain(ctx, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func settings() []string {
	list := []string{
		"everything on one machine, over loopback",
		"outferry: its defaults; exactly once, lz4, metrics on" + outferryDefaults(),
		"kafka: one node, 1 GiB of heap, G1, warmed up with 2,000,000 records, and before latencies at 1,000/s until its CPU time per event stands; topics of 4 partitions, or of 1 where there are 200",
		"postgres: fsync on, synchronous_commit off while a backlog is written and on in latency runs, 256 MiB of shared buffers",
		"mysql, mariadb: ROW, FULL image, FULL metadata, sync_binlog=0, innodb_flush_log_at_trx_commit=2",
		"debezium: " + debeziumVersion + " in Kafka Connect " + kafkaVersion + ", a fresh worker with -Xmx2G for each run; its start is not counted, but for the cold start",
		"producer alone: franz-go, a transaction each " + producerCommits.String() + ", linger 5 ms, lz4, acks=all",
	}
	for _, name := range slices.Sorted(maps.Keys(profiles)) {
		list = append(list, fmt.Sprintf("debezium %s: %v", name, profiles[name]))
	}
	return append(list, fmt.Sprintf("debezium tuned exactly once: %v besides", boundary))
}

func versions() map[string]string {
	v := map[string]string{"kafka": kafkaVersion, "debezium": debeziumVersion}
	if java, err := exec.Command("java", "-version").CombinedOutput(); err == nil {
		v["java"], _, _ = strings.Cut(string(java), "\n")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			switch d.Path {
			case "github.com/twmb/franz-go", "github.com/jackc/pgx/v5", "github.com/klauspost/compress":
				v[d.Path] = d.Version
			}
		}
	}
	return v
}

const kafkaVersion = "4.3.1" // as internal/servers installs it

func (m *measurement) engine(ctx context.Context, name string, shapes []*Shape) error {
	own := &stand{}
	defer own.close()
	e, err := newEngine(own, name)
	if err != nil {
		return err
	}
	for _, shape := range shapes {
		s := enough(e, shape)
		if err := e.New(s); err != nil {
			return err
		}
		if err := m.drains(ctx, e, s); err != nil {
			return fmt.Errorf("shape %s: %w", s.Name, err)
		}
	}
	return m.rest(ctx, e)
}

// enough is a shape with rows for a steady part: a binlog is read faster than a slot.
func enough(e Engine, s *Shape) *Shape {
	more := *s
	if _, binlog := e.(*mysqlEngine); binlog && s.Rows > s.PerTx {
		more.Rows *= 2
	}
	return &more
}

// subjects are who drains a shape. On PostgreSQL pg_recvlogical is the reader alone: ours would move its slot.
func (m *measurement) subjects(e Engine, s *Shape) []Subject {
	list := []Subject{NewOutferry(m.rig, e, s, Ours, "")}
	if _, ok := e.(*postgresEngine); ok {
		list = append(list, &RecvLogical{rig: m.rig, engine: e, shape: s})
	} else {
		tool, err := NewBinlogTool(m.rig, e, s)
		if err == nil {
			list = append(list, tool)
		} else {
			none := fmt.Sprintf("%s: the log is read by no tool of its own: %s", e.Name(), err)
			m.printf("%s\n", none)
			if !slices.Contains(m.result.Settings, none) {
				m.result.Settings = append(m.result.Settings, none)
			}
		}
		list = append(list, NewPart(m.rig, e, s, "reader"))
	}
	list = append(list, NewPart(m.rig, e, s, "producer"))
	if m.Debezium {
		for _, eos := range []bool{false, true} {
			for _, profile := range []string{"default", "tuned"} {
				list = append(list, &Debezium{rig: m.rig, engine: e, shape: s, profile: profile, eos: eos})
			}
		}
	}
	if m.Compressions {
		for _, c := range []string{"none", "snappy", "zstd"} {
			list = append(list, NewOutferry(m.rig, e, s, "outferry "+c, "  compression: "+c+"\n"))
		}
	}
	return list
}

// drains has every subject ferry the same rows, in turn.
func (m *measurement) drains(ctx context.Context, e Engine, s *Shape) error {
	list := m.subjects(e, s)
	for _, subject := range list {
		if err := subject.Setup(ctx, m.Rounds); err != nil {
			return fmt.Errorf("make %s ready: %w", subject.Name(), err)
		}
	}
	began := time.Now()
	if err := e.Load(ctx, s, 0, s.Rows); err != nil {
		return fmt.Errorf("write the rows: %w", err)
	}
	m.printf("%s %s: %d rows written in %s\n", e.Name(), s.Name, s.Rows, time.Since(began).Round(time.Second))
	for round := range m.Rounds {
		for _, i := range m.order.Perm(len(list)) { // nobody is always first, or behind the same one
			subject := list[i]
			run, err := m.within(ctx, func(ctx context.Context) (*Run, error) { return subject.Drain(ctx, round) })
			if err != nil {
				return fmt.Errorf("%s: %w", subject.Name(), err)
			}
			m.add(run, e, s.Name, subject.Name(), "drain", round)
			m.printf("%s %s %d: %s: %.0f events/s, %.1f CPU s/M, %.0f MiB, load %.1f, others %.2f %s\n", e.Name(), s.Name, round, subject.Name(), run.Rate, run.CPU, run.Memory, run.LoadBefore, run.Others, run.Fault)
		}
	}
	return nil
}

// within gives one run ten minutes. One that fails is no result, and the others go on.
func (m *measurement) within(ctx context.Context, do func(context.Context) (*Run, error)) (*Run, error) {
	limited, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	run, err := do(limited)
	if err != nil && ctx.Err() == nil {
		return &Run{Fault: err.Error()}, nil
	}
	return run, err
}

func (m *measurement) add(run *Run, e Engine, shape, subject, kind string, round int) {
	run.Engine, run.Shape, run.Subject, run.Kind, run.Round = e.Name(), shape, subject, kind, round
	m.result.Runs = append(m.result.Runs, run)
	if m.result.Versions[e.Name()] == "" {
		m.result.Versions[e.Name()] = e.Version()
	}
}

// capacity is how many events a second ours drained with one row a transaction, or else of the slowest shape.
func (m *measurement) capacity(engine string) float64 {
	least := math.Inf(1)
	for _, r := range m.result.Runs {
		switch {
		case r.Engine != engine || r.Kind != "drain" || r.Subject != Ours || r.Fault != "" || r.Short:
		case r.Shape == "1-row":
			return r.Rate
		default:
			least = min(least, r.Rate)
		}
	}
	return least
}

// rest measures latency, the cold start and idleness, on rows of 1 KiB.
func (m *measurement) rest(ctx context.Context, e Engine) error {
	if len(m.Rates) > 0 {
		if err := m.warmPace(ctx, e); err != nil {
			return fmt.Errorf("warm the broker up with small transactions: %w", err)
		}
	}
	for _, rate := range m.Rates {
		pace, err := m.pace(e, rate)
		if err != nil {
			return err
		}
		for round := range m.Rounds {
			if err := m.latencies(ctx, e, pace, round); err != nil {
				return fmt.Errorf("latency at %s: %w", pace.Name, err)
			}
		}
	}
	if !m.Cold {
		return nil
	}
	if err := m.cold(ctx, e); err != nil {
		return fmt.Errorf("cold start: %w", err)
	}
	if err := m.idle(ctx, e); err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	return nil
}

const (
	warmRate = 1000
	warmTime = 30 * time.Second
	warmMost = 10
)

// warmPace has the broker's JVM compile small transactions, until an event costs it hardly less than in the round before. That takes
// a minute, or several where the host is busy (see wake): without it latencies fall by half from round to round.
func (m *measurement) warmPace(ctx context.Context, e Engine) error {
	last := math.Inf(1)
	for range warmMost {
		s := latencyShape()
		if err := e.New(s); err != nil {
			return err
		}
		cost := wake()
		run, err := NewOutferry(m.rig, e, s, Ours, "").Latency(ctx, load.Pace{Name: "warm-up", PerTx: 1, Rate: warmRate, Time: warmTime})
		if err != nil {
			return err
		}
		m.printf("%s warm-up: broker %.0f CPU s/M, wake %.1f\n", e.Name(), run.BrokerCPU, cost)
		if run.BrokerCPU > 0.9*last {
			return nil
		}
		last = run.BrokerCPU
	}
	return nil
}

// steady is who streams while rows are written.
type steady interface {
	Name() string
	Latency(ctx context.Context, p load.Pace) (*Run, error)
}

// latencies has a fresh database for each run.
func (m *measurement) latencies(ctx context.Context, e Engine, p load.Pace, round int) error {
	s := latencyShape()
	list := []steady{NewOutferry(m.rig, e, s, Ours, "")}
	if m.Debezium {
		for _, profile := range []string{"lowlat", "default"} {
			list = append(list, &Debezium{rig: m.rig, engine: e, shape: s, profile: profile})
		}
		list = append(list, &Debezium{rig: m.rig, engine: e, shape: s, profile: "lowlat", eos: true})
	}
	for _, i := range m.order.Perm(len(list)) {
		subject := list[i]
		if err := e.New(s); err != nil {
			return err
		}
		cost := wake() // before the subject is there, which would be in it
		run, err := m.within(ctx, func(ctx context.Context) (*Run, error) { return subject.Latency(ctx, p) })
		if err != nil {
			return fmt.Errorf("%s: %w", subject.Name(), err)
		}
		run.Wake = cost
		m.add(run, e, p.Name, subject.Name(), "latency", round)
		m.printf("%s %s %d: %s: p50 %.1f p99 %.1f ms, %.0f/s written, load %.1f, wake %.1f %s\n", e.Name(), p.Name, round, subject.Name(), run.P50, run.P99, run.WholeRate, run.LoadBefore, run.Wake, run.Fault)
	}
	return nil
}

func (m *measurement) cold(ctx context.Context, e Engine) error {
	s := latencyShape()
	if err := e.New(s); err != nil {
		return err
	}
	runs, err := NewOutferry(m.rig, e, s, Ours, "").Cold(ctx, m.Rounds)
	for round, run := range runs {
		m.add(run, e, "cold start", Ours, "cold", round)
		m.printf("%s cold start %d: %s: first event after %.2f s\n", e.Name(), round, Ours, run.First)
	}
	if err != nil || !m.Debezium {
		return err
	}
	for round := range m.Rounds {
		if err := e.New(s); err != nil {
			return err
		}
		d := &Debezium{rig: m.rig, engine: e, shape: s, profile: "default"}
		run, err := m.within(ctx, d.Cold)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Name(), err)
		}
		m.add(run, e, "cold start", d.Name(), "cold", round)
		m.printf("%s cold start %d: %s: first event after %.2f s\n", e.Name(), round, d.Name(), run.First)
	}
	return nil
}

func (m *measurement) idle(ctx context.Context, e Engine) error {
	s := latencyShape()
	list := []interface {
		Name() string
		Idle(context.Context, time.Duration) (*Run, error)
	}{NewOutferry(m.rig, e, s, Ours, "")}
	if m.Debezium {
		list = append(list, &Debezium{rig: m.rig, engine: e, shape: s, profile: "default"})
	}
	for _, subject := range list {
		if err := e.New(s); err != nil {
			return err
		}
		run, err := m.within(ctx, func(ctx context.Context) (*Run, error) { return subject.Idle(ctx, 2*m.Time) })
		if err != nil {
			return fmt.Errorf("%s: %w", subject.Name(), err)
		}
		m.add(run, e, "idle", subject.Name(), "idle", 0)
		m.printf("%s idle: %s: %.3f cores, %.0f MiB\n", e.Name(), subject.Name(), run.Cores, run.Memory)
	}
	return nil
}

func latencyShape() *Shape {
	return &Shape{Name: "latency", Rows: 1, PerTx: 1, Size: 1 << 10, Topics: 2, ID: "uuid"}
}

// pace reads a rate: 500, or 70%, which is of the capacity and written 20 rows a transaction, since the writers share the machine.
func (m *measurement) pace(e Engine, rate string) (load.Pace, error) {
	p := load.Pace{Name: rate + "/s", PerTx: 1, Warm: 5 * time.Second, Time: m.Time}
	if m.Debezium { // whose compiler needs that long
		p.Warm = 45 * time.Second
	}
	share, isShare := strings.CutSuffix(rate, "%")
	n, err := strconv.Atoi(share)
	if err != nil || n <= 0 {
		return p, fmt.Errorf("rate %q: want 500 or 70%%", rate)
	}
	p.Rate = n
	if isShare {
		capacity := m.capacity(e.Name())
		if math.IsInf(capacity, 1) {
			return p, errors.New("a share of the capacity is asked for, and no backlog was drained for long enough to tell it")
		}
		p.Name, p.PerTx, p.Rate = rate+" of capacity", 20, int(capacity*float64(n)/100)
	}
	return p, nil
}

func (m *measurement) printf(format string, args ...any) { fmt.Fprintf(m.say, format, args...) }

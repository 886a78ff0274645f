package bench

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"outferry/internal/bench/load"
)

// Debezium is Kafka Connect with a Debezium connector and the Outbox Event Router.
type Debezium struct {
	rig     *Rig
	engine  Engine
	shape   *Shape
	profile string // default, tuned or lowlat
	eos     bool
	names   []string
}

// profiles are as Debezium's community tunes it. Nothing is set in the default.
var profiles = map[string]map[string]string{
	"default": {},
	"tuned": {"max.batch.size": "20480", "max.queue.size": "81920", "poll.interval.ms": "50", "producer.override.linger.ms": "20",
		"producer.override.batch.size": "524288", "producer.override.compression.type": "lz4", "producer.override.buffer.memory": "134217728"},
	"lowlat": {"max.batch.size": "20480", "max.queue.size": "81920", "poll.interval.ms": "5", "producer.override.linger.ms": "0", "producer.override.compression.type": "lz4"},
}

// boundary of transactions in the tuned profile, as often as ours; else each poll is one.
var boundary = map[string]string{"transaction.boundary": "interval", "transaction.boundary.interval.ms": "250"}

// Name implements Subject.
func (d *Debezium) Name() string {
	if d.eos {
		return "debezium " + d.profile + " exactly once"
	}
	return "debezium " + d.profile
}

func (d *Debezium) connector() string {
	if m, ok := d.engine.(*mysqlEngine); ok && m.maria() {
		return "mariadb"
	} else if ok {
		return "mysql"
	}
	return "postgres"
}

// Setup makes a slot for each round. On MySQL and MariaDB a connector without a position reads the log from its beginning.
func (d *Debezium) Setup(_ context.Context, rounds int) error {
	d.names = nil
	for range rounds {
		name := d.rig.name("dbz")
		if d.connector() == "postgres" {
			slot := strings.ReplaceAll(name, "-", "_")
			d.engine.Exec(fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE public.outbox", slot))
			d.engine.Exec(fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", slot))
		}
		d.names = append(d.names, name)
	}
	return nil
}

// config of a connector, the same for all shapes but for what the shape asks for.
func (d *Debezium) config(name string) map[string]string {
	c := map[string]string{
		"tasks.max": "1", "topic.prefix": name, "database.hostname": "127.0.0.1", "database.port": fmt.Sprint(d.engine.Port()), "tombstones.on.delete": "false",
		"transforms": "outbox", "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
		"transforms.outbox.route.topic.replacement": name + ".${routedByValue}",
	}
	add := func(more map[string]string) {
		for k, v := range more {
			c[k] = v
		}
	}
	if d.connector() == "postgres" {
		slot := strings.ReplaceAll(name, "-", "_")
		add(map[string]string{"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "database.user": "postgres", "database.password": "postgres",
			"database.dbname": d.engine.Database(), "plugin.name": "pgoutput", "slot.name": slot, "publication.name": slot, "publication.autocreate.mode": "disabled",
			"snapshot.mode": "no_data", "table.include.list": "public.outbox"})
	} else {
		class := map[string]string{"mysql": "io.debezium.connector.mysql.MySqlConnector", "mariadb": "io.debezium.connector.mariadb.MariaDbConnector"}[d.connector()]
		add(map[string]string{"connector.class": class, "database.user": "root", "database.password": "root", "snapshot.mode": "never",
			"database.server.id": fmt.Sprint(10_000 + crc32.ChecksumIEEE([]byte(name))%1_000_000), "table.include.list": d.engine.Database() + ".outbox", "database.include.list": d.engine.Database(),
			"schema.history.internal.kafka.bootstrap.servers": d.rig.Broker, "schema.history.internal.kafka.topic": name + "-history"})
		if d.connector() == "mysql" {
			c["driver.allowPublicKeyRetrieval"] = "true"
		}
	}
	if d.shape.Headers {
		c["transforms.outbox.table.fields.additional.placement"] = "type:header:eventType,aggregatetype:header:aggregate"
	}
	if d.shape.Expand {
		add(map[string]string{"transforms.outbox.table.expand.json.payload": "true", "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"})
	}
	if d.eos {
		c["exactly.once.support"] = "required"
	}
	add(profiles[d.profile])
	if d.eos && d.profile == "tuned" {
		add(boundary)
	}
	return c
}

// Drain has a fresh JVM for each run. Its start is not counted: the clock begins with the connector.
func (d *Debezium) Drain(ctx context.Context, round int) (*Run, error) {
	name := d.names[round]
	t, err := makeTopics(ctx, d.rig.client, d.rig.Broker, d.shape, name+".")
	if err != nil {
		return nil, err
	}
	defer t.remove(context.WithoutCancel(ctx))
	w, err := startWorker(ctx, d.rig, d.connector(), name, d.eos)
	if err != nil {
		return nil, err
	}
	defer w.Kill()
	if err := w.ready(ctx); err != nil {
		return nil, err
	}
	begin := usage(w.Pid())
	if err := w.create(ctx, name, d.config(name)); err != nil {
		return nil, err
	}
	run, err := follow(ctx, w.Pid(), d.shape.Rows, jvmWarmUp, begin, w.progress(name, t.committed), w.Done())
	if err != nil {
		return nil, errors.Join(err, errors.New(w.LastLines(5)))
	}
	if err := t.readBack(ctx, run); err != nil {
		run.Fault = err.Error()
	}
	w.gone()
	return run, nil
}

// open has a worker whose connector runs.
func (d *Debezium) open(ctx context.Context) (*worker, error) {
	if err := d.Setup(ctx, 1); err != nil {
		return nil, err
	}
	name := d.names[0]
	w, err := startWorker(ctx, d.rig, d.connector(), name, d.eos)
	if err != nil {
		return nil, err
	}
	err = w.ready(ctx)
	if err == nil {
		err = w.create(ctx, name, d.config(name))
	}
	if err == nil {
		err = w.running(ctx, name)
	}
	if err != nil {
		return nil, errors.Join(err, w.Kill())
	}
	return w, nil
}

// Latency has it stream while rows are written at a pace.
func (d *Debezium) Latency(ctx context.Context, p load.Pace) (*Run, error) {
	w, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Kill()
	run, err := paced(ctx, d.rig, d.engine, d.shape, d.names[0]+".", p, w.Pid())
	if err != nil {
		return nil, err
	}
	w.gone()
	return run, nil
}

// Cold starts a worker whose group has a connector already, with one row waiting.
func (d *Debezium) Cold(ctx context.Context) (*Run, error) {
	w, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	name := d.names[0]
	if err := w.end(); err != nil {
		return nil, err
	}
	s := *d.shape
	s.Rows = 1
	t, err := makeTopics(ctx, d.rig.client, d.rig.Broker, &s, name+".")
	if err != nil {
		return nil, err
	}
	defer t.remove(context.WithoutCancel(ctx))
	if err := d.engine.Load(ctx, &s, 0, 1); err != nil {
		return nil, err
	}
	launched := time.Now()
	if w, err = startWorker(ctx, d.rig, d.connector(), name, d.eos); err != nil {
		return nil, err
	}
	defer w.Kill()
	run, err := firstEvent(ctx, t, w.Pid(), launched)
	if err != nil {
		return nil, err
	}
	w.gone()
	return run, nil
}

// Idle looks at a worker with one connector when nothing is written.
func (d *Debezium) Idle(ctx context.Context, length time.Duration) (*Run, error) {
	w, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Kill()
	run, err := idle(ctx, w.Pid(), length)
	if err != nil {
		return nil, err
	}
	w.gone()
	return run, nil
}

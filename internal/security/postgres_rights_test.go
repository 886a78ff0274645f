package security

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
)

// stage is a database with an outbox table of its owner, and a role that may log in and replicate, and nothing else.
type stage struct {
	*servers.Database
	broker, name, user string
}

func newStage(t *testing.T, options string) *stage {
	t.Helper()
	d, b := servers.Postgres(t, 15), servers.Kafka(t)
	outboxOf(t, d)
	return &stage{Database: d, broker: b.Addr, name: strings.TrimSuffix(b.Prefix(t), "-"), user: role(t, d, "_least", options)}
}

func (s *stage) file(t *testing.T, more ...string) *configs.Pipeline {
	more = append([]string{"source.postgres.slot=" + s.Name, "source.postgres.publication=" + s.Name, "source.retry.initial=100ms"}, more...)
	return file(t, s.name, s.URL(s.user), s.broker, more...)
}

func (s *stage) topic() string { return "outbox.event." + s.name }

// asOwner runs the SQL that a fault names, as the one who it says should: it must be right as it stands.
func (s *stage) asOwner(t *testing.T, sql string) { t.Helper(); s.as(t, "app", sql) }

func (s *stage) as(t *testing.T, user, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.Connect(t, user).Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// publish makes the publication that the least role may not make.
func (s *stage) publish(t *testing.T) {
	t.Helper()
	s.Exec(t, "GRANT CREATE ON DATABASE "+s.Name+" TO app")
	s.asOwner(t, "CREATE PUBLICATION "+s.Name+" FOR TABLE public.outbox WITH (publish = 'insert, update', publish_via_partition_root = true)")
}

// LOGIN and REPLICATION are enough where the owner has made the publication: slot, stream and restart.
func TestLeastRoleStreams(t *testing.T) {
	s := newStage(t, "LOGIN REPLICATION")
	s.publish(t)
	cfg := s.file(t, "source.snapshot=no_data")
	for n, key := range []string{"one", "two"} { // the second time as a restart
		r := start(t, cfg)
		r.logged(t, `"streaming"`)
		insert(t, s.Database, s.name, key)
		wantKeys(t, s.broker, s.topic(), []string{"one", "two"}[:n+1]...)
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	}
}

// SELECT is for the snapshot alone.
func TestLeastRoleNeedsSelectForTheSnapshotOnly(t *testing.T) {
	s := newStage(t, "LOGIN REPLICATION")
	s.publish(t)
	insert(t, s.Database, s.name, "old")
	r := start(t, s.file(t))
	f := wantFault(t, r.ended(t), "pg.permission", outbox.Environment, "source.snapshot to no_data")
	if slots := s.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1", s.Name); slots != "0" {
		t.Error("a slot was made, and holds the log, although the snapshot can't be read")
	}
	s.asOwner(t, sqlOf(t, f, "run as the table's owner: "))
	r = start(t, s.file(t))
	wantKeys(t, s.broker, s.topic(), "old")
	s.asOwner(t, "REVOKE SELECT ON public.outbox FROM "+s.user)
	insert(t, s.Database, s.name, "new")
	wantKeys(t, s.broker, s.topic(), "old", "new")
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	r = start(t, s.file(t))
	insert(t, s.Database, s.name, "newer")
	wantKeys(t, s.broker, s.topic(), "old", "new", "newer")
}

// sqlOf cuts the SQL out of a remedy: it stands behind the words that say who runs it, up to the other way out.
func sqlOf(t *testing.T, f *outbox.Fault, before string) string {
	t.Helper()
	_, sql, ok := strings.Cut(f.Remedy, before)
	if !ok {
		t.Fatalf("the remedy does not say %q: %s", before, f.Remedy)
	}
	sql, _, _ = strings.Cut(sql, "; or set")
	return sql
}

func TestPublicationThatMayNotBeMade(t *testing.T) {
	s := newStage(t, "LOGIN REPLICATION")
	f := wantFault(t, start(t, s.file(t, "source.snapshot=no_data")).ended(t), "pg.publication_denied", outbox.Environment)
	s.Exec(t, "GRANT CREATE ON DATABASE "+s.Name+" TO app")
	s.asOwner(t, sqlOf(t, f, "with CREATE on the database: "))
	start(t, s.file(t, "source.snapshot=no_data")).logged(t, `"streaming"`)
}

func TestPublicationAndSlotThatShallNotBeMade(t *testing.T) {
	s := newStage(t, "LOGIN REPLICATION")
	options := []string{"source.snapshot=no_data", "source.postgres.create=false"}
	s.Exec(t, "GRANT CREATE ON DATABASE "+s.Name+" TO app")
	f := wantFault(t, start(t, s.file(t, options...)).ended(t), "pg.publication_missing", outbox.Environment)
	s.asOwner(t, sqlOf(t, f, "run as the owner of the tables: "))
	f = wantFault(t, start(t, s.file(t, options...)).ended(t), "pg.slot_missing", outbox.Environment)
	s.as(t, s.user, sqlOf(t, f, "run as a role with REPLICATION: "))
	start(t, s.file(t, options...)).logged(t, `"streaming"`)
}

func TestMissingRightsOfTheRole(t *testing.T) {
	t.Run("replication", func(t *testing.T) {
		s := newStage(t, "LOGIN")
		f := wantFault(t, look(t, s.file(t)), "pg.permission", outbox.Environment, "may not replicate")
		s.Exec(t, sqlOf(t, f, "run as a superuser: "))
		if err := look(t, s.file(t)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("login", func(t *testing.T) {
		s := newStage(t, "REPLICATION")
		f := wantFault(t, look(t, s.file(t)), "pg.auth", outbox.Environment, "not permitted to log in")
		s.Exec(t, sqlOf(t, f, "run as a superuser: "))
		if err := look(t, s.file(t)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("connect", func(t *testing.T) {
		s := newStage(t, "LOGIN REPLICATION")
		s.Exec(t, "REVOKE CONNECT ON DATABASE "+s.Name+" FROM PUBLIC")
		f := wantFault(t, look(t, s.file(t)), "pg.permission", outbox.Environment)
		s.Exec(t, sqlOf(t, f, "run as the database's owner: "))
		if err := look(t, s.file(t)); err != nil {
			t.Fatal(err)
		}
	})
}

// The snapshot of a table whose schema the role may not enter names that too, and waits for nobody.
func TestMissingUsageOfTheSchema(t *testing.T) {
	s := newStage(t, "LOGIN REPLICATION")
	s.Exec(t, fmt.Sprintf("CREATE SCHEMA shop AUTHORIZATION app; ALTER TABLE public.outbox SET SCHEMA shop; GRANT CREATE ON DATABASE %s TO app", s.Name))
	s.asOwner(t, "CREATE PUBLICATION "+s.Name+" FOR TABLE shop.outbox WITH (publish = 'insert, update', publish_via_partition_root = true)")
	s.Exec(t, "INSERT INTO shop.outbox VALUES ('old', '"+s.name+"', 'old', 'created', '{}')")
	cfg := s.file(t)
	cfg.Source.Tables = []string{"shop.outbox"}
	f := wantFault(t, start(t, cfg).ended(t), "pg.permission", outbox.Environment)
	s.asOwner(t, sqlOf(t, f, "run as the table's owner: "))
	start(t, cfg)
	wantKeys(t, s.broker, s.topic(), "old")
}

// Row security that hides rows from the role fails the snapshot: it must not shorten it.
func TestRowSecurityDoesNotHideRows(t *testing.T) {
	s := newStage(t, "LOGIN REPLICATION")
	s.publish(t)
	s.asOwner(t, "GRANT SELECT ON public.outbox TO "+s.user+"; ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY")
	insert(t, s.Database, s.name, "hidden")
	f := wantFault(t, start(t, s.file(t)).ended(t), "pg.permission", outbox.Environment, "row security")
	s.Exec(t, sqlOf(t, f, "run as a superuser: "))
	start(t, s.file(t))
	wantKeys(t, s.broker, s.topic(), "hidden")
}

// A deleted offsets topic takes the group's memory with it. The transactional id remembers until the fence, the slot
// for good: whichever speaks, a start after it is refused too.
func TestDeletedOffsetsTopicIsNoFirstStart(t *testing.T) {
	s := newStage(t, "LOGIN REPLICATION")
	s.publish(t)
	options := []string{"source.snapshot=no_data", "offsets.topic=" + s.name + "-offsets"}
	r := start(t, s.file(t, options...))
	r.logged(t, `"streaming"`)
	insert(t, s.Database, s.name, "one")
	wantKeys(t, s.broker, s.topic(), "one")
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	deleteTopic(t, s.broker, s.name+"-offsets")
	for range 2 {
		var f *outbox.Fault
		if err := start(t, s.file(t, options...)).ended(t); !errors.As(err, &f) || f.Class != outbox.PositionLost {
			t.Fatalf("got %v, want a lost position", err)
		}
	}
}

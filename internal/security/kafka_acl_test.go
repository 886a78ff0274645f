package security

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/sink"
)

// patience is for a broker that has just been told of a grant.
const patience = 30 * time.Second

// acl is one grant of docs/operating.md, section "Kafka ACLs".
type acl struct {
	kind, name string
	prefix     bool
	op         kadm.ACLOperation
}

func (a acl) String() string { return fmt.Sprintf("%s on %s", a.op, a.kind) }

func (a acl) grant(t *testing.T, adm *kadm.Client) {
	t.Helper()
	b := kadm.NewACLs().Allow("User:outferry").AllowHosts().Operations(a.op)
	switch a.kind {
	case "TransactionalId":
		b = b.TransactionalIDs(a.name)
	case "Group":
		b = b.Groups(a.name)
	default:
		b = b.Topics(a.name)
	}
	pattern := kadm.ACLPatternLiteral
	if a.prefix {
		pattern = kadm.ACLPatternPrefixed
	}
	if _, err := adm.CreateACLs(deadline(t), b.ResourcePatternType(pattern)); err != nil {
		t.Fatal(err)
	}
}

// documented are the grants of a pipeline that makes its topics.
func documented(name string) []acl {
	return []acl{
		{"TransactionalId", "outferry-" + name, false, kadm.OpWrite},
		{"TransactionalId", "outferry-" + name, false, kadm.OpDescribe},
		{"Topic of events", name + ".", true, kadm.OpWrite},
		{"Topic of events", name + ".", true, kadm.OpDescribe},
		{"Topic of events", name + ".", true, kadm.OpCreate},
		{"Topic of offsets", name + "-offsets", false, kadm.OpRead},
		{"Topic of offsets", name + "-offsets", false, kadm.OpWrite},
		{"Topic of offsets", name + "-offsets", false, kadm.OpDescribe},
		{"Topic of offsets", name + "-offsets", false, kadm.OpCreate},
		{"Group", "outferry-" + name, false, kadm.OpRead},
	}
}

func TestKafkaACLs(t *testing.T) {
	b := servers.StartKafka(t, servers.KafkaOptions{SASL: true, ACL: true})
	adm := kadm.NewClient(b.Client(t))
	t.Run("the documented ones suffice", func(t *testing.T) {
		for _, delivery := range []string{"exactly_once", "at_least_once"} {
			name := "all-" + delivery[:2]
			for _, a := range documented(name) {
				if delivery == "exactly_once" || a.kind != "TransactionalId" {
					a.grant(t, adm)
				}
			}
			cfg := aclFile(t, b, name, "delivery="+delivery)
			wantAllTheWay(t, cfg)
		}
	})
	for i, a := range documented("any") {
		t.Run("without "+a.String(), func(t *testing.T) {
			name := fmt.Sprintf("without-%d", i)
			missing := documented(name)[i]
			for _, one := range documented(name) {
				if one != missing {
					one.grant(t, adm)
				}
			}
			cfg := aclFile(t, b, name)
			if missing.op == kadm.OpDescribe { // which Kafka reads out of Read and Write
				wantAllTheWay(t, cfg)
				return
			}
			wantDenied(t, cfg, missing)
		})
	}
}

// wantAllTheWay waits until the broker knows the grants, which takes a moment.
func wantAllTheWay(t *testing.T, cfg *configs.Pipeline) {
	t.Helper()
	var err error
	defer func() {
		if t.Failed() {
			t.Logf("%s: %v", cfg.Name, err)
		}
	}()
	servers.Eventually(t, patience, cfg.Name+" goes all the way", func() bool { err = allTheWay(t, cfg); return err == nil })
}

// wantDenied waits until only the missing grant stands in the way, and sees that nothing was written.
func wantDenied(t *testing.T, cfg *configs.Pipeline, missing acl) {
	t.Helper()
	operation := strings.ToUpper(missing.op.String()[:1]) + strings.ToLower(missing.op.String()[1:])
	kind, _, _ := strings.Cut(missing.kind, " ")
	var err error
	defer func() { t.Log(err) }()
	servers.Eventually(t, patience, "the fault names "+missing.String(), func() bool {
		err = allTheWay(t, cfg)
		var f *outbox.Fault
		return errors.As(err, &f) && f.Code == "kafka.permission" && f.Class == outbox.Environment && strings.Contains(f.Error(), missing.name) &&
			strings.Contains(f.Remedy, operation) && strings.Contains(f.Remedy, kind)
	})
}

func aclFile(t *testing.T, b *servers.Broker, name string, more ...string) *configs.Pipeline {
	more = append(more, append(login("SCRAM-SHA-512", "outferry", "outferry"), "offsets.topic="+name+"-offsets")...)
	return toKafka(t, name, b.SASLAddr, more...)
}

// allTheWay does all that a pipeline does on Kafka from its first start to the first commit and its witness.
func allTheWay(t *testing.T, cfg *configs.Pipeline) error {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := sink.Open(ctx, cfg, newLog(&lines{}))
	if err != nil {
		return err
	}
	defer s.Close()
	store := pipeline.NewStore(cfg, s.Client())
	if err := store.Open(ctx); err != nil {
		return err
	}
	topic, partition := store.Place()
	if err := s.Fence(ctx, topic, partition); err != nil {
		return err
	}
	if _, err := store.Load(ctx); err != nil {
		return err
	}
	at, err := landOne(ctx, s, store, cfg.Name)
	if err != nil {
		return err
	}
	return store.Testify(ctx, at)
}

func landOne(ctx context.Context, s *sink.Sink, store *offsets.Store, name string) (int64, error) {
	if err := s.Begin(ctx); err != nil {
		return 0, err
	}
	b := outbox.NewPool(0).Get(0)
	b.AddRow(&outbox.Table{}, outbox.Insert, 0)
	cargo := s.Load(b)
	r := cargo.Next()
	r.Topic, r.Key, r.Value = name+".events", []byte("k"), []byte("v")
	if err := s.Produce(ctx, cargo, r); err != nil {
		return 0, err
	}
	cargo.Close()
	rec := offsets.Record{Version: offsets.Version, Pipeline: name, Seq: 1, Position: []byte("{}"), At: time.Now()}
	topic, partition := store.Place()
	offset := &kgo.Record{Topic: topic, Partition: partition, Key: []byte(name), Value: rec.Marshal()}
	err := s.Commit(ctx, offset)
	if err != nil {
		abort, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		s.Abort(abort)
	}
	return offset.Offset, err
}

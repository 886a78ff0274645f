package security

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
	"outferry/status"
)

// canaries are random texts that must show nowhere.
type canaries struct{ postgres, kafka, payload, key, header string }

func newCanaries() canaries {
	return canaries{"pg-" + rand.Text(), "kafka-" + rand.Text(), "payload-" + rand.Text(), "key-" + rand.Text(), "header-" + rand.Text()}
}

func (c canaries) absent(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{c.postgres, c.kafka, c.payload, c.key, c.header} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s shows a canary: …%s…", where, text[max(0, i-200):i+len(secret)])
		}
	}
}

// TestNoSecretShows runs a pipeline at log level trace with random passwords and rows: delivers, is refused by
// both sides, meets a row that it can't publish, and is asked everything that it serves.
func TestNoSecretShows(t *testing.T) {
	c := newCanaries()
	b := servers.StartKafka(t, servers.KafkaOptions{SASL: true})
	d := servers.Postgres(t, 15)
	outboxOf(t, d)
	d.Exec(t, "ALTER TABLE public.outbox ADD COLUMN note text")
	user := role(t, d, "_canary", "LOGIN REPLICATION SUPERUSER")
	d.Exec(t, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", user, c.postgres))
	setKafkaPassword(t, b, c.kafka)
	url := func(password string) string { return strings.Replace(d.URL(user), user+":"+user, user+":"+password, 1) }
	make := func(name, postgres, kafka string, more ...string) *configs.Pipeline {
		more = append(more, append(login("SCRAM-SHA-512", "canary", kafka), "source.retry.initial=100ms", "kafka.max_record=10KB")...)
		cfg := file(t, name, url(postgres), b.SASLAddr, more...)
		cfg.Router.Headers = []configs.Placement{{Name: "note", Column: "note"}}
		return cfg
	}
	cfg := make("canary", c.postgres, c.kafka)
	c.absent(t, "the printed configuration", fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg.Source.URL))

	r := start(t, cfg)
	r.logged(t, `"streaming"`)
	put := func(id, payload string) {
		d.Exec(t, "INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload, note) VALUES ($1, 'canary', $2, 'made', $3, $4)", id, c.key, payload, c.header)
	}
	put("good", c.payload)
	wantKeys(t, b.Addr, "outbox.event.canary", c.key)
	for where, text := range served(t, r.reg) {
		c.absent(t, where, text)
	}
	put("large", c.payload+strings.Repeat("x", 20<<10))
	f := wantFault(t, r.ended(t), "row.record_too_large", outbox.Internal)
	c.absent(t, "the fault", f.Error())
	c.absent(t, "the log", r.log.String())
	if !strings.Contains(r.log.String(), `"@level":"trace"`) && !strings.Contains(r.log.String(), `"@level":"debug"`) {
		t.Error("the log holds nothing fine enough to show a secret")
	}

	for name, refused := range map[string]*configs.Pipeline{
		"postgres": make("refused-pg", c.postgres+"x", c.kafka),
		"kafka":    make("refused-kafka", c.postgres, c.kafka+"x", "source.postgres.slot=refused", "source.postgres.publication=refused"),
	} {
		r := start(t, refused)
		err := r.ended(t)
		if err == nil {
			t.Fatalf("%s let a wrong password in", name)
		}
		c.absent(t, "the refusal of "+name, err.Error())
		c.absent(t, "the log of the refusal of "+name, r.log.String())
	}
}

func setKafkaPassword(t *testing.T, b *servers.Broker, password string) {
	t.Helper()
	altered, err := kadm.NewClient(b.Client(t)).AlterUserSCRAMs(deadline(t), nil, []kadm.UpsertSCRAM{
		{User: "canary", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password}})
	if err != nil || altered.Error() != nil {
		t.Fatal(err, altered.Error())
	}
}

// served is what the process answers over HTTP, by path.
func served(t *testing.T, reg *status.Registry) map[string]string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	log := &lines{}
	go func() {
		_ = status.Serve(t.Context(), configs.HTTP{Listen: addr, ListenSet: true}, configs.Metrics{Path: "/metrics"}, reg, newLog(log))
	}()
	got := map[string]string{}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		servers.Eventually(t, time.Minute, path+" answers", func() bool {
			resp, err := http.Get("http://" + addr + path)
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			got[path] = string(body)
			return err == nil && len(body) > 0
		})
	}
	return got
}

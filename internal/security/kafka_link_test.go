package security

import (
	"context"
	"strings"
	"testing"
	"time"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
	"outferry/sink"
)

// dial opens a sink, as every session does.
func dial(t testing.TB, cfg *configs.Pipeline) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := sink.Open(ctx, cfg, newLog(&lines{}))
	if err == nil {
		s.Close()
	}
	return err
}

func toKafka(t testing.TB, name, broker string, more ...string) *configs.Pipeline {
	return file(t, name, "postgres://outferry@127.0.0.1/app", broker, more...)
}

func login(mechanism, user, password string) []string {
	return []string{"kafka.sasl.mechanism=" + mechanism, "kafka.sasl.user=" + user, "kafka.sasl.password=" + password}
}

func TestKafkaLink(t *testing.T) {
	ca, other := servers.NewCA(t), servers.NewCA(t)
	b := servers.StartKafka(t, servers.KafkaOptions{TLS: ca, RequireClientCert: true, SASL: true})
	cert, key := ca.Client(t, "outferry")
	foreignCert, foreignKey := other.Client(t, "outferry")
	trust, distrust := "kafka.tls.ca_file="+ca.File, "kafka.tls.ca_file="+other.File
	shown := []string{"kafka.tls.cert_file=" + cert, "kafka.tls.key_file=" + key}
	full := []string{"kafka.tls.mode=verify-full", trust}
	sha512, sha256, plain := login("SCRAM-SHA-512", "outferry", "outferry"), login("SCRAM-SHA-256", "outferry", "outferry"), login("PLAIN", "outferry", "outferry")
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for _, c := range []struct {
		name, addr string
		options    []string
		fault      string // empty: let in
	}{
		{"verify-full and a client certificate", b.TLSAddr, join(full, shown), ""},
		{"no client certificate", b.TLSAddr, full, "kafka.tls"},
		{"client certificate of another authority", b.TLSAddr, join(full, []string{"kafka.tls.cert_file=" + foreignCert, "kafka.tls.key_file=" + foreignKey}), "kafka.tls"},
		{"verify-full, other authority", b.SASLTLSAddr, join([]string{"kafka.tls.mode=verify-full", distrust}, sha512), "kafka.tls"},
		{"verify-full, the machine's authorities", b.SASLTLSAddr, join([]string{"kafka.tls.mode=verify-full"}, sha512), "kafka.tls"},
		{"verify-full, other name", b.SASLTLSAddr, join(full, []string{"kafka.tls.server_name=elsewhere.example"}, sha512), "kafka.tls"},
		{"verify-ca, other name", b.SASLTLSAddr, join([]string{"kafka.tls.mode=verify-ca", trust, "kafka.tls.server_name=elsewhere.example"}, sha512), ""},
		{"verify-ca, other authority", b.SASLTLSAddr, join([]string{"kafka.tls.mode=verify-ca", distrust}, sha512), "kafka.tls"},
		{"require", b.SASLTLSAddr, join([]string{"kafka.tls.mode=require"}, sha512), ""},
		{"TLS where the broker has none", b.Addr, full, "kafka.unreachable"},
		{"no TLS where the broker has it", b.SASLTLSAddr, sha512, "kafka.unreachable"},
		{"SCRAM-SHA-512 over TLS", b.SASLTLSAddr, join(full, sha512), ""},
		{"SCRAM-SHA-256 over TLS", b.SASLTLSAddr, join(full, sha256), ""},
		{"PLAIN over TLS", b.SASLTLSAddr, join(full, plain), ""},
		{"SCRAM-SHA-512", b.SASLAddr, sha512, ""},
		{"PLAIN on loopback", b.SASLAddr, plain, ""},
		{"wrong password, SCRAM-SHA-512", b.SASLAddr, login("SCRAM-SHA-512", "outferry", "wr0ng-pass"), "kafka.auth"},
		{"wrong password, SCRAM-SHA-256", b.SASLAddr, login("SCRAM-SHA-256", "outferry", "wr0ng-pass"), "kafka.auth"},
		{"wrong password, PLAIN over TLS", b.SASLTLSAddr, join(full, login("PLAIN", "outferry", "wr0ng-pass")), "kafka.auth"},
		{"unknown user", b.SASLAddr, login("SCRAM-SHA-512", "nobody", "wr0ng-pass"), "kafka.auth"},
		{"no login where the broker wants one", b.SASLAddr, nil, "kafka.unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := dial(t, toKafka(t, "posts", c.addr, c.options...))
			switch {
			case c.fault == "":
				if err != nil {
					t.Fatal(err)
				}
				return
			case c.fault == "kafka.unreachable": // the broker hangs up without a word: a start of the broker looks the same
				wantFault(t, err, c.fault, outbox.Transient)
			default:
				wantFault(t, err, c.fault, outbox.Environment)
			}
			if strings.Contains(err.Error(), "wr0ng-pass") {
				t.Fatal("the fault shows the password")
			}
		})
	}
}

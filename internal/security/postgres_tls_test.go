package security

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"outferry/configs"
	"outferry/internal/link"
	"outferry/internal/process"
	"outferry/internal/servers"
	"outferry/outbox"
)

// tlsHBA has one account that must encrypt and one that must also show a certificate.
var tlsHBA = []string{
	"hostssl all tlsonly 127.0.0.1/32 scram-sha-256", "host all tlsonly 127.0.0.1/32 reject",
	"hostssl all certonly 127.0.0.1/32 cert", "host all certonly 127.0.0.1/32 reject",
}

func TestPostgresTLS(t *testing.T) {
	ca, other := servers.NewCA(t), servers.NewCA(t)
	p := servers.StartPostgres(t, servers.PostgresOptions{TLS: ca, HBA: tlsHBA})
	d := p.Database(t)
	d.Exec(t, "CREATE ROLE tlsonly LOGIN REPLICATION PASSWORD 'tlsonly'; CREATE ROLE certonly LOGIN REPLICATION")
	outboxOf(t, d)
	cert, key := ca.Client(t, "certonly")
	foreignCert, foreignKey := other.Client(t, "certonly")
	tls := func(mode string, more ...string) []string {
		return append([]string{"source.tls.mode=" + mode}, more...)
	}
	trust, distrust := "source.tls.ca_file="+ca.File, "source.tls.ca_file="+other.File
	misnamed := "source.tls.server_name=elsewhere.example"
	for _, c := range []struct {
		name, user string
		options    []string
		fault      string // empty: let in
	}{
		{"disable", "tlsonly", tls("disable"), "pg.auth"},
		{"prefer", "tlsonly", tls("prefer"), ""},
		{"require", "tlsonly", tls("require"), ""},
		{"require with the authority", "tlsonly", tls("require", trust), ""},
		{"require with another authority", "tlsonly", tls("require", distrust), "pg.tls"},
		{"verify-ca", "tlsonly", tls("verify-ca", trust), ""},
		{"verify-ca, other name", "tlsonly", tls("verify-ca", trust, misnamed), ""},
		{"verify-ca, other authority", "tlsonly", tls("verify-ca", distrust), "pg.tls"},
		{"verify-full", "tlsonly", tls("verify-full", trust), ""},
		{"verify-full, other name", "tlsonly", tls("verify-full", trust, misnamed), "pg.tls"},
		{"verify-full, other authority", "tlsonly", tls("verify-full", distrust), "pg.tls"},
		{"verify-full, the machine's authorities", "tlsonly", tls("verify-full"), "pg.tls"},
		{"client certificate", "certonly", tls("verify-full", trust, "source.tls.cert_file="+cert, "source.tls.key_file="+key), ""},
		{"no client certificate", "certonly", tls("verify-full", trust), "pg.auth"},
		{"client certificate of another authority", "certonly", tls("verify-full", trust, "source.tls.cert_file="+foreignCert, "source.tls.key_file="+foreignKey), "pg.tls"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := strings.TrimSuffix(d.URL(c.user), "?sslmode=disable")
			err := lookUntilItLasts(t, file(t, "posts", url, "127.0.0.1:9", c.options...))
			if c.fault == "" && err != nil {
				t.Fatal(err)
			}
			if c.fault != "" {
				wantFault(t, err, c.fault, outbox.Environment)
			}
		})
	}
	t.Run("expired", func(t *testing.T) {
		cert, key := expired(t)
		p.Reload("ssl_cert_file = '"+cert+"'", "ssl_key_file = '"+key+"'")
		cfg := file(t, "posts", strings.TrimSuffix(d.URL("tlsonly"), "?sslmode=disable"), "127.0.0.1:9", tls("verify-full", "source.tls.ca_file="+cert)...)
		servers.Eventually(t, time.Minute, "the server shows its expired certificate", func() bool {
			err := look(t, cfg)
			return err != nil && strings.Contains(err.Error(), "expired")
		})
		wantFault(t, look(t, cfg), "pg.tls", outbox.Environment, "expired")
	})
}

// lookUntilItLasts looks again after what a pipeline tries again. With TLS 1.3 a client certificate is refused behind the
// handshake, and the reset of the connection may overtake the alert that says why.
func lookUntilItLasts(t *testing.T, cfg *configs.Pipeline) (err error) {
	t.Helper()
	servers.Eventually(t, time.Minute, "a look whose outcome lasts", func() bool {
		err = look(t, cfg)
		var f *outbox.Fault
		return !errors.As(err, &f) || f.Class != outbox.Transient
	})
	return err
}

// expired makes a certificate that signs itself and was good until an hour ago, for a server that runs as another user.
func expired(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	dir, err := servers.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "expired.pem"), filepath.Join(dir, "expired-key.pem")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	user, err := process.Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(certFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := user.Own(keyFile); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

func TestPostgresWithoutTLS(t *testing.T) {
	d := servers.Postgres(t, 15)
	outboxOf(t, d)
	url := strings.TrimSuffix(d.URL("outferry"), "?sslmode=disable")
	for _, mode := range []string{"disable", "prefer"} {
		if err := look(t, file(t, "posts", url, "127.0.0.1:9", "source.tls.mode="+mode)); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
	ca := servers.NewCA(t)
	for _, mode := range []string{"require", "verify-ca", "verify-full"} {
		err := look(t, file(t, "posts", url, "127.0.0.1:9", "source.tls.mode="+mode, "source.tls.ca_file="+ca.File))
		wantFault(t, err, "pg.tls", outbox.Environment, "source.tls")
	}
}

// Whoever sits on the wire can say that the server has no TLS. Nothing of ours may be said to him then.
func TestPostgresDowngradeIsRefused(t *testing.T) {
	d := servers.Postgres(t, 15)
	outboxOf(t, d)
	thief := newThief(t, d.Port)
	url := strings.TrimSuffix(strings.Replace(d.URL("outferry"), port(d.Port), port(thief.Port), 1), "?sslmode=disable")
	ca := servers.NewCA(t)
	for _, mode := range []string{"require", "verify-ca", "verify-full"} {
		err := look(t, file(t, "posts", url, "127.0.0.1:9", "source.tls.mode="+mode, "source.tls.ca_file="+ca.File))
		wantFault(t, err, "pg.tls", outbox.Environment)
		if heard := thief.heard(); heard != "" {
			t.Fatalf("%s: the thief heard %q", mode, heard)
		}
	}
	if err := look(t, file(t, "posts", url, "127.0.0.1:9", "source.tls.mode=prefer")); err != nil {
		t.Fatalf("prefer means plain text where the server has no TLS: %v", err)
	}
	if thief.heard() == "" {
		t.Fatal("the thief heard nothing: he was not on the wire")
	}
}

// thief stands before a server, answers the wish for TLS with no, and keeps what he hears after it.
type thief struct {
	*link.Link
	mu  sync.Mutex
	got strings.Builder
}

func newThief(t *testing.T, server int) *thief {
	t.Helper()
	l, open := link.New(t)
	th := &thief{Link: l}
	l.Across = th.across
	open("127.0.0.1" + port(server))
	return th
}

func (th *thief) across(client, server net.Conn) {
	var request [8]byte
	if _, err := io.ReadFull(client, request[:]); err != nil {
		return
	}
	if binary.BigEndian.Uint32(request[4:]) == 80877103 { // SSLRequest
		_, _ = client.Write([]byte("N"))
	} else {
		_, _ = server.Write(request[:])
	}
	go func() { _, _ = io.Copy(client, server) }()
	_, _ = io.Copy(io.MultiWriter(server, th), client)
}

func (th *thief) Write(p []byte) (int, error) {
	th.mu.Lock()
	defer th.mu.Unlock()
	return th.got.Write(p)
}

func (th *thief) heard() string {
	th.mu.Lock()
	defer th.mu.Unlock()
	return th.got.String()
}

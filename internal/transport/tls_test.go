package transport_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/internal/transport"
)

func TestNoModeIsNoTLS(t *testing.T) {
	for _, mode := range []string{"", "disable"} {
		if c, err := transport.TLS(configs.TLS{Mode: mode, CAFile: "missing"}, "db"); c != nil || err != nil {
			t.Errorf("%q: %v, %v", mode, c, err)
		}
	}
}

func TestModesMeanWhatLibpqMeans(t *testing.T) {
	ca := servers.NewCA(t)
	for _, c := range []struct {
		mode, ca     string
		name, chains bool // what is verified: the name, the chain alone
	}{
		{"prefer", "", false, false}, {"require", "", false, false}, {"require", ca.File, false, true},
		{"verify-ca", ca.File, false, true}, {"verify-ca", "", false, true}, {"verify-full", ca.File, true, false},
	} {
		got, err := transport.TLS(configs.TLS{Mode: c.mode, CAFile: c.ca}, "db.example")
		if err != nil {
			t.Fatal(err)
		}
		if got.MinVersion != tls.VersionTLS12 || got.ServerName != "db.example" {
			t.Errorf("%s: version %x, name %s", c.mode, got.MinVersion, got.ServerName)
		}
		if got.InsecureSkipVerify == c.name || (got.VerifyConnection != nil) != c.chains {
			t.Errorf("%s with %q verifies the wrong things", c.mode, c.ca)
		}
	}
}

func TestServerWithoutCertificateIsRefused(t *testing.T) {
	c, err := transport.TLS(configs.TLS{Mode: "verify-ca", CAFile: servers.NewCA(t).File}, "db")
	if err != nil {
		t.Fatal(err)
	}
	if c.VerifyConnection(tls.ConnectionState{}) == nil {
		t.Fatal("no certificate was good enough")
	}
}

func TestFilesThatCannotBeUsedAreNamed(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(noPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]configs.TLS{
		"read tls.ca_file":                       {CAFile: noPEM + ".missing"},
		"no PEM certificate in it":               {CAFile: noPEM},
		"read tls.cert_file and tls.key_file: ":  {CertFile: noPEM, KeyFile: noPEM},
		"read tls.cert_file and tls.key_file: o": {CertFile: noPEM + ".missing", KeyFile: noPEM},
	} {
		cfg.Mode = "verify-full"
		if _, err := transport.TLS(cfg, "db"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A rotated certificate is that of the next connection.
func TestCertificateIsReadAnew(t *testing.T) {
	ca := servers.NewCA(t)
	cert, key := ca.Client(t, "outferry")
	cfg := configs.TLS{Mode: "require", CertFile: cert, KeyFile: key}
	first, err := transport.TLS(cfg, "db")
	if err != nil {
		t.Fatal(err)
	}
	ca.Client(t, "outferry") // writes the same files
	second, err := transport.TLS(cfg, "db")
	if err != nil {
		t.Fatal(err)
	}
	if string(first.Certificates[0].Certificate[0]) == string(second.Certificates[0].Certificate[0]) {
		t.Fatal("the old certificate is still shown")
	}
}

func TestFailuresOfTLSAreKnown(t *testing.T) {
	if !transport.Failed(x509.UnknownAuthorityError{}) || !transport.Failed(errors.New("remote error: tls: bad certificate")) {
		t.Error("a failure of TLS is not known as one")
	}
	if transport.Failed(errors.New("connection refused")) {
		t.Error("another failure is taken for one of TLS")
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "/run/postgresql": true,
		"": false, "10.0.0.1": false, "db.example": false, "localhost.example": false} {
		if transport.Loopback(host) != want {
			t.Errorf("%q is taken for %t", host, !want)
		}
	}
}

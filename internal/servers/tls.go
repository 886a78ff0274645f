package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"outferry/internal/process"
)

// CA is a certificate authority of one test. Its files are PEM.
type CA struct {
	File string // the authority's own certificate

	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority whose files go with the test.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{dir: private(t)}
	ca.File = filepath.Join(ca.dir, "ca.pem")
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "outferry test authority"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if err := ca.issue(template, ca.File, ""); err != nil {
		t.Fatal(err)
	}
	return ca
}

// Client makes a certificate for a client of that name and returns the files of certificate and key.
func (ca *CA) Client(t testing.TB, name string) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = filepath.Join(ca.dir, name+".pem"), filepath.Join(ca.dir, name+"-key.pem")
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if err := ca.issue(template, certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

// serverFiles makes a certificate for localhost and 127.0.0.1. A database reads the key as its own user.
func (ca *CA) serverFiles() (certFile, keyFile string, err error) {
	certFile, keyFile = filepath.Join(ca.dir, "server.pem"), filepath.Join(ca.dir, "server-key.pem")
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err := ca.issue(template, certFile, keyFile); err != nil {
		return "", "", err
	}
	user, err := process.Unprivileged()
	if err != nil {
		return "", "", err
	}
	return certFile, keyFile, user.Own(keyFile)
}

// issue signs a certificate; the first one, which has no key file, is the authority's own and signs itself.
func (ca *CA) issue(template *x509.Certificate, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(24 * time.Hour)
	if ca.cert == nil {
		ca.cert, ca.key = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return fmt.Errorf("sign a certificate for %s: %w", template.Subject.CommonName, err)
	}
	if err := os.WriteFile(certFile, pemOf("CERTIFICATE", der), 0o644); err != nil || keyFile == "" {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write the key of %s: %w", template.Subject.CommonName, err)
	}
	return os.WriteFile(keyFile, pemOf("PRIVATE KEY", pkcs8), 0o600)
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Package transport turns the tls block of a pipeline file into a crypto/tls configuration, with the
// meaning that PostgreSQL's libpq gives to the modes.
package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"outferry/configs"
)

// TLS returns the configuration for connections to host, or nil when the mode is disable. The files
// are read now, so a rotated certificate is used by the next connection.
func TLS(cfg configs.TLS, host string) (*tls.Config, error) {
	if cfg.Mode == "disable" || cfg.Mode == "" {
		return nil, nil
	}
	name := cfg.ServerName
	if name == "" {
		name = host
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read tls.ca_file %s: no PEM certificate in it", cfg.CAFile)
		}
	}
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read tls.cert_file and tls.key_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch cfg.Mode {
	case "verify-full":
	case "verify-ca":
		c.InsecureSkipVerify = true // replaced by the check of the chain without the name
		c.VerifyConnection = chainVerifier(c.RootCAs)
	default:
		c.InsecureSkipVerify = true
		if c.RootCAs != nil { // as libpq: require with a root certificate checks the chain
			c.VerifyConnection = chainVerifier(c.RootCAs)
		}
	}
	return c, nil
}

func chainVerifier(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server sent no certificate")
		}
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			opts.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(opts)
		return err
	}
}

// Failed reports whether err is of TLS: a certificate that does not verify, a peer that speaks something else, or
// the peer's own refusal. The alerts of crypto/tls have no type to ask for, and libraries wrap errors in text.
func Failed(err error) bool {
	s := err.Error()
	return strings.Contains(s, "tls: ") || strings.Contains(s, "x509: ")
}

// Loopback reports whether host is this machine, where plain text is nobody else's to read.
func Loopback(host string) bool {
	if host == "localhost" || (host != "" && host[0] == '/') {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outferry/internal/process"
)

// defaults fit tests and a demo: logical decoding on, room for many slots, TCP only (a socket's path has
// a limit of 107 bytes), nothing synced to disk.
var defaults = []string{
	"listen_addresses = '127.0.0.1'",
	"unix_socket_directories = ''",
	"wal_level = logical",
	"max_wal_senders = 40",
	"max_replication_slots = 40",
	"max_connections = 200",
	"shared_buffers = 64MB",
	"dynamic_shared_memory_type = mmap", // /dev/shm is 64 MB in many containers
	"fsync = off",
	"password_encryption = 'scram-sha-256'",
	"logging_collector = off",
	"log_line_prefix = '%m [%p] %q%u@%d/%a '",
	"lc_messages = 'C'",
}

var passwords = []string{
	"local all all trust",
	"host all all 127.0.0.1/32 scram-sha-256",
	"host replication all 127.0.0.1/32 scram-sha-256",
}

// initialize makes the data directory, unless one is there: a copy of another server's.
func (s *Server) initialize() error {
	if err := os.MkdirAll(s.options.Dir, 0o755); err != nil {
		return err
	}
	if err := s.user.Own(s.options.Dir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.DataDir(), "PG_VERSION")); err == nil {
		return nil
	}
	return s.initdb()
}

func (s *Server) initdb() error {
	password := filepath.Join(s.options.Dir, "password")
	if err := os.WriteFile(password, []byte("postgres\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(password)
	if err := s.user.Own(password); err != nil {
		return err
	}
	_, err := process.Run(process.Spec{
		Args: []string{
			filepath.Join(s.options.Bin, "initdb"), "-D", s.DataDir(), "-U", "postgres", "--pwfile", password,
			"--encoding", "UTF8", "--locale", "C", "--auth-local", "trust", "--auth-host", "scram-sha-256", "--no-sync",
		},
		Dir:  s.options.Dir,
		User: s.user,
	})
	return err
}

// configure writes files that come on top of what initdb made, so that a copied data directory works with another port.
func (s *Server) configure() error {
	lines := slices.Concat(defaults, []string{fmt.Sprintf("port = %d", s.Port)}, s.options.Settings)
	if err := s.write("outferry.conf", lines); err != nil {
		return err
	}
	if err := s.write("pg_hba.conf", slices.Concat(s.options.HBA, passwords)); err != nil {
		return err
	}
	return s.include("outferry.conf")
}

func (s *Server) write(name string, lines []string) error {
	path := filepath.Join(s.DataDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return s.user.Own(path)
}

func (s *Server) include(name string) (err error) {
	path := filepath.Join(s.DataDir(), "postgresql.conf")
	line := fmt.Sprintf("include '%s'\n", name)
	if b, err := os.ReadFile(path); err != nil || strings.Contains(string(b), line) {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteString(line)
	return err
}

// Package postgres runs a private PostgreSQL server on loopback, for the demo and for tests. In goes a
// directory with the server's programs and one for its data; out comes a server that accepts connections,
// with logical decoding on and one superuser, postgres/postgres. It works for root too: PostgreSQL
// refuses root, so then it runs as nobody. The server ends when we do; the directory is the caller's.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"outferry/internal/process"
)

// Options say what to start. Bin and Dir are needed.
type Options struct {
	Bin      string   // holds initdb and postgres; see Binaries
	Dir      string   // for data and log; made when missing, its parents must be open to every user when we are root
	Port     int      // 0 is a free one
	Settings []string // lines of postgresql.conf; the last one of a name wins
	HBA      []string // lines of pg_hba.conf, before those that ask everybody for a password
}

// Server is one server, running or stopped.
type Server struct {
	Port int

	options Options
	user    *process.User
	process *process.Process
}

// Start makes the data directory when there is none, starts the server and waits until it accepts connections.
func Start(ctx context.Context, o Options) (*Server, error) {
	user, err := process.Unprivileged()
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	s := &Server{Port: o.Port, options: o, user: user}
	if s.Port == 0 {
		if s.Port, err = process.FreePort(); err != nil {
			return nil, fmt.Errorf("start postgres: %w", err)
		}
	}
	if err := s.initialize(); err != nil {
		return nil, fmt.Errorf("initialize postgres in %s: %w", o.Dir, err)
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Start starts a stopped server again, on the same port. The configuration is written anew.
func (s *Server) Start(ctx context.Context) error {
	if s.Running() {
		return nil
	}
	if err := s.configure(); err != nil {
		return fmt.Errorf("configure postgres in %s: %w", s.options.Dir, err)
	}
	p, err := process.Start(process.Spec{
		Args: []string{filepath.Join(s.options.Bin, "postgres"), "-D", s.DataDir()},
		Dir:  s.options.Dir,
		User: s.user,
		Log:  s.logFile(),
		// The immediate shutdown: a postmaster that is killed instead leaves its children to find out by themselves.
		DeathSignal: syscall.SIGQUIT,
	})
	if err != nil {
		return err
	}
	s.process = p
	if err := s.waitReady(ctx); err != nil {
		return errors.Join(fmt.Errorf("wait for postgres in %s: %w", s.options.Dir, err), s.Kill())
	}
	return nil
}

// waitReady reads the server's own word on its state, as pg_ctl does: a connection could reach somebody
// else's server on our port.
func (s *Server) waitReady(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !s.ready() {
		select {
		case <-tick.C:
		case <-s.process.Done():
			return s.process.Ended()
		case <-ctx.Done():
			return fmt.Errorf("%w; last lines of its log: %s", ctx.Err(), s.process.LastLines(15))
		}
	}
	return nil
}

// ready looks for the state in the eighth line of the pid file, and for our own child in the first.
func (s *Server) ready() bool {
	b, err := os.ReadFile(s.pidFile())
	if err != nil {
		return false
	}
	lines := bytes.Split(b, []byte("\n"))
	return len(lines) > 7 && string(bytes.TrimSpace(lines[0])) == strconv.Itoa(s.process.Pid()) &&
		string(bytes.TrimSpace(lines[7])) == "ready"
}

// Stop ends the server at once but orderly: sessions are cut, data is checkpointed (a fast shutdown).
func (s *Server) Stop() error { return s.stop(syscall.SIGINT) }

// StopImmediate ends the server without a checkpoint; the next start recovers.
func (s *Server) StopImmediate() error { return s.stop(syscall.SIGQUIT) }

func (s *Server) stop(sig syscall.Signal) error {
	if !s.Running() {
		return nil
	}
	if err := s.process.Stop(sig, time.Minute); err != nil {
		return fmt.Errorf("stop postgres in %s: %w", s.options.Dir, err)
	}
	return nil
}

// Kill sends SIGKILL to the server and its children, as a power cut would take them.
func (s *Server) Kill() error {
	if !s.Running() {
		return nil
	}
	if err := s.process.Kill(); err != nil {
		return fmt.Errorf("kill postgres in %s: %w", s.options.Dir, err)
	}
	// Its number may belong to another process by the next start, which would then refuse.
	if err := os.Remove(s.pidFile()); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("kill postgres in %s: %w", s.options.Dir, err)
	}
	return nil
}

// Reload writes the configuration with these lines added, for now and later starts, and has a running server read it.
func (s *Server) Reload(settings ...string) error {
	s.options.Settings = append(s.options.Settings, settings...)
	if err := s.configure(); err != nil {
		return fmt.Errorf("configure postgres in %s: %w", s.options.Dir, err)
	}
	if !s.Running() {
		return nil
	}
	return s.process.Signal(syscall.SIGHUP)
}

// Running reports whether the server's process lives.
func (s *Server) Running() bool { return s.process != nil && s.process.Running() }

// Done is closed when the server that was started last has ended.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Pid is that of the postmaster.
func (s *Server) Pid() int { return s.process.Pid() }

// DataDir is the cluster's directory.
func (s *Server) DataDir() string { return filepath.Join(s.options.Dir, "data") }

// LastLines returns the end of the server's log.
func (s *Server) LastLines(n int) string { return s.process.LastLines(n) }

// Own gives a file or directory to the user that the server runs as.
func (s *Server) Own(path string) error { return s.user.Own(path) }

// URL returns where to connect, as a pipeline file would name it.
func (s *Server) URL(user, password, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(user, password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (s *Server) pidFile() string { return filepath.Join(s.DataDir(), "postmaster.pid") }
func (s *Server) logFile() string { return filepath.Join(s.options.Dir, "server.log") }

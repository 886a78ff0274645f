// Package servers gives tests real databases and a real Kafka, on loopback, without a container engine.
// Two kinds: shared ones, started once in a test run, in which each test gets a fresh database or topic
// prefix (Postgres, Kafka); and private ones, which a test may stop, kill and restart (StartPostgres,
// StartKafka). Programs are fetched once and kept, see package install. A server that can't be had fails
// the test: it is never skipped. Everything ends with the test process, whatever ends that.
//
// A package that uses shared servers declares
//
//	func TestMain(m *testing.M) { servers.Main(m) }
package servers

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"outferry/internal/process"
)

// startTimeout is generous: a busy machine took 16 s for what an idle one does in one.
const startTimeout = 2 * time.Minute

// Main runs the tests, then ends the shared servers, on Ctrl-C too.
func Main(m *testing.M) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		EndAll()
		os.Exit(130)
	}()
	code := m.Run()
	EndAll()
	os.Exit(code)
}

// anyServer is what all kinds have in common.
type anyServer interface {
	Kill() error
	LastLines(n int) string // of its log
}

// live are the servers of this process, by the directory that each one has for itself. A directory
// without a server holds other files of a test.
var live = struct {
	sync.Mutex
	servers map[string]anyServer
}{servers: map[string]anyServer{}}

var sweepOnce sync.Once

const dirPrefix = "outferry-test-"

// newDir makes a directory for one server. Its name holds our process id, by which a later run tells
// the directories of runs that were killed.
func newDir() (string, error) {
	sweepOnce.Do(sweep)
	dir, err := process.MkdirTemp(fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make a directory for a server: %w", err)
	}
	register(dir, nil)
	return dir, nil
}

// TempDir makes a directory that goes with the shared servers, for what all tests of a process use.
func TempDir() (string, error) { return newDir() }

func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*-*"))
	for _, dir := range dirs {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
}

func register(dir string, s anyServer) {
	live.Lock()
	defer live.Unlock()
	live.servers[dir] = s
}

// end takes a server and its directory away.
func end(dir string) error {
	live.Lock()
	s := live.servers[dir]
	delete(live.servers, dir)
	live.Unlock()
	if s != nil {
		if err := s.Kill(); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// EndAll takes every server of this process away.
func EndAll() {
	live.Lock()
	var dirs []string
	for dir := range live.servers {
		dirs = append(dirs, dir)
	}
	live.Unlock()
	for _, dir := range dirs {
		if err := end(dir); err != nil {
			fmt.Fprintln(os.Stderr, "end servers:", err)
		}
	}
}

// private makes the directory of a server that belongs to one test and ends with it.
func private(t testing.TB) string {
	t.Helper()
	dir, err := newDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(lastLines(dir))
		}
		if err := end(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// lastLines is what a failed test shows of a server, whose directory goes with the test.
func lastLines(dir string) string {
	live.Lock()
	defer live.Unlock()
	if s := live.servers[dir]; s != nil {
		return fmt.Sprintf("last lines of the server in %s:\n%s", dir, s.LastLines(20))
	}
	return dir + " held no server"
}

func startContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), startTimeout)
}

// Eventually waits until condition holds, or fails the test with what it was waiting for.
func Eventually(t testing.TB, timeout time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", timeout, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

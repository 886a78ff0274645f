package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"outferry/internal/process"
)

var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "outferry-demo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "outferry")
	if out, err := exec.Command("go", "build", "-o", binary, "outferry/cmd/outferry").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build outferry: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// trial is one run of the binary, in a temporary directory of its own.
type trial struct {
	t      *testing.T
	cmd    *exec.Cmd
	tmp    string
	lines  *bufio.Scanner
	stdout io.Closer
	stderr bytes.Buffer
	text   strings.Builder // of standard output so far
}

func run(t *testing.T, args ...string) *trial {
	t.Helper()
	tmp, err := process.MkdirTemp("outferry-demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	return runIn(t, tmp, args...)
}

func runIn(t *testing.T, tmp string, args ...string) *trial {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	r := &trial{t: t, tmp: tmp, cmd: exec.CommandContext(ctx, binary, append([]string{"demo"}, args...)...)}
	r.cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "NO_COLOR=")
	r.cmd.Stderr = &r.stderr
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdout, r.lines = stdout, bufio.NewScanner(stdout)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// until reads lines up to one that starts with prefix, and reports whether there was one.
func (r *trial) until(prefix string) bool {
	for r.lines.Scan() {
		r.text.WriteString(r.lines.Text() + "\n")
		if strings.HasPrefix(r.lines.Text(), prefix) {
			return true
		}
	}
	return false
}

func (r *trial) await(prefix string) {
	r.t.Helper()
	if !r.until(prefix) {
		r.t.Fatalf("no line starts with %q:\n%s%s", prefix, &r.text, &r.stderr)
	}
}

func (r *trial) signal(sig os.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

// end reads the rest and checks the exit code and that nothing is left.
func (r *trial) end(code int) (text string) {
	r.t.Helper()
	for r.until("\x00") {
	}
	_ = r.cmd.Wait() // the code says it
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Errorf("exit code %d, want %d:\n%s%s", got, code, &r.text, &r.stderr)
	}
	left, err := os.ReadDir(r.tmp)
	if err != nil || len(left) > 0 {
		r.t.Errorf("left in the temporary directory: %v %v", left, err)
	}
	if pids := processesIn(r.t, r.tmp); len(pids) > 0 {
		r.t.Errorf("processes left: %v", pids)
	}
	return r.text.String()
}

// processesIn returns those that work in a directory, as all of a PostgreSQL do, where the system tells.
func processesIn(t *testing.T, dir string) (pids []string) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, dir) {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}

var (
	eventLine = regexp.MustCompile(`(?m)^outbox\.event\.(post|comment) +partition [0-2]  offset \d+ +key \d+ +\d+ ms after its commit$`)
	idHeader  = regexp.MustCompile(`(?m)^  headers id=([0-9a-f-]{36})  eventType=(PostPublished|CommentAdded)$`)
	payload   = regexp.MustCompile(`(?m)^  payload \{"id": \d+, .*\}$`)
)

func TestRowsArriveOnceAndNothingIsLeft(t *testing.T) {
	r := run(t, "--rows", "20", "--rate", "40")
	text := r.end(0)
	ids := map[string]bool{}
	for _, m := range idHeader.FindAllStringSubmatch(text, -1) {
		ids[m[1]] = true
	}
	if len(ids) != 20 || len(eventLine.FindAllString(text, -1)) != 20 || len(payload.FindAllString(text, -1)) != 20 {
		t.Errorf("want 20 events with an id of their own, got %d ids", len(ids))
	}
	for _, want := range []string{"20 rows committed, 20 events arrived.\n", "Comments holds 16 comments, and Post counts 16.\n", "name: blog\n", "outferry run posts.yaml\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("colour without a terminal")
	}
	if r.stderr.Len() > 0 {
		t.Errorf("standard error: %s", &r.stderr)
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestSignalEndsCleanly(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		r := run(t, "--rate", "20")
		r.await("outbox.event.comment")
		if _, err := os.Stat("/proc/self/cwd"); err == nil && len(processesIn(t, r.tmp)) == 0 {
			t.Error("a running server is not found: the check below checks nothing")
		}
		r.signal(sig)
		if text := r.end(0); !strings.Contains(text, " arrived.\n") {
			t.Errorf("%s: no account at the end:\n%s%s", sig, text, &r.stderr)
		}
	}
}

func TestSignalDuringStartEndsCleanly(t *testing.T) {
	r := run(t)
	r.await("Starting")
	r.signal(syscall.SIGINT)
	r.signal(syscall.SIGINT)
	r.end(0)
	if r.stderr.Len() > 0 {
		t.Errorf("standard error: %s", &r.stderr)
	}
}

func TestReaderThatLeavesEndsCleanly(t *testing.T) {
	r := run(t, "--rate", "50")
	r.await("outbox.event")
	r.stdout.Close()
	r.end(0)
	if r.stderr.Len() > 0 {
		t.Errorf("standard error: %s", &r.stderr)
	}
}

var databaseURL = regexp.MustCompile(`postgres://blog@\S+`)

func TestPersonMayJoinIn(t *testing.T) {
	r := run(t, "--rate", "1")
	r.await("outbox.event")
	join(t, r, `INSERT INTO post.outbox (aggregatetype, aggregateid, type, payload) VALUES ('tide', E'hi\u202egh', 'TideTurned', NULL)`)
	r.await("outbox.event.tide")
	r.signal(syscall.SIGINT)
	if text := r.end(0); !strings.Contains(text, "hi\uFFFDgh") || !strings.Contains(text, "eventType=TideTurned\n  payload (null)\n") {
		t.Error(text)
	}
}

func TestFaultOfThePipelineIsTheExitCode(t *testing.T) {
	r := run(t, "--rate", "1")
	r.await("outbox.event")
	join(t, r, `INSERT INTO post.outbox (aggregatetype, aggregateid, type) VALUES ('no/topic', '1', 'Refused')`)
	r.end(1)
	if got := r.stderr.String(); !strings.Contains(got, "outferry: ") || !strings.Contains(got, "[row.") {
		t.Errorf("standard error: %s", got)
	}
}

// join inserts as a person would who copies the URL from the screen.
func join(t *testing.T, r *trial, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, strings.Trim(databaseURL.FindString(r.text.String()), `'"`))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryThatCannotBeHadIsNamed(t *testing.T) {
	r := runIn(t, filepath.Join(t.TempDir(), "missing"))
	_ = r.cmd.Wait()
	if code := r.cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(r.stderr.String(), "[demo.directory]: set TMPDIR") {
		t.Errorf("exit code %d: %s", code, &r.stderr)
	}
}

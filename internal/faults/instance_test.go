package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"outferry/internal/process"
	"outferry/internal/servers"
)

// instance is one run of the binary. Its log is shown where the test fails.
type instance struct {
	t    *testing.T
	proc *process.Process
	log  string
	http string
}

const shown, shownLines = 3, 25 // of the newest instances, where a test fails

// run starts an instance on the stage's pipeline file, with options set on top of it.
func (s *stage) run(set ...string) *instance {
	s.t.Helper()
	port, err := process.FreePort()
	if err != nil {
		s.t.Fatal(err)
	}
	s.instances++
	i := &instance{t: s.t, http: fmt.Sprintf("127.0.0.1:%d", port), log: filepath.Join(s.dir, fmt.Sprintf("instance-%d.log", s.instances))}
	args := []string{program(s.t), "run", s.file}
	for _, one := range append(set, "service.http.listen="+i.http) {
		args = append(args, "--set", one)
	}
	if i.proc, err = process.Start(process.Spec{Args: args, Dir: s.dir, Log: i.log}); err != nil {
		s.t.Fatal(err)
	}
	number := s.instances
	s.t.Cleanup(func() {
		_ = i.proc.Kill()
		if (s.t.Failed() || os.Getenv("OUTFERRY_FAULT_LOGS") != "") && number > s.instances-shown {
			s.t.Logf("%s, last lines:\n%s", filepath.Base(i.log), i.proc.LastLines(shownLines))
		}
	})
	return i
}

// kill is kill -9.
func (i *instance) kill() {
	i.t.Helper()
	if err := i.proc.Kill(); err != nil {
		i.t.Fatal(err)
	}
}

func (i *instance) signal(sig syscall.Signal) {
	i.t.Helper()
	if err := i.proc.Signal(sig); err != nil {
		i.t.Fatal(err)
	}
}

// signalStop freezes the instance, signalGo lets it go on.
func (i *instance) signalStop() { i.t.Helper(); i.signal(syscall.SIGSTOP) }
func (i *instance) signalGo()   { i.t.Helper(); i.signal(syscall.SIGCONT) }

// stop sends SIGTERM and returns the exit code.
func (i *instance) stop() int {
	i.t.Helper()
	i.signal(syscall.SIGTERM)
	return i.ended(45 * time.Second)
}

func (i *instance) stopsInOrder() {
	i.t.Helper()
	if code := i.stop(); code != 0 {
		i.t.Errorf("exit code %d after SIGTERM", code)
	}
}

// ended waits for the end and returns the exit code.
func (i *instance) ended(within time.Duration) int {
	i.t.Helper()
	select {
	case <-i.proc.Done():
		return i.proc.ExitCode()
	case <-time.After(within):
		i.t.Fatalf("the instance did not end within %s", within)
		return -1
	}
}

// says waits for a text in the log.
func (i *instance) says(text string, within time.Duration) {
	i.t.Helper()
	servers.Eventually(i.t, within, fmt.Sprintf("%s says %q", filepath.Base(i.log), text), func() bool { return i.said(text) > 0 })
}

// said counts a text in the log.
func (i *instance) said(text string) int {
	b, err := os.ReadFile(i.log)
	if err != nil {
		i.t.Fatal(err)
	}
	return strings.Count(string(b), text)
}

// streaming waits until the instance delivers what is written now; a snapshot before that is ready too.
func (i *instance) streaming(within time.Duration) {
	i.t.Helper()
	began := time.Now()
	servers.Eventually(i.t, within, filepath.Base(i.log)+" streams", func() bool { return i.state() == "ready" && i.said("source: streaming:") > 0 })
	if took := time.Since(began); took > 5*time.Second {
		i.t.Logf("%s streams after %s", filepath.Base(i.log), took.Round(time.Millisecond))
	}
}

// delivers waits until Kafka has more of what the workload writes.
func (i *instance) delivers(within time.Duration) {
	i.t.Helper()
	before := i.delivered()
	servers.Eventually(i.t, within, filepath.Base(i.log)+" delivers", func() bool { return i.delivered() > before })
}

// delivered counts the database transactions that Kafka has, by the instance's metrics; 0 while nobody answers.
func (i *instance) delivered() float64 { return max(i.metric("outferry_transactions_total{"), 0) }

// takesOver ends the other's turn and waits until this instance streams and delivers, which it may have done before.
func (i *instance) takesOver(within time.Duration, end func()) {
	i.t.Helper()
	streamed, delivered := i.said("source: streaming:"), i.said("first event delivered")
	began := time.Now()
	end()
	servers.Eventually(i.t, within, filepath.Base(i.log)+" takes over", func() bool {
		return i.state() == "ready" && i.said("source: streaming:") > streamed && i.said("first event delivered") > delivered
	})
	i.t.Logf("took over after %s", time.Since(began).Round(time.Millisecond))
}

// state is the pipeline's: ready (it streams), standby, waiting, failed; empty while nobody answers.
func (i *instance) state() string {
	_, body := i.get("/readyz")
	var answer struct {
		Ready    bool
		NotReady []struct{ State string } `json:"not_ready"`
	}
	switch err := json.Unmarshal([]byte(body), &answer); {
	case err != nil || !answer.Ready && len(answer.NotReady) == 0:
		return ""
	case answer.Ready:
		return "ready"
	}
	return answer.NotReady[0].State
}

// get asks the instance.
func (i *instance) get(path string) (code int, body string) {
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get("http://" + i.http + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// metric is the value of the first series that has a text in its name and labels; -1 when there is none.
func (i *instance) metric(part string) float64 {
	_, body := i.get("/metrics")
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		if text := lines.Text(); !strings.HasPrefix(text, "#") && strings.Contains(text, part) {
			n := -1.0
			_, _ = fmt.Sscan(text[strings.LastIndexByte(text, ' '):], &n)
			return n
		}
	}
	return -1
}

// resident is the memory of the process in bytes.
func (i *instance) resident() int64 {
	return i.fromStatus("VmRSS:")
}

// peak is the most memory that the process ever had.
func (i *instance) peak() int64 { return i.fromStatus("VmHWM:") }

func (i *instance) fromStatus(key string) int64 {
	i.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.proc.Pid()))
	if err != nil {
		i.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), key)
	kb, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		i.t.Fatal(err)
	}
	return kb << 10
}

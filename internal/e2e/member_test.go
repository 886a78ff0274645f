//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"outferry/internal/process"
	"outferry/internal/servers"
)

const patience = 2 * time.Minute

// member is a process of the system: a service or an Outferry. As its container would, it is started again when it fails.
type member struct {
	t     *testing.T
	name  string
	spec  process.Spec
	at    string // http://host:port
	ready string // answers 200 when it works

	mu     sync.Mutex
	proc   *process.Process
	wanted bool
	starts int
}

// member makes a process of a container.
func (b *blog) member(name string) *member {
	b.t.Helper()
	c := b.topology[name]
	if c.Restart != "on-failure" {
		b.t.Fatalf("%s restarts %q: it must start again when it came too early", name, c.Restart)
	}
	root := filepath.Join(b.dir, name)
	m := &member{t: b.t, name: name, spec: process.Spec{
		Args: b.args(c, root), Env: []string{"JAVA_TOOL_OPTIONS=" + javaOptions}, Dir: b.dir, Log: root + ".log",
	}}
	b.listen(m, c)
	for path, text := range c.Files {
		write(b.t, root+path, text)
	}
	b.t.Cleanup(m.end)
	return m
}

// args replaces paths of the container: those of what was built, and of files that the compose file puts there.
func (b *blog) args(c container, root string) []string {
	b.t.Helper()
	args := slices.Clone(c.Args)
	for i, arg := range args {
		switch source, built := c.Built[arg]; {
		case built && strings.HasSuffix(source, ".jar"):
			args[i] = absolute(b.t, filepath.Join(example, strings.TrimPrefix(source, "/src/")))
		case built:
			args[i] = b.program
		case slices.ContainsFunc(slices.Collect(maps.Keys(c.Files)), func(path string) bool { return strings.HasPrefix(path, arg+"/") }):
			args[i] = root + arg
		}
	}
	return args
}

// listen gives the process a port in place of the container's, which its health check names.
func (b *blog) listen(m *member, c container) {
	b.t.Helper()
	check, err := url.Parse(c.HealthCheck[len(c.HealthCheck)-1])
	if err != nil {
		b.t.Fatal(err)
	}
	port, err := process.FreePort()
	if err != nil {
		b.t.Fatal(err)
	}
	m.at = fmt.Sprintf("http://127.0.0.1:%d", port)
	m.ready = m.at + strings.Replace(check.Path, "/healthz", "/readyz", 1) // the first says only that Outferry isn't stuck
	for name, value := range c.Environment {
		switch value {
		case check.Port():
			value = strconv.Itoa(port)
		case "0.0.0.0:" + check.Port():
			value = fmt.Sprintf("127.0.0.1:%d", port)
		}
		m.spec.Env = append(m.spec.Env, name+"="+b.here(value))
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m *member) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted = true
	m.launch()
}

func (m *member) launch() {
	var err error
	if m.proc, err = process.Start(m.spec); err != nil {
		m.t.Error(err)
		return
	}
	m.starts++
	go m.watch(m.proc)
}

// watch starts a process again that failed by itself.
func (m *member) watch(p *process.Process) {
	<-p.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.wanted || m.proc != p:
	case p.ExitCode() == 0:
		m.t.Errorf("%s ended by itself, and did not fail", m.name)
	default:
		m.launch()
	}
}

// Kill is kill -9.
func (m *member) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted = false
	if m.proc == nil {
		return
	}
	if err := m.proc.Kill(); err != nil {
		m.t.Error(err)
	}
}

func (m *member) end() {
	m.Kill()
	m.t.Logf("%s was started %d times", m.name, m.starts)
	if m.t.Failed() && m.proc != nil {
		m.t.Logf("%s, last lines:\n%s", m.name, m.proc.LastLines(30))
	}
}

// says waits for a text in the log.
func (m *member) says(text string) {
	m.t.Helper()
	m.repeats(text, 1)
}

func (m *member) repeats(text string, times int) {
	m.t.Helper()
	servers.Eventually(m.t, patience, fmt.Sprintf("%s says %q %d times", m.name, text, times), func() bool {
		b, err := os.ReadFile(m.spec.Log)
		return err == nil && strings.Count(string(b), text) >= times
	})
}

// Works waits until the process does what it is for.
func (m *member) Works() {
	m.t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	servers.Eventually(m.t, patience, m.name+" works", func() bool {
		resp, err := client.Get(m.ready)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func (m *member) String() string { return m.name }

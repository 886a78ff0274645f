//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"outferry/internal/process"
	"outferry/internal/servers"
)

const patience = 2 * time.Minute

// member is a process of the system: a service or an Outferry. It comes back after a kill as it was.
type member struct {
	t     *testing.T
	name  string
	spec  process.Spec
	ready string // answers 200 when it works
	proc  *process.Process
}

func (b *blog) member(name, ready string, env []string, args ...string) *member {
	m := &member{t: b.t, name: name, ready: ready, spec: process.Spec{
		Args: args, Env: env, Dir: b.dir, Log: filepath.Join(b.dir, name+".log"),
	}}
	b.t.Cleanup(func() {
		if m.proc == nil {
			return
		}
		_ = m.proc.Kill()
		if b.t.Failed() {
			b.t.Logf("%s, last lines:\n%s", name, m.proc.LastLines(30))
		}
	})
	return m
}

// service runs a jar on a port of its own.
func (b *blog) service(name, database string) (m *member, url string) {
	b.t.Helper()
	port := freePort(b.t)
	url = fmt.Sprintf("http://127.0.0.1:%d", port)
	env := append(datasource(database), "KAFKA_BROKERS="+b.broker.Addr, fmt.Sprintf("SERVER_PORT=%d", port))
	return b.member(name, url+"/actuator/health", env,
		"java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", jar(b.t, name)), url
}

// outferry runs the pipeline file of a service as it is.
func (b *blog) outferry(pipeline string, env ...string) *member {
	b.t.Helper()
	binary, err := program()
	if err != nil {
		b.t.Fatal(err)
	}
	file, err := filepath.Abs(filepath.Join(example, pipeline+".outferry.yaml"))
	if err != nil {
		b.t.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(b.t))
	return b.member("outferry-"+pipeline, "http://"+listen+"/readyz", append(env, "KAFKA_BROKERS="+b.broker.Addr),
		binary, "run", file, "--set", "service.http.listen="+listen)
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (m *member) Start() {
	m.t.Helper()
	var err error
	if m.proc, err = process.Start(m.spec); err != nil {
		m.t.Fatal(err)
	}
}

// Kill is kill -9.
func (m *member) Kill() {
	m.t.Helper()
	if !m.proc.Running() {
		m.t.Fatalf("%s had ended by itself: %v", m.name, m.proc.Ended())
	}
	if err := m.proc.Kill(); err != nil {
		m.t.Fatal(err)
	}
}

// says waits for a text in the log.
func (m *member) says(text string) {
	m.t.Helper()
	servers.Eventually(m.t, patience, fmt.Sprintf("%s says %q", m.name, text), func() bool {
		b, err := os.ReadFile(m.spec.Log)
		return err == nil && strings.Contains(string(b), text)
	})
}

// works waits until the process does what it is for.
func (m *member) works() {
	m.t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	servers.Eventually(m.t, patience, m.name+" works", func() bool {
		if !m.proc.Running() {
			m.t.Fatalf("%s ended by itself: %v", m.name, m.proc.Ended())
		}
		resp, err := client.Get(m.ready)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/process"
	"outferry/internal/servers"
)

// Rig is what a whole measurement shares: a broker, the built binary, a directory.
type Rig struct {
	Dir    string
	Broker string

	stand   *stand
	kafka   *servers.Broker
	client  *kgo.Client
	program string
	count   int
}

// NewRig builds the binary as make build does and starts the broker.
func NewRig() (r *Rig, err error) {
	r = &Rig{stand: &stand{}}
	if r.Dir, err = servers.TempDir(); err != nil {
		return nil, err
	}
	r.program = filepath.Join(r.Dir, "outferry")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", r.program, "outferry/cmd/outferry")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the binary: %w: %s", err, out)
	}
	err = attempt(func() error {
		r.kafka = startKafka(r.stand)
		r.Broker = r.kafka.Addr
		r.client = r.kafka.Client(r.stand)
		return nil
	})
	return r, err
}

// Close ends everything.
func (r *Rig) Close() {
	r.stand.close()
	servers.EndAll()
}

// BinaryMB is the size of what is measured.
func (r *Rig) BinaryMB() float64 {
	info, err := os.Stat(r.program)
	if err != nil {
		return 0
	}
	return float64(info.Size()) / 1e6
}

// name is one that nothing else in this measurement has.
func (r *Rig) name(what string) string {
	r.count++
	return fmt.Sprintf("b%d-%s", r.count, strings.ToLower(strings.NewReplacer(".", "-", "_", "-", " ", "-").Replace(what)))
}

// start runs a program under our eyes.
func (r *Rig) start(log string, env []string, args ...string) (*process.Process, error) {
	return process.Start(process.Spec{Args: args, Dir: r.Dir, Log: filepath.Join(r.Dir, log+".log"), Env: env})
}

// waitReady waits until what serves addr says yes.
func waitReady(ctx context.Context, url string, p *process.Process) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-p.Done():
			return p.Ended()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; last lines: %s", url, ctx.Err(), p.LastLines(10))
		}
	}
}

// Machine describes where the numbers come from.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	GiB    float64 `json:"memory_gib"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
}

// ThisMachine reads it from the kernel.
func ThisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
		}
	}
	var kib float64
	mem, _ := os.ReadFile("/proc/meminfo")
	fmt.Sscanf(string(mem), "MemTotal: %f", &kib)
	m.GiB = float64(int(kib/1024/1024*10)) / 10
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = string(bytes.TrimSpace(release))
	return m
}

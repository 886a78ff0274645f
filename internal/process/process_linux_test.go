package process_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"outferry/internal/process"
)

// TestMain plays the parent that dies: it starts a child, prints its id and waits to be killed.
func TestMain(m *testing.M) {
	if log := os.Getenv("PARENT_LOG"); log != "" {
		p, err := process.Start(process.Spec{Args: []string{"sleep", "300"}, Log: log})
		if err != nil {
			panic(err)
		}
		println(p.Pid())
		select {}
	}
	os.Exit(m.Run())
}

func spawn(t *testing.T, script string) (p *process.Process, log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "log")
	p, err := process.Start(process.Spec{Args: []string{"sh", "-c", script}, Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() })
	return p, log
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// pidIn waits for a process id in a log.
func pidIn(t *testing.T, log string) (pid string) {
	t.Helper()
	eventually(t, "the log holds a process id", func() bool {
		b, _ := os.ReadFile(log)
		pid = strings.TrimSpace(string(b))
		return pid != "" && b[len(b)-1] == '\n'
	})
	return pid
}

// ended is true of a zombie too: nobody else may reap it for a while.
func ended(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

func TestKillTakesGrandchildrenToo(t *testing.T) {
	p, log := spawn(t, "sleep 300 & echo $!; wait")
	grandchild := pidIn(t, log)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if p.Running() || !ended(grandchild) {
		t.Fatal("something survived")
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	p, log := spawn(t, "trap '' TERM; echo $$; while :; do sleep 0.1; done")
	pidIn(t, log)
	if err := p.Stop(syscall.SIGTERM, 50*time.Millisecond); err == nil {
		t.Fatal("it ended by itself")
	}
	if p.Running() {
		t.Fatal("it still runs")
	}
}

func TestEndTellsLastLines(t *testing.T) {
	p, _ := spawn(t, "echo no such ferry; exit 3")
	<-p.Done()
	if msg := p.Ended().Error(); !strings.Contains(msg, "exit status 3") || !strings.Contains(msg, "no such ferry") {
		t.Fatal(msg)
	}
}

func TestChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "PARENT_LOG="+filepath.Join(t.TempDir(), "log"))
	out, err := parent.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err := errors.Join(err, parent.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	eventually(t, "the child has died", func() bool { return ended(strings.TrimSpace(line)) })
}

// Package process runs one server as a child that never outlives us. In goes a command line, the
// user it runs as and the file its output goes to; out comes a handle that signals it, waits for it
// and kills it with all that it forked. What the server is, and when it is ready, is the caller's.
package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Spec says what to run and how.
type Spec struct {
	Args        []string
	Dir         string         // working directory and HOME
	Env         []string       // besides PATH, HOME, TMPDIR and LANG, which are all that a server gets of ours
	User        *User          // nil is who we are
	Log         string         // output is appended to it
	Stdin       io.Reader      // of Run; nothing where it is nil
	DeathSignal syscall.Signal // sent by the kernel, where it can, when we die; default SIGKILL
}

// Process is a running or ended child.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // of Wait, once done is closed
}

// Start starts the child. It is the leader of its own session, so that a Ctrl-C on our terminal
// reaches it through us and not behind our back.
func Start(s Spec) (*Process, error) {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Args[0], err)
	}
	defer log.Close()
	cmd := command(s)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Args[0], err)
	}
	p := &Process{cmd: cmd, log: s.Log, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Run runs a command to its end and returns what it printed. Log is not used.
func Run(s Spec) (string, error) {
	out, err := command(s).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", s.Args[0], err, lastLines(string(out), 10))
	}
	return string(out), nil
}

func command(s Spec) *exec.Cmd {
	if s.DeathSignal == 0 {
		s.DeathSignal = syscall.SIGKILL
	}
	cmd := exec.Command(s.Args[0], s.Args[1:]...)
	cmd.Dir, cmd.Stdin = s.Dir, s.Stdin
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "TMPDIR=" + os.TempDir(), "LANG=C.UTF-8",
	}, s.Env...)
	cmd.SysProcAttr = attributes(s.DeathSignal)
	cmd.SysProcAttr.Setsid = true
	if s.User != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.User.UID, Gid: s.User.GID}
	}
	return cmd
}

// Pid is the child's process id, also after its end.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether the child has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal; a child that has ended is no error.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to pid %d: %w", sig, p.Pid(), err)
	}
	return nil
}

// Stop sends a signal and waits for the end. Past the timeout it kills, and says so.
func (p *Process) Stop(sig syscall.Signal, timeout time.Duration) error {
	if err := p.Signal(sig); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
	}
	if err := p.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("pid %d did not end within %s of %s and was killed", p.Pid(), timeout, sig)
}

// Kill takes the child and its own children away as a power cut would, and waits until they are gone.
func (p *Process) Kill() error {
	if !p.Running() {
		return nil
	}
	// Stopped first, or it could fork between the look at its children and its end.
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	family := children(p.Pid())
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
	return waitGone(family, 10*time.Second)
}

// waitGone polls, since nobody tells us of the end of a grandchild.
func waitGone(pids []int, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for _, pid := range pids {
		for !gone(pid) {
			if time.Now().After(deadline) {
				return fmt.Errorf("pid %d survived SIGKILL for %s", pid, timeout)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// ExitCode is that of the child, which must have ended; -1 where a signal ended it.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Ended says how the child ended and what it printed last; call it when Done is closed.
func (p *Process) Ended() error {
	return fmt.Errorf("%s ended (%s): %s", p.cmd.Path, p.cmd.ProcessState, p.LastLines(15))
}

// LastLines returns the last n lines of the log.
func (p *Process) LastLines(n int) string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(b), n)
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

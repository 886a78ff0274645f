package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// attributes: the kernel sends death when the thread that started the child ends. Go keeps its threads, but for one
// that a goroutine locked and did not unlock.
func attributes(death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: death}
}

func children(pid int) []int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// gone takes a zombie for gone: it holds no file, port or memory, and some machines reap orphans late.
func gone(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	// The state follows the name, which is in parentheses and may hold anything.
	after := bytes.TrimSpace(b[bytes.LastIndexByte(b, ')')+1:])
	return len(after) == 0 || after[0] == 'Z' || after[0] == 'X'
}

package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the kernel's unit of processor time, which is a hundredth of a second on every Linux.
const tick = 10 * time.Millisecond

// Usage is processor time used so far, by who used it.
type Usage struct {
	At      time.Time
	Subject time.Duration
	DB      time.Duration
	Broker  time.Duration
	Busy    time.Duration // of the whole machine
	Self    time.Duration
}

type stat struct {
	pid, parent int
	cpu         time.Duration // its own, and of its children that have ended
	started     uint64        // ticks after the machine's start, by which a number that is used again is known
}

func readStat(pid int) (s stat, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, false
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // the name may hold anything
	if len(f) < 20 {
		return s, false
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(f[i-3], 10, 64); return n } // fields as proc(5) counts them
	s = stat{pid: pid, parent: int(number(4)), started: uint64(number(22))}
	s.cpu = time.Duration(number(14)+number(15)+number(16)+number(17)) * tick
	return s, true
}

// processes are all that live, by pid.
func processes() map[int]stat {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	all := map[int]stat{}
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if s, ok := readStat(pid); ok {
			all[pid] = s
		}
	}
	return all
}

// usage adds up what the trees of our children have used. The subject is told by its pid, the servers by their command lines.
func usage(subject int) Usage {
	all := processes()
	u := Usage{At: time.Now(), Busy: busy(), Self: all[os.Getpid()].cpu}
	for _, s := range all {
		child := s
		for child.parent != os.Getpid() && child.parent > 1 {
			var ok bool
			if child, ok = all[child.parent]; !ok {
				break
			}
		}
		if child.parent != os.Getpid() {
			continue
		}
		switch {
		case child.pid == subject:
			u.Subject += s.cpu
		case isBroker(child.pid):
			u.Broker += s.cpu
		default:
			u.DB += s.cpu
		}
	}
	return u
}

func isBroker(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return bytes.Contains(b, []byte("kafka.Kafka"))
}

func busy() time.Duration {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	var sum int64
	for i, f := range strings.Fields(line)[1:] {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil && i != 3 && i != 4 && i < 8 { // neither idle nor waiting for a disk
			sum += n
		}
	}
	return time.Duration(sum) * tick
}

// others is how many cores anybody else used between two looks.
func others(from, to Usage) float64 {
	ours := (to.Subject - from.Subject) + (to.DB - from.DB) + (to.Broker - from.Broker) + (to.Self - from.Self)
	return max(0, float64(to.Busy-from.Busy-ours)/float64(to.At.Sub(from.At)))
}

// memory returns what a process holds now, and has held at most, in MiB.
func memory(pid int) (now, peak float64) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f", &kib); n == 1 {
			now = kib / 1024
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %f", &kib); n == 1 {
			peak = kib / 1024
		}
	}
	return now, peak
}

// Load is the machine's load average of the last minute.
func Load() float64 {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

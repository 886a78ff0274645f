package logging

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"outferry/configs"
)

// openTerminal returns both ends of a pseudo terminal.
func openTerminal(t *testing.T) (person, process *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	process, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Close() })
	return person, process
}

func onTerminal(t *testing.T, noColor string) string {
	t.Helper()
	t.Setenv("NO_COLOR", noColor)
	t.Setenv("TERM", "xterm")
	person, process := openTerminal(t)
	New(configs.Log{Level: "info", Format: "auto"}, process).Info("streaming", "id", "\x1b[2J")
	person.SetReadDeadline(time.Now().Add(10 * time.Second))
	line, err := bufio.NewReader(person).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestATerminalGetsTextWithColour(t *testing.T) {
	line := onTerminal(t, "")
	if !strings.HasPrefix(line, "\r\x1b[K") || !strings.Contains(line, "\x1b[94m[INFO] ") || !strings.Contains(line, `"\x1b[2J"`) {
		t.Errorf("%q", line)
	}
}

func TestNoColorIsObeyed(t *testing.T) {
	line := onTerminal(t, "1")
	if strings.Contains(line, "\x1b") || !strings.Contains(line, `[INFO]  streaming: id="\x1b[2J"`) {
		t.Errorf("%q", line)
	}
}

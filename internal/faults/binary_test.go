package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"outferry/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

var build = sync.OnceValues(func() (string, error) {
	dir, err := servers.TempDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "outferry")
	cmd := exec.Command("go", "build", "-o", path, "outferry/cmd/outferry")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the binary: %w: %s", err, out)
	}
	return path, nil
})

// program builds the program once in a test run.
func program(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// rounds is how often a loop goes round: more in a long run.
func rounds(ci, long int) int {
	if os.Getenv("OUTFERRY_LONG") != "" {
		return long
	}
	return ci
}

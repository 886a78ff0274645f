//go:build e2e

package e2e

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

const example = "../../examples/spring-boot"

// program builds Outferry once in a test run.
var program = sync.OnceValues(func() (string, error) {
	dir, err := servers.TempDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "outferry")
	cmd := exec.Command("go", "build", "-o", path, "outferry/cmd/outferry")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return path, run(cmd)
})

// jars builds both services once in a test run.
var jars = sync.OnceValue(func() error { return maven(nil, "package") })

func maven(env []string, args ...string) error {
	cmd := exec.Command("mvn", append([]string{"-q", "-B", "--no-transfer-progress", "-Dstyle.color=never"}, args...)...)
	cmd.Dir = example
	cmd.Env = append(os.Environ(), append(env, "MAVEN_OPTS=-Xmx512m")...)
	return run(cmd)
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, out[max(0, len(out)-4000):])
	}
	return nil
}

// jar is a service's, by its name.
func jar(t *testing.T, service string) string {
	t.Helper()
	if err := jars(); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join(example, service, "target", service+".jar"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// container is what a service of docker-compose.yml runs, as internal/composecheck reads it with Docker Compose's own
// loader. The test runs the same as a process: only addresses, ports and paths are this machine's.
type container struct {
	Image       string
	Args        []string
	Environment map[string]string
	Files       map[string]string // contents, by path
	Built       map[string]string // sources, by path
	HealthCheck []string
	Restart     string
}

func readTopology(t *testing.T) map[string]container {
	t.Helper()
	cmd := exec.Command("go", "run", "./print", "../..")
	cmd.Dir = "../composecheck"
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("read docker-compose.yml: %v", err)
	}
	var all map[string]container
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// version is the image's tag.
func (c container) version() string {
	_, tag, _ := strings.Cut(c.Image, ":")
	return tag
}

// script is what the image runs at its first start, one statement after the other.
func (c container) script(t *testing.T) (statements []string) {
	t.Helper()
	for path, text := range c.Files {
		if strings.HasPrefix(path, "/docker-entrypoint-initdb.d/") {
			statements = append(statements, strings.Split(strings.TrimSuffix(text, ";\n"), ";\n")...)
		}
	}
	if len(statements) == 0 {
		t.Fatalf("%s runs no script", c.Image)
	}
	return statements
}

// properties are the broker's, but for those that say where it is and where its files are.
func (c container) properties() (lines []string) {
	for name, value := range c.Environment {
		key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "KAFKA_")), "_", ".")
		switch {
		case !strings.HasPrefix(name, "KAFKA_"), strings.Contains(key, "listener"), strings.Contains(key, "voters"),
			key == "log.dirs", key == "node.id", key == "process.roles":
		default:
			lines = append(lines, key+"="+value)
		}
	}
	return lines
}

// flags are settings of a command line: -c name=value, --name=value.
func (c container) flags() (lines []string) {
	for _, arg := range c.Args {
		if strings.Contains(arg, "=") {
			lines = append(lines, strings.TrimLeft(arg, "-"))
		}
	}
	return lines
}

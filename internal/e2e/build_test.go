//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"outferry/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

const example = "../../examples/spring-boot"

// build makes what the Dockerfiles make: Outferry's program, and a jar of each service.
func (b *blog) build() {
	b.t.Helper()
	b.program = filepath.Join(b.dir, "outferry")
	cmd := exec.Command("go", "build", "-o", b.program, "outferry/cmd/outferry")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	run(b.t, cmd)
	b.verify()
}

// verify builds the jars, and runs the services' own tests on databases of their own: Maven's phase verify does both.
func (b *blog) verify() {
	b.t.Helper()
	b.postDB.Exec(b.t, "CREATE DATABASE rules OWNER post")
	b.commentsDB.Exec(b.t, "CREATE DATABASE rules; GRANT ALL ON rules.* TO comments")
	cmd := exec.Command("mvn", "-q", "-B", "--no-transfer-progress", "-Dstyle.color=never", "-T2", "verify")
	cmd.Dir = example
	cmd.Env = append(os.Environ(), "MAVEN_OPTS=-Xmx512m -XX:TieredStopAtLevel=1", "JAVA_TOOL_OPTIONS="+javaOptions,
		"POST_DATABASE_URL="+b.here("jdbc:postgresql://postgres:5432/rules"),
		"COMMENTS_DATABASE_URL="+b.here("jdbc:mysql://mysql:3306/rules"))
	run(b.t, cmd)
}

// javaOptions are for many short lives on a small machine.
const javaOptions = "-Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("%v: %w: %s", cmd.Args, err, out[max(0, len(out)-6000):]))
	}
}

package composecheck

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Docker's own parser reads them; what is built runs as nobody, and has a health check.
func TestDockerfiles(t *testing.T) {
	for _, file := range []string{"Dockerfile", "examples/go/Dockerfile"} {
		t.Run(file, func(t *testing.T) {
			stages := stages(t, file)
			last := stages[len(stages)-1]
			if len(stages) < 2 || last.BaseName != "gcr.io/distroless/static-debian12:nonroot" {
				t.Errorf("%d stages, the last on %s", len(stages), last.BaseName)
			}
			var entry, health bool
			for _, command := range last.Commands {
				switch c := command.(type) {
				case *instructions.CopyCommand:
					checkSource(t, stages, c.From)
				case *instructions.EntrypointCommand:
					entry = !c.PrependShell // there is no shell
				case *instructions.HealthCheckCommand:
					health = c.Health.Test[0] == "CMD"
				}
			}
			if !entry || !health {
				t.Errorf("entry point %t, health check %t, want both without a shell", entry, health)
			}
		})
	}
}

func stages(t *testing.T, file string) []instructions.Stage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

func checkSource(t *testing.T, stages []instructions.Stage, from string) {
	t.Helper()
	for _, s := range stages {
		if s.Name == from {
			return
		}
	}
	t.Errorf("there is no stage %q", from)
}

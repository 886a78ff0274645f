package docs

import (
	"encoding/json"
	"go/format"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"outferry/configs"
)

// proven says what is done with the blocks of each language; a block in another is refused, so that none is
// shown that nobody looked at. The commands of sh blocks are checked in cmd/outferry, where the commands are.
var proven = map[string]func(*testing.T, block){
	"sh":   commandsAreKnown,
	"sql":  nil, // TestSQLRuns
	"yaml": fileIsValid,
	"json": isJSON,
	"go":   isGo,
	"ini":  isUnit,
	"text": func(*testing.T, block) {},
}

func TestEveryBlockIsProven(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			prove, ok := proven[b.language]
			if !ok {
				t.Errorf("%s:%d: a block of language %q, which no test looks at", b.page, b.line, b.language)
			} else if prove != nil {
				prove(t, b)
			}
		}
	}
}

// programs are those that a sh block may call besides the ones that tests know.
var programs = []string{"outferry", "go", "make", "docker", "curl", "export"}

func commandsAreKnown(t *testing.T, b block) {
	t.Helper()
	targets, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if !slices.Contains(programs, words[0]) {
			t.Errorf("%s:%d: %s is a program that no test knows", b.page, b.line, words[0])
		}
		if words[0] == "make" && !regexp.MustCompile(`(?m)^`+words[1]+`:`).Match(targets) {
			t.Errorf("%s:%d: the Makefile has no target %s", b.page, b.line, words[1])
		}
	}
}

// fileIsValid loads a pipeline file that is shown, with a value for whatever it refers to.
func fileIsValid(t *testing.T, b block) {
	t.Helper()
	if len(configs.MarkdownBlocks("```yaml\n"+b.text+"```\n")) == 0 {
		t.Errorf("%s:%d: a yaml block without a source, which validate passes by", b.page, b.line)
	}
	_, findings := configs.LoadBytes(b.page, []byte(b.text), configs.Options{
		LookupEnv: func(name string) (string, bool) {
			if strings.Contains(name, "URL") {
				return "postgres://outferry@localhost:5432/posts", true
			}
			return "x", true
		},
		Environ:  func() []string { return nil },
		ReadFile: func(string) ([]byte, error) { return []byte("x"), nil },
		Strict:   true,
	})
	if findings != nil {
		t.Errorf("%s:%d: %s", b.page, b.line, findings.Error())
	}
}

func isJSON(t *testing.T, b block) {
	t.Helper()
	if !json.Valid([]byte(b.text)) {
		t.Errorf("%s:%d: not JSON", b.page, b.line)
	}
}

func isGo(t *testing.T, b block) {
	t.Helper()
	if out, err := format.Source([]byte(b.text)); err != nil || string(out) != b.text {
		t.Errorf("%s:%d: not formatted Go: %v", b.page, b.line, err)
	}
}

// isUnit looks for what the text around the unit promises.
func isUnit(t *testing.T, b block) {
	t.Helper()
	for _, line := range []string{"ExecStart=/usr/local/bin/outferry run /etc/outferry", "RestartPreventExitStatus=2 4"} {
		if !strings.Contains(b.text, line+"\n") {
			t.Errorf("%s:%d: the unit has no line %s", b.page, b.line, line)
		}
	}
}

package examples

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the line numbers of ../README.md")

// pointer is a link whose text is code and whose target is a line that holds it.
var pointer = regexp.MustCompile("\\[`([^`]+)`\\]\\(([^)#]+)#L(\\d+)\\)")

func TestReadmePointsAtTheLines(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	want := pointer.ReplaceAllStringFunc(string(text), func(link string) string {
		found++
		m := pointer.FindStringSubmatch(link)
		return fmt.Sprintf("[`%s`](%s#L%d)", m[1], m[2], lineOf(t, m[2], m[1]))
	})
	if found < 20 {
		t.Errorf("only %d links to lines: the search is broken", found)
	}
	if *update {
		if err := os.WriteFile("../README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Error("examples/README.md points at other lines: run go test ./examples/go -run Readme -update, and look at what changed")
	}
}

// lineOf returns the first line that holds a text, from 1 on.
func lineOf(t *testing.T, file, text string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		t.Error(err)
		return 0
	}
	before, _, found := strings.Cut(string(content), text)
	if !found {
		t.Errorf("%s does not hold %q", file, text)
		return 0
	}
	return 1 + strings.Count(before, "\n")
}

// Other links lead somewhere.
func TestReadmeLinksExist(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Error(err)
		}
	}
}

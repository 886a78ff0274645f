package docs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var codeForm = regexp.MustCompile(`^[a-z]+(\.[a-z_]+)?$`)

// faultCodes returns every code that the program can stop, wait or warn with.
func faultCodes(t *testing.T) []string {
	t.Helper()
	codes := map[string]bool{}
	for dir, files := range sources(t, ".", false) {
		if strings.Contains(dir, "feedcheck") || strings.Contains(dir, "internal/servers") {
			continue // what tests say about feeds
		}
		for code := range texts(files, "Code", "code") {
			if codeForm.MatchString(code) {
				codes[code] = true
			}
		}
	}
	delete(codes, "code")
	return slices.Sorted(maps.Keys(codes))
}

func TestEveryFaultHasItsHeading(t *testing.T) {
	codes := faultCodes(t)
	if len(codes) < 50 {
		t.Fatalf("found only %d codes: the search is broken: %v", len(codes), codes)
	}
	var headings []string
	for _, h := range readPage(t, "docs/troubleshooting.md").headings() {
		if codeForm.MatchString(h) {
			headings = append(headings, h)
		}
	}
	for _, code := range codes {
		if !slices.Contains(headings, code) {
			t.Errorf("docs/troubleshooting.md has no heading for %s", code)
		}
	}
	for i, h := range headings {
		if !slices.Contains(codes, h) {
			t.Errorf("docs/troubleshooting.md explains %s, which nothing in the program says", h)
		}
		if slices.Contains(headings[:i], h) {
			t.Errorf("docs/troubleshooting.md explains %s twice", h)
		}
	}
}

// Each heading of a code says what is seen, why, and what to do.
func TestEveryFaultIsExplained(t *testing.T) {
	for _, section := range strings.Split(readPage(t, "docs/troubleshooting.md").prose, "\n### ")[1:] {
		code, text, _ := strings.Cut(section, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		for _, part := range []string{"**Seen**", "**Cause**", "**Fix**"} {
			if strings.Count(text, part) != 1 {
				t.Errorf("%s: want one %s", code, part)
			}
		}
	}
}

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Links inside the repository lead to a file, and to a heading of it.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			path := p.path
			if file != "" {
				path = filepath.Join(filepath.Dir(p.path), file)
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", p.path, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(readPage(t, path)), anchor) {
				t.Errorf("%s: %s has no heading #%s", p.path, path, anchor)
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)

// anchors makes of headings what a browser of the repository makes of them.
func anchors(p page) (out []string) {
	for _, h := range p.headings() {
		out = append(out, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(h), ""), " ", "-"))
	}
	return out
}

// A file that nobody points at is found by nobody.
func TestEveryPageIsLinked(t *testing.T) {
	all := pages(t)
	for _, p := range all {
		if p.path == "README.md" {
			continue
		}
		linked := slices.ContainsFunc(all, func(from page) bool {
			return from.path != p.path && strings.Contains(from.prose, filepath.Base(p.path))
		})
		if !linked {
			t.Errorf("no page leads to %s", p.path)
		}
	}
}

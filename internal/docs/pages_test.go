package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"outferry/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

const root = "../.."

// page is one Markdown file.
type page struct {
	path   string // from the repository's root
	text   string
	prose  string // without fenced blocks
	blocks []block
}

// block is one fenced block.
type block struct {
	page     string
	line     int    // of its fence
	section  string // the heading above it
	language string
	text     string
}

// pages reads README.md, CHANGELOG.md and everything under docs/.
func pages(t *testing.T) []page {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages in docs: %v", err)
	}
	var all []page
	for _, file := range append(files, filepath.Join(root, "README.md"), filepath.Join(root, "CHANGELOG.md")) {
		path, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, readPage(t, path))
	}
	return all
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	p := page{path: path, text: string(text)}
	var prose []string
	section, inside := "", false
	for i, line := range strings.Split(p.text, "\n") {
		switch language, fence := strings.CutPrefix(line, "```"); {
		case fence && !inside:
			inside = true
			p.blocks = append(p.blocks, block{page: path, line: i + 1, section: section, language: language})
		case fence:
			inside = false
		case inside:
			last := &p.blocks[len(p.blocks)-1]
			last.text += line + "\n"
		default:
			if title, ok := strings.CutPrefix(line, "## "); ok {
				section = title
			}
			prose = append(prose, line)
		}
	}
	if inside {
		t.Errorf("%s: a fenced block has no end", path)
	}
	p.prose = strings.Join(prose, "\n")
	return p
}

// of returns the page's blocks in one language, in their order.
func (p page) of(language string) (out []string) {
	for _, b := range p.blocks {
		if b.language == language {
			out = append(out, b.text)
		}
	}
	return out
}

var headingLine = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)

// headings returns the page's headings as they are written, without marks of code.
func (p page) headings() (out []string) {
	for _, m := range headingLine.FindAllStringSubmatch(p.prose, -1) {
		out = append(out, strings.ReplaceAll(m[1], "`", ""))
	}
	return out
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// spans returns what the page's prose marks as code.
func (p page) spans() (out []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
		out = append(out, m[1])
	}
	return out
}

package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

const maxFileBytes = 1 << 20

// file is where values come from: a file, a variable or a flag.
type file struct {
	name  string
	dir   string   // that relative ${file:} paths start from
	lines []string // empty for a variable or flag that holds one value
	rank  int
}

// place is where a finding points to.
type place struct {
	file         *file
	line, column int
}

func (f *file) at(n *yaml.Node) place { return place{file: f, line: n.Line, column: n.Column} }

// document is one YAML document, parsed but not understood.
type document struct {
	file *file
	root *yaml.Node
}

func (p place) finding(path string, m *mistake) Finding {
	f := Finding{File: p.file.name, Line: p.line, Column: p.column, Path: path,
		Message: m.message, Remedy: m.remedy, Warning: m.warning, rank: p.file.rank}
	if p.line > 0 && p.line <= len(p.file.lines) {
		f.source = withoutSecrets(p.file.lines[p.line-1])
	}
	return f
}

// parse splits text into documents. Those before a syntax error are returned with it.
func parse(f *file, text []byte) ([]document, Findings) {
	if len(text) > maxFileBytes {
		return nil, Findings{place{file: f}.finding("", mistakef("", "larger than %s, which is the limit for a pipeline file", showSize(maxFileBytes)))}
	}
	f.lines = strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	var documents []document
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		root, err := next(decoder)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return documents, Findings{syntaxFinding(f, err)}
		}
		if root != nil {
			documents = append(documents, document{file: f, root: root})
		}
	}
}

// next reads one document; nil is an empty one. The library panics on some inputs that are no YAML.
func next(decoder *yaml.Decoder) (root *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not YAML: %v", r)
		}
	}()
	var n yaml.Node
	if err := decoder.Decode(&n); err != nil {
		return nil, err
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) == 0 || isNull(n.Content[0]) {
		return nil, nil
	}
	return n.Content[0], nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

var (
	syntaxLine    = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)
	unknownAnchor = regexp.MustCompile(`unknown anchor '.*' referenced`)
	flowReference = regexp.MustCompile(`[\[{,:]\s*\$\{`)
)

// syntaxFinding gives the library's message a place. A name that it quotes may be half a password.
func syntaxFinding(f *file, err error) Finding {
	m := syntaxLine.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0])
	message := unknownAnchor.ReplaceAllString(m[2], "unknown anchor")
	line, _ := strconv.Atoi(m[1])
	p := place{file: f, line: min(max(line, 1), len(f.lines)), column: 1}
	text := f.lines[p.line-1]
	p.column += len(text) - len(strings.TrimLeft(text, " \t"))
	return p.finding("", mistakef(syntaxRemedy(text, message), "not YAML: %s", message))
}

func syntaxRemedy(line, message string) string {
	switch {
	case strings.Contains(line, "\t"):
		return "indent with blanks, not with a tab"
	case strings.ContainsAny(line, "[{") && flowReference.MatchString(line):
		return `inside [ ] and { } a reference needs quotes: "${NAME}"`
	case message == "unknown anchor":
		return "a value that starts with * needs quotes"
	}
	return ""
}

package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const (
	maxFileBytes = 1 << 20
	maxDocuments = 1000
	longestLine  = 4 << 10 // a longer one is not shown: nobody wrote it by hand
)

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
	if len(path) > longestPath {
		path = strings.ToValidUTF8(path[:longestPath], "") + "..."
	}
	f := Finding{File: withoutLogin(p.file.name), Line: p.line, Column: p.column, Path: withoutLogin(path),
		Message: withoutLogin(m.message), Remedy: withoutLogin(m.remedy), Warning: m.warning, rank: p.file.rank}
	if p.line > 0 && p.line <= len(p.file.lines) && len(p.file.lines[p.line-1]) <= longestLine {
		f.source, f.caret = withoutSecrets(p.file.lines[p.line-1], path, p.column)
	}
	return f
}

// parse splits text into documents. Those before a syntax error are returned with it.
func parse(f *file, text []byte) ([]document, Findings) {
	if len(text) > maxFileBytes {
		return nil, Findings{place{file: f}.finding("", mistakef("", "larger than %s, which is the limit for a pipeline file", showSize(maxFileBytes)))}
	}
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, Findings{place{file: f}.finding("", mistakef("save the file as UTF-8", "is UTF-16"))}
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
			return documents, Findings{syntaxFinding(f, text, err)}
		}
		if root != nil && len(documents) == maxDocuments {
			return documents, Findings{f.at(root).finding("", mistakef("", "more than %d documents, which is the limit for a file", maxDocuments))}
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
	unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
	flowReference = regexp.MustCompile(`[\[{,:]\s*\$\{`)
)

// syntaxFinding gives the library's message a place. A name that it quotes may be half a password.
func syntaxFinding(f *file, text []byte, err error) Finding {
	m := syntaxLine.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0])
	message := m[2]
	line, _ := strconv.Atoi(m[1])
	if anchor := unknownAnchor.FindStringSubmatch(message); anchor != nil {
		message = "unknown anchor"
		line = 1 + slices.IndexFunc(f.lines, func(l string) bool { return strings.Contains(l, "*"+anchor[1]) })
	}
	if strings.HasPrefix(message, "did not find expected") {
		line = firstBad(text, line)
	}
	p := place{file: f, line: min(max(line, 1), f.lastLine()), column: 1}
	source := f.lines[p.line-1]
	p.column += len(source) - len(strings.TrimLeft(source, " \t"))
	remedy := syntaxRemedy(source, message)
	if wrong, ok := unreadable[message]; ok {
		p, remedy = f.first(wrong.is, p), wrong.remedy
	}
	return p.finding("", mistakef(remedy, "not YAML: %s", message))
}

// lastLine is the last one that says something.
func (f *file) lastLine() int {
	n := len(f.lines)
	for n > 1 && strings.TrimSpace(f.lines[n-1]) == "" {
		n--
	}
	return n
}

// character is what the library refuses before it comes to lines, and says so without a place.
type character struct {
	is     func(r rune, size int) bool
	remedy string
}

var (
	notUTF8    = character{func(r rune, size int) bool { return r == utf8.RuneError && size == 1 }, "save the file as UTF-8"}
	notAllowed = character{func(r rune, _ int) bool {
		return r < ' ' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff
	}, `take it out, or write it in double quotes as \u and four digits`}
	unreadable = map[string]character{
		"control characters are not allowed": notAllowed,
		"invalid leading UTF-8 octet":        notUTF8,
		"invalid trailing UTF-8 octet":       notUTF8,
		"incomplete UTF-8 octet sequence":    notUTF8,
		"invalid length of a UTF-8 sequence": notUTF8,
		"invalid Unicode character":          notUTF8,
	}
)

// first is the place of the first such character; otherwise where there is none.
func (f *file) first(is func(r rune, size int) bool, otherwise place) place {
	for i, line := range f.lines {
		for at, column := 0, 1; at < len(line); column++ {
			r, size := utf8.DecodeRuneInString(line[at:])
			if is(r, size) {
				return place{file: f, line: i + 1, column: column}
			}
			at += size
		}
	}
	return otherwise
}

// firstBad finds the line behind the longest beginning that can be parsed: for these messages the
// library only says where the mapping or list around the mistake starts, and one line too early.
func firstBad(text []byte, line int) int {
	const tries, patience = 300, 50
	good := line
	ends := lineEnds(text)
	for k := line; k <= len(ends) && k < line+tries && k < good+patience && len(text) < 16<<10; k++ {
		if k > 0 && parses(text[:ends[k-1]]) {
			good = k
		}
	}
	return good + 1
}

func lineEnds(text []byte) []int {
	var ends []int
	for i, b := range text {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	return ends
}

func parses(text []byte) bool {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := next(decoder); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

func syntaxRemedy(line, message string) string {
	switch {
	case strings.Contains(line, "\t"):
		return "indent with blanks, not with a tab"
	case strings.ContainsAny(line, "[{") && flowReference.MatchString(line):
		return `inside [ ] and { } a reference needs quotes: "${NAME}"`
	case message == "unknown anchor":
		return "a value that starts with * needs quotes"
	case strings.HasPrefix(message, "mapping values are not allowed"):
		return "a value with a colon and a blank in it needs quotes; else the indentation is wrong"
	}
	return ""
}

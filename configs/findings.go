package configs

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Finding is one mistake, or one thing worth a look, at its place.
type Finding struct {
	File    string `json:"file"`             // or the variable or flag that holds the value
	Line    int    `json:"line,omitempty"`   // 1 is the first; 0 where there are no lines
	Column  int    `json:"column,omitempty"` // in characters
	Path    string `json:"path,omitempty"`   // of the option
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	Warning bool   `json:"warning"`

	source string // the line itself, without secrets
	caret  int    // where Column is in source
	rank   int    // of the file among those given
}

// Findings are in the order of their places.
type Findings []Finding

// HasErrors reports whether anything forbids a start.
func (f Findings) HasErrors() bool {
	return slices.ContainsFunc(f, func(x Finding) bool { return !x.Warning })
}

// Errors returns those that forbid a start.
func (f Findings) Errors() Findings { return f.only(false) }

// Warnings returns those that do not.
func (f Findings) Warnings() Findings { return f.only(true) }

func (f Findings) only(warning bool) Findings {
	var some Findings
	for _, x := range f {
		if x.Warning == warning {
			some = append(some, x)
		}
	}
	return some
}

// Error joins the one-line forms, for a log or a returned error.
func (f Findings) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// String is the first line of what Print writes.
func (x Finding) String() string { return x.where() + x.severity() + ": " + x.what() }

func (x Finding) where() string {
	if x.Line == 0 {
		return x.File + ": "
	}
	return fmt.Sprintf("%s:%d:%d: ", x.File, x.Line, x.Column)
}

func (x Finding) severity() string {
	if x.Warning {
		return "warning"
	}
	return "error"
}

func (x Finding) what() string {
	if x.Path == "" {
		return x.Message
	}
	return x.Path + ": " + x.Message
}

// Print writes each finding with the line it is about, a caret under the place, and what to do.
func (f Findings) Print(w io.Writer, color bool) error {
	out := bufio.NewWriter(w)
	for _, x := range f {
		x.print(out, color)
	}
	return out.Flush()
}

func (x Finding) print(w io.Writer, color bool) {
	severity := x.severity()
	if color {
		code := "31"
		if x.Warning {
			code = "33"
		}
		severity = "\x1b[1;" + code + "m" + severity + "\x1b[0m"
	}
	fmt.Fprintf(w, "%s%s: %s\n", x.where(), severity, x.what())
	if x.source != "" {
		line, column := window(x.source, x.caret)
		fmt.Fprintf(w, "%5d | %s\n      | %s^\n", x.Line, line, strings.Repeat(" ", column-1))
	}
	if x.Remedy != "" {
		fmt.Fprintf(w, "        %s\n", x.Remedy)
	}
}

// hideAfter covers what follows a key of that length, where one that holds a secret was mistyped.
func (x *Finding) hideAfter(key int) {
	if runes := []rune(x.source); x.caret+key < len(runes) {
		x.source = string(runes[:x.caret+key]) + " " + redacted
	}
}

const widest = 160

// window cuts a long line to the part around the column.
func window(line string, column int) (string, int) {
	runes := []rune(line)
	column = min(max(column, 1), len(runes)+1)
	from := 0
	if len(runes) > widest && column > widest/2 {
		from = min(column-widest/2, len(runes)-widest)
	}
	return string(runes[from:min(from+widest, len(runes))]), column - from
}

// sortFindings brings them in the order of their places and drops repeats, which a value under
// `defaults:` causes once for each pipeline.
func sortFindings(f Findings) Findings {
	slices.SortStableFunc(f, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(f)
}

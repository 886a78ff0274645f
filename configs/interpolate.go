package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// expander puts variables and files into a value that is already parsed, so that what they hold
// never becomes structure.
type expander struct {
	lookup   func(name string) (string, bool)
	readFile func(path string) ([]byte, error)
}

// expansion is a value after the references in it were replaced.
type expansion struct {
	text  string
	refs  []string // what was put in, for messages: environment variable X
	file  string   // the path, where the whole text was one ${file:path}
	doubt *mistake // a warning about something left as it was
}

var (
	variableReference = regexp.MustCompile(`^(?:env:([^:}]+)|([A-Z_][A-Z0-9_]*))(?:(:-|:\?)(.*))?$`)
	wholeFile         = regexp.MustCompile(`^\$\{file:([^}]+)\}$`)
	otherToolsForm    = regexp.MustCompile(`^([A-Z_][A-Z0-9_]*)(?:[:=?+-]|:=|:\+)(.+)$`)
)

// expand replaces ${NAME}, ${env:name}, ${file:path} and $$. Everything else with a dollar sign is
// left for the option that owns it, as ${routedByValue}.
func (e expander) expand(text, dir string) (expansion, *mistake) {
	if !strings.Contains(text, "$") {
		return expansion{text: text}, nil
	}
	var x expansion
	var out strings.Builder
	for rest := text; rest != ""; {
		plain, after, found := strings.Cut(rest, "$")
		out.WriteString(plain)
		if !found {
			break
		}
		used, m := e.reference(after, dir, &out, &x)
		if m != nil {
			return x, m
		}
		rest = after[used:]
	}
	x.text = out.String()
	if !wholeFile.MatchString(text) {
		x.file = ""
	}
	return x, nil
}

// reference handles what follows a dollar sign and returns how much of it was used.
func (e expander) reference(after, dir string, out *strings.Builder, x *expansion) (int, *mistake) {
	end := strings.IndexByte(after, '}')
	if strings.HasPrefix(after, "$") {
		out.WriteByte('$')
		return 1, nil
	}
	if !strings.HasPrefix(after, "{") || end < 0 {
		out.WriteByte('$')
		return 0, nil
	}
	inside := after[1:end]
	value, m := "", (*mistake)(nil)
	path, isFile := strings.CutPrefix(inside, "file:")
	if isFile {
		value, m = e.fromFile(path, dir, x)
	} else if v := variableReference.FindStringSubmatch(inside); v != nil {
		value, m = e.fromVariable(v[1]+v[2], v[3], v[4], x)
	} else {
		x.doubt = doubtful(inside)
		value = "${" + inside + "}"
	}
	out.WriteString(value)
	return end + 1, m
}

func (e expander) fromVariable(name, operator, operand string, x *expansion) (string, *mistake) {
	if operator == ":-" && strings.Contains(operand, "${") {
		return "", mistakef("write the default as plain text", "the default of ${%s} holds another reference", name)
	}
	x.refs = append(x.refs, "environment variable "+name)
	value, set := e.lookup(name)
	switch {
	case operator == ":-" && value == "":
		return operand, nil
	case operator == ":?" && value == "":
		return "", mistakef(operand, "environment variable %s is not set or empty", name)
	case !set:
		return "", mistakef(fmt.Sprintf("give it a value, or a default with ${%s:-value}", name), "environment variable %s is not set", name)
	}
	return value, nil
}

func (e expander) fromFile(path, dir string, x *expansion) (string, *mistake) {
	x.refs = append(x.refs, "file "+path)
	full := absolute(path, dir)
	b, err := e.readFile(full)
	if err != nil {
		return "", mistakef(fileRemedy(path), "file %s can't be read: %s", path, reason(err))
	}
	if len(b) > maxFileBytes {
		return "", mistakef("", "file %s is larger than %s", path, showSize(maxFileBytes))
	}
	x.file = full
	return cutNewline(string(b)), nil
}

func absolute(path, dir string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// reason is the last part of an I/O error: the path in front of it is said already.
func reason(err error) string {
	var text string
	switch {
	case os.IsNotExist(err):
		text = "it does not exist"
	case os.IsPermission(err):
		text = "permission denied"
	default:
		text = err.Error()
	}
	return text
}

func fileRemedy(path string) string {
	if strings.Contains(path, ":") {
		return "Kafka Connect's ${file:path:key} is not known here: put the value into a file of its own"
	}
	return ""
}

// doubtful warns of the forms that other tools expand and this one leaves alone.
func doubtful(inside string) *mistake {
	m := otherToolsForm.FindStringSubmatch(inside)
	if m == nil {
		return nil
	}
	return &mistake{warning: true, message: "${" + m[1] + "...} is not a form that is expanded here, so it stays as it is",
		remedy: fmt.Sprintf("write ${%s}, ${%s:-default} or ${%s:?message}", m[1], m[1], m[1])}
}

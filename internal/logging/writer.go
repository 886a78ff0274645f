package logging

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// terminalWriter clears the line first, so that a record never ends up behind a progress bar.
// hclog writes one record per call.
type terminalWriter struct{ w io.Writer }

func (t terminalWriter) Write(p []byte) (int, error) {
	if _, err := t.w.Write(append([]byte("\r\x1b[K"), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// jsonWriter escapes what encoding/json lets through: DEL, C1 and bidi controls act on the terminal
// of whoever reads the log there. In valid JSON they stand inside strings only, so the record keeps
// its meaning.
type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(p []byte) (int, error) {
	record := strings.TrimSuffix(string(p), "\n")
	if strings.IndexFunc(record, hidden) >= 0 {
		record = escapeHidden(record)
	}
	if _, err := io.WriteString(j.w, record+"\n"); err != nil {
		return 0, err
	}
	return len(p), nil
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }

func escapeHidden(record string) string {
	var b strings.Builder
	for _, r := range record {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte("0123456789abcdef"[unit>>shift&0xf])
			}
		}
	}
	return b.String()
}

// printable returns s with everything that is not one printable line escaped.
func printable(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	return unquoted(s)
}

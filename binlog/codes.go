package binlog

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"
)

// codes is the server's own table of a character set: what each code is in UTF-8. Servers, standards and libraries
// differ over some characters of the older sets, a wave dash for one, and nobody would notice one for the other.
type codes map[string]string

// need has the table of a character set at hand that is neither Unicode nor known to be the same everywhere.
func (s *shaper) need(cs charset) (err error) {
	if _, known := encodings[cs.name]; known || isUTF8(cs.name) || s.codes[cs.name] != nil {
		return nil
	}
	s.codes[cs.name], err = s.ask(cs.name, cs.size)
	return err
}

func (s *shaper) transcoder(name string) transcoder {
	if table := s.codes[name]; table != nil {
		return func(dst []byte, c *cursor, raw []byte) []byte { return table.transcode(dst, c, raw, name) }
	}
	return newTranscoder(name)
}

// transcode: no code of these sets is the beginning of another.
func (t codes) transcode(dst []byte, c *cursor, raw []byte, name string) []byte {
	const longest = 3
	for len(raw) > 0 {
		n := 1
		text, ok := t[string(raw[:n])]
		for !ok && n < min(longest, len(raw)) {
			n++
			text, ok = t[string(raw[:n])]
		}
		if !ok {
			c.fail("text in %s has a character that the server knows no other way to write; convert the column to utf8mb4", name)
			return dst
		}
		dst, raw = append(dst, text...), raw[n:]
	}
	return dst
}

// codesOf asks the server: first how it writes each character of Unicode in the set, then how it reads what came of
// that, since several may share a code. Each code is asked for on a line of its own.
func (h *session) codesOf(name string, size int) (codes, error) {
	written := everyByte()
	if size > 1 {
		var err error
		if written, err = h.convert(fmt.Sprintf("CONVERT(_utf8mb4 X'%x' USING %s)", everyCharacter(), name)); err != nil {
			return nil, err
		}
	}
	read, err := h.convert(fmt.Sprintf("CONVERT(CONVERT(X'%x' USING %s) USING utf8mb4)", strings.Join(written, "\n"), name))
	if err != nil {
		return nil, err
	}
	if len(read) != len(written) {
		return nil, fmt.Errorf("ask for character set %s: %d lines for %d", name, len(read), len(written))
	}
	table := codes{"\n": "\n"}
	for i, code := range written {
		if code != "" && (read[i] != "?" || code == "?") {
			table[code] = read[i]
		}
	}
	return table, nil
}

func (h *session) convert(expression string) ([]string, error) {
	r, err := queryOne(h.cat, "SELECT HEX("+expression+")")
	if err != nil {
		return nil, transient("mysql.connection", "ask for a character set: %w", err)
	}
	text, err := hex.DecodeString(r[0])
	return strings.Split(string(text), "\n"), err
}

func everyByte() (lines []string) {
	for b := range 256 {
		if b != '\n' {
			lines = append(lines, string([]byte{byte(b)}))
		}
	}
	return lines
}

func everyCharacter() string {
	var s strings.Builder
	for r := rune(0); r <= 0xffff; r++ {
		if r != '\n' && !utf16.IsSurrogate(r) {
			s.WriteString(string(r) + "\n")
		}
	}
	return s.String()
}

package configs

import (
	"fmt"
	"io"
	"os"
	"strings"
)

const redacted = "<redacted>"

// Format writes the same for every verb, since %x or %q of the text would show it too.
func (s Secret) Format(w fmt.State, _ rune) { hide(w, s == "") }

func (s Secret) String() string               { return shown(s == "") }
func (s Secret) GoString() string             { return shown(s == "") }
func (s Secret) MarshalText() ([]byte, error) { return []byte(shown(s == "")), nil }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + shown(s == "") + `"`), nil }
func (s Secret) MarshalYAML() (any, error)    { return shown(s == ""), nil }

// SecretText returns a secret that is known now.
func SecretText(text string) SecretRef {
	if text == "" {
		return SecretRef{}
	}
	return SecretRef{text: &text}
}

// SecretFile returns a secret that is read from path at each use.
func SecretFile(path string) SecretRef { return SecretRef{file: path} }

// IsZero reports whether there is no secret.
func (s SecretRef) IsZero() bool { return s.text == nil && s.file == "" }

// Get returns the secret. A file is read at each call, so that a rotated password needs no restart;
// its last newline is not part of it.
func (s SecretRef) Get() (string, error) {
	if s.file == "" {
		if s.text == nil {
			return "", nil
		}
		return *s.text, nil
	}
	b, err := os.ReadFile(s.file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return cutNewline(string(b)), nil
}

func (s SecretRef) Format(w fmt.State, _ rune)   { hide(w, s.IsZero()) }
func (s SecretRef) String() string               { return shown(s.IsZero()) }
func (s SecretRef) GoString() string             { return shown(s.IsZero()) }
func (s SecretRef) MarshalText() ([]byte, error) { return []byte(shown(s.IsZero())), nil }
func (s SecretRef) MarshalJSON() ([]byte, error) { return []byte(`"` + shown(s.IsZero()) + `"`), nil }
func (s SecretRef) MarshalYAML() (any, error)    { return shown(s.IsZero()), nil }

func shown(empty bool) string {
	if empty {
		return ""
	}
	return redacted
}

func hide(w io.Writer, empty bool) { _, _ = io.WriteString(w, shown(empty)) }

func cutNewline(s string) string {
	s, ok := strings.CutSuffix(s, "\n")
	if ok {
		s = strings.TrimSuffix(s, "\r")
	}
	return s
}

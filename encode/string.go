package encode

import (
	"unicode/utf16"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// needsEscape marks the bytes that Jackson doesn't write as they are: controls, quote, backslash,
// and the first byte of every character above U+FFFF.
var needsEscape = func() (t [256]bool) {
	for i := range 0x20 {
		t[i] = true
	}
	t['"'], t['\\'] = true, true
	for i := 0xF0; i <= 0xFF; i++ {
		t[i] = true
	}
	return t
}()

// AppendString appends s as a JSON string in Jackson's manner. Bytes that aren't UTF-8 become
// U+FFFD, as they do when Java reads them.
func AppendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	dst = AppendEscaped(dst, s)
	return append(dst, '"')
}

// AppendEscaped is AppendString without the quotes.
func AppendEscaped(dst, s []byte) []byte {
	if !utf8.Valid(s) {
		return appendRepaired(dst, s)
	}
	from := 0
	for i := 0; i < len(s); {
		if !needsEscape[s[i]] {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		n := 1
		if b := s[i]; b == '"' || b == '\\' { // nearly all of them, in a JSON text
			dst = append(dst, '\\', b)
		} else {
			var r rune
			r, n = utf8.DecodeRune(s[i:])
			dst = appendRune(dst, r)
		}
		i += n
		from = i
	}
	return append(dst, s[from:]...)
}

func appendRepaired(dst, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		dst = appendRune(dst, r)
		s = s[n:]
	}
	return dst
}

// appendRune appends one character of a JSON string.
func appendRune(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r >= '\b' && r <= '\r' && r != '\v':
		return append(dst, '\\', "btn_fr"[r-'\b'])
	case r < 0x20:
		return appendUnit(dst, r)
	case r > 0xFFFF:
		high, low := utf16.EncodeRune(r)
		return appendUnit(appendUnit(dst, high), low)
	}
	return utf8.AppendRune(dst, r)
}

// appendUnit appends one UTF-16 unit as an escape.
func appendUnit(dst []byte, u rune) []byte {
	return append(dst, '\\', 'u', upperHex[u>>12&15], upperHex[u>>8&15], upperHex[u>>4&15], upperHex[u&15])
}

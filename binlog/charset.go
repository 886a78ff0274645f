package binlog

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// charset is one of the server's character sets, as information_schema names it.
type charset struct {
	name string
	size int // of its longest character
}

// charsets are the server's character sets by collation number.
type charsets map[int]charset

const (
	charsetBinary = "binary"
	charsetUTF8   = "utf8mb4"
)

// encodings are the character sets whose tables are known to be the server's, character by character. Of others the
// server is asked: see codes. MySQL's latin1 is Windows 1252.
var encodings = map[string]encoding.Encoding{
	"latin1":   charmap.Windows1252,
	"latin2":   charmap.ISO8859_2,
	"latin5":   charmap.ISO8859_9,
	"latin7":   charmap.ISO8859_13,
	"cp1250":   charmap.Windows1250,
	"cp1251":   charmap.Windows1251,
	"cp1256":   charmap.Windows1256,
	"cp1257":   charmap.Windows1257,
	"cp850":    charmap.CodePage850,
	"cp852":    charmap.CodePage852,
	"koi8r":    charmap.KOI8R,
	"macroman": charmap.Macintosh,
	"cp932":    japanese.ShiftJIS,
	"euckr":    korean.EUCKR,
	"gbk":      simplifiedchinese.GBK,
	"gb18030":  simplifiedchinese.GB18030,
	"ucs2":     unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	"utf16":    unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	"utf16le":  unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	"utf32":    utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM),
}

// transcoder turns a column's bytes into UTF-8, or says that it can't.
type transcoder func(dst []byte, c *cursor, raw []byte) []byte

func copyBytes(dst []byte, _ *cursor, raw []byte) []byte { return append(dst, raw...) }

// isUTF8 reports whether a column's bytes are UTF-8 already, or are to be left as they are.
func isUTF8(name string) bool {
	switch name {
	case charsetBinary, charsetUTF8, "utf8mb3", "utf8", "ascii":
		return true
	}
	return false
}

func newTranscoder(name string) transcoder {
	if isUTF8(name) {
		return copyBytes
	}
	enc, ok := encodings[name]
	if !ok {
		return func(dst []byte, c *cursor, _ []byte) []byte {
			c.fail("character set %q is unknown here; convert the column to utf8mb4", name)
			return dst
		}
	}
	if name == "gb18030" {
		return exactly(enc)
	}
	return func(dst []byte, c *cursor, raw []byte) []byte { return transcode(dst, c, raw, name, enc.NewDecoder()) }
}

// exactly refuses the few characters of GB 18030 that moved between its editions: they don't come back as they were.
func exactly(enc encoding.Encoding) transcoder {
	return func(dst []byte, c *cursor, raw []byte) []byte {
		start := len(dst)
		dst = transcode(dst, c, raw, "gb18030", enc.NewDecoder())
		if c.bad {
			return dst
		}
		if back, err := enc.NewEncoder().Bytes(dst[start:]); err != nil || !bytes.Equal(back, raw) {
			c.fail("text in gb18030 has a character that differs between editions of the standard; convert the column to utf8mb4")
		}
		return dst
	}
}

// transcode never passes a replacement character on: a text that can't be read stops the pipeline.
func transcode(dst []byte, c *cursor, raw []byte, name string, d *encoding.Decoder) []byte {
	out, _, err := transform.Append(d, dst, raw)
	if err != nil {
		c.fail("text in %s: %w", name, err)
		return dst
	}
	if bytes.ContainsRune(out[len(dst):], utf8.RuneError) {
		c.fail("text in %s has a character that UTF-8 has no place for", name)
		return dst
	}
	return out
}

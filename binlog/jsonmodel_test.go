package binlog

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// packJSON packs [values] or an object of the keys "k0", "k1" and so on, as json_binary does: what fits an entry stands in it.
func packJSON(large, object bool, values []jsonValue) (kind byte, doc []byte) {
	width := 2
	kind = jsonSmallArray
	if large {
		width, kind = 4, jsonLargeArray
	}
	number := func(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n))[:width] }
	size := 2*width + len(values)*(1+width)
	keys, entries, behind := []byte{}, []byte{}, []byte{}
	if object {
		kind -= 2 // an object comes two before its array
		size += len(values) * (width + 2)
		for i := range values {
			key := "k" + string(rune('0'+i))
			keys = append(append(keys, number(size+len(behind))...), 2, 0)
			behind = append(behind, key...)
		}
	}
	for _, v := range values {
		entries = append(entries, v.kind)
		if v.inline || large && len(v.raw) == 4 && (v.kind == jsonInt32 || v.kind == jsonUint32) {
			entries = append(entries, append(v.raw, 0, 0, 0, 0)[:width]...)
			continue
		}
		entries = append(entries, number(size+len(behind))...)
		behind = append(behind, v.raw...)
	}
	doc = append(append(number(len(values)), number(size+len(behind))...), keys...)
	return kind, append(append(doc, entries...), behind...)
}

type jsonValue struct {
	kind   byte
	raw    []byte
	inline bool
	want   string
}

// TestBinaryJSONOfEveryKind: scalars at the ends of their ranges, in containers of both widths, within each other.
func TestBinaryJSONOfEveryKind(t *testing.T) {
	le := binary.LittleEndian
	long := strings.Repeat("ü", 8200) // three bytes of length
	n := len(long)
	values := []jsonValue{
		{jsonLiteral, []byte{0, 0}, true, "null"}, {jsonLiteral, []byte{1, 0}, true, "true"}, {jsonLiteral, []byte{2, 0}, true, "false"},
		{jsonInt16, []byte{0, 0x80}, true, "-32768"}, {jsonUint16, []byte{0xff, 0xff}, true, "65535"},
		{jsonInt32, le.AppendUint32(nil, 1<<31), false, "-2147483648"}, {jsonUint32, le.AppendUint32(nil, math.MaxUint32), false, "4294967295"},
		{jsonInt64, le.AppendUint64(nil, 1<<63), false, "-9223372036854775808"}, {jsonUint64, le.AppendUint64(nil, math.MaxUint64), false, "18446744073709551615"},
		{jsonDouble, le.AppendUint64(nil, math.Float64bits(-1.5e300)), false, "-1.5e300"}, {jsonString, []byte{0}, false, `""`},
		{jsonString, append([]byte{byte(n) | 0x80, byte(n>>7) | 0x80, byte(n >> 14)}, long...), false, `"` + long + `"`},
		{jsonString, []byte("\x06a\"\\\n\x01/"), false, `"a\"\\\n\u0001/"`},
		{jsonOpaque, append([]byte{typeNewDecimal, 6, 6, 3}, packedDecimal([]byte("012305"), 3, true)...), false, "-12.305"},
		{jsonOpaque, le.AppendUint64([]byte{typeTime, 8}, ^uint64((838<<12|59<<6|58)<<24+999999)+1), false, `"-838:59:58.999999"`},
		{jsonOpaque, le.AppendUint64([]byte{typeDatetime, 8}, uint64(((9999*13+12)<<5|31)<<17|23<<12|59<<6|58)<<24+7), false, `"9999-12-31 23:59:58.000007"`},
		{jsonOpaque, le.AppendUint64([]byte{typeDate, 8}, uint64((1000*13+1)<<5|1)<<41), false, `"1000-01-01"`},
		{jsonOpaque, []byte{typeVarchar, 2, 0xff, 0}, false, `"base64:type15:/wA="`},
	}
	for _, large := range []bool{false, true} {
		for depth := range 4 {
			var list, members []string
			for i, v := range values {
				list = append(list, v.want)
				if i < 10 {
					members = append(members, `"k`+string(rune('0'+i))+`": `+v.want)
				}
			}
			kind, doc := packJSON(large, false, values)
			got, err := appendJSON(nil, append([]byte{kind}, doc...))
			if want := "[" + strings.Join(list, ", ") + "]"; err != nil || string(got) != want {
				t.Fatalf("large %v, depth %d: got %.300s, %v, want %.300s", large, depth, got, err, want)
			}
			kind, doc = packJSON(large, true, values[:10])
			got, err = appendJSON(nil, append([]byte{kind}, doc...))
			want := "{" + strings.Join(members, ", ") + "}"
			if err != nil || string(got) != want {
				t.Fatalf("large %v, depth %d: got %.300s, %v, want %.300s", large, depth, got, err, want)
			}
			values = append([]jsonValue{{kind, doc, false, want}}, values...)
		}
	}
}

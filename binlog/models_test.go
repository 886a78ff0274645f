package binlog

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"outferry/outbox"
)

// The tests of this file draw values at random, the same each time, pack them as the servers' sources say, and read them back.

// reads decodes one value, of which not a byte may be left.
func reads(t *testing.T, col *column, decode decodeFunc, raw []byte, want string) {
	t.Helper()
	c := cursor{data: raw}
	got := string(decode([]byte("before "), &c, col))
	if c.bad || len(c.data) != 0 || got != "before "+want {
		t.Fatalf("%x: got %q, %v, %d bytes left, want %q", raw, got, c.err(), len(c.data), want)
	}
}

func TestIntegersOfEverySize(t *testing.T) {
	for _, k := range []struct {
		decode decodeFunc
		bits   int
	}{{decodeTiny, 8}, {decodeShort, 16}, {decodeInt24, 24}, {decodeLong, 32}, {decodeLongLong, 64}} {
		for i := range k.bits {
			for _, v := range []uint64{1 << i, 1<<i - 1, ^uint64(0) << i, ^(uint64(1) << i)} {
				raw := binary.LittleEndian.AppendUint64(nil, v)[:k.bits/8]
				v = v << (64 - k.bits) >> (64 - k.bits)
				reads(t, &column{wireColumn: wireColumn{unsigned: true}}, k.decode, raw, fmt.Sprint(v))
				signed := new(big.Int).SetUint64(v)
				if v>>(k.bits-1) == 1 {
					signed.Sub(signed, new(big.Int).Lsh(big.NewInt(1), uint(k.bits)))
				}
				reads(t, &column{}, k.decode, raw, signed.String())
			}
		}
	}
	for y := range 256 {
		want := strconv.Itoa(1900 + y)
		if y == 0 {
			want = "0"
		}
		reads(t, &column{}, decodeYear, []byte{byte(y)}, want)
	}
}

// TestBitsOfEveryLength: each bit alone, and many together.
func TestBitsOfEveryLength(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for length := 1; length <= 64; length++ {
		for i := range length + 10 {
			v := uint64(1) << i
			if i >= length {
				v = r.Uint64() >> (64 - length)
			}
			raw := binary.BigEndian.AppendUint64(nil, v)[8-(length+7)/8:]
			reads(t, &column{Column: outbox.Column{Length: length}}, decodeBit, raw, fmt.Sprintf("%0*b", length, v))
		}
	}
}

// TestLabelsOfEveryPlace: enumerations of more than 255 labels take two bytes, sets up to eight.
func TestLabelsOfEveryPlace(t *testing.T) {
	var labels []string
	for i := range 65535 {
		labels = append(labels, "l"+strconv.Itoa(i+1))
	}
	for _, n := range []int{1, 255, 256, 65535} {
		size := 1
		if n > 255 {
			size = 2
		}
		col := &column{wireColumn: wireColumn{length: size}, Column: outbox.Column{Labels: labels[:n]}}
		reads(t, col, decodeEnum, make([]byte, size), "")
		for i := 1; i <= n; i++ {
			reads(t, col, decodeEnum, binary.LittleEndian.AppendUint16(nil, uint16(i))[:size], labels[i-1])
		}
	}
	r := rand.New(rand.NewSource(1))
	for n := 1; n <= 64; n++ {
		size := (n + 7) / 8
		if size > 4 {
			size = 8
		}
		col := &column{wireColumn: wireColumn{length: size}, Column: outbox.Column{Labels: labels[:n]}}
		for i := range n + 10 {
			v := uint64(1) << i
			if i >= n {
				v = r.Uint64() >> (64 - n)
			}
			var want []string
			for k, digits := 0, fmt.Sprintf("%0*b", n, v); k < n; k++ {
				if digits[n-1-k] == '1' {
					want = append(want, labels[k])
				}
			}
			reads(t, col, decodeSet, binary.LittleEndian.AppendUint64(nil, v)[:size], strings.Join(want, ","))
		}
	}
}

// TestDecimalsOfEveryShape: every precision and scale, with digits that are all nines, few, none, and of both signs.
func TestDecimalsOfEveryShape(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for precision := 1; precision <= 65; precision++ {
		for scale := 0; scale <= min(precision, 38); scale++ {
			for i := range 6 {
				digits := make([]byte, precision)
				for k := range digits {
					switch digits[k] = '0'; {
					case i == 0, i == 1 && k == precision-1, i == 2 && k == 0:
						digits[k] = '9'
					case i > 2 && r.Intn(i) > 1:
						digits[k] += byte(r.Intn(10))
					}
				}
				for _, negative := range []bool{false, true} {
					if strings.Trim(string(digits), "0") == "" {
						continue
					}
					whole := strings.TrimLeft(string(digits[:precision-scale]), "0")
					want := cmp.Or(whole, "0")
					if scale > 0 {
						want += "." + string(digits[precision-scale:])
					}
					if negative {
						want = "-" + want
					}
					col := &column{wireColumn: wireColumn{meta: uint16(precision)<<8 | uint16(scale)}}
					reads(t, col, decodeDecimal, packedDecimal(digits, scale, negative), want)
				}
			}
		}
	}
}

// packedDecimal is decimal2bin: digits in groups of nine from the point on, the odd ones at the ends.
func packedDecimal(digits []byte, scale int, negative bool) (out []byte) {
	size := []int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}
	group := func(d []byte) {
		v, _ := strconv.ParseUint("0"+string(d), 10, 32)
		b := binary.BigEndian.AppendUint32(nil, uint32(v))
		out = append(out, b[4-size[len(d)]:]...)
	}
	whole, behind := digits[:len(digits)-scale], digits[len(digits)-scale:]
	group(whole[:len(whole)%9])
	for whole = whole[len(whole)%9:]; len(whole) > 0; whole = whole[9:] {
		group(whole[:9])
	}
	for ; len(behind) >= 9; behind = behind[9:] {
		group(behind[:9])
	}
	group(behind)
	out[0] ^= 0x80
	if negative {
		for i := range out {
			out[i] = ^out[i]
		}
	}
	return out
}

// TestTimesOfEveryPrecision packs as my_time_packed_to_binary and its neighbours do.
func TestTimesOfEveryPrecision(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	unit := []int{1_000_000, 100_000, 10_000, 1000, 100, 10, 1}
	for digits := range 7 {
		col := &column{wireColumn: wireColumn{kind: typeTime2, meta: uint16(digits)}}
		size := (digits + 1) / 2
		for i := range 3000 {
			hour, minute, second := r.Intn(839), r.Intn(60), r.Intn(60)
			micros := r.Intn(1_000_000) / unit[digits] * unit[digits]
			if i%3 == 0 { // little, where a borrow of the fraction reaches the seconds
				hour, minute, second = 0, 0, r.Intn(2)
			}
			if i%5 == 0 {
				micros = 0
			}
			behind := ""
			if digits > 0 {
				behind = fmt.Sprintf(".%06d", micros)[:digits+1]
			}
			packed := (int64(hour)<<12|int64(minute)<<6|int64(second))<<24 + int64(micros)
			for _, negative := range []bool{false, packed != 0} {
				want := fmt.Sprintf("%02d:%02d:%02d", hour, minute, second) + behind
				if negative {
					packed, want = -packed, "-"+want
				}
				reads(t, col, decodeTime, packedTime(packed, size), want)
			}
			year, month, day, h := r.Intn(10000), r.Intn(13), r.Intn(32), r.Intn(24)
			ymd := uint64(year*13+month)<<5 | uint64(day)
			raw := binary.BigEndian.AppendUint64(nil, 0x8000000000+(ymd<<17|uint64(h)<<12|uint64(minute)<<6|uint64(second)))[3:]
			date := fmt.Sprintf("%04d-%02d-%02d", year, month, day)
			reads(t, col, decodeDatetime, append(raw, fractionBytes(micros, size)...), date+fmt.Sprintf(" %02d:%02d:%02d", h, minute, second)+behind)
			reads(t, col, decodeDate, binary.LittleEndian.AppendUint32(nil, uint32(year<<9|month<<5|day))[:3], date)
		}
	}
}

// packedTime: the whole part is rounded down, and the fraction counts up from it.
func packedTime(packed int64, size int) []byte {
	whole, micros := packed>>24, packed%(1<<24)
	switch size {
	case 0:
		return binary.BigEndian.AppendUint32(nil, uint32(0x800000+whole))[1:]
	case 3:
		return binary.BigEndian.AppendUint64(nil, uint64(packed+0x800000000000))[2:]
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(0x800000+whole))[1:]
	if size == 1 {
		return append(out, byte(int8(micros/10000)))
	}
	return binary.BigEndian.AppendUint16(out, uint16(int16(micros/100)))
}

func fractionBytes(micros, size int) []byte {
	for range 3 - size {
		micros /= 100
	}
	return binary.BigEndian.AppendUint32(nil, uint32(micros))[4-size:]
}

// TestLengthsOfEverySize: one byte or two before a string, up to four before a blob, and what the type's byte lends to a CHAR.
func TestLengthsOfEverySize(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 257, 1020, 65535} {
		text := strings.Repeat("x", n)
		for _, longest := range []int{255, 256, 65535} {
			if n > longest {
				continue
			}
			raw := []byte{byte(n)}
			if longest > 255 {
				raw = binary.LittleEndian.AppendUint16(nil, uint16(n))
			}
			reads(t, &column{wireColumn: wireColumn{length: longest}, transcode: copyBytes}, decodeString, append(raw, text...), text)
		}
		for size := 1; size <= 4; size++ {
			if n>>(8*size) == 0 {
				raw := binary.LittleEndian.AppendUint32(nil, uint32(n))[:size]
				reads(t, &column{wireColumn: wireColumn{length: size}, transcode: copyBytes}, decodeBlob, append(raw, text...), text)
			}
		}
	}
	for n := range 1024 { // Field_string::do_save_field_metadata
		c := cursor{data: []byte{typeString ^ byte(n&0x300>>4), byte(n)}}
		w := wireColumn{kind: typeString}
		if w.readStringMeta(&c); w.length != n || w.kind != typeString {
			t.Fatalf("CHAR of %d bytes: got %d, of type %d", n, w.length, w.kind)
		}
	}
	for n := range 9 {
		for _, kind := range []byte{typeEnum, typeSet} {
			c := cursor{data: []byte{kind, byte(n)}}
			w := wireColumn{kind: typeString}
			if w.readStringMeta(&c); w.length != n || w.kind != kind {
				t.Fatalf("type %d of %d bytes: got %d, of type %d", kind, n, w.length, w.kind)
			}
		}
	}
}

// TestBitmapsOfManyColumns: each column alone, from both ends of a byte.
func TestBitmapsOfManyColumns(t *testing.T) {
	for n := 1; n <= 40; n++ {
		for i := range n {
			low, high := make([]byte, (n+7)/8), make([]byte, (n+7)/8)
			low[i/8], high[i/8] = 1<<(i%8), 0x80>>(i%8)
			for k := range n {
				if bit(low, k) != (k == i) || highBit(high, k) != (k == i) {
					t.Fatalf("bit %d of %d, asked for %d", i, n, k)
				}
			}
		}
	}
}

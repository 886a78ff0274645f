package encode

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"strings"
	"testing"
	"time"

	"outferry/outbox"
)

// The tests of this file draw values at random, the same each time, and hold them against the standard library.

func TestDatesAreThoseOfTime(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	date := outbox.Column{Kind: outbox.Date}
	zoned := outbox.Column{Kind: outbox.TimestampTZ, Precision: 6}
	micros := outbox.Column{Kind: outbox.Timestamp, Precision: 6}
	for range 20000 {
		at := time.Unix(r.Int63n(2*8_000_000_000_000)-8_000_000_000_000, 1000*r.Int63n(1_000_000)).UTC()
		year, era := at.Year(), ""
		if year <= 0 {
			year, era = 1-year, " BC"
		}
		day := fmt.Sprintf("%04d-%02d-%02d", year, at.Month(), at.Day())
		clock := strings.TrimSuffix(strings.TrimRight(at.Format("15:04:05.000000"), "0"), ".")
		iso := fmt.Sprintf("%04d", at.Year())
		switch {
		case at.Year() < 0:
			iso = fmt.Sprintf("-%04d", -at.Year())
		case at.Year() > 9999:
			iso = "+" + iso
		}
		midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
		for _, c := range []struct {
			col      *outbox.Column
			in, want string
		}{
			{&date, day + era, fmt.Sprint(midnight.Unix() / 86400)},
			{&micros, day + " " + clock + era, fmt.Sprint(at.UnixMicro())},
			{&zoned, day + " " + clock + "+00" + era, iso + at.Format("-01-02T15:04:05.000000Z")},
		} {
			if got, err := AppendText(nil, c.col, []byte(c.in)); err != nil || string(got) != c.want {
				t.Fatalf("%s: got %s, %v, want %s", c.in, got, err, c.want)
			}
		}
	}
}

// TestEveryDayOfACalendarIsOne: none is refused, and none is let through that isn't one.
func TestEveryDayOfACalendarIsOne(t *testing.T) {
	for _, year := range []int{1, 4, 100, 400, 1582, 1700, 1900, 1999, 2000, 2023, 2024, 2100, 9999} {
		for month := range 14 {
			for day := range 33 {
				at := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
				_, rest, ok := parseDate(datedText{b: fmt.Appendf(nil, "%04d-%02d-%02d", year, month, day)})
				if want := int(at.Month()) == month && at.Day() == day; ok != want || ok && len(rest) != 0 {
					t.Errorf("%d-%d-%d: %v, want %v", year, month, day, ok, want)
				}
			}
		}
	}
}

// TestDecimalsAreThoseOfBig: the bytes are BigInteger.toByteArray's, as many as it takes and no more; the text is BigDecimal.toString's.
func TestDecimalsAreThoseOfBig(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 20000 {
		n := new(big.Int).Lsh(big.NewInt(1), uint(r.Intn(140)))
		switch r.Intn(4) {
		case 0: // a single bit
		case 1:
			n.Sub(n, big.NewInt(1))
		default:
			n.Rand(r, n)
		}
		scale := r.Intn(30)
		digits := n.String()
		digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
		text := digits
		if scale > 0 {
			text = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
		}
		if r.Intn(2) == 0 {
			text = "-" + text
			n.Neg(n)
		}
		col := outbox.Column{Kind: outbox.Decimal, Scale: scale}
		quoted, err := AppendJSON(nil, &col, []byte(text))
		raw, bad := base64.StdEncoding.DecodeString(strings.Trim(string(quoted), `"`))
		if err != nil || bad != nil || string(raw) != string(twosComplement(n)) {
			t.Fatalf("%s: got %x, %v, %v, want %x", text, raw, err, bad, twosComplement(n))
		}
		plain, err := AppendText(nil, &col, []byte(text))
		if want := bigDecimalText(n, scale); err != nil || string(plain) != want {
			t.Fatalf("%s: got %s, %v, want %s", text, plain, err, want)
		}
	}
}

// twosComplement takes bit after bit off the low end.
func twosComplement(n *big.Int) []byte {
	size := (func() int {
		if n.Sign() < 0 {
			return new(big.Int).Not(n).BitLen()
		}
		return n.BitLen()
	}())/8 + 1
	out := make([]byte, size)
	for i := range 8 * size {
		if new(big.Int).Rsh(n, uint(i)).Bit(0) == 1 {
			out[size-1-i/8] |= 1 << (i % 8)
		}
	}
	return out
}

// bigDecimalText follows the words of BigDecimal.toString.
func bigDecimalText(n *big.Int, scale int) string {
	digits, sign := new(big.Int).Abs(n).String(), ""
	if n.Sign() < 0 {
		sign = "-"
	}
	adjusted := -scale + len(digits) - 1
	switch {
	case scale == 0:
		return sign + digits
	case adjusted >= -6:
		digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
		return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	case len(digits) > 1:
		digits = digits[:1] + "." + digits[1:]
	}
	return fmt.Sprintf("%s%sE%d", sign, digits, adjusted)
}

// TestBitsAreThoseOfBig: each bit of each byte, in lengths that fill their bytes and that don't.
func TestBitsAreThoseOfBig(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for length := 2; length <= 130; length++ {
		for i := range length + 20 {
			n := new(big.Int)
			if i < length {
				n.SetBit(n, i, 1)
			} else {
				n.Rand(r, new(big.Int).Lsh(big.NewInt(1), uint(length)))
			}
			digits := fmt.Sprintf("%0*b", length, n)
			want := n.FillBytes(make([]byte, (length+7)/8))
			for a, b := 0, len(want)-1; a < b; a, b = a+1, b-1 {
				want[a], want[b] = want[b], want[a]
			}
			if got, err := appendBits(nil, []byte(digits)); err != nil || string(got) != string(want) {
				t.Fatalf("%s: got %x, %v, want %x", digits, got, err, want)
			}
		}
	}
}

// TestStringsReadBack: every character of the first plane and some beyond, alone and between others.
func TestStringsReadBack(t *testing.T) {
	for c := rune(0); c <= 0x10ffff; c++ {
		switch {
		case c >= 0xd800 && c < 0xe000:
			continue
		case c > 0x20000:
			c += 0x3ff
		}
		in := "a" + string(c) + "b" + string(c)
		var back string
		if err := json.Unmarshal(AppendString(nil, []byte(in)), &back); err != nil || back != in {
			t.Fatalf("%q: got %q, %v", in, back, err)
		}
	}
}

// TestArraysReadBack: what the server quotes and escapes comes back, whatever stands in it.
func TestArraysReadBack(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	pieces := []string{"a", "NULL", "null", `"`, `\`, ",", "{", "}", " ", "ü", "\n", "'", "[1:2]=", ";", ""}
	for range 20000 {
		text, want := "{", []*string{}
		for i := range r.Intn(5) {
			if i > 0 {
				text += ","
			}
			if r.Intn(5) == 0 {
				text, want = text+"NULL", append(want, nil)
				continue
			}
			value := ""
			for range r.Intn(4) {
				value += pieces[r.Intn(len(pieces))]
			}
			kept := value
			want = append(want, &kept)
			if value == "" || strings.EqualFold(value, "NULL") || strings.ContainsAny(value, "\"\\,{} \n") {
				value = `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(value) + `"`
			}
			text += value
		}
		text += "}"
		got, err := AppendJSON(nil, &outbox.Column{Kind: outbox.Array, Elem: outbox.Text}, []byte(text))
		model, _ := json.Marshal(want)
		var a, b []*string
		if bad := json.Unmarshal(got, &a); err != nil || bad != nil {
			t.Fatalf("%s: got %s, %v, %v", text, got, err, bad)
		}
		_ = json.Unmarshal(model, &b)
		if fmt.Sprintf("%q", deref(a)) != fmt.Sprintf("%q", deref(b)) {
			t.Fatalf("%s: got %s, want %s", text, got, model)
		}
	}
}

func deref(list []*string) (out []any) {
	for _, s := range list {
		if s == nil {
			out = append(out, 0)
		} else {
			out = append(out, *s)
		}
	}
	return out
}

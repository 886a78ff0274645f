package feedcheck

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"strconv"
)

// Ref names one outbox row of a run.
type Ref struct {
	W   int
	Tx  int64
	Row int
}

func (r Ref) String() string {
	return "w" + strconv.Itoa(r.W) + "/tx" + strconv.FormatInt(r.Tx, 10) + "/row" + strconv.Itoa(r.Row)
}

// tag tells the rows of this run from those of any other.
func (s Spec) tag() uint32 {
	x := s.Seed * 0x9e3779b97f4a7c15
	return uint32(x>>32) ^ uint32(x)
}

// ID returns the row's id: a UUID's text that holds tag, writer, transaction and row.
func (s Spec) ID(r Ref) string {
	var b [16]byte
	binary.BigEndian.PutUint32(b[0:], s.tag())
	binary.BigEndian.PutUint16(b[4:], uint16(r.W))
	binary.BigEndian.PutUint16(b[6:], uint16(r.Tx>>32))
	binary.BigEndian.PutUint32(b[8:], uint32(r.Tx))
	binary.BigEndian.PutUint32(b[12:], uint32(r.Row))
	var t [36]byte
	hex.Encode(t[0:], b[0:4])
	hex.Encode(t[9:], b[4:6])
	hex.Encode(t[14:], b[6:8])
	hex.Encode(t[19:], b[8:10])
	hex.Encode(t[24:], b[10:16])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}

// parseID is ID backwards; false for an id that isn't of this run.
func (s Spec) parseID(t []byte) (Ref, bool) {
	var b [16]byte
	if len(t) != 36 || t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-' {
		return Ref{}, false
	}
	at := 0
	for _, part := range [5][]byte{t[0:8], t[9:13], t[14:18], t[19:23], t[24:36]} {
		n, err := hex.Decode(b[at:], part)
		if err != nil {
			return Ref{}, false
		}
		at += n
	}
	r := Ref{
		W:   int(binary.BigEndian.Uint16(b[4:])),
		Tx:  int64(binary.BigEndian.Uint16(b[6:]))<<32 | int64(binary.BigEndian.Uint32(b[8:])),
		Row: int(binary.BigEndian.Uint32(b[12:])),
	}
	return r, binary.BigEndian.Uint32(b[0:]) == s.tag() && r.W < s.Writers
}

// parsePayload finds the row in a payload whose id header can't be used.
func (s Spec) parsePayload(value []byte) (Ref, bool) {
	var p struct {
		W   *int   `json:"w"`
		Tx  *int64 `json:"tx"`
		Row *int   `json:"row"`
		Tag uint32 `json:"run"`
	}
	if json.Unmarshal(value, &p) != nil || p.W == nil || p.Tx == nil || p.Row == nil || p.Tag != s.tag() {
		return Ref{}, false
	}
	if *p.W < 0 || *p.W >= s.Writers || *p.Tx < 0 || *p.Row < 0 {
		return Ref{}, false
	}
	return Ref{*p.W, *p.Tx, *p.Row}, true
}

// Payload appends the JSON text of a row to b. v is the version of the row's key.
func (s Spec) Payload(b []byte, t *Tx, row int, v int64) []byte {
	p := &t.Rows[row]
	num := func(name string, n int64) {
		b = append(b, name...)
		b = strconv.AppendInt(b, n, 10)
	}
	num(`{"run":`, int64(s.tag()))
	num(`,"w":`, int64(t.W))
	num(`,"tx":`, t.Tx)
	num(`,"row":`, int64(row))
	num(`,"rows_in_tx":`, int64(len(t.Rows)))
	b = append(b, `,"key":"`...)
	b = append(b, t.Keys[p.Key]...)
	num(`","v":`, v)
	b = append(b, `,"pad":"`...)
	b = s.pad(b, t, row)
	return append(b, `"}`...)
}

// What JSON text may hold and careless code breaks: escapes, quotes, the line separator that isn't
// one in JSON, and UTF-8 of two to four bytes.
var oddities = []string{`\"`, `\\`, `\n`, `\u0001`, "é", "€", "😀", "\u2028", `\u00e9`, "</", "%s", "${x}"}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,"

func (s Spec) pad(b []byte, t *Tx, row int) []byte {
	r := rand.NewPCG(s.Seed^uint64(row+1)<<20, uint64(t.W)<<44^uint64(t.Tx))
	for n := t.Rows[row].Pad; n > 0; {
		x := r.Uint64()
		for range min(n, 10) {
			b = append(b, letters[x&63])
			x >>= 6
		}
		if n -= 10; x == 0 || n > 0 && x&3 == 3 {
			b = append(b, oddities[r.Uint64()%uint64(len(oddities))]...)
		}
	}
	return b
}

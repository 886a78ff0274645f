package load

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Verdict judges the records of one run as they come, partition by partition: every row there once, whole, under its key, and per key in
// the order of the commits.
type Verdict struct {
	shape  Shape
	prefix string // of topics
	seen   []uint64
	last   []int32 // row of each key
	part   []int32 // partition of each key
	texts  []string
	exact  []byte // document, built again for each row
	seq    []byte // the member that tells a payload's row
	Good   int
	Faults []string // the first few
	bad    int
}

// NewVerdict expects rows 0 to shape.Rows-1 in topics of the prefix.
func NewVerdict(shape Shape, prefix string) *Verdict {
	v := &Verdict{shape: shape, prefix: prefix, seen: make([]uint64, (shape.Rows+63)/64), last: make([]int32, Keys), part: make([]int32, Keys), texts: shape.Texts(), seq: []byte(`"seq":`)}
	for i := range v.last {
		v.last[i], v.part[i] = -1, -1
	}
	return v
}

// See takes a record and returns its row, -1 where it is none of ours.
func (v *Verdict) See(r *kgo.Record) int {
	n, ok := v.row(r.Value)
	if !ok || n >= v.shape.Rows {
		v.fault("record %s/%d/%d holds no row of this run", r.Topic, r.Partition, r.Offset)
		return -1
	}
	key := n % Keys
	switch {
	case v.seen[n/64]>>(n%64)&1 == 1:
		v.fault("row %d comes twice", n)
		return n
	case int(v.last[key]) > n:
		v.fault("row %d of key %d comes after row %d", n, key, v.last[key])
	case string(r.Key) != "key-"+strconv.Itoa(key):
		v.fault("row %d has key %q", n, r.Key)
	case r.Topic != v.prefix+"t"+strconv.Itoa(n%v.shape.Topics):
		v.fault("row %d is in topic %s", n, r.Topic)
	case v.part[key] >= 0 && v.part[key] != r.Partition:
		v.fault("row %d of key %d is in partition %d, one before it in %d", n, key, r.Partition, v.part[key])
	case !v.payload(n, r.Value):
		v.fault("row %d has another payload", n)
	case !v.headers(n, r.Headers):
		v.fault("row %d has headers %q", n, r.Headers)
	default:
		v.Good++
	}
	v.seen[n/64] |= 1 << (n % 64)
	v.last[key], v.part[key] = int32(n), r.Partition
	return n
}

// payload wants the document and nothing else. A database may have written it in a form of its own.
func (v *Verdict) payload(n int, value []byte) bool {
	text := v.texts[n%len(v.texts)]
	if v.exact = fmt.Appendf(v.exact[:0], `{"seq": %d, "text": "%s"}`, n, text); bytes.Equal(value, v.exact) {
		return true
	}
	var got map[string]any
	err := json.Unmarshal(value, &got)
	return err == nil && len(got) == 2 && got["seq"] == float64(n) && got["text"] == text
}

// row reads which row a payload is of.
func (v *Verdict) row(value []byte) (int, bool) {
	at := bytes.Index(value, v.seq)
	if at < 0 {
		return 0, false
	}
	rest := bytes.TrimLeft(value[at+len(v.seq):], " ")
	end := bytes.IndexAny(rest, ",}")
	if end < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 31)
	return int(n), err == nil
}

// headers wants the id, and the two others where the shape has them. What Debezium adds besides is passed over.
func (v *Verdict) headers(n int, headers []kgo.RecordHeader) bool {
	found := map[string]string{}
	for _, h := range headers {
		found[h.Key] = string(h.Value)
	}
	if v.shape.Headers && (found["eventType"] != "created" || found["aggregate"] != "t"+strconv.Itoa(n%v.shape.Topics)) {
		return false
	}
	for _, id := range v.ids(n) {
		if found["id"] == id {
			return true
		}
	}
	return false
}

// ids are the forms of a row's id. Sixteen bytes may be a uuid.
func (v *Verdict) ids(n int) []string {
	uuid := fmt.Sprintf("10711fa5-0000-4000-8000-%012x", n)
	switch v.shape.ID {
	case "text":
		return []string{fmt.Sprintf("event-%010d", n)}
	case "binary":
		raw, _ := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
		return []string{uuid, string(raw), base64.StdEncoding.EncodeToString(raw)}
	}
	return []string{uuid}
}

func (v *Verdict) fault(format string, args ...any) {
	v.bad++
	if len(v.Faults) < 5 {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// Done reports whether every row has been seen.
func (v *Verdict) Done() bool { return v.Good+v.bad >= v.shape.Rows }

// Err is nil for a run in which all was right.
func (v *Verdict) Err() error {
	lost := 0
	for n := range v.shape.Rows {
		if v.seen[n/64]>>(n%64)&1 == 0 {
			lost++
		}
	}
	if lost == 0 && v.bad == 0 && v.Good == v.shape.Rows {
		return nil
	}
	return fmt.Errorf("%d of %d rows are right, %d lost, %d faults: %s", v.Good, v.shape.Rows, lost, v.bad, strings.Join(v.Faults, "; "))
}

// Package load makes events for speed and judges what came of them: which rows there are, who writes them at a pace, when they arrive,
// and whether all is right with each. It is for databases and brokers that are there: it starts nothing.
package load

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Shape is what an outbox holds and how it was written. Row i is known by its number alone: see Expect.
type Shape struct {
	Name    string `json:"name"`
	Rows    int    `json:"rows"`
	PerTx   int    `json:"rows_per_transaction"`
	Size    int    `json:"payload_bytes"`
	Topics  int    `json:"topics"`
	ID      string `json:"id"`      // text, uuid or binary
	Headers bool   `json:"headers"` // two more
	Expand  bool   `json:"expand"`
	Foreign int    `json:"foreign_rows"` // of another table, beside each transaction's own
}

// Keys is how many there are: a multiple of every number of topics and of writers, so that a key stays with both.
const Keys = 8000

// Foreign is how many rows of another table stand beside each of the outbox in the shape of that name.
const Foreign = 99

// Shapes are all that there are, for a number of rows of 200 bytes. Fewer are made of what takes longer to write.
func Shapes(rows int) []Shape {
	base := Shape{Name: "200B", Rows: rows, PerTx: 100, Size: 200, Topics: 2, ID: "uuid"}
	with := func(name string, change func(*Shape)) Shape {
		s := base
		s.Name = name
		change(&s)
		return s
	}
	return []Shape{
		base,
		with("1KiB", func(s *Shape) { s.Size = 1 << 10 }),
		with("16KiB", func(s *Shape) { s.Size, s.PerTx, s.Rows = 16<<10, 10, rows/15 }),
		with("1-row", func(s *Shape) { s.PerTx = 1; s.Rows = rows / 2 }),
		with("3-row", func(s *Shape) { s.PerTx = 3; s.Rows = rows / 2 }),
		with("one-transaction", func(s *Shape) { s.Rows = 1_000_000; s.PerTx = s.Rows }),
		with("foreign", func(s *Shape) { s.PerTx, s.Rows, s.Foreign = 1, rows/12, Foreign }),
		with("expand", func(s *Shape) { s.Size, s.Expand = 1<<10, true }),
		with("headers", func(s *Shape) { s.Headers = true }),
		with("200-topics", func(s *Shape) { s.Topics = 200 }),
		with("text-id", func(s *Shape) { s.ID = "text" }),
		with("binary-id", func(s *Shape) { s.ID = "binary" }),
	}
}

// Partitions of each topic.
func (s *Shape) Partitions() int32 {
	if s.Topics > 10 {
		return 1
	}
	return 4
}

// Routes are what the topics are made of.
func (s *Shape) Routes() (names []string) {
	for i := range s.Topics {
		names = append(names, fmt.Sprintf("t%d", i))
	}
	return names
}

// Texts are texts that payloads are made of. They are so many that a compressor's window, 64 KiB of lz4, does not hold one twice, also where eight
// partitions share them; and their number has no factor of Keys, so that each key has all of them.
func (s *Shape) Texts() []string {
	rnd := rand.New(rand.NewPCG(7, uint64(s.Size)))
	n := 2<<20/s.Size | 1
	if n%5 == 0 {
		n += 2
	}
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for size := s.Size - len(`{"seq": 123456, "text": ""}`); b.Len() < size; {
			b.WriteString(words[rnd.IntN(len(words))])
			b.WriteByte(' ')
		}
		texts[i] = b.String()
	}
	return texts
}

// words are pseudo-words, which compress about two to one.
var words = func() []string {
	rnd := rand.New(rand.NewPCG(1, 2))
	list := make([]string, 2000)
	for i := range list {
		w := make([]byte, 3+rnd.IntN(8))
		for j := range w {
			w[j] = byte('a' + rnd.IntN(26))
		}
		list[i] = string(w)
	}
	return list
}()

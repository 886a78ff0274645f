package feedcheck

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

// Spec determines the content of every transaction of a run. Whoever has it and the ledger can
// compute each outbox row again, so it is kept in the database beside the ledger.
type Spec struct {
	Seed    uint64   `json:"seed"`
	Writers int      `json:"writers"`
	Keys    int      `json:"keys"`    // of the shared pool; the first of them is the hot one
	Types   []string `json:"types"`   // aggregate types; a key always has the same
	Rows    int      `json:"rows"`    // at most so many in a transaction
	PadMin  int      `json:"pad_min"` // characters of filling in a payload
	PadMax  int      `json:"pad_max"`

	BigEvery int `json:"big_every,omitempty"` // every so many transactions of a writer one has BigRows rows
	BigRows  int `json:"big_rows,omitempty"`

	// Percentages. What is left of the endings commits.
	Hot       int `json:"hot"`     // transactions that take the hot key
	Once      int `json:"once"`    // transactions whose keys nobody else ever takes
	Deletes   int `json:"deletes"` // rows deleted again by their own transaction: they are published all the same
	Rollback  int `json:"rollback"`
	Savepoint int `json:"savepoint"` // commit, but some rows were rolled back to a savepoint
	TwoPhase  int `json:"two_phase"` // prepared first; one in three of them is then rolled back
	Cut       int `json:"cut"`       // the connection is cut around the commit: nobody knows
}

// DefaultSpec is a mix of everything at moderate size.
func DefaultSpec(seed uint64) Spec {
	return Spec{
		Seed: seed, Writers: 8, Keys: 50, Types: []string{"order", "Customer"}, Rows: 6, PadMin: 0, PadMax: 400,
		Hot: 25, Once: 25, Deletes: 30, Rollback: 10, Savepoint: 5, TwoPhase: 3, Cut: 2,
	}
}

func (s Spec) check() error {
	switch {
	case s.Writers < 1 || s.Writers > 1<<16:
		return fmt.Errorf("spec: %d writers, want 1 to 65536", s.Writers)
	case s.Keys < 1 || s.Rows < 1 || len(s.Types) == 0:
		return fmt.Errorf("spec: keys, rows and types must not be empty")
	case s.PadMin < 0 || s.PadMax < s.PadMin:
		return fmt.Errorf("spec: filling of %d to %d characters", s.PadMin, s.PadMax)
	case s.Rollback+s.Savepoint+s.TwoPhase+s.Cut > 100 || s.Hot+s.Once > 100:
		return fmt.Errorf("spec: shares add up to more than 100 %%")
	}
	return nil
}

// Ending is how a transaction is meant to end.
type Ending uint8

const (
	Commit Ending = iota
	Rollback
	Savepoint
	PrepareCommit
	PrepareRollback
	CutBefore // the connection is cut instead of the commit
	CutAfter  // the commit is sent and its answer not awaited
)

// Tx is the plan of one transaction.
type Tx struct {
	W    int
	Tx   int64
	Keys []string // sorted, so that writers lock them in one order
	Rows []PlannedRow
	End  Ending
}

// PlannedRow is one insert of a transaction.
type PlannedRow struct {
	Key     int  // index into Tx.Keys
	Nth     int  // of this key's rows in the transaction
	Last    bool // of this key's rows in the transaction
	Pad     int
	Deleted bool // again, before the end of the transaction
	Undone  bool // rolled back to a savepoint: must never be seen
}

// Kept returns how many rows the transaction leaves when it commits.
func (t *Tx) Kept() int {
	n := 0
	for i := range t.Rows {
		if !t.Rows[i].Undone {
			n++
		}
	}
	return n
}

// Plan returns transaction tx of writer w.
func (s Spec) Plan(w int, tx int64) Tx {
	r := rand.New(rand.NewPCG(s.Seed, uint64(w)<<44^uint64(tx)))
	t := Tx{W: w, Tx: tx, End: s.ending(r)}
	n := 1 + r.IntN(s.Rows)
	if s.BigEvery > 0 && tx%int64(s.BigEvery) == int64(s.BigEvery)-1 {
		n = max(1, s.BigRows)
	}
	t.Keys = s.keys(r, w, tx, min(n, 1+r.IntN(3)))
	t.Rows = s.rows(r, n, len(t.Keys))
	if t.End == Savepoint {
		for range 1 + r.IntN(3) {
			t.Rows = append(t.Rows, PlannedRow{Key: r.IntN(len(t.Keys)), Pad: s.PadMin, Undone: true})
		}
	}
	return t
}

func (s Spec) ending(r *rand.Rand) Ending {
	x := r.IntN(100)
	pick := func(share int) bool { x -= share; return x < 0 }
	switch {
	case pick(s.Rollback):
		return Rollback
	case pick(s.Savepoint):
		return Savepoint
	case pick(s.TwoPhase):
		if r.IntN(3) == 0 {
			return PrepareRollback
		}
		return PrepareCommit
	case pick(s.Cut):
		if r.IntN(2) == 0 {
			return CutBefore
		}
		return CutAfter
	}
	return Commit
}

func (s Spec) keys(r *rand.Rand, w int, tx int64, n int) []string {
	keys := make([]string, 0, n)
	x := r.IntN(100)
	once := x >= s.Hot && x < s.Hot+s.Once
	for i := range n {
		switch {
		case once:
			keys = append(keys, fmt.Sprintf("once-%d-%d-%d", w, tx, i))
		case i == 0 && x < s.Hot:
			keys = append(keys, "key-0")
		default:
			keys = append(keys, fmt.Sprintf("key-%d", r.IntN(s.Keys)))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// rows gives every key at least one row, so that its versions show as 1, 2, 3 in the topic.
func (s Spec) rows(r *rand.Rand, n, keys int) []PlannedRow {
	rows := make([]PlannedRow, max(n, keys))
	nth := make([]int, keys)
	last := make([]int, keys)
	for i := range rows {
		k := i
		if i >= keys {
			k = r.IntN(keys)
		}
		rows[i] = PlannedRow{Key: k, Nth: nth[k], Pad: s.PadMin + r.IntN(s.PadMax-s.PadMin+1), Deleted: r.IntN(100) < s.Deletes}
		nth[k]++
		last[k] = i
	}
	for _, i := range last {
		rows[i].Last = true
	}
	return rows
}

// typeOf returns the aggregate type of a key.
func (s Spec) typeOf(key string) string {
	h := fnv.New32a()
	h.Write([]byte(key))
	return s.Types[int(h.Sum32()%uint32(len(s.Types)))]
}

// digest names the plan, so that a ledger written from another plan is noticed.
func (t *Tx) digest() int64 {
	h := fnv.New64a()
	fmt.Fprint(h, t.Keys, t.End, len(t.Rows))
	for i := range t.Rows {
		fmt.Fprint(h, t.Rows[i])
	}
	return int64(h.Sum64() >> 1)
}

// Package outbox holds the words that every other package shares: a row of an outbox table, the
// batch in which a source hands rows over, the position a source stands at, and the fault that
// stops or delays a pipeline. It does no I/O and imports nothing but the standard library.
package outbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Kind is what a column holds, as far as routing and encoding care. A source turns its server's
// types into kinds, and its values into the text that the kind names.
type Kind uint8

// The text of a value, by kind. NULL is a nil slice, never a text.
const (
	Text        Kind = iota // UTF-8 as stored; also everything that has no kind of its own (xml, inet, ranges)
	JSON                    // JSON text as the server prints it
	Bytes                   // the raw bytes
	UUID                    // canonical lower-case text, 36 bytes
	Bool                    // "true" or "false"
	Int16                   // decimal text
	Int32                   // decimal text
	Int64                   // decimal text
	Uint64                  // decimal text (MySQL bigint unsigned)
	Float32                 // shortest decimal text, or NaN, Infinity, -Infinity
	Float64                 // the same
	Decimal                 // decimal text without exponent, or NaN, Infinity, -Infinity; Column.Scale < 0: each value has its own scale
	Date                    // 2006-01-02, years beyond 9999 and BC as the server prints them
	Time                    // [-]15:04:05[.ffffff], Column.Precision digits at most
	TimeTZ                  // 15:04:05[.ffffff]+00
	Timestamp               // 2006-01-02 15:04:05[.ffffff], no zone; or infinity, -infinity
	TimestampTZ             // the same in UTC, followed by +00
	Interval                // ISO 8601 duration, as P1Y2M3DT4H5M6.7S
	Enum                    // the label
	Set                     // the labels, joined by commas
	Bits                    // the digits 0 and 1, most significant first; Column.Length of them
	Array                   // the server's array text, {a,"b c",NULL}; Column.Elem is the kind of its elements, Column.Delimiter stands between them
)

// Column is one column of a table, in the shape that a row was written with.
type Column struct {
	Name      string
	Kind      Kind
	Elem      Kind     // of an Array
	TypeName  string   // the server's own name, for messages: character varying(36), datetime(6)
	Length    int      // declared length of character, binary and bit types; 0 is none
	Precision int      // fractional digits of temporal types
	Scale     int      // of Decimal; -1 is none declared
	Nullable  bool     // false only where the server said NOT NULL
	Labels    []string // of Enum and Set
	Delimiter byte     // between the elements of an Array; 0 is a comma
	Year      bool     // a YEAR of MySQL or MariaDB, which is an Int32
}

// Table is one shape of an outbox table. A change of the table makes a new Table, so whoever keeps
// something per shape compares pointers.
type Table struct {
	Schema    string // schema on PostgreSQL, database on MySQL and MariaDB
	Name      string
	Columns   []Column
	Generated []string // generated columns that the log leaves out
}

// String returns schema.name.
func (t *Table) String() string { return t.Schema + "." + t.Name }

// Index returns the place of the column that is called exactly name, or -1.
func (t *Table) Index(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// Op is what happened to a row.
type Op uint8

const (
	Insert   Op = iota
	Update      // Values are those after the update
	Snapshot    // the row was in the table before the pipeline's first start
)

// Row is one change of an outbox table. Its values live in the memory of its Batch.
type Row struct {
	Table      *Table
	Op         Op
	Values     [][]byte // one for each column; nil is NULL
	CommitTime int64    // of its transaction, microseconds since 1970; of the reading for a Snapshot
}

// Position is a place in a source's log, as the JSON object that the source package writes and
// reads. Nobody else looks inside. The zero Position means that there is none: a first start.
type Position []byte

// IsZero reports whether there is no position.
func (p Position) IsZero() bool { return len(p) == 0 }

func (p Position) String() string {
	if p.IsZero() {
		return "none"
	}
	return string(p)
}

// Decode reads the position into what its source makes of it, which must know all of it: a newer version may mean
// something by the rest.
func (p Position) Decode(into any) error {
	d := json.NewDecoder(bytes.NewReader(p))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read position: %w", err)
	}
	return nil
}

// Class says what a fault means for the pipeline and for whoever supervises the process.
type Class uint8

const (
	Transient    Class = iota // goes away by itself: wait and try again
	Busy                      // another instance works: wait as standby
	Internal                  // stop; a restart may help (exit code 1)
	Config                    // stop; the pipeline file is wrong (exit code 2)
	Environment               // stop; database, Kafka or a permission is wrong (exit code 3)
	PositionLost              // stop; continuity can't be proven, a person must decide (exit code 4)
)

// Fault is an error with a stable code, which is also its heading in docs/troubleshooting.md.
type Fault struct {
	Code   string // dotted lower case: pg.slot_lost
	Class  Class
	Err    error  // what we were doing, to what, and why it failed
	Remedy string // what a person does about it; may be empty
}

// Within says what was being done when an error came up. A fault stays one, with its remedy at the end.
func Within(err error, format string, args ...any) error {
	doing := fmt.Sprintf(format, args...)
	f, ok := err.(*Fault)
	if !ok {
		return fmt.Errorf("%s: %w", doing, err)
	}
	within := *f
	within.Err = fmt.Errorf("%s: %w", doing, f.Err)
	return &within
}

func (f *Fault) Error() string {
	var s strings.Builder
	s.WriteString(f.Err.Error())
	s.WriteString(" [")
	s.WriteString(f.Code)
	s.WriteString("]")
	if f.Remedy != "" {
		s.WriteString(": ")
		s.WriteString(f.Remedy)
	}
	return s.String()
}

func (f *Fault) Unwrap() error { return f.Err }

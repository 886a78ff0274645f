package binlog

import (
	"regexp"
	"strings"
)

// savepoint is where a transaction may be taken back to. MariaDB logs each one. A ROLLBACK TO cuts the log of the
// transaction there; but one that makes or drops a temporary table, or changes a table without transactions, keeps what
// was undone in the log, and ROLLBACK TO behind it.
type savepoint struct {
	name     string
	rows     int64 // of our tables before it
	batchLen int   // of the batch when it was set
	bufLen   int
}

var (
	setMark = regexp.MustCompile("(?is)^[\\s;]*SAVEPOINT\\s+(`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[\\w$]+)[\\s;]*$")
	toMark  = regexp.MustCompile("(?is)^[\\s;]*ROLLBACK\\s+(?:WORK\\s+)?TO\\s+(?:SAVEPOINT\\s+)?(`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[\\w$]+)[\\s;]*$")
)

// markName returns the name in a statement, without quotes, as the server compares it. Of one that is not ASCII we
// don't know what it equals.
func markName(form *regexp.Regexp, q logged) (name string, certain bool) {
	found := form.FindSubmatch(q.text)
	if found == nil || q.cut {
		return "", false
	}
	name = string(found[1])
	if quote := name[:1]; quote == "`" || quote == "\"" {
		name = strings.ReplaceAll(name[1:len(name)-1], quote+quote, quote)
	}
	return strings.ToLower(name), !strings.ContainsFunc(name, func(r rune) bool { return r > '~' })
}

// savepoint notes a place. One of the same name stays: in a trigger it is another one, and the log doesn't show that.
func (a *assembler) savepoint(q logged) error {
	name, certain := markName(setMark, q)
	if !certain {
		name = ""
	}
	a.tx.marks = append(a.tx.marks, savepoint{name, a.tx.rows, len(a.b.Rows), len(a.b.Buf)})
	return nil
}

// rollbackTo takes the rows behind a savepoint out of the batch, while they are there. They stay counted: a part of a
// transaction is told by its rows in the log.
func (a *assembler) rollbackTo(q logged) error {
	if a.tx.skip || a.tx.rows == 0 || len(a.tx.marks) > 0 && a.tx.marks[0].rows == a.tx.rows { // nothing of ours since the first
		return nil
	}
	at := a.markOf(q)
	if at < 0 {
		return a.undoneTooLate()
	}
	m := a.tx.marks[at]
	a.tx.marks = a.tx.marks[:at+1]
	a.tx.undone += a.tx.rows - m.rows
	published := a.tx.handed
	if a.resume != nil && a.tx.undone > a.resume.Undone { // else it was undone before the part was published
		published = max(published, a.resume.Rows)
	}
	if published > m.rows {
		return a.undoneTooLate()
	}
	for i := range a.tx.marks {
		if a.tx.marks[i].rows == m.rows {
			a.tx.marks[i].rows = a.tx.rows
		}
	}
	a.b.Rows, a.b.Buf = a.b.Rows[:m.batchLen], a.b.Buf[:m.bufLen]
	return nil
}

func (a *assembler) undoneTooLate() error {
	return lost("mysql.rollback_logged", "write to the outbox in transactions that neither make or drop temporary tables nor change tables without transactions, or don't roll back to a savepoint in them",
		"read transaction %s at %s: a part of it was rolled back after %d rows of the outbox, which the log has all the same", a.tx.head.gtid, a.tx.start, a.tx.rows)
}

// markOf finds the savepoint that a statement names, unless another might be meant, which has other rows behind it.
func (a *assembler) markOf(q logged) int {
	name, certain := markName(toMark, q)
	found := -1
	for i, m := range a.tx.marks {
		switch {
		case !certain || m.name == "":
			return -1
		case m.name != name:
		case found >= 0 && a.tx.marks[found].rows != m.rows:
			return -1
		default:
			found = i
		}
	}
	return found
}

// moveMarks: the batch that was before is handed over, and what follows the savepoints begins a new one.
func (t *transaction) moveMarks() {
	for i := range t.marks {
		t.marks[i].batchLen, t.marks[i].bufLen = 0, 0
	}
}

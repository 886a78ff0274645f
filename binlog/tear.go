package binlog

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// MariaDB leaves a transaction that it was writing when it crashed in its log, as the last one of the file, and rolls it back;
// MySQL cuts its file there. A reader gets what there is of it, and then the next file, or an error where an event is cut. Its
// number is given again.

// tornText is how MariaDB ends the log at an event that is cut (LOG_READ_TRUNC).
const tornText = "truncated in the middle of event"

// errTorn is for a transaction without an end before that is read.
var errTorn = errors.New("the server crashed while it wrote the transaction, and rolled it back")

func torn(err error) bool {
	var se *serverError
	return errors.Is(err, errTorn) || errors.As(err, &se) && strings.Contains(se.Error(), tornText)
}

// tail is what the file after one says of how that ended.
type tail struct {
	file  string
	last  bool
	count []gtid // of the transactions up to its end
}

// whole reports whether a transaction that is being read has its end in the log. The file that the server writes shows only such.
func (h *session) whole(t *transaction) (bool, error) {
	if file := t.start.file; h.tail.file != file {
		next, err := h.nextFile(file)
		if err != nil {
			return false, err
		}
		t := tail{file: file, last: next == ""}
		if !t.last {
			if t.count, err = h.listOf(next); err != nil {
				return false, err
			}
		}
		h.tail = t
	}
	if h.tail.last || listed(h.tail.count, t.head.gtid) {
		return true, nil
	}
	return h.ends(t.start)
}

// ends looks for the end of the transaction at a place: where numbers may go down, the last one in a file doesn't tell.
func (h *session) ends(at place) (bool, error) {
	if at.pos>>32 != 0 { // can't be asked for; the next file's head is compared then
		return false, nil
	}
	var s sight
	ended, files := false, 0
	err := h.look(at, &s, func(e header, _ group) bool {
		if e.kind == evFormat {
			files++
		}
		ended = e.kind == evXID || opens(e.kind) && s.at.file == at.file && at.before(s.at)
		return ended || files > 1
	})
	if errors.Is(err, errNotSeen) {
		err = nil
	}
	return ended, err
}

// nextFile is the one after a file, "" after the last.
func (h *session) nextFile(file string) (string, error) {
	files, err := h.logFiles()
	if err != nil {
		return "", err
	}
	switch i := indexOf(files, file); {
	case i < 0:
		return "", transient("mysql.connection", "look for the file after %s: it is purged", file)
	case i+1 < len(files):
		return files[i+1].file, nil
	}
	return "", nil
}

// headAfter is where the file after a torn one begins.
func (h *session) headAfter(file string) (place, error) {
	next, err := h.nextFile(file)
	if err == nil && next == "" {
		err = transient("mysql.connection", "read the log: %s, the file that the server writes, ends in the middle of an event", file)
	}
	return place{next, 4}, err
}

// passTear goes on behind a torn file, if nothing that is committed lies between what was read and the next one.
func (h *session) passTear(a *assembler) error {
	if err := a.torn(); err != nil {
		return err
	}
	next, err := h.headAfter(a.done.file)
	if err != nil {
		return err
	}
	before, err := h.setAt(a.done)
	if err != nil {
		return err
	}
	after, err := h.setAt(next)
	if err != nil {
		return err
	}
	if !maps.Equal(before, after) {
		return lost("mysql.log_torn", acceptGap, "read the log after %s: the file ends in the middle of an event, with %s read, and the next one begins after %s", a.done, before, after)
	}
	if a.created, err = h.fileCreated(next.file); errors.Is(err, errNotSeen) { // purged at this very moment
		err = transient("mysql.connection", "look at file %s of the log: %w", next.file, err)
	}
	if err != nil {
		return err
	}
	h.log.Warn("server left a transaction in its log that it rolled back in a crash: going on behind it", "position", a.done.String(), "next", next.String())
	a.here, a.done = next, next
	return nil
}

// torn drops the open transaction, which has no end in its file.
func (a *assembler) torn() error {
	if !a.tx.open {
		return nil
	}
	if a.resume != nil || a.tx.handed > 0 {
		return lost("mysql.part_mismatch", readAgain, "read transaction %s, which is published in part: %w", a.tx.head.gtid, errTorn)
	}
	if a.b != nil {
		a.undo()
	}
	a.tx.open = false
	return nil
}

// setAt is what is committed before a place.
func (h *session) setAt(at place) (mariaSet, error) {
	r, err := queryOne(h.cat, fmt.Sprintf("SELECT BINLOG_GTID_POS(%s, %d)", quoteText(at.file), at.pos))
	if err != nil {
		return nil, transient("mysql.connection", "ask for the GTIDs at %s: %w", at, err)
	}
	return parseMariaSet(r[0])
}

package binlog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// noteLogged: what the log has had tells at a failover what only the next server has.
func (h *session) noteLogged(pos *position) error {
	if pos.Kind != mariaKind || !pos.ByGTID || pos.Since != "" || pos.Logged != nil {
		return nil
	}
	since, err := parseMariaSet(pos.GTID)
	if err != nil {
		return err
	}
	r, err := queryOne(h.cat, "SELECT @@GLOBAL.gtid_slave_pos")
	if err != nil {
		return transient("mysql.connection", "ask what the server has replicated: %w", err)
	}
	applied, err := parseMariaList(r[0])
	if err != nil {
		return err
	}
	for _, g := range applied { // of domains that the log does not have, as one that was restored from another's backup
		if _, has := since[g.domain]; !has {
			since.add(g)
		}
	}
	pos.Since = since.String()
	pos.Logged, err = h.binlogState()
	return err
}

// binlogState is the last transaction of each server in each domain of the whole log, with what is purged.
func (h *session) binlogState() (gtidList, error) {
	r, err := queryOne(h.cat, "SELECT @@GLOBAL.gtid_binlog_state")
	if err != nil {
		return nil, transient("mysql.connection", "ask what the server has logged: %w", err)
	}
	return parseMariaList(r[0])
}

// errants looks in a successor's log for transactions that the log before never had and that stand before the last ones
// that we have processed: the successor is asked by number, and would never send them.
type errants struct {
	*session
	asm    *assembler // for the places, and to know our tables
	logged gtidList
	since  mariaSet
	left   mariaSet // the last ones that we have processed, while they are still to come
	found  gtidList

	open   gtid // the one that is being read
	start  place
	tables []uint64 // of the outbox, in it
	rows   gtid     // the first that has rows for us
	at     place
}

func (h *session) proveNoneErrant(pos *position) error {
	if pos.Since == "" && pos.Logged == nil { // a position of before that was noted
		return nil
	}
	since, err := parseMariaSet(pos.Since)
	if err != nil {
		return err
	}
	left, err := parseMariaSet(pos.GTID)
	if err != nil {
		return err
	}
	asm, err := h.newAssembler(pos)
	if err != nil {
		return err
	}
	e := &errants{session: h, asm: asm, logged: pos.Logged, since: since, left: left}
	if err := e.search(); err != nil {
		return err
	}
	return e.verdict(pos)
}

// is goes by numbers too: a server that was a source long before is known to no log of a server that was made as a copy later.
func (e *errants) is(g gtid) bool {
	_, comes := e.left[g.domain]
	return comes && !listed(e.logged, g) && g.seq > e.since[g.domain].seq
}

// search reads those files in which a list at the head of the next one, or nothing, shows that there may be some.
func (e *errants) search() error {
	files, err := e.logFiles()
	if err != nil {
		return err
	}
	before, err := e.listOf(files[0].file)
	if err != nil {
		return err
	}
	for _, g := range before {
		if e.is(g) { // purged
			e.found.add(g)
		}
	}
	for i, f := range files {
		maps.DeleteFunc(e.left, func(_ uint32, g gtid) bool { return listed(before, g) })
		var behind gtidList
		if i+1 < len(files) {
			if behind, err = e.listOf(files[i+1].file); err != nil {
				return err
			}
		}
		if behind == nil || slices.ContainsFunc(behind, func(g gtid) bool { return !listed(before, g) && e.is(g) }) {
			if err := e.readFile(f.file); err != nil {
				return err
			}
		}
		before = behind
	}
	return nil
}

func (e *errants) readFile(file string) error {
	if len(e.left) == 0 {
		return nil
	}
	from := place{file, 4}
	err := e.readOn(from, func(w *wire) error { return e.read(w, from) })
	var se *serverError
	if errors.As(err, &se) && se.code == 0 || torn(err) { // the end of the log, or of all that the file has
		return nil
	}
	if err = e.lookFault(err); errors.Is(err, errNotSeen) {
		err = transient("mysql.connection", "look for what this server alone has, in %s: %w", file, err)
	}
	return err
}

func (e *errants) read(w *wire, from place) error {
	e.asm.here = from
	for len(e.left) > 0 && e.asm.here.file == from.file {
		h, err := w.next()
		if err != nil {
			return err
		}
		e.asm.track(h)
		switch h.kind {
		case evRotate:
			err = e.asm.rotate(w)
		case evFormat:
			err = w.format()
		case evMariaGTID:
			err = e.begin(h, w)
		case evTableMap:
			err = e.table(w)
		case evWriteRows1, evWriteRows2, evMariaWriteRowsZ, evMariaWriteZ2:
			err = e.row(w)
		case evUpdateRows1, evUpdateRows2, evMariaUpdateZ, evMariaUpdateZ2:
			if e.asm.updates {
				err = e.row(w)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *errants) begin(h header, w *wire) error {
	g, err := headOf(h, w)
	if err != nil {
		return err
	}
	if e.left[g.gtid.domain] == g.gtid {
		delete(e.left, g.gtid.domain)
	}
	e.open, e.tables = gtid{}, nil
	if e.is(g.gtid) {
		e.found.add(g.gtid)
		e.open, e.start = g.gtid, place{e.asm.here.file, e.asm.here.pos - uint64(h.size)}
	}
	return nil
}

func (e *errants) table(w *wire) error {
	if e.open.isZero() {
		return nil
	}
	ours, id, err := e.asm.announced(w)
	if ours {
		e.tables = append(e.tables, id)
	}
	return err
}

func (e *errants) row(w *wire) error {
	if len(e.tables) == 0 || !e.rows.isZero() {
		return nil
	}
	b, err := w.peek(6)
	if id, ok := rowsTable(b); ok && slices.Contains(e.tables, id) {
		e.rows, e.at = e.open, e.start
	}
	return err
}

// verdict stops where rows would be lost. Others are often a statement that was run on the replica alone, as ANALYZE TABLE.
func (e *errants) verdict(pos *position) error {
	switch {
	case !e.rows.isZero():
		return lost("mysql.errant", fmt.Sprintf("compare its rows with Kafka (SHOW BINLOG EVENTS IN %s FROM %d), insert anew what is missing, and pass it by: outferry offsets set NAME --gtid %s --accept-gap; "+
			"or publish all that the log has from it on, of which Kafka has some already: outferry offsets set NAME --file %s --pos %d --accept-gap", quoteText(e.at.file), e.at.pos, pos.GTID, e.at.file, e.at.pos),
			"continue at %s on server %s: transaction %s, with rows of the outbox, stands before that in its log, and the log of server %s never had it", pos, e.srv.uuid, e.rows, pos.ServerUUID)
	case len(e.found) > 0:
		e.log.Error("server has transactions that the one before never had and that are passed by; none that is still in its log brings rows into the outbox", "code", "mysql.errant", "gtids", e.found.String(),
			"remedy", "compare the outbox with Kafka if some of them are purged")
	}
	return nil
}

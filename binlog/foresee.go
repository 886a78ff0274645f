package binlog

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
)

// foresight reads the log on from a place to find out whether the catalog can vouch for the rows that follow: it
// has the layout after the last change of a table, so no rows that need it may come before a change.
type foresight struct {
	*assembler
	read    []readRows
	changed place   // after rows that it leaves in doubt, for the last time
	passed  gtidSet // up to here
	start   place   // of the transaction
	beyond  *beyond // the last change
}

// readRows are the rows of a table that have come, of tables with one name in two schemas together.
type readRows struct {
	table   string   // in lower case
	unnamed bool     // some without names
	untold  []string // columns of those with names whose types the log doesn't tell
}

// foresee reads from a place to another, with rows of a table before it or not.
func (h *session) foresee(a *assembler, from, to place, rows *tableMap) (*foresight, error) {
	f := &foresight{passed: a.withOpen(), start: a.tx.start, assembler: &assembler{ours: a.ours, fold: a.fold, maxEvent: a.maxEvent, shaper: a.shaper, here: from}}
	defer f.packed.close()
	if rows != nil {
		f.came(rows)
	}
	start := from
	if start.pos>>32 != 0 { // a place beyond 4 GiB can't be asked for
		start.pos = 4
	}
	err := h.readOn(start, func(w *wire) error { return f.readOn(w, from, to) })
	for torn(err) {
		if start, err = h.headAfter(f.here.file); err == nil {
			err = h.readOn(start, func(w *wire) error { return f.readOn(w, from, to) })
		}
	}
	var se *serverError
	if errors.As(err, &se) && se.code == 0 {
		return f, nil // the end of the log
	}
	if err = h.lookFault(err); errors.Is(err, errNotSeen) { // reset or purged at this very moment
		err = transient("mysql.connection", "look at the log after %s: %w", from, err)
	}
	return f, err
}

func (f *foresight) readOn(w *wire, from, to place) error {
	for f.here.before(to) {
		e, err := w.next()
		if err != nil {
			return err
		}
		switch e.kind {
		case evRotate:
			err = f.rotate(w)
		case evFormat:
			err = w.format()
		}
		if e.kind != evRotate {
			f.track(e)
		}
		if err == nil && from.before(f.here) {
			err = f.event(e, w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *foresight) event(h header, e body) error {
	switch h.kind {
	case evGTID, evAnonymousGTID, evTaggedGTID, evMariaGTID:
		return f.group(h, e)
	case evTableMap:
		return f.tableMap(e)
	case evQuery, evMariaQueryZ:
		q, err := f.readQuery(h, e)
		if err == nil && f.doubts(q) {
			f.changed, f.beyond = f.here, &beyond{f.passed.clone(), f.start}
		}
		return err
	case evPayload:
		return f.payload(e)
	}
	return nil
}

func (f *foresight) group(h header, e body) error {
	b, err := e.all(groupMaxSize)
	if err != nil {
		return err
	}
	g, err := decodeGroup(h, b)
	if err == nil && !g.gtid.isZero() {
		f.passed.add(g.gtid)
	}
	f.tx.head, f.start = g, place{f.here.file, f.here.pos - uint64(h.size)}
	return err
}

func (f *foresight) tableMap(e body) error {
	ours, _, err := f.announced(e)
	if err != nil || !ours {
		return err
	}
	b, err := e.all(f.maxEvent)
	if err != nil {
		return err
	}
	t, err := decodeTableMap(b, f.shaper.kind)
	if err == nil {
		f.came(t)
	}
	return err
}

// came notes rows that a change may follow.
func (f *foresight) came(t *tableMap) {
	name := strings.ToLower(string(t.table))
	i := slices.IndexFunc(f.read, func(r readRows) bool { return r.table == name })
	if i < 0 {
		i = len(f.read)
		f.read = append(f.read, readRows{table: name})
	}
	r := &f.read[i]
	r.unnamed = r.unnamed || !t.named
	for i := range t.columns {
		if name := t.columns[i].name; t.named && f.shaper.ambiguous(&t.columns[i]) && !slices.Contains(r.untold, name) {
			r.untold = append(r.untold, name)
		}
	}
}

// doubts reports whether after a statement nobody can tell any more what the rows before it are. It must name their table or drop all
// of its schema.
func (f *foresight) doubts(q logged) bool {
	if !f.mayReshape(q) {
		return false
	}
	all := q.cut || dropsSchema.Match(q.text)
	lower := bytes.ToLower(q.text)
	return slices.ContainsFunc(f.read, func(r readRows) bool {
		return (all || mentions(lower, r.table)) && (r.unnamed || r.retyped(q))
	})
}

// retyped reports whether a statement may change or rename a column that only the catalog tells the type of. An ALTER TABLE must
// name it.
func (r *readRows) retyped(q logged) bool {
	if !altersTable.Match(q.text) || mayRename.Match(q.text) || q.cut {
		return len(r.untold) > 0
	}
	lower := bytes.ToLower(q.text)
	return slices.ContainsFunc(r.untold, func(name string) bool { return mentions(lower, name) })
}

var (
	altersTable = regexp.MustCompile(`(?is)^\s*ALTER\s+(?:(?:ONLINE|IGNORE)\s+)*TABLE\b`)
	mayRename   = regexp.MustCompile(`(?i)\bRENAME\b`)
)

func (f *foresight) payload(e body) error {
	if err := f.packed.open(e); err != nil {
		return err
	}
	return f.packed.each(func(h header) error { return f.event(h, &f.packed) })
}

// mayReshape reports whether a statement may change the columns of one of our tables.
func (a *assembler) mayReshape(q logged) bool {
	return a.concerns(q) && !keepsColumns.Match(q.text) && !definesCode.Match(q.text)
}

// keepsColumns are statements that leave the columns of a table that is there alone, whatever follows: CREATE TABLE without
// OR REPLACE is one. PARTITION is a reserved word.
var keepsColumns = regexp.MustCompile("(?is)^\\s*(?:CREATE\\s+(?:TEMPORARY\\s+)?TABLE|DROP\\s+TEMPORARY|TRUNCATE|ANALYZE|OPTIMIZE|REPAIR|CHECK|GRANT|REVOKE|SAVEPOINT|" +
	"(?:CREATE|ALTER|DROP)\\s+(?:USER|ROLE)|DROP\\s+(?:VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|INDEX)|CREATE\\s+(?:(?:UNIQUE|FULLTEXT|SPATIAL)\\s+)?INDEX|" +
	"ALTER\\s+TABLE\\s+" + anyName + "(?:\\s*\\.\\s*" + anyName + ")?\\s+" +
	"(?:ADD|DROP|TRUNCATE|COALESCE|REORGANIZE|EXCHANGE|ANALYZE|CHECK|OPTIMIZE|REBUILD|REPAIR|DISCARD|IMPORT)\\s+PARTITION)\\b")

const anyName = "(?:`(?:[^`]|``)+`|[\\w$]+)"

func (f *foresight) fault(from place) error {
	var untold []string
	for _, r := range f.read {
		if r.unnamed {
			return lost("mysql.names_unknown", namesRemedy, "read the log at %s: the table may have changed again at %s, and the log has no names of the rows between", from, f.changed)
		}
		untold = append(untold, r.untold...)
	}
	return lost("mysql.names_unknown", typesRemedy, "read the log at %s: the table may have changed again at %s, and the log doesn't tell the type of %s in the rows between", from, f.changed, strings.Join(untold, ", "))
}

// learn settles the layouts in force at a place. Rows that need them may stand before it in the same transaction. Nobody reads the
// dump meanwhile, so that the server may end it: what was learnt is handed over with what is left of it.
func (h *session) learn(a *assembler, from place, rows *tableMap) error {
	for range 5 { // a table that is changed at this very moment has the change in its log at the next look
		settled, err := h.tryLearn(a, from, rows)
		if settled || err != nil {
			return err
		}
	}
	return transient("mysql.connection", "settle the layout at %s: an outbox table was changed at each look", from)
}

// learnAtEnd learns the layouts when the log is read up to where it ended: a position that was set by hand has none. It
// waits for an end seen since the start, because what comes before it may be kept from us.
func (st *stream) learnAtEnd(dry bool) error {
	if !dry || !st.started || st.asm.shaper.layouts != nil || st.logTellsAll() {
		return nil
	}
	if st.learnt.file == "" {
		end, err := logStatus(st.cat, st.srv)
		st.learnt = end.place
		return err
	}
	if !st.asm.reached(st.learnt) {
		return nil
	}
	return st.learn(st.asm, st.asm.seen(), nil)
}

func (h *session) tryLearn(a *assembler, from place, rows *tableMap) (settled bool, err error) {
	before, err := h.layouts()
	if err != nil {
		return false, err
	}
	end, err := logStatus(h.cat, h.srv)
	if err != nil {
		return false, err
	}
	f, err := h.foresee(a, from, end.place, rows)
	if err != nil {
		return false, err
	}
	if f.changed.file != "" {
		a.beyond = f.beyond
		return false, f.fault(from)
	}
	now, err := h.layouts()
	if err != nil || !now.equal(before) {
		return false, err
	}
	a.shaper.layouts, a.shaper.certain, a.news = now, end.place, true
	return true, nil
}

package binlog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"outferry/outbox"
)

// ByGTID reports whether a pipeline goes by GTID on this server, or by places in files.
func (a *Admin) ByGTID() bool { return a.h.identity(phaseStream).ByGTID }

// Now is the position of a pipeline that has published everything that the server has committed.
func (a *Admin) Now() (outbox.Position, error) {
	before, err := a.h.layouts()
	if err != nil {
		return nil, err
	}
	end, err := logStatus(a.h.cat, a.h.srv) // before the numbers, so that nothing lies between
	if err != nil {
		return nil, a.h.denied(err, a.h.srv)
	}
	p, err := a.h.now(a.h.cat)
	if err != nil {
		return nil, err
	}
	if err := a.h.learnAt(p, before); err != nil {
		return nil, err
	}
	if p.ByGTID && p.Kind == mysqlKind {
		p.File, p.Pos = end.file, end.pos
	}
	return p.appendTo(nil), nil
}

// AtGTID is the position of a pipeline that has published the transactions of a GTID set. What it has published by the
// position from, if any, may be ghosts, which the server has not executed.
func (a *Admin) AtGTID(from outbox.Position, text string) (outbox.Position, error) {
	set, err := parseGTIDSet(a.h.srv.kind, text)
	if err == nil && set.isEmpty() {
		err = errors.New("the GTID set is empty")
	}
	if err != nil {
		return nil, unusable("name one as the server shows it: SELECT @@GLOBAL."+a.endVariable(), "move by GTID: %w", err)
	}
	if !a.ByGTID() && !(a.h.srv.byGTID() && a.stored(from).ByGTID) {
		return nil, unusable("name a place with --file and --pos", "move to %s: the pipeline goes by places in files (gtid_mode or source.mysql.position)", set)
	}
	executed, _, err := a.sets()
	if err != nil {
		return nil, err
	}
	gone, err := a.ghostsBeside(from, set, executed)
	if err != nil {
		return nil, err
	}
	if ahead := between(set, executed); ahead.text != "" {
		return nil, aheadOfServer("move to %s: the server has not executed %s", set, ahead.text)
	}
	p := a.h.identity(phaseStream)
	p.ByGTID = true
	if err := a.h.anchorAtEnd(a.h.cat, p); err != nil { // after the look at the sets, so that all of it is before the anchor
		return nil, err
	}
	p.GTID, p.Ghosts = set.String(), gone.stored()
	return p.appendTo(nil), nil
}

// ghostsBeside are what the server does not have of what a position counts as published. They stay so beside a set, to which
// they are added, unless it names one whose number the server has: that is another transaction by now. What the position counts as
// published may be named: it is added to what the server has.
func (a *Admin) ghostsBeside(from outbox.Position, set, executed gtidSet) (ghostSet, error) {
	p, ours, known, err := a.standing(from)
	if p == nil || err != nil {
		return nil, err
	}
	named, has := set.(*mysqlSet), executed.(*mysqlSet)
	lacking := named.subtract(has)
	gone := known.without(named.subtract(lacking))
	addAll(has, ours)
	addAll(named, gone.all())
	return gone.with(common(lacking, ours).(*mysqlSet), p), nil
}

// stored is a position as far as it can be read. What it goes by a pipeline goes by, whatever the server and the file say by
// now, so it may be moved by that too.
func (a *Admin) stored(from outbox.Position) Place {
	p, err := ParsePlace(from)
	if err != nil {
		return Place{}
	}
	return p
}

// AtFile is the position of a pipeline that has published everything before a place, which must be where a
// transaction begins or the log ends. On MariaDB one that goes by GTID has a place too: numbers may come again.
func (a *Admin) AtFile(from outbox.Position, file string, pos uint64) (outbox.Position, error) {
	p := a.h.identity(phaseStream)
	switch was := a.stored(from); {
	case was.File != "" && !was.ByGTID:
		p.ByGTID = false
	case was.ByGTID && p.Kind == mariaKind:
		p.ByGTID = true
	}
	if p.ByGTID && p.Kind == mysqlKind {
		return nil, unusable("name a set with --gtid, or set source.mysql.position to file", "move to %s:%d: the server numbers its transactions, and the pipeline goes by that", file, pos)
	}
	files, err := a.h.logFiles()
	if err != nil {
		return nil, err
	}
	p.File, p.Pos = file, pos
	i := indexOf(files, file)
	first, last := files[0], files[len(files)-1]
	switch {
	case i < 0 && p.ByGTID:
		return nil, unusable("name a place in its log, or a GTID with --gtid", "move to %s:%d: the server's log goes from %s to %s", file, pos, first.file, last.file)
	case i < 0 && fileNumber(file) < fileNumber(first.file):
		return p.appendTo(nil), nil // purged, as the proof says
	case i < 0:
		return nil, aheadOfServer("move to %s: the server has no such file, its log goes from %s to %s", p, first.file, last.file)
	case files[i].pos < pos:
		return nil, aheadOfServer("move to %s: the file ends at %d", p, files[i].pos)
	}
	if err := a.betweenTransactions(p); err != nil {
		return nil, err
	}
	if err := a.h.anchorAt(p, place{file, pos}); err != nil {
		return nil, err
	}
	if p.ByGTID {
		set, err := a.h.setAt(place{file, pos})
		if err != nil {
			return nil, err
		}
		p.GTID = set.String()
	}
	return p.appendTo(nil), nil
}

// startingEvents are what a transaction, or a file, begins with. A place at another event is inside of one.
var startingEvents = []string{"Format_desc", "Previous_gtids", "Gtid_list", "Binlog_checkpoint", "Start_encryption", "Gtid", "Gtid_tagged", "Anonymous_Gtid", "Rotate", "Stop"}

func (a *Admin) betweenTransactions(p *position) error {
	refuse := func(format string, args ...any) error {
		return &outbox.Fault{Code: "offsets.not_at_transaction_end", Class: outbox.Environment,
			Err: fmt.Errorf("move to %s: "+format, append([]any{p}, args...)...), Remedy: "name the place of a GTID or Anonymous_Gtid event: SHOW BINLOG EVENTS IN " + quoteText(p.File)}
	}
	rows, err := query(a.h.cat, fmt.Sprintf("SHOW BINLOG EVENTS IN %s FROM %d LIMIT 1", quoteText(p.File), p.Pos))
	switch {
	case isServerError(err):
		return refuse("the server finds no event there: %w", err)
	case err != nil:
		return transient("mysql.connection", "look at the log: %w", err)
	case len(rows) > 0 && uint64(rows[0].int(1)) != p.Pos: // MySQL begins at the next event without a word
		return refuse("the next event begins at %s", rows[0][1])
	case len(rows) > 0 && !slices.Contains(startingEvents, rows[0][2]):
		return refuse("a %s event is there, inside a transaction", rows[0][2])
	}
	return nil
}

// Nearest is the position from which the server's log can be read when what follows pos is purged: everything that
// is purged counts as published.
func (a *Admin) Nearest(pos outbox.Position) (outbox.Position, error) {
	p, err := parsePosition(pos)
	if err != nil {
		return nil, err
	}
	p.Phase, p.Part, p.Snapshot, p.Layout = phaseStream, nil, nil, nil // the layout of what is purged
	p.Logged, p.Since = nil, ""                                        // nobody has read what is purged
	files, err := a.h.logFiles()
	if err != nil {
		return nil, err
	}
	head := place{files[0].file, 4}
	if !p.ByGTID {
		p.File, p.Pos, p.Anchor = head.file, head.pos, nil
		return p.appendTo(nil), nil
	}
	_, purged, err := a.sets()
	if err != nil {
		return nil, err
	}
	ours, err := parseGTIDSet(a.h.srv.kind, p.GTID)
	if err != nil {
		return nil, err
	}
	addAll(ours, purged)
	if s, ok := purged.(*mysqlSet); ok {
		gone, err := parseGhosts(p.Ghosts)
		if err != nil {
			return nil, err
		}
		p.Ghosts = gone.without(s).stored()
	}
	p.GTID, p.Behind, p.Began = ours.String(), false, 0
	if p.Kind == mariaKind && a.h.sameServer(p) && fileNumber(p.lastFile()) < fileNumber(head.file) { // nothing that is left is published, whatever its number is
		p.File, p.Pos = head.file, head.pos
		err = a.h.anchorAt(p, head)
		return p.appendTo(nil), err
	}
	p.File, p.Pos = "", 0
	return p.appendTo(nil), nil
}

// Difference is what a move skips and repeats, in the server's words. Empty is nothing.
type Difference struct {
	Skipped, Repeated string
	Unknown           string // why it can't be told
}

// Compare says what lies between two positions.
func (a *Admin) Compare(from, to outbox.Position) (Difference, error) {
	p, err := parsePosition(from)
	if err != nil {
		return Difference{}, err
	}
	if at, _, _, err := a.standing(from); err != nil {
		return Difference{}, err
	} else if at != nil {
		p = at
	}
	q, err := parsePosition(to)
	if err != nil {
		return Difference{}, err
	}
	switch {
	case p.Kind != q.Kind:
		return Difference{Unknown: fmt.Sprintf("the stored position is of %s, the server is %s", p.Kind, q.Kind)}, nil
	case p.ByGTID != q.ByGTID:
		return Difference{Unknown: fmt.Sprintf("%s and %s can't be compared: one is a GTID set and the other a place in a file", p, q)}, nil
	case p.ByGTID:
		return a.compareSets(p, q)
	case p.ServerUUID != q.ServerUUID:
		return Difference{Unknown: fmt.Sprintf("the stored position is of server %s, and places in files are each server's own", p.ServerUUID)}, nil
	}
	return a.comparePlaces(place{p.File, p.Pos}, place{q.File, q.Pos})
}

// AtMost says how much of the log a move can skip when nothing tells what of it was published.
func (a *Admin) AtMost(to outbox.Position) (string, error) {
	p, err := parsePosition(to)
	if err != nil {
		return "", err
	}
	if !p.ByGTID {
		files, err := a.h.logFiles()
		if err != nil {
			return "", err
		}
		n := bytesBehind(files, place{files[0].file, 0}) - bytesBehind(files, place{p.File, p.Pos})
		return fmt.Sprintf("%d bytes of the log, from %s on", n, files[0].file), nil
	}
	set, err := parseGTIDSet(p.Kind, p.GTID)
	if err != nil {
		return "", err
	}
	none, err := parseGTIDSet(p.Kind, "")
	if err != nil {
		return "", err
	}
	return cmp.Or(between(set, none).String(), "nothing"), nil
}

func (a *Admin) compareSets(p, q *position) (d Difference, err error) {
	from, err := p.seenSet()
	if err != nil {
		return d, err
	}
	to, err := q.seenSet()
	if err != nil {
		return d, err
	}
	executed, _, err := a.sets()
	if err != nil {
		return d, err
	}
	d.Skipped = between(to, from).String()
	d.Repeated = between(common(from, executed), to).String() // what the server does not have can't come again
	if p.Kind != mariaKind || p.ServerUUID != q.ServerUUID {
		return d, nil
	}
	if d == (Difference{}) {
		d.Skipped, err = a.purgedBetween(p.lastFile(), q.lastFile())
	}
	if err == nil && a.h.srv.vars["gtid_strict_mode"] != "ON" {
		d, err = a.unlessPlacesDiffer(d, p, q)
	}
	return d, err
}

// unlessPlacesDiffer goes by places where numbers, which may have been used again, say something else.
func (a *Admin) unlessPlacesDiffer(d Difference, p, q *position) (Difference, error) {
	if !p.hasPlace() || !q.hasPlace() {
		return d, nil
	}
	at, err := a.comparePlaces(place{p.File, p.Pos}, place{q.File, q.Pos})
	if err == nil && ((at.Skipped == "") != (d.Skipped == "") || (at.Repeated == "") != (d.Repeated == "")) {
		d = at
	}
	return d, err
}

// purgedBetween is for numbers that may have been used again.
func (a *Admin) purgedBetween(from, to string) (string, error) {
	files, err := a.h.logFiles()
	if err != nil || fileNumber(from) >= min(fileNumber(files[0].file), fileNumber(to)) {
		return "", err
	}
	return fmt.Sprintf("what more the log held from file %s to %s, if anything", from, to), nil
}

func (a *Admin) comparePlaces(from, to place) (d Difference, err error) {
	files, err := a.h.logFiles()
	if err != nil {
		return d, err
	}
	stretch := func(first, last place) string {
		if indexOf(files, first.file) < 0 {
			return fmt.Sprintf("what the log held from %s to %s", first, last)
		}
		return fmt.Sprintf("%d bytes of the log, from %s to %s", bytesBehind(files, first)-bytesBehind(files, last), first, last)
	}
	switch a, b := fileNumber(from.file), fileNumber(to.file); {
	case a < b || a == b && from.pos < to.pos:
		d.Skipped = stretch(from, to)
	case from != to:
		d.Repeated = stretch(to, from)
	}
	return d, nil
}

func unusable(remedy, format string, args ...any) error {
	return &outbox.Fault{Code: "offsets.invalid", Class: outbox.Config, Err: fmt.Errorf(format, args...), Remedy: remedy}
}

func aheadOfServer(format string, args ...any) error {
	return environment("offsets.ahead_of_server", "use --now for the end", format, args...)
}

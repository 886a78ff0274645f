package binlog

import (
	"cmp"
	"errors"
	"fmt"

	"outferry/outbox"
)

const (
	wrongServer    = "point source.url at the right server, or start over with outferry offsets reset NAME"
	restoredRemedy = "the server looks restored from a backup, or its log was reset: compare it with Kafka, then " + acceptGap
)

// prove shows that the log goes on at pos without a gap, or says why that can't be shown. The server refuses
// some wrong positions, but takes re-used numbers and unknown domains without a word.
func (h *session) prove(pos *position) error {
	if pos.Kind != h.srv.kind {
		return lost("mysql.wrong_source", wrongServer, "continue at %s: the stored position is of %s, the server is %s", pos, pos.Kind, h.srv.kind)
	}
	switch {
	case pos.Phase == phaseDone:
		return outbox.AfterInitialOnly(h.cfg.Source.Snapshot)
	case pos.ByGTID && !h.srv.byGTID():
		return h.gtidOff(pos)
	case !pos.ByGTID:
		return h.proveFile(pos)
	case pos.Kind == mariaKind:
		return h.proveMaria(pos)
	}
	return h.proveMySQL(pos)
}

func (h *session) sameServer(pos *position) bool { return pos.ServerUUID == h.srv.uuid }

// proveMySQL compares what we have processed with what the server has executed and thrown away.
func (h *session) proveMySQL(pos *position) error {
	ours, err := parseMySQLSet(pos.GTID)
	if err != nil {
		return err
	}
	known, err := parseGhosts(pos.Ghosts)
	if err != nil {
		return err
	}
	executed, purged, err := h.executed()
	if err != nil {
		return err
	}
	if gone := purged.subtract(ours.subtract(known.all())); !gone.isEmpty() { // under the number of a ghost another may have come
		return lost("mysql.log_purged", acceptGap, "continue at %s: the server has purged %s from its log", pos, gone)
	}
	ahead := ours.subtract(executed)
	own, err := parseSID(h.srv.uuid)
	if err != nil {
		return fmt.Errorf("read server_uuid: %w", err)
	}
	fresh := ahead.subtract(known.all())
	if missing := fresh.of(own); !missing.isEmpty() {
		return lost("mysql.server_behind", restoredRemedy, "continue at %s: the server no longer has its own transactions %s", pos, missing)
	}
	if pos.Phase == phaseSnapshot && !fresh.isEmpty() { // its rows were to come from the tables, and may have
		return lost("mysql.server_behind", "let the server apply what it has received of them, or start over with outferry offsets reset NAME, which publishes all rows again",
			"go on with the snapshot at %s: it began with %s, which this server does not have", pos, fresh)
	}
	if h.sameServer(pos) {
		if err := h.proveAnchor(pos, purged.contains, ours.subtract(ahead).subtract(purged).isEmpty()); err != nil {
			return err
		}
		return h.provePlace(pos)
	}
	if ours.subtract(ahead).isEmpty() {
		return lost("mysql.wrong_source", wrongServer, "continue at %s: server %s has none of it", pos, h.srv.uuid)
	}
	again, err := h.takeOver(pos, ours, fresh, known)
	if err != nil {
		return err
	}
	if addAll(fresh, again); !fresh.isEmpty() {
		h.ghosts(fresh.String())
	}
	h.moved(pos)
	return h.anchorAtEnd(h.cat, pos)
}

func (h *session) executed() (executed, purged *mysqlSet, err error) {
	r, err := queryOne(h.cat, "SELECT @@GLOBAL.gtid_purged, @@GLOBAL.gtid_executed")
	if err != nil {
		return nil, nil, transient("mysql.connection", "ask what the server has executed: %w", err)
	}
	if purged, err = parseMySQLSet(r[0]); err != nil {
		return nil, nil, err
	}
	executed, err = parseMySQLSet(r[1])
	return executed, purged, err
}

// moved: another server continues the history. Places in its files are its own.
func (h *session) moved(pos *position) {
	h.log.Warn("server has changed", "server_uuid", h.srv.uuid, "was", pos.ServerUUID, "position", pos.String())
	pos.ServerUUID, pos.ServerID, pos.Anchor, pos.File, pos.Pos, pos.Began = h.srv.uuid, h.srv.id(), nil, "", 0, 0
	pos.Logged, pos.Since = nil, ""
}

// ghosts are transactions that we published and the promoted server never got, though it may give their numbers to others.
func (h *session) ghosts(gtids string) {
	h.log.Error("published transactions that the server does not have; it may give their numbers to others", "code", "mysql.ghosts", "gtids", gtids)
	if h.opt.Ghosts != nil {
		h.opt.Ghosts(gtids)
	}
}

// logFiles are the files of the log with their sizes, oldest first.
func (h *session) logFiles() ([]place, error) {
	rows, err := query(h.cat, "SHOW BINARY LOGS")
	if isDenied(err) {
		return nil, h.denied(err, h.srv)
	}
	if err != nil {
		return nil, transient("mysql.connection", "list the files of the log: %w", err)
	}
	if len(rows) == 0 {
		return nil, environment("mysql.log_bin", "set log_bin in the server's configuration and restart it", "the server has no binary log")
	}
	files := make([]place, len(rows))
	for i, r := range rows {
		files[i] = place{r[0], uint64(r.int(1))}
	}
	return files, nil
}

// proveAnchor: the same server must still have what we saw where we saw it. After a reset it has the number, but
// not there. Of a file that is gone the server must say that its transactions are: purged tells it of one,
// allPurged of all that we have processed.
func (h *session) proveAnchor(pos *position, purged func(gtid) bool, allPurged bool) error {
	a := pos.Anchor
	if a == nil {
		return nil
	}
	files, err := h.logFiles()
	if err != nil {
		return err
	}
	i := indexOf(files, a.File)
	switch {
	case i < 0 && fileNumber(files[0].file) <= fileNumber(a.File):
		return h.reset(pos, "the file is gone and older ones are not")
	case i < 0 && a.GTID == "" && !allPurged:
		return h.reset(pos, "the file is gone, but not what we have processed")
	case i < 0 && a.GTID == "":
		return nil // and all that we have not processed is in younger files
	case i < 0:
		return h.proveGone(pos, purged)
	case files[i].pos < a.Pos:
		return h.reset(pos, fmt.Sprintf("the file has %d bytes", files[i].pos))
	}
	return h.proveThere(pos)
}

func (h *session) proveGone(pos *position, purged func(gtid) bool) error {
	set, err := parseGTIDSet(pos.Kind, pos.Anchor.GTID)
	if err != nil {
		return err
	}
	if !setIn(set, purged) {
		return h.reset(pos, "the file is gone, but the transaction is in a younger one")
	}
	return nil
}

// setIn reports whether a set of one transaction is that of a transaction for which in holds.
func setIn(set gtidSet, in func(gtid) bool) bool {
	switch s := set.(type) {
	case mariaSet:
		for _, g := range s {
			return in(g)
		}
	case *mysqlSet:
		for _, src := range s.sources {
			return in(gtid{sid: src.sid, tag: src.tag, seq: src.runs[0].from})
		}
	}
	return false
}

// proveThere compares the anchor with what is at its place.
func (h *session) proveThere(pos *position) error {
	a := pos.Anchor
	var s sight
	var err error
	if a.GTID == "" || a.Pos>>32 != 0 { // a place beyond 4 GiB can't be asked for
		s.gtid, s.when = a.GTID, a.When
		s.created, err = h.fileCreated(a.File)
	} else {
		s, err = h.groupAt(place{a.File, a.Pos})
	}
	switch {
	case errors.Is(err, errNotSeen):
		return h.reset(pos, err.Error())
	case err != nil:
		return err
	case s.gtid != a.GTID:
		return h.reset(pos, "there is "+cmp.Or(s.gtid, "an event without a GTID"))
	case a.When != 0 && s.when != a.When:
		return h.reset(pos, "the one there is of "+utc(s.when)+", ours of "+utc(a.When))
	case a.Created != 0 && s.created != a.Created:
		return h.reset(pos, "the server began the file at "+utc(s.created)+", ours at "+utc(a.Created))
	}
	return nil
}

func (h *session) reset(pos *position, why string) error {
	a := pos.Anchor
	what := "the log's end at our start"
	if a.GTID != "" {
		what = "transaction " + a.GTID
	}
	return lost("mysql.log_reset", restoredRemedy, "continue at %s: %s is no longer at %s:%d of server %s: %s", pos, what, a.File, a.Pos, h.srv.uuid, why)
}

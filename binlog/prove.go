package binlog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	wrongServer    = "point source.url at the right server, or start over with outferry offsets reset"
	restoredRemedy = "the server looks restored from a backup, or its log was reset: compare it with Kafka, then " + acceptGap
)

// prove shows that the log goes on at pos without a gap, or says why that can't be shown. The server refuses
// some wrong positions, but takes re-used numbers and unknown domains without a word.
func (h *session) prove(pos *position) error {
	if pos.Phase == phaseDone {
		return nil
	}
	if pos.Kind != h.srv.kind {
		return lost("mysql.wrong_source", wrongServer, "continue at %s: the stored position is of %s, the server is %s", pos, pos.Kind, h.srv.kind)
	}
	switch {
	case pos.ByGTID && !h.srv.byGTID():
		return environment("mysql.gtid_off", "turn gtid_mode on again, or move the pipeline to a place in a file with outferry offsets set",
			"continue at %s: gtid_mode is %s", pos, h.srv.vars["gtid_mode"])
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
	executed, purged, err := h.executed()
	if err != nil {
		return err
	}
	if gone := purged.subtract(ours); !gone.isEmpty() {
		return lost("mysql.log_purged", acceptGap, "continue at %s: the server has purged %s from its log", pos, gone)
	}
	ahead := ours.subtract(executed)
	own, err := parseSID(h.srv.uuid)
	if err != nil {
		return fmt.Errorf("read server_uuid: %w", err)
	}
	if missing := ahead.of(own); !missing.isEmpty() {
		return lost("mysql.server_behind", restoredRemedy, "continue at %s: the server no longer has its own transactions %s", pos, missing)
	}
	if h.sameServer(pos) {
		return h.proveAnchor(pos, purged.contains, ours.subtract(ahead).subtract(purged).isEmpty())
	}
	if ours.subtract(ahead).isEmpty() {
		return lost("mysql.wrong_source", wrongServer, "continue at %s: server %s has none of it", pos, h.srv.uuid)
	}
	h.moved(pos)
	if !ahead.isEmpty() {
		h.ghosts(ahead.String())
	}
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
	pos.ServerUUID, pos.Anchor, pos.File, pos.Pos = h.srv.uuid, nil, "", 0
}

// ghosts are transactions that we published and the promoted server never got. Its numbers can't be theirs.
func (h *session) ghosts(gtids string) {
	h.log.Error("published transactions that the server does not have", "code", "mysql.ghosts", "gtids", gtids)
	if h.opt.Ghosts != nil {
		h.opt.Ghosts(gtids)
	}
}

// proveMaria compares domain by domain. A domain that the server has never seen would make it replay its
// whole history.
func (h *session) proveMaria(pos *position) error {
	ours, err := parseMariaSet(pos.GTID)
	if err != nil {
		return err
	}
	r, err := queryOne(h.cat, "SELECT @@GLOBAL.gtid_binlog_state")
	if err != nil {
		return transient("mysql.connection", "ask what the server has logged: %w", err)
	}
	state, err := parseMariaList(r[0])
	if err != nil {
		return err
	}
	same := h.sameServer(pos)
	if ours.isEmpty() && !same {
		return lost("mysql.wrong_source", wrongServer, "continue before the first transaction of another server, %s", pos.ServerUUID)
	}
	for _, g := range ours {
		if err := proveDomain(pos, g, state, same); err != nil {
			return err
		}
	}
	purged, err := h.purgedList()
	if err != nil {
		return err
	}
	if err := provePurged(pos, ours, purged); err != nil {
		return err
	}
	if !same {
		return h.proveSuccessor(pos)
	}
	gone := func(g gtid) bool { return listed(purged, g) }
	all := !slices.ContainsFunc(slices.Collect(maps.Values(ours)), func(g gtid) bool { return !gone(g) })
	return h.proveAnchor(pos, gone, all)
}

// listed reports whether a list of the last transactions covers g.
func listed(list []gtid, g gtid) bool {
	return slices.ContainsFunc(list, func(s gtid) bool { return s.domain == g.domain && s.server == g.server && s.seq >= g.seq })
}

// proveSuccessor: unrelated servers number alike, so another server is a successor only if it has our last
// transaction with the time of its first change, and can't be the one that wrote it first.
func (h *session) proveSuccessor(pos *position) error {
	a := pos.Anchor
	if a == nil || a.GTID == "" || a.First == 0 {
		return lost("mysql.wrong_source", wrongServer, "continue at %s of server %s: nothing shows that server %s is its successor", pos, pos.ServerUUID, h.srv.uuid)
	}
	g, err := parseMariaGTID(a.GTID)
	if err != nil {
		return err
	}
	if strconv.FormatUint(uint64(g.server), 10) == h.srv.vars["server_id"] {
		return lost("mysql.wrong_source", wrongServer, "continue at %s of server %s: server %s has its server_id, %d", pos, pos.ServerUUID, h.srv.uuid, g.server)
	}
	s, err := h.findGroup(g)
	switch {
	case errors.Is(err, errNotSeen):
		return lost("mysql.wrong_source", wrongServer, "continue at %s of server %s: look for %s in the log of server %s: %w", pos, pos.ServerUUID, g, h.srv.uuid, err)
	case err != nil:
		return err
	case s.first != a.First:
		return lost("mysql.wrong_source", wrongServer, "continue at %s of server %s: transaction %s of server %s is another one, of %s instead of %s", pos, pos.ServerUUID, g, h.srv.uuid, utc(s.first), utc(a.First))
	}
	h.moved(pos)
	pos.Anchor = s.anchor()
	return nil
}

// findGroup looks for a transaction from the youngest file on whose head does not count it among those before.
func (h *session) findGroup(g gtid) (sight, error) {
	files, err := h.logFiles()
	if err != nil {
		return sight{}, err
	}
	for _, f := range slices.Backward(files) {
		before, err := h.listOf(f.file)
		if err != nil {
			return sight{}, err
		}
		if !listed(before, g) {
			return h.groupOf(f.file, g.String())
		}
	}
	return sight{}, fmt.Errorf("%w: it is purged", errNotSeen)
}

func utc(when uint32) string { return time.Unix(int64(when), 0).UTC().Format(time.RFC3339) }

// proveDomain: the last number of each server in the domain is what gtid_binlog_state tells.
func proveDomain(pos *position, g gtid, state []gtid, same bool) error {
	code, remedy := "mysql.wrong_source", wrongServer
	if same {
		code, remedy = "mysql.log_reset", restoredRemedy
	}
	known := slices.ContainsFunc(state, func(s gtid) bool { return s.domain == g.domain })
	if !known {
		return lost(code, remedy, "continue at %s: the server's log has nothing of domain %d", pos, g.domain)
	}
	for _, s := range state {
		if s.domain == g.domain && s.server == g.server {
			if s.seq < g.seq {
				return lost("mysql.server_behind", restoredRemedy, "continue at %s: the server's log ends at %s in that domain", pos, s)
			}
			return nil
		}
	}
	return lost(code, remedy, "continue at %s: the server's log has nothing of server %d in domain %d", pos, g.server, g.domain)
}

// provePurged compares with what the files before the oldest held.
func provePurged(pos *position, ours mariaSet, list []gtid) error {
	for _, g := range list {
		if !ours.contains(g) {
			return lost("mysql.log_purged", acceptGap, "continue at %s: the server has purged %s from its log", pos, g)
		}
	}
	return nil
}

// purgedList is the list at the head of MariaDB's oldest file: the last transactions of the files before it.
func (h *session) purgedList() ([]gtid, error) {
	files, err := h.logFiles()
	if err != nil {
		return nil, err
	}
	return h.listOf(files[0].file)
}

func (h *session) listOf(file string) ([]gtid, error) {
	rows, err := query(h.cat, "SHOW BINLOG EVENTS IN "+quoteText(file)+" LIMIT 4")
	if err != nil {
		return nil, transient("mysql.connection", "read the head of a file of the log: %w", err)
	}
	for _, r := range rows {
		if r[2] == "Gtid_list" {
			return parseMariaList(strings.Trim(r[5], "[]"))
		}
	}
	return nil, nil
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
	i := slices.IndexFunc(files, func(f place) bool { return f.file == a.File })
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
		return h.reset(pos, "there is "+s.gtid)
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

// fileNumber is the number at the end of a file's name.
func fileNumber(file string) (n uint64) {
	_, digits, _ := strings.Cut(file[strings.LastIndexByte(file, '/')+1:], ".")
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0
		}
		n = n*10 + uint64(d-'0')
	}
	return n
}

// proveFile: a place in a file means something on one server only, while the file is there. That it is the
// same file shows when its first event comes: see stream.
func (h *session) proveFile(pos *position) error {
	if !h.sameServer(pos) {
		return lost("mysql.wrong_source", wrongServer, "continue at %s of server %s: the server is %s, and places in files are each server's own", pos, pos.ServerUUID, h.srv.uuid)
	}
	files, err := h.logFiles()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(files, func(f place) bool { return f.file == pos.File })
	switch {
	case i < 0 && fileNumber(files[0].file) > fileNumber(pos.File):
		return lost("mysql.log_purged", acceptGap, "continue at %s: the server's log begins with %s: ours was purged, or the log reset", pos, files[0].file)
	case i < 0:
		return lost("mysql.log_reset", restoredRemedy, "continue at %s: the server has no such file", pos)
	}
	if err := h.proveBirth(pos); err != nil {
		return err
	}
	if files[i].pos < pos.Pos {
		return lost("mysql.server_behind", restoredRemedy, "continue at %s: the file has %d bytes", pos, files[i].pos)
	}
	return nil
}

// proveBirth: a file of that name was begun at another time if the log was reset in between.
func (h *session) proveBirth(pos *position) error {
	a := pos.Anchor
	if a == nil || a.File != pos.File || a.Created == 0 {
		return nil
	}
	created, err := h.fileCreated(pos.File)
	switch {
	case errors.Is(err, errNotSeen):
		return lost("mysql.log_reset", restoredRemedy, "continue at %s: look at the file: %w", pos, err)
	case err != nil:
		return err
	case created != a.Created:
		return bornAnew(pos, created)
	}
	return nil
}

func bornAnew(pos *position, created uint32) error {
	return lost("mysql.log_reset", restoredRemedy, "continue at %s: the server began the file of that name at %s, ours at %s", pos, utc(created), utc(pos.Anchor.Created))
}

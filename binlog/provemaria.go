package binlog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"outferry/outbox"
)

// proveMaria compares domain by domain. A domain that the server has never seen would make it replay its
// whole history.
func (h *session) proveMaria(pos *position) error {
	ours, err := parseMariaSet(pos.GTID)
	if err != nil {
		return err
	}
	state, err := h.binlogState()
	if err != nil {
		return err
	}
	same, err := h.sameMaria(pos)
	if err != nil {
		return err
	}
	if same {
		if err := h.provePlace(pos); err != nil || pos.proven {
			return err
		}
		if err := h.provePurgedPlace(pos); err != nil { // before the numbers, which may be any
			return err
		}
	}
	if ours.isEmpty() && !same {
		return lost("mysql.wrong_source", wrongServer, "continue before the first transaction of another server, %s", pos.ServerUUID)
	}
	for _, g := range ours {
		if same && !hasDomain(state, g.domain) {
			return h.domainGone(pos, ours, g)
		}
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

// sameMaria tells whether the log that we read must be here. server_uid is a hash of port and network card: a server has another one
// after a move to a new container or host, and unrelated servers may have the same. So where it or server_id differs, the log decides;
// where both do, it is another server, whose log may be like ours to the byte if it is a replica.
func (h *session) sameMaria(pos *position) (same bool, err error) {
	uid, id := h.sameServer(pos), pos.ServerID == h.srv.id() || pos.ServerID == "" // of an older version
	switch {
	case uid && id: // then its log must show it: it may have been reset
		same = true
	case uid || id:
		same, err = h.showsLog(pos)
	}
	if same && !uid {
		h.log.Info("server has another server_uid, and the log that was read before", "server_uid", h.srv.uuid, "was", pos.ServerUUID)
	}
	if same {
		pos.ServerUUID, pos.ServerID = h.srv.uuid, h.srv.id()
	}
	return same, err
}

// showsLog: the last transaction is at its place, or all that is processed ends at our place, in a file that was begun when ours was.
func (h *session) showsLog(pos *position) (bool, error) {
	a := pos.Anchor
	if a == nil {
		return false, nil
	}
	files, err := h.logFiles()
	if err != nil {
		return false, err
	}
	if ours, err := h.sameLog(pos, files); err != nil || !ours {
		return false, err
	}
	if a.GTID != "" && a.Pos>>32 == 0 && indexOf(files, a.File) >= 0 {
		return true, nil
	}
	i := indexOf(files, pos.File)
	if !pos.hasPlace() || pos.GTID == "" || i < 0 || files[i].pos < pos.Pos {
		return false, nil
	}
	set, err := h.setAt(place{pos.File, pos.Pos})
	return set.String() == pos.GTID, err
}

// provePlace: in the log that we read, what follows our place follows what we have processed, whatever its numbers are.
func (h *session) provePlace(pos *position) error {
	if !pos.hasPlace() {
		return nil
	}
	files, err := h.logFiles()
	if err != nil {
		return err
	}
	i := indexOf(files, pos.File)
	if i < 0 {
		return nil
	}
	switch ours, err := h.sameLog(pos, files); {
	case err != nil || !ours: // then the numbers may tell more
		return err
	case files[i].pos < pos.Pos:
		return lost("mysql.server_behind", restoredRemedy, "continue at %s: file %s has %d bytes, and we stand at %d", pos, pos.File, files[i].pos, pos.Pos)
	}
	pos.proven = true
	return nil
}

// hasPlace reports whether the place is the end of what has been processed. Before the first transaction of a stream by GTID
// it is only where the server began to look; beyond 4 GiB it can't be asked for.
func (p *position) hasPlace() bool {
	return p.Anchor != nil && p.File != "" && !p.Behind && p.Pos>>32 == 0 && !(place{p.File, p.Pos}).before(place{p.Anchor.File, p.Anchor.Pos})
}

// sameLog: the anchor shows it where its file is there, else the moment at which the server began our place's file.
func (h *session) sameLog(pos *position, files []place) (bool, error) {
	if i := indexOf(files, pos.Anchor.File); i >= 0 {
		if files[i].pos < pos.Anchor.Pos {
			return false, nil
		}
		var f *outbox.Fault
		err := h.proveThere(pos)
		if errors.As(err, &f) && f.Class == outbox.PositionLost {
			return false, nil
		}
		return err == nil, err
	}
	if pos.Began == 0 {
		return false, nil
	}
	created, err := h.fileCreated(pos.File)
	if errors.Is(err, errNotSeen) {
		err = nil
	}
	return created == pos.Began, err
}

// provePurgedPlace: where numbers may be used again they don't tell whether a file that is purged had more than we have read.
func (h *session) provePurgedPlace(pos *position) error {
	if pos.Anchor == nil || h.srv.vars["gtid_strict_mode"] == "ON" {
		return nil
	}
	files, err := h.logFiles()
	if err != nil {
		return err
	}
	if last := pos.lastFile(); fileNumber(files[0].file) > fileNumber(last) {
		return lost("mysql.log_purged", acceptGap, "continue at %s: file %s, the last one read, is purged, and with gtid_strict_mode off the numbers can't show that no more was in it", pos, last)
	}
	return nil
}

// lastFile is the last one in which something is processed.
func (p *position) lastFile() string {
	if p.Anchor == nil || fileNumber(p.File) > fileNumber(p.Anchor.File) {
		return p.File
	}
	return p.Anchor.File
}

const behindRemedy = "a failover lost what was published already, the server was restored from a backup, or numbers were used again (gtid_strict_mode = 0): " +
	"compare it with Kafka, then " + acceptGap

// proveSuccessor: unrelated servers number alike, so another server is a successor only if it has our last transaction with the time of
// its first change. The one that wrote it is a successor of a replica that we read; where we read it itself, its log would show it.
func (h *session) proveSuccessor(pos *position) error {
	a := pos.Anchor
	if a == nil || a.GTID == "" || a.First == 0 {
		return lost("mysql.wrong_source", isSuccessor(pos),
			"continue at %s of server %s: nothing shows that server %s is its successor", pos, pos.ServerUUID, h.srv.uuid)
	}
	g, err := parseMariaGTID(a.GTID)
	if err != nil {
		return err
	}
	if id := h.srv.id(); strconv.FormatUint(uint64(g.server), 10) == id && (pos.ServerID == id || pos.ServerID == "") {
		return lost("mysql.wrong_source", isSuccessor(pos), "continue at %s of server %s: server %s has its server_id, %s, and another log", pos, pos.ServerUUID, h.srv.uuid, id)
	}
	s, err := h.findGroup(g)
	switch {
	case errors.Is(err, errNotSeen):
		return lost("mysql.wrong_source", isSuccessor(pos), "continue at %s of server %s: look for %s in the log of server %s: %w", pos, pos.ServerUUID, g, h.srv.uuid, err)
	case err != nil:
		return err
	case s.first != a.First:
		return lost("mysql.wrong_source", wrongServer, "continue at %s of server %s: transaction %s of server %s is another one, of %s instead of %s", pos, pos.ServerUUID, g, h.srv.uuid, utc(s.first), utc(a.First))
	}
	if err := h.proveNoneErrant(pos); err != nil {
		return err
	}
	h.moved(pos)
	pos.Anchor = s.anchor()
	return nil
}

// isSuccessor is for a server that may be the right one, though nothing is left that shows it.
func isSuccessor(pos *position) string {
	return wrongServer + "; or, if it is the successor: outferry offsets set NAME --gtid " + pos.GTID + " --accept-gap"
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
	if !hasDomain(state, g.domain) {
		return lost(code, remedy, "continue at %s: the server's log has nothing of domain %d", pos, g.domain)
	}
	for _, s := range state {
		if s.domain == g.domain && s.server == g.server {
			if s.seq < g.seq {
				return lost("mysql.server_behind", behindRemedy, "continue at %s: the last transaction of server %d in domain %d that the log has is %s", pos, g.server, g.domain, s)
			}
			return nil
		}
	}
	return lost(code, remedy, "continue at %s: the server's log has nothing of server %d in domain %d", pos, g.server, g.domain)
}

func hasDomain(list []gtid, domain uint32) bool {
	return slices.ContainsFunc(list, func(g gtid) bool { return g.domain == domain })
}

// domainGone: the log was reset, or FLUSH BINARY LOGS DELETE_DOMAIN_ID took the domain out of it, which the server does where
// all that it wrote of it is purged. Then all that is left comes after what was read last, and a place goes by no domain.
func (h *session) domainGone(pos *position, ours mariaSet, g gtid) error {
	files, err := h.logFiles()
	if err != nil {
		return err
	}
	purged, err := h.purgedList()
	if err != nil {
		return err
	}
	remedy := restoredRemedy
	if first := files[0].file; pos.Anchor != nil && fileNumber(pos.lastFile()) < fileNumber(first) && provePurged(pos, ours, purged) == nil {
		remedy = fmt.Sprintf("if FLUSH BINARY LOGS DELETE_DOMAIN_ID removed it, and nothing is missing in Kafka that was written in it after %s, publish all that is left of the log: "+
			"outferry offsets set NAME %s --accept-gap; else ", g, place{first, 4}.flags()) + remedy
	}
	return lost("mysql.log_reset", remedy, "continue at %s: the server's log has nothing of domain %d", pos, g.domain)
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

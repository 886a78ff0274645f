package binlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"
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
		return h.proveAnchor(pos)
	}
	if ours.subtract(ahead).isEmpty() {
		return lost("mysql.wrong_source", wrongServer, "continue at %s: server %s has none of it", pos, h.srv.uuid)
	}
	h.moved(pos)
	if !ahead.isEmpty() {
		h.ghosts(ahead.String())
	}
	return nil
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
	if err := h.provePurged(pos, ours); err != nil {
		return err
	}
	if same {
		return h.proveAnchor(pos)
	}
	h.moved(pos)
	return nil
}

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
func (h *session) provePurged(pos *position, ours mariaSet) error {
	list, err := h.purgedList()
	if err != nil {
		return err
	}
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
	rows, err := query(h.cat, "SHOW BINLOG EVENTS IN "+quoteText(files[0].file)+" LIMIT 4")
	if err != nil {
		return nil, transient("mysql.connection", "read the oldest file of the log: %w", err)
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
	if err != nil {
		return nil, transient("mysql.connection", "list the files of the log: %w", h.denied(err, h.srv))
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

// proveAnchor: the same server must still have the transaction where we saw it. After a reset it has the
// number, but not there.
func (h *session) proveAnchor(pos *position) error {
	a := pos.Anchor
	if a == nil || a.GTID == "" {
		return nil
	}
	files, err := h.logFiles()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(files, func(f place) bool { return f.file == a.File }) {
		if fileNumber(files[0].file) > fileNumber(a.File) {
			return nil // purged, and all that we have not processed is in younger files
		}
		return h.reset(pos, "the file is gone and older ones are not")
	}
	got, err := gtidAt(h.cat, a.File, a.Pos)
	if err != nil {
		return h.reset(pos, err.Error())
	}
	if got != a.GTID {
		return h.reset(pos, "there is "+got)
	}
	return nil
}

func (h *session) reset(pos *position, why string) error {
	return lost("mysql.log_reset", restoredRemedy, "continue at %s: transaction %s is no longer at %s:%d of server %s: %s",
		pos, pos.Anchor.GTID, pos.Anchor.File, pos.Anchor.Pos, h.srv.uuid, why)
}

var errNoGTID = errors.New("no GTID event there")

// gtidAt returns the GTID whose event begins at a place of the log.
func gtidAt(c *client.Conn, file string, pos uint64) (string, error) {
	rows, err := query(c, fmt.Sprintf("SHOW BINLOG EVENTS IN %s FROM %d LIMIT 1", quoteText(file), pos))
	if err != nil {
		return "", err
	}
	if len(rows) == 0 || len(rows[0]) < 6 {
		return "", errNoGTID
	}
	return gtidInfo(rows[0][5])
}

// gtidInfo reads the server's words about a GTID event: SET @@SESSION.GTID_NEXT= 'uuid:5', or BEGIN GTID
// 0-1-5, with more words behind it.
func gtidInfo(info string) (string, error) {
	if _, after, ok := strings.Cut(info, "GTID_NEXT= '"); ok {
		text, _, _ := strings.Cut(after, "'")
		set, err := parseMySQLSet(text)
		if err != nil {
			return "", err
		}
		return set.String(), nil
	}
	for _, word := range strings.Fields(info) {
		if g, err := parseMariaGTID(word); err == nil {
			return g.String(), nil
		}
	}
	return "", errNoGTID
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
		return lost("mysql.log_purged", acceptGap, "continue at %s: the server has purged the file", pos)
	case i < 0:
		return lost("mysql.log_reset", restoredRemedy, "continue at %s: the server has no such file", pos)
	case files[i].pos < pos.Pos:
		return lost("mysql.server_behind", restoredRemedy, "continue at %s: the file has %d bytes", pos, files[i].pos)
	}
	return nil
}

package binlog

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"outferry/outbox"
)

// script builds a log event by event, for what no server can be made to write at will.
type script struct {
	log []byte
	seq uint64
}

func newScript() *script { return &script{log: []byte("\xfebin")} }

func (s *script) add(kind byte, body []byte) *script {
	s.log = append(s.log, event(kind, 0, uint32(len(s.log)+eventHeader+len(body)), body)...)
	return s
}

func (s *script) begin() *script {
	s.seq++
	body := make([]byte, 17, 25)
	body[16] = 9 // the last byte of the server's UUID
	return s.add(evGTID, binary.LittleEndian.AppendUint64(body, s.seq)).query("BEGIN")
}

func (s *script) query(text string) *script {
	body := make([]byte, 13)
	body[8] = 5 // bytes of the schema's name
	return s.add(evQuery, append(append(append(body, "ferry"...), 0), text...))
}

func (s *script) tableMap(table string) *script {
	body := []byte{1, 0, 0, 0, 0, 0, 0, 0, 5}
	body = append(append(body, "ferry\x00"...), byte(len(table)))
	body = append(append(body, table...), 0)
	body = append(body, 1, typeLong, 0, 0) // one column, no metadata, not null
	return s.add(evTableMap, append(body, metaColumnName, 3, 2, 'i', 'd'))
}

func (s *script) row(id byte) *script {
	return s.add(evWriteRows2, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 0, id, 0, 0, 0})
}

func (s *script) commit() *script { return s.add(evXID, make([]byte, 8)) }

func (s *script) run() (*replay, error) {
	r := newReplay(mysqlKind, served("binlog.000001", s.log), "ferry.outbox")
	return r, r.run()
}

func (s *script) want(t *testing.T, ids string) *replay {
	t.Helper()
	r, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.ids, " "); got != ids {
		t.Errorf("got %q, want %q", got, ids)
	}
	return r
}

func (s *script) wantFault(t *testing.T, code, ids string) {
	t.Helper()
	r, err := s.run()
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	if got := strings.Join(r.ids, " "); got != ids {
		t.Errorf("got %q before the fault, want %q", got, ids)
	}
}

func (s *script) wantError(t *testing.T, text string) {
	t.Helper()
	if _, err := s.run(); err == nil || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want %q", err, text)
	}
}

func TestLoggedRollbackIsAbsent(t *testing.T) {
	s := newScript().begin().tableMap("outbox").row(1).query("ROLLBACK").begin().tableMap("outbox").row(2).commit()
	if got := s.want(t, "2").asm.set.String(); !strings.HasSuffix(got, ":1-2") {
		t.Errorf("processed %s", got)
	}
}

func TestSavepointsAreNoEnds(t *testing.T) {
	newScript().begin().tableMap("outbox").row(1).query("SAVEPOINT `s`").query("ROLLBACK TO `s`").tableMap("outbox").row(2).query("COMMIT").want(t, "1 2")
}

// TestRowsBehindASavepointAreAbsent where the log has them, and ROLLBACK TO behind them.
func TestRowsBehindASavepointAreAbsent(t *testing.T) {
	for _, c := range []struct{ events, want string }{ // digits are rows
		{"1 SAVEPOINT `s`|2 ROLLBACK TO `s`|3", "1 3"},
		{"SAVEPOINT `s`|1 2 ROLLBACK TO `s`|", ""},
		{"1 SAVEPOINT `s`|2 ROLLBACK TO `s`|3 ROLLBACK TO `s`|4", "1 4"},
		{"1 SAVEPOINT `a`|2 SAVEPOINT `b`|3 ROLLBACK TO `b`|4 ROLLBACK TO `a`|5", "1 5"},
		{"1 SAVEPOINT `a`|2 SAVEPOINT `b`|3 ROLLBACK TO `b`|4", "1 2 4"},
		{"1 SAVEPOINT `s`|SAVEPOINT `s`|2 ROLLBACK TO `s`|SAVEPOINT `s`|3 ROLLBACK TO `s`|4", "1 4"},
		{"1 SAVEPOINT S1|2 rollback work to savepoint `s1`;|3", "1 3"},
		{"1 SAVEPOINT `a``b`|2 ROLLBACK TO \"a`b\"|3", "1 3"},
		{"1 SAVEPOINT `s`|RELEASE SAVEPOINT `s`|2", "1 2"},
		{"1 SAVEPOINT `é`|ROLLBACK TO `é`|2", "1 2"}, // nothing was undone
		{"ROLLBACK TO `s`|1", "1"},
	} {
		play(newScript().begin().tableMap("outbox"), c.events).commit().want(t, c.want)
	}
	for _, events := range []string{"1 ROLLBACK TO `s`|", "1 SAVEPOINT `a`|2 ROLLBACK TO `b`|", "1 SAVEPOINT `é`|2 ROLLBACK TO `é`|", "1 SAVEPOINT `a`|2 SAVEPOINT `á`|3 ROLLBACK TO `a`|",
		"1 SAVEPOINT `s`|2 ROLLBACK TO `s` -- why|", "1 SAVEPOINT `s`|2 SAVEPOINT `s`|3 ROLLBACK TO `s`|", "1 SAVEPOINT `a`|2 SAVEPOINT `b`|ROLLBACK TO `a`|3 ROLLBACK TO `b`|"} {
		play(newScript().begin().tableMap("outbox"), events).commit().wantFault(t, "mysql.rollback_logged", "")
	}
}

func play(s *script, events string) *script {
	for _, e := range strings.FieldsFunc(events, func(r rune) bool { return r == '|' }) {
		for len(e) > 0 && e[0] >= '1' && e[0] <= '9' {
			s.row(e[0] - '0')
			e = strings.TrimPrefix(e[1:], " ")
		}
		if e != "" {
			s.query(e)
		}
	}
	return s
}

// TestPartWithUndoneRowsIsPassedOver, whether they were undone before it was published or are now.
func TestPartWithUndoneRowsIsPassedOver(t *testing.T) {
	s := play(newScript().begin().tableMap("outbox"), "1 SAVEPOINT `s`|2 ROLLBACK TO `s`|3 4").commit()
	for _, c := range []struct {
		rows, undone int64
		want         string
	}{{1, 0, "3 4"}, {2, 1, "3 4"}, {3, 1, "4"}, {4, 1, ""}} {
		r := newReplay(mysqlKind, served("binlog.000001", s.log), "ferry.outbox")
		r.asm.resume = &part{GTID: "00000000-0000-0000-0000-000000000009:1", Rows: c.rows, Undone: c.undone}
		if err := r.run(); err != nil || strings.Join(r.ids, " ") != c.want {
			t.Errorf("after %d rows, %d of them undone: got %v, %v", c.rows, c.undone, r.ids, err)
		}
	}
	r := newReplay(mysqlKind, served("binlog.000001", s.log), "ferry.outbox")
	r.asm.resume = &part{GTID: "00000000-0000-0000-0000-000000000009:1", Rows: 2} // the second one is published
	var f *outbox.Fault
	if err := r.run(); !errors.As(err, &f) || f.Code != "mysql.rollback_logged" {
		t.Errorf("got %v", err)
	}
}

func TestIncidentStops(t *testing.T) {
	newScript().begin().tableMap("outbox").row(1).commit().add(evIncident, []byte{1, 0, 0}).wantFault(t, "mysql.incident", "1")
}

func TestUnknownEventsStopUnlessTheyMayBeIgnored(t *testing.T) {
	newScript().begin().tableMap("outbox").row(1).commit().add(99, []byte("new")).wantError(t, "unknown type 99")
	s := newScript()
	s.log = append(s.log, event(99, 0x80, 0, []byte("new"))...)
	s.begin().tableMap("outbox").row(1).commit().want(t, "1")
}

func TestRowsOfOthersAreNotRead(t *testing.T) {
	newScript().begin().tableMap("other").add(evWriteRows2, []byte{1, 0, 0, 0, 0, 0, 0xff}).tableMap("outbox").row(1).commit().want(t, "1")
}

func TestTableThatWasNotAnnouncedStops(t *testing.T) {
	newScript().begin().row(1).commit().wantError(t, "was not announced")
	// Ids mean something inside one transaction only.
	newScript().begin().tableMap("outbox").row(1).commit().begin().row(2).commit().wantError(t, "was not announced")
}

func TestTransactionWithoutAnEndStops(t *testing.T) {
	newScript().begin().tableMap("outbox").row(1).begin().wantError(t, "has no end")
}

func TestRowsOutsideATransactionStop(t *testing.T) {
	newScript().tableMap("outbox").row(1).wantError(t, "outside a transaction")
}

func TestStatementsInsideATransactionStop(t *testing.T) {
	for _, text := range []string{"insert into t values (1)", "/* a */ INSERT INTO outbox SELECT 1", "CALL p()", "WITH x AS (SELECT 1) DELETE FROM t", "SELECT `f`()",
		"INSERT INTO elsewhere.t VALUES (1)", "# why\nINSERT INTO t VALUES (1)", "-- why\n\t--\n/* and */ # more\n UPDATE t SET n = 1", "--\nDELETE FROM t",
		"/*!50000 CREATE */ INSERT INTO t VALUES (1)", "/*M! DROP */ INSERT INTO t VALUES (1)", "SET STATEMENT max_statement_time = 1 FOR INSERT INTO t VALUES (1)",
		"--1", "/* no end", "# " + strings.Repeat("x", queryPeek) + "\nINSERT INTO t VALUES (1)"} {
		newScript().begin().query(text).commit().wantFault(t, "mysql.statement_format", "")
	}
	s := newScript().begin()
	for _, text := range []string{"CREATE TEMPORARY TABLE t (n int)", "# why\nDROP TEMPORARY TABLE t", "-- c\nDROP /*!40005 TEMPORARY */ TABLE t", "# Dummy event replacing event", "SAVEPOINT `s`"} {
		s.query(text)
	}
	s.tableMap("outbox").row(1).commit().want(t, "1")
}

func TestXAIsRecognisedByItsStart(t *testing.T) {
	end := func(phases byte) []byte {
		return append([]byte{phases}, "\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00a"...)
	}
	s := func() *script {
		return newScript().begin().query("XA START X'61',X'',1").tableMap("outbox").row(1).query("XA END X'61',X'',1")
	}
	s().add(evXAPrepare, end(0)).wantFault(t, "mysql.xa_unsupported", "")
	s().commit().wantFault(t, "mysql.xa_unsupported", "")
	s().add(evXAPrepare, nil).wantError(t, "ends too early")
	s().add(evXAPrepare, end(1)).begin().tableMap("outbox").row(2).commit().want(t, "1 2")
}

// TestPartIsPassedOver: a transaction that is published in part goes on after that part, and only that one.
func TestPartIsPassedOver(t *testing.T) {
	s := newScript().begin().tableMap("outbox").row(1).row(2).row(3).commit()
	r := newReplay(mysqlKind, served("binlog.000001", s.log), "ferry.outbox")
	r.asm.resume = &part{GTID: "00000000-0000-0000-0000-000000000009:1", Rows: 2}
	if err := r.run(); err != nil || strings.Join(r.ids, " ") != "3" {
		t.Errorf("got %v, %v", r.ids, err)
	}
	for _, p := range []*part{{GTID: "00000000-0000-0000-0000-000000000009:2", Rows: 2}, {GTID: "00000000-0000-0000-0000-000000000009:1", Rows: 4}} {
		r = newReplay(mysqlKind, served("binlog.000001", s.log), "ferry.outbox")
		r.asm.resume = p
		var f *outbox.Fault
		if err := r.run(); !errors.As(err, &f) || f.Code != "mysql.part_mismatch" {
			t.Errorf("got %v", err)
		}
	}
}

// TestPlaceBeyond4GiB: the header has only the lower half.
func TestPlaceBeyond4GiB(t *testing.T) {
	a := &assembler{here: place{"f", 1<<32 - 10}}
	a.track(header{kind: evXID, size: 30, end: 20})
	if a.here.pos != 1<<32+20 {
		t.Errorf("got %d", a.here.pos)
	}
	a.track(header{kind: evXID, size: 30})
	if a.here.pos != 1<<32+50 {
		t.Errorf("got %d", a.here.pos)
	}
}

// TestHeartbeatsTellThePlace: of a server that keeps from us what we have; the second form is for places beyond 4 GiB.
func TestHeartbeatsTellThePlace(t *testing.T) {
	second := append([]byte{1, 1, 'f', 2, 9, 0xfe}, binary.LittleEndian.AppendUint64(nil, 5<<32)...)
	for _, c := range []struct {
		kind byte
		end  uint32
		body []byte
		want uint64
	}{{evHeartbeat, 900, []byte("binlog.000001"), 900}, {evHeartbeat, 0, []byte("binlog.000001"), 100}, {evHeartbeat2, 0, append(second, 0), 5 << 32}, {evHeartbeat2, 0, second[:8], 100}} {
		s := newScript()
		s.log = append(s.log, event(c.kind, 0, c.end, c.body)...)
		r := newReplay(mysqlKind, served("binlog.000001", s.log), "ferry.outbox")
		if err := r.run(); err != nil {
			t.Fatal(err)
		}
		r.asm.here.pos = max(r.asm.here.pos, 100)
		if got := r.asm.seen(); got.pos != c.want {
			t.Errorf("event of type %d: at %s, want %d", c.kind, got, c.want)
		}
	}
}

func TestTaggedGTID(t *testing.T) {
	sid := make([]byte, 0, 32)
	for i := range 16 {
		if i == 0 {
			sid = append(sid, 0x85<<2&0xff|1, 0x85>>6)
			continue
		}
		sid = append(sid, byte(i)<<1)
	}
	body := []byte{2, 0, 0, tagFlags << 1, 2, tagSID << 1}
	body = append(body, sid...)
	body = append(body, tagSeq<<1, 5<<2, tagTag<<1, 3<<1, 'b', 'i', 'g', tagLastCommitted<<1, 0, tagSequence<<1, 4, tagImmediateCommit<<1, 7<<1)
	g, err := decodeTaggedGTID(body)
	if err != nil || g.gtid.String() != "85010203-0405-0607-0809-0a0b0c0d0e0f:big:5" || g.commit != 7 {
		t.Errorf("got %s at %d, %v", g.gtid, g.commit, err)
	}
}

// TestTablesOfALongTransactionAreKeptOnce: each of its statements announces them.
func TestTablesOfALongTransactionAreKeptOnce(t *testing.T) {
	s := newScript().begin()
	for range 50 {
		s.tableMap("outbox").row(1)
	}
	if r := s.commit().want(t, strings.TrimSpace(strings.Repeat("1 ", 50))); len(r.asm.tx.tables) != 1 {
		t.Errorf("it keeps %d", len(r.asm.tx.tables))
	}
}

package binlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

// heartbeat is how often an idle server says that it lives, and notices that we don't: MariaDB lets a successor wait for
// that. On MySQL often would be wrong: 8.0.31 ends the log when somebody commits while its sender wakes up for a heartbeat
// (Binlog_sender::wait_with_heartbeat returns that it timed out, which its caller takes for an error without a text).
// 9.7 does not.
func (h *session) heartbeat() time.Duration {
	if h.srv.kind == mariaKind {
		return 500 * time.Millisecond
	}
	return min(h.set.readTimeout/3, 5*time.Second)
}

// requestDump sets the connection up as a replica's and asks for the log after pos. What follows on the
// connection is read by a wire. With noWait the server ends the log where it ends now.
func (h *session) requestDump(c *client.Conn, pos *position, noWait bool) error {
	for _, sql := range h.dumpSettings(pos) {
		if _, err := c.Execute(sql); err != nil {
			return transient("mysql.connection", "ask for the log: %w", plain(err))
		}
	}
	if err := h.register(c); err != nil {
		return h.denied(transientPlain(err), h.srv)
	}
	flags := uint16(0)
	if noWait {
		flags = 1
	}
	c.ResetSequence()
	if err := c.WritePacket(h.dumpCommand(pos, flags)); err != nil {
		return transient("mysql.connection", "ask for the log: %w", err)
	}
	return nil
}

// endDump ends the log on the server too, which would notice only with its next event or heartbeat that nobody reads it.
func (h *session) endDump(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), endDumpWithin)
	defer cancel()
	c, err := h.connect(ctx)
	if err == nil {
		defer c.Close()
		defer closing(ctx, c)()
		err = killDump(c, id)
	}
	if err != nil {
		h.log.Debug("end the dump on the server", "connection", id, "error", plain(err))
	}
}

// endDumpWithin holds whatever the link does: a stop waits for it.
const endDumpWithin = 2 * time.Second

// killDump leaves alone what has the number meanwhile and is no dump.
func killDump(c *client.Conn, id string) error {
	rows, err := query(c, "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = "+id+" AND COMMAND LIKE 'Binlog Dump%'")
	if err != nil || len(rows) == 0 {
		return err
	}
	_, err = c.Execute("KILL " + id)
	return err
}

func transientPlain(err error) error {
	if isServerError(err) {
		return plain(err)
	}
	return transient("mysql.connection", "register as a replica: %w", err)
}

// writeSeconds is how long MariaDB tries to write to a reader that takes nothing. A successor waits for it: the server
// begins a second dump under one number when the first has ended. Who comes back later connects anew.
const writeSeconds = 10

func (h *session) dumpSettings(pos *position) []string {
	set := []string{
		fmt.Sprintf("SET @master_heartbeat_period = %[1]d, @source_heartbeat_period = %[1]d", h.heartbeat().Nanoseconds()),
		"SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, @source_binlog_checksum = @@GLOBAL.binlog_checksum",
	}
	if h.srv.kind == mariaKind {
		set = append(set, "SET @mariadb_slave_capability = 4", fmt.Sprintf("SET SESSION net_write_timeout = %d", writeSeconds))
		if pos.asksByGTID() {
			set = append(set, "SET @slave_connect_state = "+quoteText(pos.GTID), "SET @slave_gtid_strict_mode = 1")
		}
	}
	return set
}

// register makes us known under our number, so that a second reader can see it.
func (h *session) register(c *client.Conn) error {
	host := h.replicaHost()
	b := make([]byte, 4, 64)
	b = append(b, mysql.COM_REGISTER_SLAVE)
	b = binary.LittleEndian.AppendUint32(b, h.set.serverID)
	b = append(append(b, byte(len(host))), host...)
	b = append(b, 0, 0)                        // user, password: not shown
	b = binary.LittleEndian.AppendUint16(b, 0) // port
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)      // rank, source
	c.ResetSequence()
	if err := c.WritePacket(b); err != nil {
		return err
	}
	_, err := c.ReadOKPacket()
	return err
}

func (h *session) dumpCommand(pos *position, flags uint16) []byte {
	b := make([]byte, 4, 64)
	if pos.Kind == mysqlKind && pos.asksByGTID() {
		set, _ := parseMySQLSet(pos.GTID) // prove has read both
		gone, _ := parseGhosts(pos.Ghosts)
		encoded := set.subtract(gone.all()).encode()
		const throughGTID = 4
		b = append(b, mysql.COM_BINLOG_DUMP_GTID)
		b = binary.LittleEndian.AppendUint16(b, flags|throughGTID)
		b = binary.LittleEndian.AppendUint32(b, h.set.serverID)
		b = binary.LittleEndian.AppendUint32(b, 0) // no file name
		b = binary.LittleEndian.AppendUint64(b, 4)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(encoded)))
		return append(b, encoded...)
	}
	file, at := pos.File, uint32(pos.Pos)
	if pos.asksByGTID() {
		file, at = "", 4
	}
	b = append(b, mysql.COM_BINLOG_DUMP)
	b = binary.LittleEndian.AppendUint32(b, at)
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = binary.LittleEndian.AppendUint32(b, h.set.serverID)
	return append(b, file...)
}

// socketOf returns what lies under the library's connection. Nothing is buffered above it: each answer has
// been read to its end.
func socketOf(c *client.Conn) net.Conn { return c.Conn.Conn }

// unnumbered is where a transaction without a GTID begins, by the text with which a server refuses it while gtid_mode is on.
var unnumbered = regexp.MustCompile(`anonymous transaction.* at file (?:[^,]*/)?([^/,]+), position (\d+)`)

func passUnnumbered(file, pos string) string {
	return fmt.Sprintf("to publish what has none, SET GLOBAL gtid_mode = ON_PERMISSIVE, if it is ON, then go on by places: outferry offsets set NAME --file %s --pos %s --accept-gap; "+
		"or pass by all that is committed now, for good: outferry offsets set NAME --now --accept-gap", file, pos)
}

// otherMode: with gtid_mode ON MySQL sends no transaction without a GTID, and with OFF none with one. It sends both in the
// modes between.
var otherMode = regexp.MustCompile(`GTID_MODE = (ON|OFF)\b`)

// modeFault is for a place before transactions that the server does not send in its mode.
func (h *session) modeFault(err error, pos *position) error {
	if pos.ByGTID { // the mode was ON at the start: the next one's proof tells, by the position that is durable then
		return transient("mysql.connection", "read the log: %w", err)
	}
	mode := otherMode.FindStringSubmatch(err.Error())[1]
	return environment("mysql.gtid_off", fmt.Sprintf("SET GLOBAL gtid_mode = %s_PERMISSIVE, in which the server sends transactions with a GTID and without, and set it to %[1]s again when the pipeline has read them", mode),
		"continue at %s: %w", pos, err)
}

// gtidOff is for a pipeline that goes by GTID where the server does not.
func (h *session) gtidOff(pos *position) error {
	mode := h.srv.vars["gtid_mode"]
	file, at := "FILE", "POS"
	if p := h.placeBehind(pos); p.file != "" {
		file, at = p.file, strconv.FormatUint(p.pos, 10)
	}
	remedy := fmt.Sprintf("outferry offsets set NAME --file %s --pos %s --accept-gap", file, at)
	if mode == "OFF" {
		remedy = "SET GLOBAL gtid_mode = OFF_PERMISSIVE, then " + remedy + ", and OFF again when the pipeline has read what has a GTID"
	}
	return environment("mysql.gtid_off", "turn gtid_mode on again; or go on by places in files: "+remedy, "continue at %s: gtid_mode is %s", pos, mode)
}

// placeBehind is the place behind all that is published, and before all else, if the server has that file still.
func (h *session) placeBehind(pos *position) place {
	if !h.sameServer(pos) || !pos.hasPlace() || pos.Part != nil {
		return place{}
	}
	if created, err := h.fileCreated(pos.Anchor.File); err != nil || created != pos.Anchor.Created {
		return place{}
	}
	return place{pos.File, pos.Pos}
}

// dumpFault sorts what ends a stream. At its start the server refuses positions that it can't serve; later
// the same number may mean less, and the next start's proof tells.
func (h *session) dumpFault(err error, pos *position, started bool) error {
	switch code := errorCode(err); {
	case code == 4052, code == 1236 && strings.Contains(err.Error(), "same server_"): // the number says more than one thing
		return h.busy(fmt.Errorf("read the log: %w", err))
	case code == 1236 && otherMode.MatchString(err.Error()) && !(pos.ByGTID && unnumbered.MatchString(err.Error())):
		return h.modeFault(err, pos)
	case code == 1236 && unnumbered.MatchString(err.Error()):
		at := unnumbered.FindStringSubmatch(err.Error())
		return environment("mysql.gtid_off", passUnnumbered(at[1], at[2]), "continue at %s: %w", pos, err)
	case code == 1236 && strings.Contains(err.Error(), "is missing the GTID"): // where numbers go down a younger file may begin before it
		return lost("mysql.log_reset", behindRemedy, "continue at %s: the server refuses: %w", pos, err)
	case code == 1236 && !started && strings.Contains(err.Error(), "purged"):
		return lost("mysql.log_purged", acceptGap, "continue at %s: the server refuses: %w", pos, err)
	case code == 1236 && !started:
		return lost("mysql.log_reset", restoredRemedy, "continue at %s: the server refuses: %w", pos, err)
	case code == 1227 || code == 1045 || code == 1142 || code == 1143:
		return h.denied(err, h.srv)
	}
	return transient("mysql.connection", "read the log: %w", err)
}

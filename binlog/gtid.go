package binlog

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// kind is the family of the server: the two number their transactions in different ways.
type kind string

const (
	mysqlKind kind = "mysql"
	mariaKind kind = "mariadb"
)

// gtid names one transaction. MySQL uses sid, tag and seq; MariaDB domain, server and seq. The zero
// gtid is a transaction without a number, as a MySQL server with gtid_mode=OFF writes them.
type gtid struct {
	sid    [16]byte
	tag    string
	domain uint32
	server uint32
	maria  bool
	seq    uint64
}

func (g gtid) isZero() bool { return g.seq == 0 && !g.maria }

func (g gtid) String() string {
	switch {
	case g.isZero():
		return ""
	case g.maria:
		return fmt.Sprintf("%d-%d-%d", g.domain, g.server, g.seq)
	case g.tag != "":
		return formatSID(g.sid) + ":" + g.tag + ":" + strconv.FormatUint(g.seq, 10)
	}
	return formatSID(g.sid) + ":" + strconv.FormatUint(g.seq, 10)
}

// gtidSet is what has been processed, in one of the two algebras.
type gtidSet interface {
	add(gtid)
	contains(gtid) bool
	isEmpty() bool
	clone() gtidSet
	String() string
}

func parseGTIDSet(k kind, text string) (gtidSet, error) {
	if k == mariaKind {
		return parseMariaSet(text)
	}
	return parseMySQLSet(text)
}

func newGTIDSet(k kind) gtidSet {
	if k == mariaKind {
		return mariaSet{}
	}
	return &mysqlSet{}
}

func formatSID(sid [16]byte) string {
	var b [36]byte
	hexUUID(b[:], sid[:])
	return string(b[:])
}

// hexUUID writes the 36 characters of a UUID.
func hexUUID(dst, u []byte) {
	hex.Encode(dst[0:8], u[0:4])
	dst[8] = '-'
	hex.Encode(dst[9:13], u[4:6])
	dst[13] = '-'
	hex.Encode(dst[14:18], u[6:8])
	dst[18] = '-'
	hex.Encode(dst[19:23], u[8:10])
	dst[23] = '-'
	hex.Encode(dst[24:36], u[10:16])
}

func parseSID(text string) (sid [16]byte, err error) {
	plain := strings.ReplaceAll(text, "-", "")
	if len(plain) != 32 {
		return sid, fmt.Errorf("%q is not a UUID", text)
	}
	if _, err = hex.Decode(sid[:], []byte(plain)); err != nil {
		return sid, fmt.Errorf("%q is not a UUID", text)
	}
	return sid, nil
}

package binlog

import (
	"fmt"
	"math/bits"
)

// group is what the event that opens a transaction says about it.
type group struct {
	gtid       gtid
	commit     int64 // microseconds since 1970; 0 where the event doesn't say
	standalone bool  // one statement without an end mark (MariaDB)
	xa         bool  // prepared, with its fate open (MariaDB says it here)
	idle       bool  // its ALTER changes nothing: it only begins or is given up (MariaDB's binlog_alter_two_phase)
}

// decodeGTID reads the GTID and ANONYMOUS_GTID events of MySQL.
func decodeGTID(body []byte) (g group, err error) {
	c := cursor{data: body}
	c.byte() // flags
	copy(g.gtid.sid[:], c.take(16))
	g.gtid.seq = c.uint(8)
	if c.bad {
		return g, errShort
	}
	const logicalClock = 2
	if c.byte() != logicalClock {
		return g, nil
	}
	c.take(16) // last committed, sequence number
	const hasOriginal = 1 << 55
	commit := c.uint(7)
	if commit&hasOriginal != 0 {
		commit = c.uint(7)
	}
	if !c.bad { // servers before 8.0 end earlier
		g.commit = int64(commit)
	}
	return g, nil
}

// The fields of a GTID_TAGGED event, in the numbered form of MySQL's own serialization.
const (
	tagFlags = iota
	tagSID
	tagSeq
	tagTag
	tagLastCommitted
	tagSequence
	tagImmediateCommit
	tagOriginalCommit
)

// decodeTaggedGTID reads the GTID event of a transaction with a tag (MySQL 8.3 and newer).
func decodeTaggedGTID(body []byte) (g group, err error) {
	c := cursor{data: body}
	c.take(3) // version, size, last field that must be known
	for field := -1; len(c.data) > 0 && !c.bad && field < tagOriginalCommit; {
		next := int(c.byte() >> 1)
		if next <= field {
			return g, fmt.Errorf("tagged GTID event has field %d after %d", next, field)
		}
		field = next
		switch field {
		case tagFlags:
			c.fixedBytes(1)
		case tagSID:
			copy(g.gtid.sid[:], c.fixedBytes(16))
		case tagSeq:
			g.gtid.seq = c.varInt()
		case tagTag:
			g.gtid.tag = string(c.take(int(c.byte() >> 1)))
		case tagLastCommitted, tagSequence:
			c.varInt()
		case tagImmediateCommit, tagOriginalCommit:
			g.commit = int64(c.varUint())
		}
	}
	if c.bad || g.gtid.seq == 0 {
		return g, errShort
	}
	return g, nil
}

// fixedBytes reads n bytes of the serialization's form: small ones take one byte, others two.
func (c *cursor) fixedBytes(n int) []byte {
	out := make([]byte, 0, 16)
	for len(out) < n && !c.bad {
		if b := c.byte(); b&1 == 0 {
			out = append(out, b>>1)
		} else {
			out = append(out, b>>2|c.byte()<<6)
		}
	}
	return out
}

// varUint reads an integer whose length is told by the ones at the low end of its first byte.
func (c *cursor) varUint() uint64 {
	if len(c.data) == 0 {
		c.bad = true
		return 0
	}
	n := bits.TrailingZeros8(^c.data[0]) + 1
	if n >= 9 {
		c.byte()
		return c.uint(8)
	}
	return c.uint(n) >> n
}

// varInt is varUint with the sign in the lowest bit. A number of a transaction is never negative.
func (c *cursor) varInt() uint64 {
	v := c.varUint()
	if v&1 != 0 {
		c.bad = true
	}
	return v >> 1
}

// The flags of MariaDB's GTID event, and those behind its fields.
const (
	mariaStandalone    = 1
	mariaGroupCommitID = 2
	mariaPreparedXA    = 64
	mariaCompleteXA    = 128

	mariaStartAlter    = 2
	mariaRollbackAlter = 8
)

// decodeMariaGTID reads MariaDB's GTID event. The server's id stands in the event's header.
func decodeMariaGTID(body []byte, server uint32) (g group, err error) {
	c := cursor{data: body}
	g.gtid = gtid{maria: true, server: server, seq: c.uint(8), domain: uint32(c.uint(4))}
	flags := c.byte()
	if c.bad {
		return g, errShort
	}
	g.standalone = flags&mariaStandalone != 0
	g.xa = flags&mariaPreparedXA != 0 && flags&mariaCompleteXA == 0
	if flags&mariaGroupCommitID != 0 {
		c.take(8)
	}
	if flags&(mariaPreparedXA|mariaCompleteXA) != 0 {
		c.take(4) // the format of its name
		length := int(c.byte())
		c.take(length + int(c.byte()))
	}
	extra := c.byte() // 0 where there is none, since older servers fill up with zeros
	g.idle = extra&(mariaStartAlter|mariaRollbackAlter) != 0
	return g, nil
}

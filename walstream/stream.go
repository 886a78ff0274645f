package walstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"outferry/internal/transport"
	"outferry/outbox"
)

const (
	frameHeader = 5                    // type byte and length
	messageAt   = frameHeader + 1 + 24 // in a frame of copy data that brings a message
	changeHead  = messageAt + 1 + 4    // up to the relation of a change
	statusEvery = time.Second          // how soon the slot hears of a new confirmed position
	behindAfter = time.Second          // a transaction this old is backlog
	leastRead   = 64 << 10             // room that a read is worth
	idleBytes   = 16 << 20             // an idle pipeline moves its position at the latest after this much WAL
)

// stream reads the copy stream of START_REPLICATION and hands batches over. One goroutine, Run's, owns
// it: it reads, replies and hands over, so no lock guards the connection.
type stream struct {
	*Source
	conn   net.Conn
	socket *transport.Socket // under conn
	asm    *assembler
	out    chan<- *outbox.Batch
	tick   func(context.Context) error // what else is due, from time to time

	pos      position // identity, phase; LSN and part are filled at each hand-over
	b        *outbox.Batch
	parsed   int // bytes of b.Buf that are parsed
	handed   lsn // position of the last batch
	handedAt time.Time
	partial  bool  // the last batch ended inside a transaction
	idle     lsn   // the server has sent everything up to here
	sent     int64 // when the last message was, by the server's clock, microseconds since 1970; zero where it has nothing more to send

	status    time.Time // when the last status update was sent
	statusLSN lsn
	heard     time.Time // when the server last said something
	silence   time.Duration
	keepalive time.Duration // between status updates, well below wal_sender_timeout
}

// run reads until the context ends or the stream breaks.
func (st *stream) run(ctx context.Context) error {
	st.handed, st.handedAt, st.heard = st.pos.LSN, time.Now(), time.Now()
	st.idle = st.pos.LSN
	if err := st.sendStatus(false); err != nil {
		return err
	}
	var err error
	if st.b, err = st.room(ctx, 0); err != nil {
		return err
	}
	for {
		if err := st.parse(ctx); err != nil {
			return err
		}
		if !st.socket.Pending() {
			if err := st.dry(ctx); err != nil {
				return err
			}
		}
		if err := st.upkeep(ctx); err != nil {
			return err
		}
		if err := st.fill(); err != nil {
			return err
		}
	}
}

// parse goes through the complete frames of the buffer, and makes room for one that is not.
func (st *stream) parse(ctx context.Context) error {
	for {
		rest := st.b.Buf[st.parsed:]
		if len(rest) < frameHeader {
			break
		}
		size := int(binary.BigEndian.Uint32(rest[1:])) + 1
		if size < frameHeader || int64(size) > st.cfg.Source.MaxRow {
			if size >= frameHeader && len(rest) < changeHead {
				break
			}
			if err := st.oversized(ctx, size); err != nil {
				return err
			}
			continue
		}
		if len(rest) < size {
			if st.parsed+size > cap(st.b.Buf) {
				return st.turnOver(ctx, size)
			}
			return nil
		}
		st.parsed += size
		if err := st.frame(rest[0], rest[frameHeader:size]); err != nil {
			return st.broken(ctx, err)
		}
		if st.opt.Single && !st.asm.open && (len(st.b.Rows) > 0 || st.partial) { // partial: see dry
			if err := st.replace(ctx, 0, true); err != nil {
				return err
			}
		}
	}
	if cap(st.b.Buf)-len(st.b.Buf) < frameHeader {
		return st.turnOver(ctx, 0)
	}
	return nil
}

// broken hands over the transactions that are whole before what can't be read: the command that a fault names passes by all that is
// not delivered.
func (st *stream) broken(ctx context.Context, err error) error {
	if st.b.Transactions == 0 {
		return err
	}
	if st.asm.open {
		st.b.Rows, st.asm.open = st.b.Rows[:st.asm.batchLen], false
	}
	if failed := st.handOver(ctx, st.b, true); failed != nil {
		return failed
	}
	return err
}

// oversized passes by a frame that is too large to be read where it brings no row that is still to be published: max_row is
// no limit for tables of others.
func (st *stream) oversized(ctx context.Context, size int) error {
	rest := st.b.Buf[st.parsed:]
	if size < frameHeader || rest[0] != 'd' || rest[frameHeader] != 'w' {
		return st.broken(ctx, st.tooLarge(rest[0], size))
	}
	needed, err := st.asm.needs(rest[messageAt:])
	switch {
	case err != nil:
		return st.broken(ctx, st.asm.located(err))
	case needed:
		return st.broken(ctx, st.tooLarge(rest[0], size))
	}
	return st.discard(ctx, size)
}

// discard reads a frame and keeps nothing of it.
func (st *stream) discard(ctx context.Context, size int) error {
	for {
		n := min(size, len(st.b.Buf)-st.parsed)
		if size -= n; size == 0 {
			st.parsed += n
			return nil
		}
		st.b.Buf = st.b.Buf[:st.parsed]
		if cap(st.b.Buf)-st.parsed < leastRead {
			if err := st.turnOver(ctx, 0); err != nil {
				return err
			}
		}
		if err := st.upkeep(ctx); err != nil {
			return err
		}
		if err := st.fill(); err != nil {
			return err
		}
	}
}

func (st *stream) tooLarge(kind byte, size int) error {
	if kind != 'd' {
		return transient("pg.protocol", "read from the server: frame of type %q and length %d makes no sense", kind, size)
	}
	f := &outbox.Fault{Code: "row.too_large", Class: outbox.Internal,
		Err:    fmt.Errorf("read transaction %d at %s: a row takes %d bytes, source.max_row is %d", st.asm.tx.xid, st.asm.tx.final, size, st.cfg.Source.MaxRow),
		Remedy: "raise source.max_row"}
	if st.asm.open {
		f.Remedy += "; or pass the transaction by, with all of its rows: " + st.asm.tx.passBy()
	}
	return f
}

// turnOver hands the batch over and goes on in a new one with room for size bytes at least, to which
// the unparsed rest moves.
func (st *stream) turnOver(ctx context.Context, size int) error {
	if len(st.b.Rows) == 0 && cap(st.b.Buf) >= size { // nothing to hand over: the room is our own
		st.b.Buf = st.b.Buf[:copy(st.b.Buf[:cap(st.b.Buf)], st.b.Buf[st.parsed:])]
		st.parsed = 0
		return nil
	}
	return st.replace(ctx, size, false)
}

// replace hands the batch over, if there is anything in it, and starts the next. The old one goes first: a
// row larger than the whole budget gets its room only when nothing else is out. Its unparsed rest stays
// readable, since nobody but this goroutine takes from the pool.
func (st *stream) replace(ctx context.Context, size int, dry bool) error {
	old, rest, ended := st.b, st.b.Buf[st.parsed:], 0
	if len(old.Rows) > 0 || dry {
		if err := st.handOver(ctx, old, dry); err != nil {
			return err
		}
	} else {
		ended = old.Transactions // its rows are with the pipeline
		old.Release()
	}
	b, err := st.room(ctx, max(size, len(rest)))
	if err != nil {
		return err
	}
	b.Transactions = ended
	b.Buf = append(b.Buf[:0], rest...)
	st.b, st.parsed, st.asm.batchLen = b, 0, 0
	return nil
}

// room gets a batch from the pool. While the pipeline holds all of it the database is read no further,
// but kept alive.
func (st *stream) room(ctx context.Context, size int) (*outbox.Batch, error) {
	for {
		if b := st.pool.Get(size); b != nil {
			return b, nil
		}
		if err := st.wait(ctx, st.pool.Freed()); err != nil {
			return nil, err
		}
	}
}

func (st *stream) handOver(ctx context.Context, b *outbox.Batch, dry bool) error {
	p := st.pos
	st.asm.position(&p, false)
	if !st.asm.open && len(b.Rows) == 0 {
		p.LSN = max(p.LSN, st.idle)
	}
	// Never back: what an idle pipeline handed over may be confirmed, and a part of the transaction that follows
	// would stand at the end of the one before, where the slot no longer is.
	p.LSN = max(p.LSN, st.handed)
	b.Position, b.Partial, b.Dry = p.appendTo(b.Position[:0]), p.Part != nil, dry
	if b.Partial && st.asm.batchLen > 0 {
		whole := p
		st.asm.position(&whole, true)
		b.Whole, b.WholePosition = st.asm.batchLen, whole.appendTo(b.WholePosition[:0])
	}
	st.handed, st.handedAt, st.partial = p.LSN, time.Now(), b.Partial
	b.Filled()
	for {
		select {
		case st.out <- b:
			return nil
		default:
		}
		st.socket.Rest()
		timer := time.NewTimer(st.beat())
		select {
		case st.out <- b:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			if err := st.meanwhile(ctx); err != nil {
				return err
			}
		}
	}
}

// wait waits for a signal, and does what is due meanwhile.
func (st *stream) wait(ctx context.Context, signal <-chan struct{}) error {
	st.socket.Rest()
	timer := time.NewTimer(st.beat())
	defer timer.Stop()
	select {
	case <-signal:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return st.meanwhile(ctx)
	}
}

// beat is how often something may be due.
func (st *stream) beat() time.Duration { return min(st.keepalive, statusEvery) }

// meanwhile does what is due while the pipeline is waited for. That the server shuts down shows only beside the stream
// then, and it would wait for us to read on.
func (st *stream) meanwhile(ctx context.Context) error {
	st.heard = time.Now() // nobody listened
	return st.upkeep(ctx)
}

// dry is called when all that the server sent is parsed: what is complete goes on its way at once.
func (st *stream) dry(ctx context.Context) error {
	switch {
	case len(st.b.Rows) > 0 && !st.asm.open:
	case len(st.b.Rows) == 0 && !st.asm.open && st.partial: // its rows filled the last batch, its end came alone
	case len(st.b.Rows) == 0 && st.idleDue():
	default:
		return nil
	}
	return st.replace(ctx, 0, true)
}

// behind reports backlog: the last message was sent long after its transaction was committed, both by the server's clock.
// While it lasts the socket naps, so a live transaction waits for one nap at the most, where backlog ends.
func (st *stream) behind() bool {
	return !st.opt.Single && st.asm.tx.commit > 0 && st.sent-st.asm.tx.commit > behindAfter.Microseconds()
}

// idleDue reports whether an idle pipeline should move its position, so that a quiet outbox in a busy
// database holds no WAL: after the heartbeat, or when much WAL has gone by.
func (st *stream) idleDue() bool {
	if st.asm.open {
		return false
	}
	ahead := max(st.asm.end, st.idle)
	if ahead <= st.handed {
		return false
	}
	return time.Since(st.handedAt) >= st.cfg.Source.HeartbeatInterval || ahead-st.handed >= idleBytes
}

// fill reads what has come into the batch's buffer, and waits a moment when nothing has.
func (st *stream) fill() error {
	free := st.b.Buf[len(st.b.Buf):cap(st.b.Buf)]
	if err := st.conn.SetReadDeadline(time.Now().Add(min(statusEvery, st.cfg.Source.HeartbeatInterval))); err != nil {
		return transient("pg.connection", "set read deadline: %w", err)
	}
	n, err := st.conn.Read(free)
	st.b.Buf = st.b.Buf[:len(st.b.Buf)+n]
	if n > 0 {
		st.heard = time.Now()
	}
	switch {
	case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case errors.Is(err, io.EOF):
		return transient("pg.connection", "read the replication stream: the server closed the connection")
	}
	return transient("pg.connection", "read the replication stream: %w", err)
}

// upkeep tells the server what is confirmed, looks after a silent one, and does what else is due.
func (st *stream) upkeep(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := time.Now()
	since := now.Sub(st.status) // answers count too, of which a server that shuts down asks for one after another
	if since >= st.keepalive || since >= st.beat() && lsn(st.confirmed.Load()) != st.statusLSN {
		if err := st.sendStatus(now.Sub(st.heard) >= st.keepalive); err != nil {
			return err
		}
	}
	if quiet := now.Sub(st.heard); quiet > st.silence {
		return transient("pg.silent", "read the replication stream: nothing came for %s", quiet.Round(time.Second))
	}
	return st.tick(ctx)
}

// frame handles one frame of the connection.
func (st *stream) frame(kind byte, body []byte) error {
	switch kind {
	case 'd':
		return st.copyData(body)
	case 'N', 'S':
		return st.notice(kind, body)
	case 'E':
		return st.serverError(body)
	case 'c', 'C', 'Z':
		return transient("pg.connection", "read the replication stream: the server ended it")
	}
	return transient("pg.protocol", "read the replication stream: frame of unknown type %q", kind)
}

func (st *stream) copyData(body []byte) error {
	d := decoder{data: body}
	switch kind := d.byte(); kind {
	case 'w':
		d.take(16) // start and end of WAL: they say nothing that the messages don't
		st.sent = pgMicros(d.uint64())
		if d.bad {
			return errShort
		}
		if err := st.asm.message(st.b, d.data); err != nil {
			return st.asm.located(err)
		}
		return nil
	case 'k':
		end := lsn(d.uint64())
		d.uint64()
		reply := d.byte() == 1
		if d.bad {
			return errShort
		}
		return st.keepaliveMessage(end, reply)
	default:
		return transient("pg.protocol", "read the replication stream: copy data of unknown type %q", kind)
	}
}

// keepaliveMessage: everything up to end has been sent. Just after the start end is where the server began to
// read, which may lie before our position.
func (st *stream) keepaliveMessage(end lsn, reply bool) error {
	if !st.asm.open {
		st.idle, st.sent = max(st.idle, end), 0
	}
	if err := st.asm.sent(end); err != nil {
		return err
	}
	if reply {
		return st.sendStatus(false)
	}
	return nil
}

func (st *stream) notice(kind byte, body []byte) error {
	if kind == 'S' {
		return nil
	}
	var n pgproto3.NoticeResponse
	if err := n.Decode(body); err != nil {
		return transient("pg.protocol", "read notice: %w", err)
	}
	st.log.Warn("server notice", "severity", n.SeverityUnlocalized, "sqlstate", n.Code, "message", n.Message)
	return nil
}

func (st *stream) serverError(body []byte) error {
	var e pgproto3.ErrorResponse
	if err := e.Decode(body); err != nil {
		return transient("pg.protocol", "read error of the server: %w", err)
	}
	if notUTF8(e.Code) && st.asm.open {
		tx := st.asm.tx
		return encodingFault("correct what writes such rows, and pass the transaction by, with all of its rows: "+tx.passBy(),
			fmt.Errorf("read transaction %d at %s: a row has text that is not UTF-8: %s (SQLSTATE %s)", tx.xid, tx.final, e.Message, e.Code))
	}
	return st.streamFault(e.Code, fmt.Errorf("stream from slot %s: %s (SQLSTATE %s)", st.cfg.Source.Postgres.Slot, e.Message, e.Code))
}

// sendStatus sends a standby status update. All three positions are the confirmed one: the library's
// zero would confirm everything that was received.
func (st *stream) sendStatus(askReply bool) error {
	at := st.confirmed.Load()
	var m [39]byte
	m[0] = 'd'
	binary.BigEndian.PutUint32(m[1:], 38)
	m[5] = 'r'
	for i := range 3 {
		binary.BigEndian.PutUint64(m[6+8*i:], at)
	}
	binary.BigEndian.PutUint64(m[30:], uint64(time.Now().UnixMicro()-946684800_000_000))
	if askReply {
		m[38] = 1
	}
	if err := st.conn.SetWriteDeadline(time.Now().Add(st.silence)); err != nil {
		return transient("pg.connection", "set write deadline: %w", err)
	}
	if _, err := st.conn.Write(m[:]); err != nil {
		return transient("pg.connection", "send status to the server: %w", err)
	}
	st.status, st.statusLSN = time.Now(), lsn(at)
	return nil
}

// leave confirms the last position and ends the stream, and waits until the server has let the slot go,
// so that whoever comes next finds it free.
func (st *stream) leave() {
	st.socket.NapWhile(nil)
	if st.sendStatus(false) != nil {
		return
	}
	goodbye := []byte{'c', 0, 0, 0, 4, 'X', 0, 0, 0, 4} // CopyDone, Terminate
	if _, err := st.conn.Write(goodbye); err != nil {
		return
	}
	if st.conn.SetReadDeadline(time.Now().Add(2*time.Second)) == nil {
		_, _ = io.Copy(io.Discard, st.conn)
	}
}

package binlog

import (
	"errors"
	"time"

	"outferry/outbox"
)

// readSeam collects the rows that the log holds between the position and the open snapshot. MySQL logs a
// transaction before the snapshot can see it, so the end of the log is never before what the snapshot sees.
func (sn *snapshotReader) readSeam() error {
	end, err := sn.seamEnd()
	if err != nil {
		return err
	}
	sn.seam = map[rowKey]struct{}{}
	seam := &seamReader{snapshotReader: sn, end: end, keys: map[*outbox.Table][]int{}}
	if err := seam.read(sn.pos); err != nil {
		return err
	}
	if sn.pos.Snapshot.Rows > 0 || len(sn.seam) > 0 {
		sn.log.Info("snapshot goes beside the log", "rows_done", sn.pos.Snapshot.Rows, "rows_in_log", len(sn.seam))
	}
	return nil
}

func (sn *snapshotReader) seamEnd() (place, error) {
	if sn.srv.kind == mariaKind {
		return mariaSnapshotPlace(sn.snap)
	}
	end, err := logStatus(sn.cat, sn.srv)
	if err != nil {
		return place{}, sn.denied(err, sn.srv)
	}
	return end.place, nil
}

// seamReader reads a stretch of the log for its keys alone.
type seamReader struct {
	*snapshotReader
	end  place
	asm  *assembler
	keys map[*outbox.Table][]int
}

func (s *seamReader) read(from position) (err error) {
	if s.asm, err = s.newAssembler(&from); err != nil {
		return err
	}
	if s.asm.b = s.pool.Get(0); s.asm.b == nil {
		return errors.New("read the log beside the snapshot: no batch is free")
	}
	defer func() { s.asm.b.Release() }()
	s.asm.turnOver = s.collect
	s.asm.ended = func() error { return nil }
	for err = s.readOn(&from); torn(err); err = s.readOn(&from) {
		if err = s.passTear(s.asm); err != nil {
			return err
		}
		from.File, from.Pos, from.proven = s.asm.here.file, s.asm.here.pos, true
	}
	var f *outbox.Fault
	switch {
	case errors.As(err, &f):
		return err
	case err != nil:
		return s.dumpFault(err, &from, false)
	}
	_, err = s.collect(0)
	return err
}

// readOn reads the log from a position, on a connection of its own.
func (s *seamReader) readOn(from *position) error {
	c, err := s.connect(s.ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	defer closing(s.ctx, c)()
	if err := s.requestDump(c, from, true); err != nil {
		return err
	}
	conn := socketOf(c)
	return s.events(newWire(func(free []byte) (int, error) {
		if err := conn.SetReadDeadline(time.Now().Add(s.set.readTimeout)); err != nil {
			return 0, err
		}
		n, err := conn.Read(free)
		return n, noEnd(err)
	}, func() error { return nil }))
}

// events reads until the snapshot's place, or to the end of the log where that comes first.
func (s *seamReader) events(w *wire) error {
	for s.asm.tx.open || !s.reached() {
		h, err := w.next()
		var se *serverError
		if errors.As(err, &se) && se.code == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if h.kind == evFormat {
			if err = w.format(); err == nil {
				err = s.asm.fileBegan(h)
			}
		} else {
			err = s.asm.event(h, w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *seamReader) reached() bool {
	return s.asm.here.file != "" && !s.asm.here.before(s.end)
}

// collect takes the keys of the batch's rows and empties it.
func (s *seamReader) collect(size int) (*outbox.Batch, error) {
	b := s.asm.b
	for i := range b.Rows {
		r := &b.Rows[i]
		if r.Op != outbox.Insert {
			continue
		}
		key, ok := s.keys[r.Table]
		if !ok {
			var err error
			if key, err = s.keyColumns(r.Table); err != nil {
				return nil, err
			}
			s.keys[r.Table] = key
		}
		if len(key) > 0 { // else the table is refused, unless it is empty
			s.seam[keyOf(r.Table, r.Values, key)] = struct{}{}
		}
	}
	if cap(b.Buf) >= size {
		b.Rows, b.Buf = b.Rows[:0], b.Buf[:0]
		return b, nil
	}
	b.Release()
	if b = s.pool.Get(size); b == nil {
		return nil, errors.New("read the log beside the snapshot: no batch is free")
	}
	return b, nil
}

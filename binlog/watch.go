package binlog

import (
	"time"

	"outferry/outbox"
)

// upkeep tells how far behind the stream is, now and then; dry says that nothing waits at the socket. A stream
// that has come to where the log ended at the last look is not behind: it only has not read what came this moment.
func (st *stream) upkeep(dry bool) error {
	const every = 5 * time.Second
	if st.opt.Lag == nil || time.Since(st.lagAt) < every {
		return nil
	}
	if err := st.lookForUnlogged(); err != nil {
		return st.denied(err, st.srv)
	}
	end, err := logStatus(st.cat, st.srv)
	if err != nil {
		return st.denied(err, st.srv)
	}
	first, caughtUp := st.lagAt.IsZero(), dry && st.asm.reached(st.end)
	if here := st.asm.done; here.file != "" && end.place.before(here) { // the log was reset, of which the server says nothing and then sends nothing: the next start proves it
		return transient("mysql.connection", "read the log after %s: the server's log ends at %s", here, end.place)
	}
	st.lagAt, st.end = time.Now(), end.place
	if first { // nothing is read yet
		return nil
	}
	behind := st.bytesTo(end.place, st.asm.seen())
	age := time.Since(time.UnixMicro(st.asm.tx.head.commit))
	st.opt.Lag(outbox.Lag{
		Bytes:    max(behind, st.undelivered(end.place)),
		CaughtUp: caughtUp || behind == 0 || age < time.Second,
		Commit:   st.asm.tx.head.commit,
	})
	st.warnOfPurge(behind, age)
	return nil
}

// undelivered is what lies behind the last position that is committed, where something was handed over since.
func (st *stream) undelivered(end place) int64 {
	done := st.done.Load()
	if done == nil || st.handed == "" || st.handed == done.mark() {
		return 0
	}
	return st.bytesTo(end, place{done.File, done.Pos})
}

func (st *stream) bytesTo(end, here place) int64 {
	if end.file == here.file {
		return max(int64(end.pos)-int64(here.pos), 0)
	}
	files, err := st.logFiles()
	if err != nil {
		return 0
	}
	return bytesBehind(files, here)
}

// warnOfPurge: a server throws its log away by age, whoever still needs it.
func (st *stream) warnOfPurge(behind int64, age time.Duration) {
	kept := st.srv.logKept()
	late := behind > 0 && kept > 0 && st.asm.tx.head.commit > 0 && age > kept/2
	if late && !st.late {
		st.log.Warn("server purges its log before it may be read", "code", "mysql.purge_soon", "behind", age.Round(time.Second), "kept_for", kept, "remedy", "raise binlog_expire_logs_seconds")
	}
	st.late = late
}

func bytesBehind(files []place, here place) (n int64) {
	found := false
	for _, f := range files {
		if found {
			n += int64(f.pos)
		}
		if f.file == here.file {
			found = true
			n += max(int64(f.pos)-int64(here.pos), 0)
		}
	}
	return n
}

package binlog

import "time"

// upkeep tells how far behind the stream is, now and then.
func (st *stream) upkeep() error {
	const every = 5 * time.Second
	if st.opt.Lag == nil || time.Since(st.lagAt) < every {
		return nil
	}
	st.lagAt = time.Now()
	end, err := logStatus(st.cat, st.srv)
	if err != nil {
		return err
	}
	behind := int64(0)
	if end.file == st.asm.here.file {
		behind = max(int64(end.pos)-int64(st.asm.here.pos), 0)
	} else if files, err := st.logFiles(); err == nil {
		behind = bytesBehind(files, st.asm.here)
	}
	age := time.Since(time.UnixMicro(st.asm.tx.head.commit))
	st.opt.Lag(behind, behind == 0 || age < time.Second)
	st.warnOfPurge(behind, age)
	return nil
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

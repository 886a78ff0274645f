package binlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

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

// indexOf is the index of a file in the log, or -1.
func indexOf(files []place, name string) int {
	return slices.IndexFunc(files, func(f place) bool { return f.file == name })
}

// proveFile: a place in a file means something on one server only, while the file is there. That it is the
// same file shows when its first event comes: see stream.
func (h *session) proveFile(pos *position) error {
	if !h.sameServer(pos) {
		remedy := wrongServer
		if pos.Kind == mariaKind {
			remedy += fmt.Sprintf("; or, if it is the server that was read, whose server_uid is a hash of port and network card: outferry offsets set NAME --file %s --pos %d --accept-gap", pos.File, pos.Pos)
		}
		return lost("mysql.wrong_source", remedy, "continue at %s of server %s: the server is %s, and places in files are each server's own", pos, pos.ServerUUID, h.srv.uuid)
	}
	files, err := h.logFiles()
	if err != nil {
		return err
	}
	i := indexOf(files, pos.File)
	switch {
	case i < 0 && fileNumber(files[0].file) > fileNumber(pos.File):
		return lost("mysql.log_purged", acceptGap, "continue at %s: the server's log begins with %s: ours was purged, or the log reset", pos, files[0].file)
	case i < 0:
		return lost("mysql.log_reset", restoredRemedy, "continue at %s: the server has no such file", pos)
	}
	if err := h.proveBirth(pos); err != nil {
		return err
	}
	if files[i].pos < pos.Pos {
		return lost("mysql.server_behind", restoredRemedy, "continue at %s: the file has %d bytes", pos, files[i].pos)
	}
	if pos.Pos>>32 != 0 { // the request has 32 bits for it, and the server would begin at what they say
		next := "FILE"
		if i+1 < len(files) {
			next = files[i+1].file
		}
		return lost("mysql.place_too_far", fmt.Sprintf("look at what follows in the file: SHOW BINLOG EVENTS IN %s FROM %d. If there is no transaction, go on with the next file, which FLUSH BINARY LOGS begins where there is none: "+
			"outferry offsets set NAME --file %s --pos 4 --accept-gap", quoteText(pos.File), pos.Pos, next), "continue at %s: no server can be asked for a place beyond 4 GiB", pos)
	}
	return nil
}

// proveBirth: a file of that name was begun at another time if the log was reset in between.
func (h *session) proveBirth(pos *position) error {
	a := pos.Anchor
	if a == nil || a.File != pos.File || a.Created == 0 {
		return nil
	}
	created, err := h.fileCreated(pos.File)
	switch {
	case errors.Is(err, errNotSeen):
		return lost("mysql.log_reset", restoredRemedy, "continue at %s: look at the file: %w", pos, err)
	case err != nil:
		return err
	case created != a.Created:
		return bornAnew(pos, created)
	}
	return nil
}

func bornAnew(pos *position, created uint32) error {
	return lost("mysql.log_reset", restoredRemedy, "continue at %s: the server began the file of that name at %s, ours at %s", pos, utc(created), utc(pos.Anchor.Created))
}

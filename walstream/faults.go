package walstream

import (
	"fmt"
	"slices"

	"outferry/outbox"
)

// lost is a fault for a position that can't be proven continuous: a person must decide.
func lost(code, remedy string, err error) error {
	return &outbox.Fault{Code: code, Class: outbox.PositionLost, Err: err, Remedy: remedy}
}

// environment is a fault that somebody mends on the server.
func environment(code, remedy string, format string, args ...any) error {
	return &outbox.Fault{Code: code, Class: outbox.Environment, Err: fmt.Errorf(format, args...), Remedy: remedy}
}

// transient is a fault that goes away by itself.
func transient(code string, format string, args ...any) error {
	return &outbox.Fault{Code: code, Class: outbox.Transient, Err: fmt.Errorf(format, args...)}
}

// passes reports an error of a statement that says nothing of the statement: the connection is gone, or the server is not
// well.
func passes(err error) bool {
	code := sqlState(err)
	return code == "" || slices.Contains([]string{"08", "53", "57", "58", "XX"}, code[:2])
}

// unreadable is a fault for bytes that no second try would turn into a row.
func unreadable(format string, args ...any) error {
	return &outbox.Fault{Code: "pg.unreadable", Class: outbox.Internal, Err: fmt.Errorf(format, args...)}
}

// notUTF8 reports whether the server refuses to send a text, which it has stored, in UTF-8: each try ends the same.
func notUTF8(sqlstate string) bool { return sqlstate == "22021" || sqlstate == "22P05" }

func encodingFault(remedy string, err error) error {
	return &outbox.Fault{Code: "row.encoding", Class: outbox.Internal, Err: err, Remedy: remedy}
}

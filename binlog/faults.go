package binlog

import (
	"fmt"

	"outferry/outbox"
)

const acceptGap = "take a new snapshot, or accept the gap with outferry offsets set NAME --accept-gap"

// lost is a fault for a position that can't be proven continuous, or for rows in the log that nobody can publish: a
// person must decide.
func lost(code, remedy, format string, args ...any) error {
	return &outbox.Fault{Code: code, Class: outbox.PositionLost, Err: fmt.Errorf(format, args...), Remedy: remedy}
}

// environment is a fault that somebody mends on the server.
func environment(code, remedy, format string, args ...any) error {
	return &outbox.Fault{Code: code, Class: outbox.Environment, Err: fmt.Errorf(format, args...), Remedy: remedy}
}

// transient is a fault that goes away by itself.
func transient(code, format string, args ...any) error {
	return &outbox.Fault{Code: code, Class: outbox.Transient, Err: fmt.Errorf(format, args...)}
}

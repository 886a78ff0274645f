package main

import "fmt"

// What offsets show says of MySQL and MariaDB in other words.

func (s standing) logPlace() string {
	at := s.LogPlace
	text := at.String() + ", phase " + at.Phase
	switch {
	case at.Inside && at.Part != "":
		text += fmt.Sprintf(", inside transaction %s after its row %d", at.Part, at.Rows)
	case at.Inside:
		text += fmt.Sprintf(", inside the next transaction after its row %d", at.Rows)
	case at.Rows > 0:
		text += fmt.Sprintf(", %d rows published", at.Rows)
	}
	return text
}

func (s standing) logLag() string {
	switch {
	case s.Lag != nil:
		return fmt.Sprintf("%d bytes (%s), the server's log ends at %s:%d", *s.Lag, size(*s.Lag), s.Log.File, s.Log.Pos)
	case s.Behind != nil:
		return fmt.Sprintf("%d transactions of the whole server", *s.Behind)
	}
	return "-"
}

func (s standing) log() string {
	l := s.Log
	if l == nil {
		return "-"
	}
	text := fmt.Sprintf("from %s to %s:%d, server %s (%s)", l.Oldest, l.File, l.Pos, l.Server, l.Version)
	if l.GTID != "" {
		text += ", executed " + l.GTID
	}
	if l.Purged != "" {
		text += ", purged " + l.Purged
	}
	return text
}

package binlog

import (
	"strings"
	"time"

	"outferry/configs"
)

// settings are what the file says for MySQL and MariaDB alone.
type settings struct {
	serverID    uint32
	position    string // auto | gtid | file
	readTimeout time.Duration
	uuidBinary  string // auto | rfc4122 | swapped | none
}

func settingsOf(cfg *configs.Pipeline) settings {
	m := &cfg.Source.MySQL
	return settings{serverID: uint32(m.ServerID), position: m.Position, readTimeout: m.ReadTimeout, uuidBinary: m.UUIDBinary}
}

// uuidColumns says which BINARY(16) columns hold UUIDs: the event id and the key, unless the file says how
// all of them were stored.
func (s *Source) uuidColumns(name string) (swap, bool) {
	switch s.set.uuidBinary {
	case "none":
		return inOrder, false
	case "swapped":
		return timeHighFirst, name != s.cfg.Router.Columns.Payload
	case "rfc4122":
		return inOrder, name != s.cfg.Router.Columns.Payload
	}
	c := &s.cfg.Router.Columns
	return inOrder, s.isColumn(name, "id", c.ID) || s.isColumn(name, "key", c.Key)
}

// isColumn matches as the router does: a name that the file left alone may be written in other ways.
func (s *Source) isColumn(name, option, want string) bool {
	if name == want {
		return true
	}
	loose := s.cfg.Router.MatchColumns == "loose" && s.cfg.Router.Columns.Defaulted[option]
	return loose && want != "" && plainName(name) == plainName(want)
}

func plainName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

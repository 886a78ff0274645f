package main

import (
	"strings"
	"testing"

	"outferry/internal/servers"
)

// TestErrantTransactionIsPassedByOrPublishedAsTheFaultSays: a replica of MariaDB logged rows of its own and was promoted.
func TestErrantTransactionIsPassedByOrPublishedAsTheFaultSays(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		if !strings.HasPrefix(version, "mariadb") {
			return // MySQL's sets tell, and such rows are published
		}
		r, source := ownServer(t, servers.MySQLOptions{Version: version, Settings: []string{"gtid_strict_mode = OFF"}})
		replica := source.Replica()
		there := &servers.MySQLDatabase{Version: version, Name: r.my.Name, Port: replica.Port}
		r.insert(1)
		replica.CatchUp(t, source)
		there.Exec(t, "INSERT INTO outbox VALUES ('errant', '"+r.name+"', 'k', 't', '99')")
		r.runUntil(1)
		r.insert(1)
		r.insert(1)
		r.runUntil(3)
		replica.CatchUp(t, source)
		replica.Promote()
		r.moveTo(source, replica)
		r.insert(1)
		fault := r.fails("mysql.errant")
		command, _, _ := strings.Cut(r.commandOf(fault), "; or ")
		r.moves(command, "what stands in the way")
		r.runUntil(4)
		r.wantEvents("1-4")
		_, command, _ = strings.Cut(fault.Remedy, "; or publish all that the log has from it on, of which Kafka has some already: outferry offsets set "+r.name+" ")
		r.moves(command, "published again")
		r.insert(1)
		r.runUntil(5)
		r.wantEvents("1-4", "99", "2-5")
	})
}

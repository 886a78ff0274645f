package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
)

// fillMySQL commits rows in one transaction.
func (s *stage) fillMySQL(rows int) {
	s.t.Helper()
	const digits = "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	var from, number []string
	power := 1
	for i := 0; power < rows; i++ {
		from = append(from, fmt.Sprintf("%s d%d", digits, i))
		number = append(number, fmt.Sprintf("%d * d%d.n", power, i))
		power *= 10
	}
	s.my.Exec(s.t, fmt.Sprintf(`INSERT INTO outbox SELECT UUID(), 'order', CONCAT('k', i %% 1000), 'placed', REPEAT('x', 1 + i %% 100)
		FROM (SELECT %s AS i FROM %s) numbers WHERE i < %d`, strings.Join(number, " + "), strings.Join(from, " CROSS JOIN "), rows))
}

// Whoever is killed again and again inside one large transaction comes further each time.
func TestALargeTransactionOfMySQLGoesOnWhereItWasKilled(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		s := newStage(t, options{version: version})
		run := func() *instance { return s.run("source.max_transaction=1MiB") }
		i := run()
		i.streaming(30 * time.Second)
		const rows = 200_000
		s.fillMySQL(rows)
		kills := 0
		for most := rounds(12, 60); kills < most; kills++ {
			before := s.shown()
			if before >= rows {
				break
			}
			servers.Eventually(t, time.Minute, "one more part is visible", func() bool { return s.shown() > before })
			i.kill()
			i = run()
		}
		s.require("kills inside the transaction", int64(kills), 5)
		t.Logf("%d kills", kills)
		s.arrived(rows)
		if peak := i.peak(); peak > bounded {
			t.Errorf("peak memory %d MiB", peak>>20)
		}
	})
}

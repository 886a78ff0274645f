package walstream_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// valuesOf reads n rows from a position and returns, for each, the columns behind the usual ones with their values.
func valuesOf(t *testing.T, r *sourcetest.Rig, from outbox.Position, n int) [][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sourcetest.Deadline)
	defer cancel()
	out, ended := make(chan *outbox.Batch, 1), make(chan error, 1)
	go func() { ended <- r.Source(false).Run(ctx, from, out) }()
	var rows [][]string
	for len(rows) < n {
		select {
		case b := <-out:
			for _, row := range b.Rows {
				var values []string
				for i, c := range row.Table.Columns[5:] {
					values = append(values, fmt.Sprintf("%s %s kind %d size %d/%d/%d: %s", c.Name, c.TypeName, c.Kind, c.Length, c.Precision, c.Scale, row.Values[i+5]))
				}
				rows = append(rows, values)
			}
			b.Release()
		case err := <-ended:
			t.Fatalf("after %d rows: %v", len(rows), err)
		}
	}
	cancel()
	<-ended
	return rows
}

// TestRowsOfALagHaveTheTypesOfTheirTime: the table changed after they were written, and before they are read.
func TestRowsOfALagHaveTheTypesOfTheirTime(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			d := servers.Postgres(t, version)
			r := rig(t, d)
			d.Exec(t, `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN blob AS bytea; CREATE DOMAIN flag AS boolean NOT NULL; ALTER TABLE outbox ADD gone text,
				ADD b blob, ADD f flag DEFAULT true, ADD m mood, ADD n numeric(12,4), ADD ts timestamp(6), ADD s varchar(20)`)
			d.Exec(t, "ALTER TABLE outbox DROP gone")
			at := r.Begun(t)
			const insert = `INSERT INTO outbox SELECT '%s', 'o', 'k', 't', '{}', '\x616263', true, 'ok', 1.2345, '2024-01-01 10:11:12.123456', 'short'`
			d.Exec(t, fmt.Sprintf(insert, "old"))
			d.Exec(t, `ALTER TABLE outbox ALTER f DROP DEFAULT, ALTER b TYPE bytea, ALTER f TYPE boolean, ALTER m TYPE text,
				ALTER n TYPE numeric(12,2), ALTER ts TYPE timestamp(3), ALTER s TYPE varchar(30)`)
			d.Exec(t, fmt.Sprintf(insert, "new"))
			want := [][]string{{
				fmt.Sprintf("b blob kind %d size 0/0/-1: abc", outbox.Bytes),
				fmt.Sprintf("f flag kind %d size 0/0/-1: true", outbox.Bool),
				fmt.Sprintf("m mood kind %d size 0/0/-1: ok", outbox.Enum),
				fmt.Sprintf("n numeric(12,4) kind %d size 0/0/4: 1.2345", outbox.Decimal),
				fmt.Sprintf("ts timestamp(6) without time zone kind %d size 0/6/-1: 2024-01-01 10:11:12.123456", outbox.Timestamp),
				fmt.Sprintf("s character varying(20) kind %d size 20/0/-1: short", outbox.Text),
			}, {
				fmt.Sprintf("b bytea kind %d size 0/0/-1: abc", outbox.Bytes),
				fmt.Sprintf("f boolean kind %d size 0/0/-1: true", outbox.Bool),
				fmt.Sprintf("m text kind %d size 0/0/-1: ok", outbox.Text),
				fmt.Sprintf("n numeric(12,2) kind %d size 0/0/2: 1.23", outbox.Decimal),
				fmt.Sprintf("ts timestamp(3) without time zone kind %d size 0/3/-1: 2024-01-01 10:11:12.123", outbox.Timestamp),
				fmt.Sprintf("s character varying(30) kind %d size 30/0/-1: short", outbox.Text),
			}}
			if d := cmp.Diff(want, valuesOf(t, r, at, 2)); d != "" {
				t.Error(d)
			}
		})
	}
}

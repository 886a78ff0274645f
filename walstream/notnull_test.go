package walstream_test

import (
	"testing"

	"outferry/internal/servers"
)

// TestANotNullThatCameBehindARow is none of that row's: a schema that calls a field required would be at odds with its NULL.
func TestANotNullThatCameBehindARow(t *testing.T) {
	r := rig(t, servers.Postgres(t, 15))
	at := r.Begun(t)
	r.Exec(t, "INSERT INTO outbox VALUES ('old', 'o', 'k', NULL, NULL)")
	r.Exec(t, "DELETE FROM outbox WHERE id = 'old'")
	r.Exec(t, "ALTER TABLE outbox ALTER type SET NOT NULL, ALTER payload SET NOT NULL")
	r.Exec(t, "INSERT INTO outbox VALUES ('new', 'o', 'k', 't', '{}')")
	f := r.Rows(t, at, 2)
	for i, nullable := range []bool{true, false} {
		table := f.Tables[i]
		for _, name := range []string{"type", "payload"} {
			if c := table.Columns[table.Index(name)]; c.Nullable != nullable {
				t.Errorf("row %s: column %s is nullable: %t", f.IDs[i], name, c.Nullable)
			}
		}
		if table.Columns[0].Nullable {
			t.Error("the key is nullable")
		}
	}
}

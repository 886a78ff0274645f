package router

import (
	"testing"

	"outferry/configs"
	"outferry/outbox"
)

// renamed returns the usual table with other column names.
func renamed(names ...string) *outbox.Table {
	t := outboxTable()
	for i := 0; i < len(names); i += 2 {
		t.Columns[t.Index(names[i])].Name = names[i+1]
	}
	return t
}

func TestDefaultedNamesMatchLoosely(t *testing.T) {
	for _, c := range []struct {
		table *outbox.Table
		want  string
	}{
		{outboxTable(), ""},
		{renamed("aggregateid", "aggregate_id", "aggregatetype", "aggregateType"), "aggregate_id as router.columns.key, aggregateType as router.columns.route_by"},
		{renamed("id", "ID", "payload", "PAYLOAD"), "ID as router.columns.id, PAYLOAD as router.columns.payload"},
		{renamed("raw", "aggregate_id"), ""}, // an exact match wins
	} {
		if got := plan(t, debezium(), asStrings, c.table).Recognised(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestColumnsThatDontFitAreRefused(t *testing.T) {
	exact := func(c *configs.Router) { c.MatchColumns = "exact" }
	for _, c := range []struct {
		name   string
		table  *outbox.Table
		change func(*configs.Router)
		want   []string
	}{
		{"two candidates", renamed("aggregateid", "aggregate_id", "raw", "AggregateId"), nil, []string{"router.columns.key", "aggregate_id, AggregateId"}},
		{"exact", renamed("aggregateid", "aggregate_id"), exact, []string{"router.columns.key", "did you mean aggregate_id"}},
		{"named by the file", renamed("aggregateid", "aggregate_id"), func(c *configs.Router) { c.Columns.Defaulted = nil }, []string{"router.columns.key", `"aggregateid"`, "did you mean aggregate_id"}},
		{"misspelt", outboxTable(), func(c *configs.Router) { c.Columns.Payload, c.Columns.Defaulted = "paylaod", nil }, []string{"router.columns.payload", "did you mean payload"}},
		{"nothing near", outboxTable(), func(c *configs.Router) { c.Columns.Timestamp = "occurred_on" }, []string{"router.columns.timestamp", "it has id, aggregatetype"}},
		{"header", outboxTable(), func(c *configs.Router) { c.Headers = []configs.Placement{{Name: "eventType", Column: "Type"}} }, []string{"router.headers.eventType", "did you mean type", "missing_column"}},
		{"envelope", outboxTable(), func(c *configs.Router) { c.Envelope = []configs.Placement{{Name: "x", Column: "gone"}} }, []string{"router.envelope.x"}},
		{"partition", outboxTable(), func(c *configs.Router) { c.Columns.Partition = "gone" }, []string{"router.columns.partition", "missing_column"}},
		{"partition type", outboxTable(), func(c *configs.Router) { c.Columns.Partition = "type" }, []string{"router.columns.partition", "integer"}},
		{"timestamp type", outboxTable(), func(c *configs.Router) { c.Columns.Timestamp = "type" }, []string{"router.columns.timestamp", "character varying(255)"}},
		{"route type", outboxTable(), func(c *configs.Router) { c.Columns.RouteBy = "raw" }, []string{"router.columns.route_by", "bytea"}},
		{"version", outboxTable(), func(c *configs.Router) { c.Columns.SchemaVersion = "type" }, []string{"router.columns.schema_version"}},
		{"payload is not optional", renamed("payload", "body"), func(c *configs.Router) { c.MissingColumn = "ignore" }, []string{"router.columns.payload"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := debezium()
			if c.change != nil {
				c.change(&cfg)
			}
			r, err := New(cfg, asStrings)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Plan(c.table)
			expectConfigFault(t, err, append(c.want, "public.outbox")...)
		})
	}
}

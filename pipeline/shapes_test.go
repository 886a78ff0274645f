package pipeline

import (
	"testing"

	"outferry/internal/configtest"
	"outferry/outbox"
	"outferry/router"
)

// TestShapesOfATableAreNotKeptForEver: a server announces a table again whenever it looked at it again, as after ANALYZE.
func TestShapesOfATableAreNotKeptForEver(t *testing.T) {
	cfg := configtest.Load(t, "name: posts\nsource: {url: postgres://outferry@localhost/app, tables: [public.outbox]}\nkafka: {brokers: ['localhost:9']}\n")
	rt, err := router.New(cfg.Router, cfg.Encoding)
	if err != nil {
		t.Fatal(err)
	}
	f := &ferry{router: rt, plans: map[*outbox.Table]*router.Plan{}}
	for range 10 * mostPlans {
		table := &outbox.Table{Schema: "public", Name: "outbox"}
		for _, name := range []string{"id", "aggregatetype", "aggregateid", "type", "payload"} {
			table.Columns = append(table.Columns, outbox.Column{Name: name})
		}
		if err := f.shape(table); err != nil {
			t.Fatal(err)
		}
		if f.table != table || f.plan != f.plans[table] {
			t.Fatal("the last row's table has no plan")
		}
	}
	if n := len(f.plans); n > mostPlans {
		t.Errorf("%d plans are kept", n)
	}
}

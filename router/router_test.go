package router

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/outbox"
)

// debezium returns the defaults of a pipeline file, which are Debezium's.
func debezium() configs.Router {
	return configs.Router{
		Columns: configs.Columns{ID: "id", Key: "aggregateid", RouteBy: "aggregatetype", Payload: "payload",
			Defaulted: map[string]bool{"id": true, "key": true, "route_by": true, "payload": true}},
		MatchColumns:   "loose",
		TopicPattern:   "(?<routedByValue>.*)",
		Topic:          "outbox.event.${routedByValue}",
		MissingColumn:  "error",
		JSONNull:       "ignore",
		JSONEmptyArray: "ignore",
	}
}

var asStrings = configs.Encoding{Key: "string", Value: "auto", Headers: "string"}

// outboxTable is the table of Debezium's documentation, and then some.
func outboxTable() *outbox.Table {
	return &outbox.Table{Schema: "public", Name: "outbox", Columns: []outbox.Column{
		{Name: "id", Kind: outbox.UUID, TypeName: "uuid"},
		{Name: "aggregatetype", Kind: outbox.Text, TypeName: "character varying(255)"},
		{Name: "aggregateid", Kind: outbox.Text, TypeName: "character varying(255)"},
		{Name: "type", Kind: outbox.Text, TypeName: "character varying(255)"},
		{Name: "payload", Kind: outbox.JSON, TypeName: "jsonb", Nullable: true},
		{Name: "created", Kind: outbox.Timestamp, Precision: 6, TypeName: "timestamp", Nullable: true},
		{Name: "part", Kind: outbox.Int64, TypeName: "bigint", Nullable: true},
		{Name: "version", Kind: outbox.Int32, TypeName: "integer", Nullable: true},
		{Name: "raw", Kind: outbox.Bytes, TypeName: "bytea", Nullable: true},
		{Name: "amount", Kind: outbox.Decimal, Scale: 2, TypeName: "numeric(10,2)", Nullable: true},
	}}
}

const eventID = "406c07f3-26f0-4eea-a50c-109940064b8f"

// row returns an event with the given changes to its columns; <null> is NULL.
func row(t *outbox.Table, changes ...string) *outbox.Row {
	values := map[string]string{"id": eventID, "aggregatetype": "Order", "aggregateid": "10711fa5", "type": "OrderCreated",
		"payload": `{"a": 1}`, "created": "2024-02-29 08:11:12.123456", "part": "3", "version": "2", "raw": "\x00\xff", "amount": "123.40"}
	for i := 0; i < len(changes); i += 2 {
		values[changes[i]] = changes[i+1]
	}
	r := &outbox.Row{Table: t, CommitTime: 1700000000123456}
	for _, c := range t.Columns {
		v, ok := values[c.Name]
		if !ok || v == "<null>" {
			r.Values = append(r.Values, nil)
		} else {
			r.Values = append(r.Values, append(make([]byte, 0, 8), v...))
		}
	}
	return r
}

func plan(t testing.TB, cfg configs.Router, enc configs.Encoding, table *outbox.Table) *Plan {
	t.Helper()
	r, err := New(cfg, enc)
	if err != nil {
		t.Fatal(err)
	}
	r.Forbid("outferry-offsets")
	p, err := r.Plan(table)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func route(t testing.TB, cfg configs.Router, enc configs.Encoding, changes ...string) (*kgo.Record, error) {
	t.Helper()
	table := outboxTable()
	rec := &kgo.Record{Headers: []kgo.RecordHeader{{Key: "left over"}}, Key: []byte("old"), Value: []byte("old"), Partition: 7}
	_, err := plan(t, cfg, enc, table).Route(row(table, changes...), rec, nil)
	return rec, err
}

// show prints what of a record matters, nil as <null>.
func show(rec *kgo.Record) string {
	text := func(b []byte) string {
		if b == nil {
			return "<null>"
		}
		return string(b)
	}
	var s strings.Builder
	s.WriteString(rec.Topic + " " + text(rec.Key))
	for _, h := range rec.Headers {
		s.WriteString(" " + h.Key + "=" + text(h.Value))
	}
	if rec.Partition >= 0 {
		s.WriteString(" #" + strconv.Itoa(int(rec.Partition)))
	}
	return s.String() + " " + text(rec.Value)
}

func TestRecordsAreDebeziums(t *testing.T) {
	const id = " id=" + eventID
	placed := func(cfg *configs.Router) {
		cfg.Headers = []configs.Placement{{Name: "eventType", Column: "type"}, {Name: "amount", Column: "amount"}, {Name: "id", Column: "raw"}}
	}
	envelope := func(cfg *configs.Router) {
		cfg.Envelope = []configs.Placement{{Name: "eventType", Column: "type"}, {Name: "v", Column: "version"}}
	}
	for _, c := range []struct {
		name    string
		change  func(*configs.Router)
		enc     configs.Encoding
		changes []string
		want    string
	}{
		{name: "defaults", enc: asStrings, want: `outbox.event.Order 10711fa5` + id + ` {"a": 1}`},
		{name: "empty key", enc: asStrings, changes: []string{"aggregateid", ""}, want: `outbox.event.Order ` + id + ` {"a": 1}`},
		{name: "null key", enc: asStrings, changes: []string{"aggregateid", "<null>"}, want: `outbox.event.Order <null>` + id + ` {"a": 1}`},
		{name: "null payload", enc: asStrings, changes: []string{"payload", "<null>"}, want: `outbox.event.Order 10711fa5` + id + ` <null>`},
		{name: "null id", enc: asStrings, changes: []string{"id", "<null>"}, want: `outbox.event.Order 10711fa5 id=<null> {"a": 1}`},
		{name: "json null payload", enc: configs.Encoding{Key: "json", Value: "json", Headers: "json"}, changes: []string{"payload", "<null>"},
			want: `outbox.event.Order "10711fa5" id="` + eventID + `" null`},
		{name: "json null key", enc: configs.Encoding{Key: "json", Value: "json"}, changes: []string{"aggregateid", "<null>"},
			want: `outbox.event.Order <null>` + id + ` "{\"a\": 1}"`},
		{name: "schemas", enc: configs.Encoding{Key: "json_with_schema", Value: "json_with_schema"},
			want: `outbox.event.Order {"schema":{"type":"string","optional":false},"payload":"10711fa5"}` + id +
				` {"schema":{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1},"payload":"{\"a\": 1}"}`},
		{name: "null key with schema", enc: configs.Encoding{Key: "json_with_schema"}, changes: []string{"aggregateid", "<null>"},
			want: `outbox.event.Order <null>` + id + ` {"a": 1}`},
		{name: "int key", enc: asStrings, change: func(c *configs.Router) { c.Columns.Key = "part" }, want: `outbox.event.Order 3` + id + ` {"a": 1}`},
		{name: "binary key as json", enc: configs.Encoding{Key: "json"}, change: func(c *configs.Router) { c.Columns.Key = "raw" },
			want: `outbox.event.Order "AP8="` + id + ` {"a": 1}`},
		{name: "binary key raw", enc: configs.Encoding{Key: "bytes"}, change: func(c *configs.Router) { c.Columns.Key = "raw" },
			want: "outbox.event.Order \x00\xff" + id + ` {"a": 1}`},
		{name: "binary payload", enc: asStrings, change: func(c *configs.Router) { c.Columns.Payload = "raw" },
			want: "outbox.event.Order 10711fa5" + id + " \x00\xff"},
		{name: "binary payload as string", enc: configs.Encoding{Value: "string"}, change: func(c *configs.Router) { c.Columns.Payload = "raw" },
			want: "outbox.event.Order 10711fa5" + id + " AP8="},
		{name: "headers in order", enc: asStrings, change: placed, changes: []string{"amount", "<null>"},
			want: `outbox.event.Order 10711fa5` + id + ` eventType=OrderCreated amount=<null> id=AP8= {"a": 1}`},
		{name: "json headers", enc: configs.Encoding{Headers: "json"}, change: placed,
			want: `outbox.event.Order 10711fa5 id="` + eventID + `" eventType="OrderCreated" amount="MDQ=" id="AP8=" {"a": 1}`},
		{name: "json null header", enc: configs.Encoding{Headers: "json"}, change: placed, changes: []string{"amount", "<null>"},
			want: `outbox.event.Order 10711fa5 id="` + eventID + `" eventType="OrderCreated" amount=null id="AP8=" {"a": 1}`},
		{name: "envelope", enc: asStrings, change: envelope, changes: []string{"version", "<null>"},
			want: `outbox.event.Order 10711fa5` + id + ` {"payload":"{\"a\": 1}","eventType":"OrderCreated","v":null}`},
		{name: "envelope of null", enc: asStrings, change: envelope, changes: []string{"payload", "<null>"},
			want: `outbox.event.Order 10711fa5` + id + ` {"payload":null,"eventType":"OrderCreated","v":2}`},
		{name: "expanded envelope", enc: asStrings, change: func(c *configs.Router) { envelope(c); c.ExpandJSON = true },
			want: `outbox.event.Order 10711fa5` + id + ` {"payload":{"a":1},"eventType":"OrderCreated","v":2}`},
		{name: "envelope with schema", enc: configs.Encoding{Value: "json_with_schema"}, change: func(c *configs.Router) { envelope(c); c.Columns.SchemaVersion = "version" },
			want: `outbox.event.Order 10711fa5` + id + ` {"schema":{"type":"struct","fields":[{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,"field":"payload"},` +
				`{"type":"string","optional":false,"field":"eventType"},{"type":"int32","optional":true,"field":"v"}],"optional":false,"name":"public.outbox.Order.Value","version":2},` +
				`"payload":{"payload":"{\"a\": 1}","eventType":"OrderCreated","v":2}}`},
		{name: "envelope with inferred schema", enc: configs.Encoding{Value: "json_with_schema"}, change: func(c *configs.Router) {
			c.Envelope = []configs.Placement{{Name: "t", Column: "type"}}
			c.ExpandJSON = true
		}, changes: []string{"aggregatetype", "A-1"},
			want: `outbox.event.A-1 10711fa5` + id + ` {"schema":{"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":true,"field":"a"}],"optional":true,"name":"payload","field":"payload"},` +
				`{"type":"string","optional":false,"field":"t"}],"optional":false,"name":"public.outbox.A-1.Value"},"payload":{"payload":{"a":1},"t":"OrderCreated"}}`},
		{name: "envelope as Kafka Connect prints it", enc: configs.Encoding{Value: "json_with_schema"}, change: func(c *configs.Router) {
			c.Envelope, c.Columns.SchemaVersion = []configs.Placement{{Name: "eventType", Column: "type"}}, "version"
			c.ExpandJSON = true
		}, changes: []string{"payload", `{"a":1,"l":[{"x":1.5},{"x":2.5,"y":"b"}]}`},
			want: `outbox.event.Order 10711fa5` + id + ` {"schema":{"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":true,"field":"a"},` +
				`{"type":"array","items":{"type":"struct","fields":[{"type":"double","optional":true,"field":"x"},{"type":"string","optional":true,"field":"y"}],` +
				`"optional":false,"name":"payload.l"},"optional":true,"field":"l"}],"optional":true,"name":"payload","field":"payload"},` +
				`{"type":"string","optional":false,"field":"eventType"}],"optional":false,"name":"public.outbox.Order.Value","version":2},` +
				`"payload":{"payload":{"a":1,"l":[{"x":1.5,"y":null},{"x":2.5,"y":"b"}]},"eventType":"OrderCreated"}}`},
		{name: "envelope without its fields", enc: asStrings, change: func(c *configs.Router) {
			c.Envelope, c.MissingColumn = []configs.Placement{{Name: "x", Column: "gone"}}, "ignore"
			c.Headers, c.Columns.Partition = c.Envelope, "gone"
		}, want: `outbox.event.Order 10711fa5` + id + ` {"payload":"{\"a\": 1}"}`},
		{name: "expanded", enc: asStrings, change: func(c *configs.Router) { c.ExpandJSON = true }, want: `outbox.event.Order 10711fa5` + id + ` {"a":1}`},
		{name: "expanded as json", enc: configs.Encoding{Value: "json"}, change: func(c *configs.Router) { c.ExpandJSON = true }, want: `outbox.event.Order 10711fa5` + id + ` {"a":1}`},
		{name: "expanded with schema", enc: configs.Encoding{Value: "json_with_schema"}, change: func(c *configs.Router) { c.ExpandJSON = true },
			want: `outbox.event.Order 10711fa5` + id + ` {"schema":{"type":"struct","fields":[{"type":"int32","optional":true,"field":"a"}],"optional":true,"name":"payload"},"payload":{"a":1}}`},
		{name: "not expandable", enc: configs.Encoding{Value: "json"}, change: func(c *configs.Router) { c.ExpandJSON = true }, changes: []string{"payload", `{"a":1}x`},
			want: `outbox.event.Order 10711fa5` + id + ` "{\"a\":1}x"`},
		{name: "no schema fits", enc: configs.Encoding{Value: "json_with_schema"}, change: func(c *configs.Router) { c.ExpandJSON = true }, changes: []string{"payload", `[1,"x"]`},
			want: `outbox.event.Order 10711fa5` + id + ` {"schema":{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1},"payload":"[1,\"x\"]"}`},
		{name: "bytes are not expanded", enc: asStrings, change: func(c *configs.Router) { c.ExpandJSON, c.Columns.Payload = true, "raw" }, changes: []string{"raw", `{"a": null}`},
			want: `outbox.event.Order 10711fa5` + id + ` {"a": null}`},
		{name: "tombstone", enc: configs.Encoding{Value: "json"}, change: func(c *configs.Router) { c.TombstoneOnEmptyPayload = true }, changes: []string{"payload", " \t\n\x00"},
			want: `outbox.event.Order 10711fa5` + id + ` <null>`},
		{name: "tombstone of null", enc: configs.Encoding{Value: "json"}, change: func(c *configs.Router) { envelope(c); c.TombstoneOnEmptyPayload = true }, changes: []string{"payload", "<null>"},
			want: `outbox.event.Order 10711fa5` + id + ` <null>`},
		{name: "tombstone of no bytes", enc: asStrings, change: func(c *configs.Router) { c.TombstoneOnEmptyPayload, c.Columns.Payload = true, "raw" }, changes: []string{"raw", ""},
			want: `outbox.event.Order 10711fa5` + id + ` <null>`},
		{name: "no tombstone", enc: asStrings, change: func(c *configs.Router) { c.TombstoneOnEmptyPayload = true }, changes: []string{"payload", "\u00a0"},
			want: "outbox.event.Order 10711fa5" + id + " \u00a0"},
		{name: "empty payload", enc: asStrings, changes: []string{"payload", ""}, want: `outbox.event.Order 10711fa5` + id + " "},
		{name: "partition", enc: asStrings, change: func(c *configs.Router) { c.Columns.Partition = "part" }, want: `outbox.event.Order 10711fa5` + id + ` #3 {"a": 1}`},
		{name: "null partition", enc: asStrings, change: func(c *configs.Router) { c.Columns.Partition = "part" }, changes: []string{"part", "<null>"},
			want: `outbox.event.Order 10711fa5` + id + ` {"a": 1}`},
		{name: "value of another type", enc: configs.Encoding{Value: "json"}, change: func(c *configs.Router) { c.Columns.Payload = "created" },
			want: `outbox.event.Order 10711fa5` + id + ` 1709194272123456`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := debezium()
			if c.change != nil {
				c.change(&cfg)
			}
			rec, err := route(t, cfg, c.enc, c.changes...)
			if err != nil || show(rec) != c.want {
				t.Errorf("got  %s, %v\nwant %s", show(rec), err, c.want)
			}
		})
	}
}

func TestTimestampIsTheCommitUnlessAColumnHasIt(t *testing.T) {
	cfg := debezium()
	for _, c := range []struct {
		column, value string
		want          int64
	}{
		{"", "", 1700000000123}, {"created", "2024-02-29 08:11:12.123456", 1709194272123}, {"created", "<null>", 1700000000123}, {"part", "1709194272123", 1709194272123},
		{"created", "2262-04-11 23:47:16.854", 9223372036854},
	} {
		cfg.Columns.Timestamp = c.column
		rec, err := route(t, cfg, asStrings, c.column, c.value)
		if err != nil || !rec.Timestamp.Equal(time.UnixMilli(c.want)) {
			t.Errorf("%s %s: got %d, %v, want %d", c.column, c.value, rec.Timestamp.UnixMilli(), err, c.want)
		}
	}
}

func TestTopicsAreMadeAsInJava(t *testing.T) {
	for _, c := range []struct{ pattern, template, value, want string }{
		{"(?<routedByValue>.*)", "outbox.event.${routedByValue}", "Order", "outbox.event.Order"},
		{"(?<routedByValue>.*)", "outbox.event.${routedByValue}", "", "outbox.event."},
		{"(?<routedByValue>U|User)", "x.${routedByValue}.y", "User", "x.U.yser"},
		{"(?<routedByValue>U|User)", "x.${routedByValue}.y", "Order", "Order"},
		{"", "x", "Order", "Order"},
		{"(.)(.*)", "$2.$1", "Order", "rder.O"},
		{"(.)(.*)", "$0-$12", "Order", "Order-O2"},
		{"(a)|(b)", "x$1y$2", "b", "xyb"},
		{".*", `a\$b\\c`, "Order", `a$b\c`},
		{".*", "fixed", "Order", "fixed"},
		{"(?<routedByValue>.*)", "x", "a\nb", "a\nb"},
		{"(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", "$11-$12", "abcdefghijk", "k-a2"},
		{"(a*?)(a*)", "$1|$2", "aaa", "|aaa"},
		{"a|ab|abc", "x", "abc", "xbc"},
		{"(?i)order", "o", "ORDER", "o"},
		{"(?<a>[a-z]+)-(?<b>[a-z]+)", "${b}.${a}", "post-created", "created.post"},
	} {
		rule, err := newTopicRule(c.pattern, c.template)
		if err != nil {
			t.Errorf("%s %s: %v", c.pattern, c.template, err)
		} else if got := rule.apply(c.value); got != c.want {
			t.Errorf("%s %s: %q became %q, want %q", c.pattern, c.template, c.value, got, c.want)
		}
	}
}

func TestTopicsComeFromTheirOwnRow(t *testing.T) {
	table := outboxTable()
	p := plan(t, debezium(), asStrings, table)
	var rec kgo.Record
	for _, value := range []string{"A", "B", "A", "", "A", "B", "", "B", "C"} {
		if _, err := p.Route(row(table, "aggregatetype", value), &rec, nil); err != nil || rec.Topic != "outbox.event."+value {
			t.Fatalf("%q went to %q, %v", value, rec.Topic, err)
		}
	}
	for i := range 3 * maxTopics {
		value := strconv.Itoa(i % (maxTopics + 100))
		if _, err := p.Route(row(table, "aggregatetype", value), &rec, nil); err != nil || rec.Topic != "outbox.event."+value {
			t.Fatalf("%q went to %q, %v", value, rec.Topic, err)
		}
	}
	if len(p.memo.known) > maxTopics {
		t.Errorf("%d topics are remembered", len(p.memo.known))
	}
}

func TestRowsThatCantBeRoutedAreFaults(t *testing.T) {
	bare := func(c *configs.Router) { c.Topic = "${routedByValue}" }
	for _, c := range []struct {
		name    string
		change  func(*configs.Router)
		changes []string
		code    string
	}{
		{"null route", nil, []string{"aggregatetype", "<null>"}, "row.route_null"},
		{"empty topic", bare, []string{"aggregatetype", ""}, "row.topic_invalid"},
		{"blank", nil, []string{"aggregatetype", "a b"}, "row.topic_invalid"},
		{"umlaut", nil, []string{"aggregatetype", "ü"}, "row.topic_invalid"},
		{"dot", bare, []string{"aggregatetype", "."}, "row.topic_invalid"},
		{"dots", bare, []string{"aggregatetype", ".."}, "row.topic_invalid"},
		{"long", nil, []string{"aggregatetype", strings.Repeat("x", 240)}, "row.topic_invalid"},
		{"internal", bare, []string{"aggregatetype", "__consumer_offsets"}, "row.topic_invalid"},
		{"offsets", bare, []string{"aggregatetype", "outferry-offsets"}, "row.topic_invalid"},
		{"not allowed", func(c *configs.Router) { c.TopicsAllowed = `outbox\.event\.(Post|Ord)` }, nil, "row.topic_invalid"},
		{"negative partition", func(c *configs.Router) { c.Columns.Partition = "part" }, []string{"part", "-1"}, "row.partition_invalid"},
		{"large partition", func(c *configs.Router) { c.Columns.Partition = "part" }, []string{"part", "2147483648"}, "row.partition_invalid"},
		{"time before 1970", func(c *configs.Router) { c.Columns.Timestamp = "created" }, []string{"created", "1969-12-31 23:59:59"}, "row.timestamp_invalid"},
		{"time beyond 2262", func(c *configs.Router) { c.Columns.Timestamp = "created" }, []string{"created", "2262-04-11 23:47:16.855"}, "row.timestamp_invalid"},
		{"infinite time", func(c *configs.Router) { c.Columns.Timestamp = "created" }, []string{"created", "infinity"}, "row.timestamp_invalid"},
		{"time before all", func(c *configs.Router) { c.Columns.Timestamp = "created" }, []string{"created", "-infinity"}, "row.timestamp_invalid"},
		{"time as a large number", func(c *configs.Router) { c.Columns.Timestamp = "part" }, []string{"part", "9223372036855"}, "row.timestamp_invalid"},
		{"time of no sense", func(c *configs.Router) { c.Columns.Timestamp = "created" }, []string{"created", "yesterday"}, "row.value_invalid"},
		{"value of no sense", func(c *configs.Router) { c.Headers = []configs.Placement{{Name: "x", Column: "amount"}} }, []string{"amount", "secret"}, "row.value_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := debezium()
			if c.change != nil {
				c.change(&cfg)
			}
			_, err := route(t, cfg, asStrings, c.changes...)
			var fault *outbox.Fault
			if !errors.As(err, &fault) || fault.Code != c.code || fault.Class != outbox.Internal {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if text := err.Error(); !strings.Contains(text, eventID) || !strings.Contains(text, "public.outbox") || strings.Contains(text, "secret") || strings.Contains(text, `{"a"`) {
				t.Errorf("the message is %s", text)
			}
		})
	}
}

func TestIDsInMessagesAreShort(t *testing.T) {
	table := outboxTable()
	p := plan(t, debezium(), asStrings, table)
	_, err := p.Route(row(table, "id", strings.Repeat("i", 65)+"\n", "aggregatetype", "<null>"), &kgo.Record{}, nil)
	if err == nil || !strings.Contains(err.Error(), `"`+strings.Repeat("i", 64)+`"`) {
		t.Errorf("got %v", err)
	}
	if _, err := p.Route(&outbox.Row{Table: table}, &kgo.Record{}, nil); err == nil {
		t.Error("a row without values was routed")
	}
}

func TestUnusableOptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*configs.Router, *configs.Encoding)
		want   []string
	}{
		{"pattern", func(r *configs.Router, _ *configs.Encoding) { r.TopicPattern = "(" }, []string{"router.topic_pattern", "missing closing"}},
		{"open quote", func(r *configs.Router, _ *configs.Encoding) { r.TopicPattern = `\Qa` }, []string{"router.topic_pattern", "missing closing"}},
		{"open quote among the allowed", func(r *configs.Router, _ *configs.Encoding) { r.TopicsAllowed = `a|\Qa` }, []string{"router.topics_allowed", "missing closing"}},
		{"too deep as a whole", func(r *configs.Router, _ *configs.Encoding) {
			r.TopicPattern = strings.Repeat("(", 999) + "a" + strings.Repeat(")", 999)
		}, []string{"router.topic_pattern", "too deep"}},
		{"one only inside", func(r *configs.Router, _ *configs.Encoding) { r.TopicPattern = "a)|(b" }, []string{"router.topic_pattern", "unexpected )"}},
		{"look-around", func(r *configs.Router, _ *configs.Encoding) { r.TopicPattern = "(?!x).*" }, []string{"router.topic_pattern", "look-around"}},
		{"group", func(r *configs.Router, _ *configs.Encoding) { r.Topic = "${nope}" }, []string{"router.topic", "${nope}"}},
		{"number", func(r *configs.Router, _ *configs.Encoding) { r.Topic = "$2" }, []string{"router.topic", "$2"}},
		{"dollar", func(r *configs.Router, _ *configs.Encoding) { r.Topic = "a$" }, []string{"router.topic", "stands alone"}},
		{"open", func(r *configs.Router, _ *configs.Encoding) { r.Topic = "${a" }, []string{"router.topic", "not closed"}},
		{"backslash", func(r *configs.Router, _ *configs.Encoding) { r.Topic = `a\` }, []string{"router.topic", "backslash"}},
		{"allowed", func(r *configs.Router, _ *configs.Encoding) { r.TopicsAllowed = "[" }, []string{"router.topics_allowed"}},
		{"envelope", func(r *configs.Router, _ *configs.Encoding) {
			r.Envelope = []configs.Placement{{Name: "payload", Column: "type"}}
		}, []string{"router.envelope", "payload"}},
		{"envelope as bytes", func(r *configs.Router, e *configs.Encoding) {
			r.Envelope, e.Value = []configs.Placement{{Name: "t", Column: "type"}}, "bytes"
		}, []string{"encoding.value"}},
		{"encoding", func(_ *configs.Router, e *configs.Encoding) { e.Key = "xml" }, []string{"encoding.key", "xml"}},
		{"headers", func(_ *configs.Router, e *configs.Encoding) { e.Headers = "bytes" }, []string{"encoding.headers", "bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, enc := debezium(), asStrings
			c.change(&cfg, &enc)
			_, err := New(cfg, enc)
			expectConfigFault(t, err, c.want...)
		})
	}
}

func expectConfigFault(t *testing.T, err error, words ...string) {
	t.Helper()
	var fault *outbox.Fault
	if !errors.As(err, &fault) || fault.Class != outbox.Config {
		t.Fatalf("got %v, want a fault of the configuration", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in: %v", word, err)
		}
	}
}

package configs

import "testing"

// remedies are what a bad file's findings advise, in their order.
var remedies = map[string][]string{
	"brokers_scalar":        {"write [localhost:9092]"},
	"compression":           {"write none, gzip, snappy, lz4 or zstd"},
	"delivery_and_interval": {"write exactly_once", "stay far below it, as 1s; the default is 250ms"},
	"duration_too_large":    {"write 100ms to 1m"},
	"name":                  {"write one as posts"},
	"not_an_integer":        {"write 16"},
	"offsets_topic":         {"leave the line out for the default, outferry-offsets"},
	"on_update":             {"write ignore or warn"},
	"slot":                  {"leave the line out for the default, outferry_<name>, hyphens as underscores"},
	"syntax_end":            {""},
	"too_small":             {"write 1 to 10000000"},
	"topic_internal":        {"give the events topics of their own, as outbox.event.${routedByValue}"},
	"underscored_integer":   {"write 1000", "write 1000000", "write a number with a unit, as 500ms, 10s, 5m, 1h or 7d"},
	"unreadable_control":    {`take it out, or write it in double quotes as \u and four digits`},
	"unreadable_utf8":       {"save the file as UTF-8"},
	"url_port":              {"write 1 to 65535, or leave it out for 5432"},
	"version":               {"write 1"},
}

func TestRemediesSayWhatToWrite(t *testing.T) {
	eachBadFile(t, remedies, func(t *testing.T, f Finding) string {
		if f.source == "" {
			t.Errorf("shows no line: %s", f)
		}
		return f.Remedy
	})
}

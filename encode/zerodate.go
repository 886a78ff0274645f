package encode

import "outferry/outbox"

// Dated gives a MySQL zero date, which is no day of any calendar, the form that Debezium gives it: NULL, or the
// epoch where the column may not be NULL. Everything else is as it was.
func Dated(c *outbox.Column, v []byte) []byte {
	if len(v) < 10 || !isDated(c.Kind) || v[4] != '-' || v[7] != '-' || string(v[5:7]) != "00" && string(v[8:10]) != "00" {
		return v
	}
	if c.Nullable {
		return nil
	}
	return epochs[c.Kind]
}

func isDated(k outbox.Kind) bool {
	return k == outbox.Date || k == outbox.Timestamp || k == outbox.TimestampTZ
}

var epochs = map[outbox.Kind][]byte{
	outbox.Date:        []byte("1970-01-01"),
	outbox.Timestamp:   []byte("1970-01-01 00:00:00"),
	outbox.TimestampTZ: []byte("1970-01-01 00:00:00+00"),
}

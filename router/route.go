package router

import (
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/encode"
	"outferry/outbox"
)

// Route fills rec from row: topic, key, value, headers, partition (-1: none) and timestamp, and
// nothing else of it. Bytes that need no change alias the row; bytes that have to be made are
// appended to buf, which comes back grown. After an error rec holds nothing of use.
func (p *Plan) Route(row *outbox.Row, rec *kgo.Record, buf []byte) ([]byte, error) {
	if len(row.Values) != len(p.table.Columns) {
		return buf, p.rowFault(nil, "row.shape", "has %d values, and its table %d columns", len(row.Values), len(p.table.Columns))
	}
	var err error
	if rec.Topic, err = p.topic(row); err != nil {
		return buf, err
	}
	if rec.Partition, err = p.partitionOf(row); err != nil {
		return buf, err
	}
	if rec.Timestamp, err = p.timestampOf(row); err != nil {
		return buf, err
	}
	if buf, err = p.routeKey(row, rec, buf); err != nil {
		return buf, err
	}
	if buf, err = p.routeHeaders(row, rec, buf); err != nil {
		return buf, err
	}
	return p.routeValue(row, rec, buf)
}

// ID returns the event id of a row, for messages.
func (p *Plan) ID(row *outbox.Row) []byte {
	if p.id >= len(row.Values) {
		return nil
	}
	return row.Values[p.id]
}

func (p *Plan) topic(row *outbox.Row) (string, error) {
	value := row.Values[p.routeBy]
	if topic, ok := p.memo.find(value); ok && value != nil {
		return topic, nil
	}
	if value == nil {
		return "", p.rowFault(row, "row.route_null", "has NULL in column %s, so there is no topic for it", p.table.Columns[p.routeBy].Name)
	}
	route := string(value)
	topic := p.router.topics.apply(route)
	if err := p.router.check(topic); err != nil {
		return "", p.rowFault(row, "row.topic_invalid", "leads to the topic %q, which %w", shorten(topic), err)
	}
	p.memo.add(route, topic)
	return topic, nil
}

// routeKey leaves the key of a NULL null in every form: four bytes of text would send all such rows
// to one partition.
func (p *Plan) routeKey(row *outbox.Row, rec *kgo.Record, buf []byte) (_ []byte, err error) {
	rec.Key = nil
	if v := row.Values[p.key.at]; v != nil {
		if rec.Key, buf, err = p.key.enc.Encode(buf, v); err != nil {
			return buf, p.valueFault(row, inColumn(p.key.col, err))
		}
	}
	return buf, nil
}

func (p *Plan) routeHeaders(row *outbox.Row, rec *kgo.Record, buf []byte) (_ []byte, err error) {
	rec.Headers = rec.Headers[:0]
	for i := range p.headers {
		h := &p.headers[i]
		var value []byte
		if value, buf, err = h.enc.Encode(buf, row.Values[h.at]); err != nil {
			return buf, p.valueFault(row, inColumn(h.col, err))
		}
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.name, Value: value})
	}
	return buf, nil
}

func (p *Plan) routeValue(row *outbox.Row, rec *kgo.Record, buf []byte) (_ []byte, err error) {
	rec.Value = nil
	v := row.Values[p.payload.at]
	if p.payload.isTombstone(v) {
		return buf, nil
	}
	if p.envelope != nil {
		return p.routeEnvelope(row, rec, buf)
	}
	if rec.Value, buf, err = p.payload.alone(buf, v); err != nil {
		return buf, p.valueFault(row, inColumn(p.payload.col, err))
	}
	return buf, nil
}

func (p *Plan) routeEnvelope(row *outbox.Row, rec *kgo.Record, buf []byte) ([]byte, error) {
	start := len(buf)
	err := p.envelope.checkVersion(row)
	if err == nil {
		buf, err = p.envelope.append(buf, row, &p.payload, row.Values[p.routeBy])
	}
	if err != nil {
		return buf[:start], p.valueFault(row, err)
	}
	rec.Value = encode.Cut(buf, start)
	return buf, nil
}

// partitionOf leaves the choice to the sink where no column is named or it is NULL.
func (p *Plan) partitionOf(row *outbox.Row) (int32, error) {
	if p.partition < 0 || row.Values[p.partition] == nil {
		return -1, nil
	}
	n, err := encode.ParseInt(row.Values[p.partition])
	if err != nil || n < 0 || n > math.MaxInt32 {
		return -1, p.rowFault(row, "row.partition_invalid", "has no number of a partition in column %s", p.table.Columns[p.partition].Name)
	}
	return int32(n), nil
}

// latest is the last millisecond that a record can have: the client counts in nanoseconds, and what is later wraps.
const latest = math.MaxInt64 / int64(time.Millisecond)

// timestampOf refuses times before 1970, which to Kafka mean none or an error, and those that wrap.
func (p *Plan) timestampOf(row *outbox.Row) (time.Time, error) {
	commit := time.UnixMilli(row.CommitTime / 1000)
	if p.timestamp < 0 {
		return commit, nil
	}
	col := &p.table.Columns[p.timestamp]
	v := encode.Dated(col, row.Values[p.timestamp])
	if v == nil {
		return commit, nil
	}
	ms, err := encode.Millis(col, v)
	if err != nil {
		return time.Time{}, p.valueFault(row, inColumn(col, err))
	}
	if ms < 0 || ms > latest {
		return time.Time{}, p.rowFault(row, "row.timestamp_invalid", "has a time before 1970 or after 2262-04-11 in column %s, which a record can't bear", col.Name)
	}
	return time.UnixMilli(ms), nil
}

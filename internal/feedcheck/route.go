package feedcheck

// Expected is the record that a row must become, but for its value.
type Expected struct {
	Topic string
	Key   string
	ID    string

	aggregateType, eventType string
}

// route is the Outbox Event Router with its defaults, written a second time on purpose.
func (s Spec) route(prefix string, t *Tx, row int) Expected {
	key := t.Keys[t.Rows[row].Key]
	kind := s.typeOf(key)
	return Expected{Topic: prefix + kind, Key: key, ID: s.ID(Ref{t.W, t.Tx, row}), aggregateType: kind, eventType: eventType(row)}
}

// column returns what a header that is taken from the column must hold.
func (e Expected) column(name string) string {
	switch name {
	case "aggregatetype":
		return e.aggregateType
	case "aggregateid":
		return e.Key
	case "type":
		return e.eventType
	}
	return ""
}

func eventType(row int) string {
	if row%2 == 0 {
		return "Created"
	}
	return "Changed"
}

// javaPartition is where a Java producer puts a key: the murmur2 hash of Kafka's own clients.
func javaPartition(key []byte, partitions int32) int32 {
	const m = 0x5bd1e995
	n := len(key)
	h := uint32(0x9747b28c) ^ uint32(n)
	for ; len(key) >= 4; key = key[4:] {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		k *= m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(key[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return int32(h&0x7fffffff) % partitions
}

package offsets

import "encoding/binary"

// Partition is where a pipeline's record lives: as Kafka's Java producer would place its key, so that other
// tools find it. The topic's partition count must never change.
func Partition(pipeline string, partitions int) int32 {
	return int32(murmur2([]byte(pipeline))&0x7fffffff) % int32(partitions)
}

// murmur2 is the hash of org.apache.kafka.common.utils.Utils.
func murmur2(b []byte) uint32 {
	const m, seed = 0x5bd1e995, 0x9747b28c
	h := uint32(seed) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k = (k ^ k>>24) * m
		h = h*m ^ k
	}
	for i := len(b) - 1; i >= 0; i-- {
		h ^= uint32(b[i]) << (8 * i)
	}
	if len(b) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

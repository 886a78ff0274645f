package offsets_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/offsets"
)

// The values are those that Kafka's own tests expect of Utils.murmur2.
func TestPartitionIsThatOfAJavaProducer(t *testing.T) {
	for key, hash := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		for _, partitions := range []int{1, 50, math.MaxInt32} {
			if got, want := offsets.Partition(key, partitions), (hash&math.MaxInt32)%int32(partitions); got != want {
				t.Errorf("%s of %d: got %d, want %d", key, partitions, got, want)
			}
		}
	}
}

func TestPartitionIsThatOfOurClient(t *testing.T) {
	client := kgo.StickyKeyPartitioner(nil).ForTopic("any")
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		key := make([]byte, 1+n%17)
		for i := range key {
			key[i] = byte(random.Uint32())
		}
		if got, want := offsets.Partition(string(key), 50), client.Partition(&kgo.Record{Key: key}, 50); int(got) != want {
			t.Fatalf("%x: got %d, want %d", key, got, want)
		}
	}
}

package router

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
)

// A partition follows from the bytes of the key, so a wrong byte would break the order of a key for
// consumers that move over from Debezium.
func TestKeysGoWhereAJavaProducerSendsThem(t *testing.T) {
	vectors, err := os.ReadFile("testdata/partitions.txt")
	if err != nil {
		t.Fatal(err)
	}
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("any")
	checked := 0
	for line := range strings.Lines(string(vectors)) {
		var encoding string
		var partitions, want int
		if n, _ := fmt.Sscan(line, &encoding, &partitions, &want); n != 3 {
			continue
		}
		rec, err := route(t, debezium(), configs.Encoding{Key: encoding})
		if err != nil {
			t.Fatal(err)
		}
		if got := partitioner.Partition(rec, partitions); got != want {
			t.Errorf("%s: partition %d of %d, want %d", rec.Key, got, partitions, want)
		}
		checked++
	}
	if checked != 6 {
		t.Errorf("%d vectors were checked", checked)
	}
}

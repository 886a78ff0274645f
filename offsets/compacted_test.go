package offsets_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"outferry/internal/fakebroker"
	"outferry/offsets"
)

// After compaction most offsets hold nothing, the newest ones among them.
func TestRecordIsFoundInACompactedPartition(t *testing.T) {
	c := fakebroker.Start(t)
	client := fakebroker.Client(t, c)
	r := &rig{Store: &offsets.Store{Topic: "offsets", Pipeline: "posts", Group: "posts", Client: client}, adm: kadm.NewClient(client)}
	r.make(t, "compact").open(t)
	r.put(t, "posts", record(1))
	r.put(t, "posts", record(2))
	for range 1000 {
		client.Produce(deadline(t), r.to("other", record(1)), nil)
	}
	r.put(t, "other", nil)
	c.Compact()
	r.want(t, 2)
	r.Pipeline = "none"
	r.want(t, 0)
}

package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// TestWhoWaitsForItsDatabaseNoticesThatItsPipelineWasRemoved, though no session of it has come as far as Kafka.
func TestWhoWaitsForItsDatabaseNoticesThatItsPipelineWasRemoved(t *testing.T) {
	r := newRig(t, "")
	r.begin()
	admin := &servers.Database{Port: r.db.Port, Name: "postgres"}
	admin.Exec(t, "ALTER DATABASE "+r.db.Name+" ALLOW_CONNECTIONS false")
	var log lines
	ended := make(chan error, 1)
	go func() { ended <- r.startTo(&log).Run(t.Context()) }()
	servers.Eventually(t, deadline, "it waits", func() bool { return strings.Contains(log.String(), "waiting: ") })
	topic, partition := r.store().Place()
	remover := r.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := remover.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Key: []byte(r.cfg.Name)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.db.Exec(t, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
	admin.Exec(t, "ALTER DATABASE "+r.db.Name+" ALLOW_CONNECTIONS true")
	select {
	case err := <-ended:
		wantFault(t, err, "kafka.offsets_removed", 4)
	case <-time.After(deadline):
		t.Errorf("it goes on: %s", log.String())
	}
}

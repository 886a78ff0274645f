package faults

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
)

// While no broker answers, an open Kafka transaction waits for as long as it takes. Whoever asks must hear of it.
func TestWhoWaitsForKafkaSaysSo(t *testing.T) {
	t.Parallel()
	s, i := streamingToItsKafka(t)
	s.insert(1)
	s.arrived(1)
	servers.Eventually(t, time.Minute, "the lag is known", func() bool { return i.metric("outferry_source_lag_seconds{") >= 0 })

	s.broker.Kill()
	s.insert(2)
	servers.Eventually(t, 30*time.Second, "it waits", func() bool { return i.state() == "waiting" })
	if code, body := i.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "[kafka.unreachable]") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if code, body := i.get("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d %s", code, body)
	}
	if i.metric(`state="waiting"`) != 1 || i.metric(`code="kafka.unreachable"`) != 1 {
		t.Error("the metrics do not say that it waits")
	}
	servers.Eventually(t, time.Minute, "the lag has the age of the oldest row", func() bool { return i.metric("outferry_source_lag_seconds{") > 15 })
	if state, n := i.state(), i.said("]  waiting: "); state != "waiting" || n != 1 {
		t.Errorf("it is %s, and said %d times that it waits", state, n)
	}

	s.broker.Start()
	servers.Eventually(t, time.Minute, "it goes on", func() bool { return i.state() == "ready" && i.said("]  going on: ") == 1 })
	s.arrived(3)
	servers.Eventually(t, time.Minute, "the lag is over", func() bool { return i.metric("outferry_source_lag_seconds{") < 15 })
	i.stopsInOrder()
	s.arrived(3)
}

// A stop does not wait for Kafka longer than service.shutdown_timeout, and what was not committed comes again.
func TestAStopWhileItWaitsForKafkaLosesNothing(t *testing.T) {
	t.Parallel()
	s, i := streamingToItsKafka(t, "service.shutdown_timeout=2s")
	s.insert(1) // the topic is known
	s.arrived(1)
	s.broker.Kill()
	s.insert(2)
	servers.Eventually(t, 30*time.Second, "it waits", func() bool { return i.state() == "waiting" })
	if code := i.stop(); code != 1 || i.said("shutdown.not_drained") == 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	s.broker.Start()
	i = s.run()
	s.arrived(3)
	i.stopsInOrder()
}

// The database can be restarted though there is no room for what it has yet to send.
func TestTheDatabaseIsRestartedWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	db := servers.StartPostgres(t, servers.PostgresOptions{})
	s := newStage(t, options{postgres: db, broker: servers.StartKafka(t, servers.KafkaOptions{})})
	i := s.run()
	i.streaming(time.Minute)
	s.insert(1)
	s.arrived(1)
	s.broker.Pause()
	s.fill(200, 100_000) // 20 MB, more than the pipeline may hold
	servers.Eventually(t, time.Minute, "nothing more has room", func() bool { return i.metric("outferry_inflight_bytes{") > 5<<20 })
	db.Restart()
	s.insert(1)
	s.broker.Resume()
	s.arrived(202)
	i.stopsInOrder()
	s.arrived(202)
}

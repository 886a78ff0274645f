package status

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// KafkaHook returns what the pipeline's Kafka clients report to (kgo.WithHooks): connections, requests
// and bytes, as outferry_kafka_*. All clients of a pipeline share it, at once or one after the other.
func (p *Pipeline) KafkaHook() kgo.Hook { return p.hook }

// clientHook makes kprom's series at the first client and keeps them when it closes. kprom by itself
// starts from zero with every client, and panics when two are open.
type clientHook struct {
	*kprom.Metrics
	once *sync.Once
}

func newClientHook(reg prometheus.Registerer, pipeline string) clientHook {
	return clientHook{once: new(sync.Once), Metrics: kprom.NewMetrics(namespace+"_kafka",
		kprom.Registerer(countersOnly{reg}),
		kprom.WithStaticLabel(prometheus.Labels{"pipeline": pipeline}),
		kprom.Histograms(kprom.RequestDurationE2E, kprom.RequestThrottled),
		// No label by topic: rows may name any number of them.
		kprom.FetchAndProduceDetail(kprom.ByNode, kprom.Batches, kprom.Records, kprom.CompressedBytes,
			kprom.UncompressedBytes, kprom.ConsistentNaming),
	)}
}

func (h clientHook) OnNewClient(c *kgo.Client)  { h.once.Do(func() { h.Metrics.OnNewClient(c) }) }
func (h clientHook) OnClientClosed(*kgo.Client) {}

// countersOnly leaves out kprom's gauges: they look into one client for good, their names end in
// _total, and outferry_inflight_* says the same.
type countersOnly struct{ prometheus.Registerer }

func (r countersOnly) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if _, ok := c.(prometheus.GaugeFunc); !ok {
			r.Registerer.MustRegister(c)
		}
	}
}

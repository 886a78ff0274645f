package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kfake"

	"outferry/configs"
	"outferry/outbox"
	"outferry/sink"
	"outferry/status"
)

// TestCommitThatHangsEndsTheSession also where a transaction is open: that ends what hangs of the offsets, and of the events only what
// shares its partitions.
func TestCommitThatHangsEndsTheSession(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := fmt.Sprintf("name: posts\nsource: {url: postgres://outferry@localhost/app, tables: [public.outbox]}\nkafka: {brokers: [%q]}\n", c.ListenAddrs()[0])
	set, findings := configs.LoadBytes("test.yaml", []byte(text), configs.Options{LookupEnv: func(string) (string, bool) { return "", false }, Environ: func() []string { return nil }})
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	p := New(set.Pipelines[0], hclog.NewNullLogger(), status.NewRegistry("test", false).Pipeline("posts"), time.Second)
	f := &ferry{Pipeline: p, since: time.Now(), testify: time.Now().Add(time.Hour)}
	if f.sink, err = sink.Open(ctx, p.cfg, p.log); err != nil {
		t.Fatal(err)
	}
	defer f.sink.Close()
	if err := f.load(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.sink.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	f.hold.position = outbox.Position("{}")
	f.seal = newSeal(f)
	hangs := errors.New("it hangs")
	f.seal.lost <- hangs
	if err := f.loop(ctx, nil, nil); err != hangs {
		t.Errorf("the session ended with %v", err)
	}
	if f.rec.Seq != 1 {
		t.Errorf("%d transactions are committed, want the open one", f.rec.Seq)
	}
}

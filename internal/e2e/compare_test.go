//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/process"
	"outferry/internal/servers"
)

// comparesWithDebezium runs the profile compare: Kafka Connect gets the connectors as the compose file has them, reads
// both outboxes from their beginning, and writes the same events to topics of its own.
func (b *blog) comparesWithDebezium() {
	b.t.Helper()
	connect := b.startConnect()
	b.address["connect:8083"] = connect
	b.tellConnect()
	for _, kind := range []string{"post", "comment"} {
		want := b.events("outbox.event." + kind)
		compared := "compare.event." + kind
		servers.Eventually(b.t, patience, compared+" is complete", func() bool { return b.records(compared) >= int64(len(want)) })
		if got := b.events(compared); !slices.Equal(got, want) {
			b.t.Errorf("Debezium wrote %d events to %s and Outferry %d, the first that differ: %s", len(got), compared, len(want), firstDifference(got, want))
		}
	}
}

// startConnect runs Kafka Connect with the settings of the compose file, and returns where it listens.
func (b *blog) startConnect() (address string) {
	b.t.Helper()
	libraries := filepath.Join(b.dir, "connect")
	run(b.t, exec.Command("mvn", "-q", "-B", "-f", "connect.pom.xml", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+libraries))
	port, err := process.FreePort()
	if err != nil {
		b.t.Fatal(err)
	}
	address = fmt.Sprintf("127.0.0.1:%d", port)
	lines := []string{ // the image's own
		"listeners=http://" + address, "plugin.discovery=service_load",
		"key.converter=org.apache.kafka.connect.json.JsonConverter", "value.converter=org.apache.kafka.connect.json.JsonConverter",
		"config.storage.replication.factor=1", "offset.storage.replication.factor=1", "status.storage.replication.factor=1",
	}
	for name, value := range b.topology["connect"].Environment {
		lines = append(lines, strings.ReplaceAll(strings.ToLower(name), "_", ".")+"="+b.here(value))
	}
	properties := filepath.Join(b.dir, "connect.properties")
	write(b.t, properties, strings.Join(lines, "\n")+"\n")
	m := &member{t: b.t, name: "connect", ready: "http://" + address + "/connectors", spec: process.Spec{
		Args: []string{"java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", libraries + "/*", "org.apache.kafka.connect.cli.ConnectDistributed", properties},
		Dir:  b.dir, Log: filepath.Join(b.dir, "connect.log"),
	}}
	b.t.Cleanup(m.end)
	m.Start()
	m.Works()
	return address
}

// tellConnect is what the container connectors does: curl, with its words and its files. It fails where Connect does
// not take a connector; what Connect says of one that it has just taken may be an error for a moment.
func (b *blog) tellConnect() {
	b.t.Helper()
	c := b.topology["connectors"]
	root := filepath.Join(b.dir, "connectors")
	hosts := strings.NewReplacer(
		`"database.hostname": "postgres", "database.port": "5432"`, fmt.Sprintf(`"database.hostname": "127.0.0.1", "database.port": "%d"`, b.postgres.Port),
		`"database.hostname": "mysql", "database.port": "3306"`, fmt.Sprintf(`"database.hostname": "127.0.0.1", "database.port": "%d"`, b.mysql.Port))
	for path, text := range c.Files {
		write(b.t, root+path, b.here(hosts.Replace(text)))
	}
	var args []string
	for _, arg := range c.Args {
		args = append(args, b.here(strings.Replace(arg, "@/", "@"+root+"/", 1)))
	}
	run(b.t, exec.Command("curl", args...))
}

// events are the records of a topic as text, sorted: a snapshot has no order.
func (b *blog) events(topic string) (all []string) {
	b.t.Helper()
	for _, r := range b.committed(topic) {
		all = append(all, fmt.Sprintf("%s %s %s", r.Key, header(r, "eventType"), r.Value))
	}
	slices.Sort(all)
	return all
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return strconv.Quote("no " + name)
}

func firstDifference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%s and %s", a[i], b[i])
		}
	}
	return "one has more"
}

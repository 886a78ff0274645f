package composecheck

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

func load(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	project, err := Load(t.Context(), root, profiles...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func containers(t *testing.T) map[string]Container {
	t.Helper()
	all, err := Containers(load(t, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestProfilesChooseServices(t *testing.T) {
	both := []string{"comments", "kafka", "kafka-ui", "mysql", "outferry-comments", "outferry-post", "post", "postgres"}
	for _, c := range []struct {
		profiles []string
		want     []string
	}{
		{nil, both}, // by .env
		{[]string{"postgres"}, []string{"kafka", "kafka-ui", "outferry-post", "post", "postgres"}},
		{[]string{"mysql"}, []string{"comments", "kafka", "kafka-ui", "mysql", "outferry-comments"}},
		{[]string{"postgres", "mysql", "observability"}, append([]string{"grafana", "prometheus"}, both...)},
		{[]string{"postgres", "mysql", "compare"}, append([]string{"connect", "connectors"}, both...)},
	} {
		got := load(t, c.profiles...).ServiceNames()
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("profiles %v: got %v, want %v", c.profiles, got, c.want)
		}
	}
}

func TestEveryServiceIsWellSet(t *testing.T) {
	project := load(t, "*")
	ports := map[string]string{}
	for name, s := range project.Services {
		if (s.HealthCheck == nil || len(s.HealthCheck.Test) < 2) && name != "connectors" { // which ends
			t.Errorf("%s has no health check", name)
		}
		if len(s.DependsOn) > 0 {
			t.Errorf("%s wants an order of starts", name)
		}
		if s.Build == nil && (!strings.Contains(s.Image, ":") || strings.HasSuffix(s.Image, ":latest")) {
			t.Errorf("%s has the image %q, want a tag", name, s.Image)
		}
		if s.Build != nil {
			if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" || ports[p.Published] != "" {
				t.Errorf("%s publishes %s at %q, as does %q", name, p.Published, p.HostIP, ports[p.Published])
			}
			ports[p.Published] = name
		}
		if s.ReadOnly && len(s.Configs) > 0 {
			t.Errorf("%s: Compose can't write a config's content into a read-only container", name)
		}
	}
	for name, c := range containers(t) {
		for path, content := range c.Files {
			if content == "" {
				t.Errorf("%s: %s is empty", name, path)
			}
		}
		if slices.Contains(builtHere, name) && (c.Restart != "on-failure" || len(c.Args) == 0 || len(c.Built) != 1) {
			t.Errorf("%s runs %v of %v, and restarts %q", name, c.Args, c.Built, c.Restart)
		}
	}
}

var builtHere = []string{"post", "comments", "outferry-post", "outferry-comments"}

var address = regexp.MustCompile(`\b([a-z][a-z-]*):(\d{4,5})\b`)

// Whoever names a host and its port names a container that is there and listens.
func TestAddressesLeadSomewhere(t *testing.T) {
	project := load(t, "*")
	open := map[string]bool{"localhost:9092": true}
	for name, s := range project.Services {
		for _, p := range s.Ports {
			open[fmt.Sprintf("%s:%d", name, p.Target)] = true
		}
	}
	for _, m := range regexp.MustCompile(`:(\d+)`).FindAllStringSubmatch(*project.Services["kafka"].Environment["KAFKA_LISTENERS"], -1) {
		open["kafka:"+m[1]] = true
	}
	found := map[string]bool{}
	for name, c := range containers(t) {
		said := strings.Join(slices.Concat(c.Args, slices.Collect(maps.Values(c.Environment)), slices.Collect(maps.Values(c.Files))), "\n")
		said = fallback.ReplaceAllString(said, "")
		for _, at := range address.FindAllString(said, -1) {
			found[at] = true
			if !open[at] {
				t.Errorf("%s names %s, where nobody listens", name, at)
			}
		}
	}
	for _, want := range []string{"postgres:5432", "mysql:3306", "kafka:19092", "connect:8083", "outferry-post:8087", "outferry-comments:8087", "prometheus:9090"} {
		if !found[want] {
			t.Errorf("nobody names %s: found %v", want, slices.Collect(maps.Keys(found)))
		}
	}
}

// fallback is what a pipeline file has for who sets no variable: addresses outside of containers.
var fallback = regexp.MustCompile(`:-[^}]*}`)

// Kafka tells its clients where to find it: other containers by its name, programs on this machine at localhost.
func TestKafkaIsFoundFromInsideAndOutside(t *testing.T) {
	kafka := load(t, "*").Services["kafka"]
	set := func(name string) string { return *kafka.Environment["KAFKA_"+name] }
	listeners, advertised := addresses(set("LISTENERS")), addresses(set("ADVERTISED_LISTENERS"))
	protocols := addresses(set("LISTENER_SECURITY_PROTOCOL_MAP"))
	for name, listener := range listeners {
		if protocols[name] == "" {
			t.Errorf("listener %s has no protocol", name)
		}
		_, port, err := net.SplitHostPort(strings.TrimPrefix(advertised[name], "//"))
		if name != set("CONTROLLER_LISTENER_NAMES") && (err != nil || !strings.HasSuffix(listener, ":"+port)) {
			t.Errorf("listener %s is at %s and advertised as %s", name, listener, advertised[name])
		}
	}
	if inside := advertised[set("INTER_BROKER_LISTENER_NAME")]; inside != "//kafka:19092" {
		t.Errorf("containers are sent to %s", inside)
	}
	if port := kafka.Ports[0]; advertised["EXTERNAL"] != "//localhost:"+port.Published {
		t.Errorf("this machine is sent to %s, and port %s is published", advertised["EXTERNAL"], port.Published)
	}
	if voter := set("CONTROLLER_QUORUM_VOTERS"); voter != set("NODE_ID")+"@kafka"+strings.TrimPrefix(listeners["CONTROLLER"], "//") {
		t.Errorf("the controller is sought at %s", voter)
	}
}

// addresses splits a list as in A://host:1,B:C.
func addresses(list string) map[string]string {
	all := map[string]string{}
	for part := range strings.SplitSeq(list, ",") {
		name, address, _ := strings.Cut(part, ":")
		all[name] = address
	}
	return all
}

// A $ of Outferry's or Debezium's is none of Compose's.
func TestVariablesReachTheFiles(t *testing.T) {
	project := load(t, "*")
	for name, config := range project.Configs {
		if strings.HasSuffix(name, ".json") && !json.Valid([]byte(config.Content)) {
			t.Errorf("%s is no JSON", name)
		}
	}
	for config, want := range map[string]string{
		"post.json": `"compare.event.${routedByValue}"`, "comments.json": `"compare.event.${routedByValue}"`,
	} {
		if !strings.Contains(project.Configs[config].Content, want) {
			t.Errorf("%s does not hold %s:\n%s", config, want, project.Configs[config].Content)
		}
	}
}

// The words that curl gets are those that it takes: two requests, each with its file.
func TestConnectorsAreTold(t *testing.T) {
	var files, urls []string
	for _, word := range load(t, "*").Services["connectors"].Command {
		switch {
		case strings.HasPrefix(word, "@/"):
			files = append(files, strings.TrimPrefix(word, "@/"))
		case strings.HasPrefix(word, "http"):
			urls = append(urls, word)
		case strings.Contains(word, "="):
			t.Errorf("curl takes no %s", word)
		}
	}
	if !slices.Equal(files, []string{"post.json", "comments.json"}) || len(urls) != 2 {
		t.Errorf("curl gets files %v and addresses %v", files, urls)
	}
}

package docs

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"outferry/internal/servers"
)

// compose is what the tests look at of docker-compose.yml. No container engine is asked: the images, and how
// they come together, are not tested here.
type compose struct {
	Services map[string]struct {
		Image       string
		Build       string
		Command     []string
		Environment map[string]string
		Healthcheck struct{ Test []string }
		Configs     []struct{ Source, Target string }
	}
	Configs map[string]struct{ Content string }
	Volumes map[string]any
}

func readCompose(t *testing.T) (c compose) {
	t.Helper()
	text, err := os.ReadFile(root + "/docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestComposeHasAHealthCheckForEachService(t *testing.T) {
	c := readCompose(t)
	if len(c.Services) != 3 {
		t.Fatalf("got %d services, want 3", len(c.Services))
	}
	for name, s := range c.Services {
		if len(s.Healthcheck.Test) < 2 {
			t.Errorf("%s has no health check", name)
		}
		if (s.Image == "") == (s.Build == "") {
			t.Errorf("%s: want an image or a build", name)
		}
		for _, f := range s.Configs {
			if c.Configs[f.Source].Content == "" {
				t.Errorf("%s: there is no config %s", name, f.Source)
			}
		}
	}
	if !slices.Contains(c.Services["postgres"].Command, "wal_level=logical") {
		t.Error("postgres has another wal_level")
	}
}

// Its SQL and its pipeline file do their work on real servers, with the rights that the SQL gives.
func TestComposeFilesWorkOnRealServers(t *testing.T) {
	c := readCompose(t)
	content := func(name string) string { return strings.ReplaceAll(c.Configs[name].Content, "$$", "$") }
	server := servers.StartPostgres(t, servers.PostgresOptions{Version: 18})
	server.Database(t).Exec(t, "DROP ROLE outferry")
	server.Database(t).Exec(t, "CREATE DATABASE blog OWNER app")
	db := &servers.Database{Name: "blog", Port: server.Port}
	db.Exec(t, content("outbox.sql"))

	broker := servers.Kafka(t)
	name := strings.TrimSuffix(broker.Prefix(t), "-")
	run(t, load(t, content("posts.yaml"), c.Services["outferry"].Environment,
		"source.url="+db.URL("outferry"), "kafka.brokers="+broker.Addr, "name="+name, "router.topic="+name+".${routedByValue}"))
	db.Exec(t, "INSERT INTO outbox VALUES (gen_random_uuid(), 'post', '42', 'PostPublished', '{}')")
	if r := consume(t, broker, name+".post"); string(r.Key) != "42" || string(r.Value) != "{}" {
		t.Errorf("got key %q and value %q", r.Key, r.Value)
	}
}

// Package composecheck reads docker-compose.yml with the loader that Docker Compose itself uses. It is a module
// of its own, so that the loader is none of Outferry's dependencies: make compose runs it.
package composecheck

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

func load(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	directory, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(directory, "docker-compose.yml")},
		cli.WithWorkingDirectory(directory), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithName("blog"), cli.WithDefaultProfiles(profiles...))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
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
		for _, c := range s.Configs {
			if project.Configs[c.Source].Content == "" {
				t.Errorf("%s: config %s is empty", name, c.Source)
			}
		}
	}
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
		"post.yaml": "password: ${DATABASE_PASSWORD}", "comments.yaml": "password: ${DATABASE_PASSWORD}",
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

package composecheck

import (
	"path/filepath"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Docker's own parser reads them; what is built does not run as root, and has a health check.
func TestDockerfiles(t *testing.T) {
	const distroless = "gcr.io/distroless/static-debian12:nonroot"
	for _, c := range []struct{ file, base, user string }{
		{"Dockerfile", distroless, ""}, // the base image's
		{"examples/go/Dockerfile", distroless, ""},
		{"examples/spring-boot/Dockerfile", "eclipse-temurin:17-jre", "65532:65532"},
	} {
		t.Run(c.file, func(t *testing.T) {
			stages, err := Stages(filepath.Join(root, c.file))
			if err != nil {
				t.Fatal(err)
			}
			last := stages[len(stages)-1]
			if len(stages) < 2 || last.BaseName != c.base {
				t.Errorf("%d stages, the last on %s", len(stages), last.BaseName)
			}
			checkLast(t, stages, c.user)
		})
	}
}

func checkLast(t *testing.T, stages []instructions.Stage, wantUser string) {
	t.Helper()
	var entry, health bool
	var user string
	for _, command := range stages[len(stages)-1].Commands {
		switch c := command.(type) {
		case *instructions.CopyCommand:
			checkSource(t, stages, c.From)
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entry = !c.PrependShell // signals reach the program itself, and distroless has no shell
		case *instructions.HealthCheckCommand:
			health = c.Health.Test[0] == "CMD"
		}
	}
	if !entry || !health || user != wantUser {
		t.Errorf("entry point %t, health check %t, want both without a shell; user %q, want %q", entry, health, user, wantUser)
	}
}

func checkSource(t *testing.T, stages []instructions.Stage, from string) {
	t.Helper()
	for _, s := range stages {
		if s.Name == from {
			return
		}
	}
	t.Errorf("there is no stage %q", from)
}

// Both services are built at once, and Maven's directory is for one at a time.
func TestMavenCacheIsNotShared(t *testing.T) {
	stages, err := Stages(filepath.Join(root, "examples/spring-boot/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, command := range stages[0].Commands {
		run, ok := command.(*instructions.RunCommand)
		if !ok {
			continue
		}
		if err := run.Expand(func(word string) (string, error) { return word, nil }); err != nil {
			t.Fatal(err)
		}
		for _, m := range instructions.GetMounts(run) {
			found = true
			if m.CacheSharing != instructions.MountSharingLocked {
				t.Errorf("the cache %s is shared as %q", m.Target, m.CacheSharing)
			}
		}
	}
	if !found {
		t.Error("Maven has no cache")
	}
}

// A database has one name for the service that uses it and for Outferry.
func TestDatabasesHaveOneName(t *testing.T) {
	all := containers(t)
	for service, name := range map[string]string{"post": "POST_DATABASE_URL", "comments": "COMMENTS_DATABASE_URL"} {
		url := all[service].Environment[name]
		if url == "" || url != all["outferry-"+service].Environment[name] {
			t.Errorf("%s: the service has %q, Outferry %q", name, url, all["outferry-"+service].Environment[name])
		}
	}
}

func TestImageSaysWhatRuns(t *testing.T) {
	for service, want := range map[string][2]string{
		"post":          {"/service.jar", "/src/post/target/post.jar"},
		"comments":      {"/service.jar", "/src/comments/target/comments.jar"},
		"outferry-post": {"/outferry", "/outferry"},
	} {
		if got := containers(t)[service].Built[want[0]]; got != want[1] {
			t.Errorf("%s: %s comes from %q, want %q", service, want[0], got, want[1])
		}
	}
}

package docs

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"outferry/internal/servers"
)

// compose is what the tests look at of docker-compose.yml. What Docker Compose itself says of it is asked in
// internal/composecheck. No container engine is asked: here the same programs run with the same settings, as
// processes, and only the addresses differ.
type compose struct {
	Services map[string]struct {
		Environment map[string]string
		Healthcheck struct{ Test []string }
	}
	Configs map[string]struct{ Content string }
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

// content returns a config as a container sees it.
func (c compose) content(name string) string {
	return strings.ReplaceAll(c.Configs[name].Content, "$$", "$")
}

// topology is docker-compose.yml as processes.
type topology struct {
	compose
	t        *testing.T
	programs string            // the directory of what was built
	address  map[string]string // of a server, by its container's host:port
	listens  map[string]string // where a program listens, by its service
}

func newTopology(t *testing.T) *topology {
	top := &topology{compose: readCompose(t), t: t, programs: t.TempDir(), address: map[string]string{}, listens: map[string]string{}}
	build := exec.Command("go", "build", "-o", top.programs+"/", "./cmd/outferry", "./examples/go/post", "./examples/go/comments")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return top
}

// here replaces the hosts of containers by those of this machine.
func (top *topology) here(text string) string {
	for container, address := range top.address {
		text = strings.ReplaceAll(text, container, address)
	}
	return text
}

// outferry runs as the image does: the pipeline file from a directory, settings from the environment.
func (top *topology) outferry(service, config string) {
	dir := top.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config), []byte(top.here(top.content(config))), 0o644); err != nil {
		top.t.Fatal(err)
	}
	top.run(service, "outferry", "OUTFERRY__SERVICE__HTTP__LISTEN", "run", dir)
}

// run starts a program with a service's environment. It listens where the variable says.
func (top *topology) run(service, program, listen string, args ...string) {
	top.t.Helper()
	address := freeAddress(top.t)
	cmd := exec.Command(filepath.Join(top.programs, program), args...)
	cmd.Env = append(os.Environ(), listen+"="+address)
	for name, value := range top.Services[service].Environment {
		if name != listen {
			cmd.Env = append(cmd.Env, name+"="+top.here(value))
		}
	}
	cmd.Stderr = top.t.Output()
	if err := cmd.Start(); err != nil {
		top.t.Fatal(err)
	}
	top.t.Cleanup(func() {
		_ = cmd.Process.Kill() // how it stops is tested elsewhere
		_ = cmd.Wait()
	})
	top.listens[service] = address
}

// healthy asks what the service's health check asks.
func (top *topology) healthy(service string) bool {
	test := top.Services[service].Healthcheck.Test
	url := strings.NewReplacer("127.0.0.1:8087", top.listens[service], "127.0.0.1:8080", top.listens[service]).Replace(test[len(test)-1])
	response, err := http.Get(url)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// postgres makes what the image makes of its environment, and runs the script that it finds.
func (top *topology) postgres() *servers.PostgresServer {
	server := servers.StartPostgres(top.t, servers.PostgresOptions{Version: 18})
	admin := &servers.Database{Name: "postgres", Port: server.Port}
	admin.Exec(top.t, "DROP ROLE outferry")
	admin.Exec(top.t, "CREATE ROLE post SUPERUSER LOGIN PASSWORD 'post'")
	admin.Exec(top.t, "CREATE DATABASE post OWNER post")
	(&servers.Database{Name: "post", Port: server.Port}).Exec(top.t, top.content("post.sql"))
	top.address["postgres:5432"] = fmt.Sprintf("127.0.0.1:%d", server.Port)
	return server
}

func (top *topology) mysql(version string) *servers.MySQLServer {
	server := servers.StartMySQL(top.t, servers.MySQLOptions{Version: version})
	server.Admin().Exec(top.t, `DROP USER outferry; CREATE USER comments IDENTIFIED BY 'comments';
		CREATE DATABASE comments; GRANT ALL ON comments.* TO comments`)
	(&servers.MySQLDatabase{Version: version, Name: "comments", Port: server.Port}).Exec(top.t, top.content("comments.sql"))
	top.address["mysql:3306"] = fmt.Sprintf("127.0.0.1:%d", server.Port)
	return server
}

func (top *topology) post(service, path, body string) (code int) {
	response, err := http.Post("http://"+top.listens[service]+path, "application/json", strings.NewReader(body))
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// One side: docker compose --profile postgres up. The programs start before their servers, and need no second start.
func TestComposePostgresSide(t *testing.T) {
	top := newTopology(t)
	server := top.postgres()
	broker := servers.StartKafka(t, servers.KafkaOptions{})
	top.address["kafka:19092"] = broker.Addr
	broker.Stop()
	server.Stop()
	top.run("post", "post", "LISTEN")
	top.outferry("outferry-post", "post.yaml")
	servers.Eventually(t, time.Minute, "outferry lives while nothing is there", func() bool { return top.healthy("outferry-post") })
	server.Start()
	broker.Start()
	servers.Eventually(t, time.Minute, "post is healthy", func() bool { return top.healthy("post") })
	if code := top.post("post", "/posts", `{"author": "Ada", "title": "Hello"}`); code != http.StatusCreated {
		t.Fatalf("publish: status %d", code)
	}
	if r := consume(t, broker, "outbox.event.post"); string(r.Key) != "1" {
		t.Errorf("got key %q", r.Key)
	}
}

// Both sides, as docker compose up starts them.
func TestComposeBothSidesOnMySQL(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			top := newTopology(t)
			server := top.postgres()
			top.mysql(version)
			broker := servers.StartKafka(t, servers.KafkaOptions{})
			top.address["kafka:19092"] = broker.Addr
			top.run("comments", "comments", "LISTEN")
			top.run("post", "post", "LISTEN")
			top.outferry("outferry-comments", "comments.yaml")
			top.outferry("outferry-post", "post.yaml")
			for _, service := range []string{"post", "comments", "outferry-post", "outferry-comments"} {
				servers.Eventually(t, time.Minute, service+" is healthy", func() bool { return top.healthy(service) })
			}
			if code := top.post("post", "/posts", `{"author": "Ada", "title": "Hello"}`); code != http.StatusCreated {
				t.Fatalf("publish: status %d", code)
			}
			servers.Eventually(t, 2*time.Minute, "the post is known", func() bool {
				return top.post("comments", "/posts/1/comments", `{"author": "Ken", "body": "Thank you."}`) == http.StatusCreated
			})
			db := &servers.Database{Name: "post", Port: server.Port}
			servers.Eventually(t, 2*time.Minute, "the comment is counted", func() bool {
				return db.Text(t, "SELECT comment_count FROM posts") == "1"
			})
		})
	}
}

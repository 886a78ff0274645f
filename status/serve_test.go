package status

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"outferry/configs"
	"outferry/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func plainRoutes(r *Registry) routes { return newRoutes(r, "/metrics", false, hclog.NewNullLogger()) }

func scrape(t *testing.T, r *Registry) string {
	t.Helper()
	w := get(t, plainRoutes(r), "/metrics")
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestHealthFailsOnlyWhenALoopIsStuck(t *testing.T) {
	r := NewRegistry("dev", false)
	p := r.Pipeline("posts")
	for s := Waiting; s <= Failed; s++ {
		p.State(s, "kafka is away")
		if w := get(t, plainRoutes(r), "/healthz"); w.Code != http.StatusOK {
			t.Errorf("%v: %d %s", s, w.Code, w.Body)
		}
	}
	p.State(Streaming, "")
	p.beat.Add(-int64(stuckAfter + time.Second))
	w := get(t, plainRoutes(r), "/healthz")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"pipeline":"posts"`) {
		t.Errorf("stuck: %d %s", w.Code, w.Body)
	}
	p.condition.set(Failed, "", time.Now())
	if w := get(t, plainRoutes(r), "/healthz"); w.Code != http.StatusOK {
		t.Errorf("a loop that has ended is not stuck: %d", w.Code)
	}
	p.condition.set(Waiting, "", time.Now())
	p.Beat()
	if w := get(t, plainRoutes(r), "/healthz"); w.Code != http.StatusOK {
		t.Errorf("alive again: %d", w.Code)
	}
}

func TestReadinessNamesThePipelineAndTheCause(t *testing.T) {
	r := NewRegistry("dev", false)
	ask := func() (int, readiness) {
		w := get(t, plainRoutes(r), "/readyz")
		var body readiness
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		return w.Code, body
	}
	if code, body := ask(); code != http.StatusServiceUnavailable || body.Why == "" {
		t.Errorf("no pipeline yet: %d %+v", code, body)
	}
	posts, comments := r.Pipeline("posts"), r.Pipeline("comments")
	posts.State(Streaming, "")
	comments.State(Snapshot, "")
	if code, body := ask(); code != http.StatusOK || !body.Ready || len(body.NotReady) != 0 {
		t.Errorf("all deliver: %d %+v", code, body)
	}
	for s, ready := range map[State]bool{Waiting: false, Standby: false, Stopped: false, Failed: false, Streaming: true, Snapshot: true} {
		comments.State(s, "another instance works: \x1b[2J\u202e")
		code, body := ask()
		if ready {
			if code != http.StatusOK {
				t.Errorf("%v: %d", s, code)
			}
			continue
		}
		if code != http.StatusServiceUnavailable || len(body.NotReady) != 1 {
			t.Fatalf("%v: %d %+v", s, code, body)
		}
		got := body.NotReady[0]
		if got.Pipeline != "comments" || got.State != s.String() || !strings.HasPrefix(got.Why, "another instance works") || time.Since(got.Since) > time.Minute {
			t.Errorf("%v: %+v", s, got)
		}
	}
}

func TestAStallIsNotReadyUntilItEnds(t *testing.T) {
	var c condition
	is := func(want State, wantWhy string) {
		t.Helper()
		if s, why, _ := c.get(); s != want || why != wantWhy {
			t.Errorf("%v %q, want %v %q", s, why, want, wantWhy)
		}
	}
	c.set(Snapshot, "", time.Unix(1, 0))
	c.stalled("kafka", time.Unix(2, 0))
	is(Waiting, "kafka")
	c.set(Streaming, "", time.Unix(3, 0))
	is(Waiting, "kafka")
	if _, _, since := c.get(); !since.Equal(time.Unix(2, 0)) {
		t.Errorf("since %v", since)
	}
	c.stalled("", time.Unix(4, 0))
	is(Streaming, "")
	c.stalled("kafka", time.Unix(5, 0))
	c.set(Waiting, "database", time.Unix(6, 0))
	is(Waiting, "database")
	c.set(Streaming, "", time.Unix(7, 0))
	is(Streaming, "")
}

func TestSinceIsWhenTheStateChangedNotTheCause(t *testing.T) {
	var c condition
	c.set(Waiting, "database", time.Unix(1, 0))
	c.set(Waiting, "kafka", time.Unix(2, 0))
	if _, why, since := c.get(); why != "kafka" || !since.Equal(time.Unix(1, 0)) {
		t.Errorf("%s since %v", why, since)
	}
}

func TestRoutes(t *testing.T) {
	r := NewRegistry("dev", false)
	r.Pipeline("posts").State(Streaming, "")
	closed := plainRoutes(r)
	open := newRoutes(r, "/healthz", true, hclog.NewNullLogger()) // a path that is taken
	for _, c := range []struct {
		h    routes
		path string
		want int
	}{
		{closed, "/", 404}, {closed, "/healthz/", 404}, {closed, "/metrics", 200},
		{closed, "/debug/pprof/", 404}, {closed, "/debug/pprof/heap", 404}, {closed, "/debug/pprof/cmdline", 404},
		{open, "/debug/pprof/", 200}, {open, "/debug/pprof/heap", 200}, {open, "/debug/pprof/goroutine", 200},
		{open, "/debug/pprof/symbol", 200}, {open, "/debug/pprof/cmdline", 404}, {open, "/debug/pprof/nothing", 404},
		{open, "/healthz", 200}, {open, "/metrics", 404},
	} {
		if got := get(t, c.h, c.path).Code; got != c.want {
			t.Errorf("%s: got %d, want %d", c.path, got, c.want)
		}
	}
	w := httptest.NewRecorder()
	closed.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/healthz", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("POST: %d", w.Code)
	}
}

// running serves r on a free loopback port until the test ends.
func running(t *testing.T, r *Registry) (addr string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(plainRoutes(r), hclog.NewNullLogger())
	srv.ReadHeaderTimeout, srv.ReadTimeout = 200*time.Millisecond, 400*time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, srv, ln) }()
	stop = func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			ended <- nil
		case <-time.After(10 * time.Second):
			t.Fatal("the server does not stop")
		}
	}
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

func TestServerAnswersAndStopsWithItsContext(t *testing.T) {
	r := NewRegistry("dev", false)
	r.Pipeline("posts").State(Streaming, "")
	addr, stop := running(t, r)
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for path, want := range map[string]string{"/healthz": `{"healthy":true}`, "/readyz": `{"ready":true}`, "/metrics": `outferry_pipeline_state{pipeline="posts",state="streaming"} 1`} {
		res, err := client.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %v %s", path, res.StatusCode, err, body)
		}
	}
	stop()
	if _, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		t.Error("still listening")
	}
}

func TestSlowLorisIsCutOffAndBlocksNobody(t *testing.T) {
	r := NewRegistry("dev", false)
	addr, _ := running(t, r)
	slow := make([]net.Conn, 50)
	for i := range slow {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		slow[i] = c
	}
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	for _, c := range slow {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(c); isTimeout(err) {
			t.Fatal("a connection that sends no request stays open")
		}
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	addr, _ := running(t, NewRegistry("dev", false))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	go io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Huge: "+strings.Repeat("x", 8*maxHeaderBytes)+"\r\n\r\n")
	line, err := bufio.NewReader(c).ReadString('\n')
	if !strings.Contains(line, "431") {
		t.Errorf("%q %v", line, err)
	}
}

func TestStopDoesNotWaitForAnIdleAsker(t *testing.T) {
	addr, stop := running(t, NewRegistry("dev", false))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stop()
}

func TestBusyAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var out strings.Builder
	log := hclog.New(&hclog.LoggerOptions{Output: &out})
	cfg := configs.HTTP{Listen: taken.Addr().String()}
	r := NewRegistry("dev", false)

	if err := Serve(t.Context(), cfg, configs.Metrics{Path: "/metrics"}, r, log); err != nil {
		t.Errorf("the default address: %v", err)
	}
	if strings.Count(out.String(), "[WARN]") != 1 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("want one warning: %s", out.String())
	}
	cfg.ListenSet = true
	err = Serve(t.Context(), cfg, configs.Metrics{Path: "/metrics"}, r, log)
	var fault *outbox.Fault
	if !errors.As(err, &fault) || fault.Class != outbox.Environment || fault.Code != "http.listen" {
		t.Errorf("a named address: %v", err)
	}
	if err := Serve(t.Context(), configs.HTTP{}, configs.Metrics{}, r, log); err != nil {
		t.Errorf("no address: %v", err)
	}
}

func TestServeListensWhereTheFileSays(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lines := make(chan string, 10)
	log := hclog.New(&hclog.LoggerOptions{Output: lineChan(lines)})
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, configs.HTTP{Listen: "127.0.0.1:0", ListenSet: true}, configs.Metrics{Path: "/numbers"}, NewRegistry("dev", false), log)
	}()
	var addr string
	select {
	case line := <-lines:
		_, addr, _ = strings.Cut(strings.TrimSpace(line), "addr=")
	case <-time.After(10 * time.Second):
		t.Fatal("no line says where status is served")
	}
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://" + addr + "/numbers")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type lineChan chan string

func (l lineChan) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

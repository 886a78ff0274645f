package postgres_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"outferry/internal/postgres"
	"outferry/internal/process"
)

func start(t *testing.T, bin string) *postgres.Server {
	t.Helper()
	dir, err := process.MkdirTemp("outferry-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := postgres.Start(deadline(t), postgres.Options{Bin: bin, Dir: filepath.Join(dir, "server")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func count(t *testing.T, s *postgres.Server, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(deadline(t), s.URL("postgres", "postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(deadline(t), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCommittedRowsOutliveKill(t *testing.T) {
	bin, err := postgres.Binaries(deadline(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, bin)
	count(t, s, "WITH made AS (SELECT lo_create(0) FROM generate_series(1, 2)) SELECT count(*) FROM made")
	for _, end := range []func() error{s.Kill, s.StopImmediate, s.Stop} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "SELECT count(*) FROM pg_largeobject_metadata"); n != 2 {
			t.Fatalf("%d large objects, want 2", n)
		}
	}
}

func TestFetchedServerRuns(t *testing.T) {
	bin, err := postgres.Fetch(deadline(t), 18)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, bin)
	if n := count(t, s, "SELECT current_setting('server_version_num')::int / 10000"); n != 18 {
		t.Fatalf("version %d, want 18", n)
	}
}

func TestUnknownVersionIsNamed(t *testing.T) {
	if _, err := postgres.Fetch(deadline(t), 9); err == nil {
		t.Fatal("fetched a version that nobody knows")
	}
}

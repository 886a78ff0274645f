package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"

	"outferry/internal/postgres"
	"outferry/internal/process"
	"outferry/outbox"
)

// partitions is how many a topic gets.
const partitions = 3

// servers are a PostgreSQL with the blog's database and an empty broker, both on loopback.
type servers struct {
	dir      string
	postgres *postgres.Server
	kafka    *kfake.Cluster
}

// start starts both. Whatever fails, nothing is left.
func start(ctx context.Context) (_ *servers, err error) {
	s := &servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	// The topics of the blog are there from the start: a consumer finds a topic that comes later only when it
	// next asks for the list of topics.
	s.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(partitions),
		kfake.SeedTopics(partitions, "outbox.event.post", "outbox.event.comment"))
	if err != nil {
		return nil, fmt.Errorf("start the broker: %w", err)
	}
	if s.dir, err = process.MkdirTemp("outferry-demo-"); err != nil {
		return nil, &outbox.Fault{Code: "demo.directory", Class: outbox.Environment,
			Err: fmt.Errorf("make the demo's directory: %w", err), Remedy: "set TMPDIR to a directory that may be written to"}
	}
	if s.postgres, err = startPostgres(ctx, filepath.Join(s.dir, "pg")); err != nil {
		return nil, err
	}
	if err := s.makeBlog(ctx); err != nil {
		return nil, fmt.Errorf("make the blog's database: %w", err)
	}
	return s, nil
}

func startPostgres(ctx context.Context, dir string) (*postgres.Server, error) {
	bin, err := postgres.Binaries(ctx, 0)
	if err != nil {
		return nil, &outbox.Fault{Code: "demo.no_postgres", Class: outbox.Environment,
			Err: fmt.Errorf("find or fetch the programs of PostgreSQL: %w", err),
			Remedy: "install PostgreSQL 13 or newer (apt-get install postgresql, dnf install postgresql-server, brew install postgresql@18), " +
				"or let the demo reach Maven Central; it keeps what it fetches in the directory that OUTFERRY_SERVERS names"}
	}
	// The superuser exists only on a socket that nobody else reaches; over TCP there is the blog's account alone,
	// and that needs no password.
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := postgres.Start(ctx, postgres.Options{
		Bin: bin, Dir: dir,
		Settings: []string{"unix_socket_directories = '" + dir + "'", "unix_socket_permissions = 0700"},
		HBA:      []string{"host blog blog 127.0.0.1/32 trust", "host all all 127.0.0.1/32 reject"},
	})
	if err != nil {
		return nil, &outbox.Fault{Code: "demo.postgres", Class: outbox.Environment, Err: err,
			Remedy: "run " + filepath.Join(bin, "postgres") + " --version, and set TMPDIR to a directory with room that every user may enter"}
	}
	return s, nil
}

func (s *servers) makeBlog(ctx context.Context) error {
	err := execute(ctx, fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres", s.postgresDir(), s.postgres.Port),
		"CREATE ROLE blog LOGIN REPLICATION", "CREATE DATABASE blog OWNER blog")
	if err != nil {
		return err
	}
	return execute(ctx, s.blogURL(), "CREATE SCHEMA post", "CREATE SCHEMA comments") // the services make their tables
}

// execute runs statements one by one: CREATE DATABASE accepts no company.
func execute(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (s *servers) postgresDir() string { return filepath.Join(s.dir, "pg") }

// blogURL is where the services, the pipeline and a curious person connect.
func (s *servers) blogURL() string {
	u := url.URL{
		Scheme: "postgres", User: url.User("blog"), Path: "/blog", RawQuery: "sslmode=disable",
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.postgres.Port)),
	}
	return u.String()
}

func (s *servers) brokers() []string { return s.kafka.ListenAddrs() }

// close ends what was started. The data is thrown away, so PostgreSQL need not write a checkpoint.
func (s *servers) close() error {
	var err error
	if s.postgres != nil {
		err = s.postgres.StopImmediate()
	}
	if s.kafka != nil {
		s.kafka.Close()
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

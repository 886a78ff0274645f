package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/hashicorp/go-hclog"
	_ "github.com/jackc/pgx/v5/stdlib" // the services' driver

	"outferry/examples/go/commentservice"
	"outferry/examples/go/database"
	"outferry/examples/go/postservice"
	"outferry/examples/go/service"
	"outferry/internal/logging"
)

// blog is the two services of examples/go, each in a schema of its own, each at a port of its own.
type blog struct {
	services []service.Service
	with     []service.Surroundings
}

// listen opens a port, that of the examples' READMEs where it is free.
func listen(port string) (net.Listener, error) {
	if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
		return listener, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// newBlog opens the ports, and makes nothing yet.
func newBlog(s *servers, log hclog.Logger) (_ *blog, err error) {
	b := &blog{}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	for _, part := range []struct {
		schema, port string
		build        func(*database.DB) service.Service
	}{{"post", "8081", postservice.New}, {"comments", "8082", commentservice.New}} {
		db, err := database.Open(s.blogURL() + "&search_path=" + part.schema)
		if err != nil {
			return nil, err
		}
		listener, err := listen(part.port)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("find a port for a service: %w", err), db.Close())
		}
		b.services = append(b.services, part.build(db))
		b.with = append(b.with, service.Surroundings{
			DB: db, Brokers: s.brokers(), Listener: listener, Log: slog.New(logging.Handler(log.Named(part.schema))),
		})
	}
	return b, nil
}

// post and comments are where the two answer.
func (b *blog) post() string     { return "http://" + b.with[0].Listener.Addr().String() }
func (b *blog) comments() string { return "http://" + b.with[1].Listener.Addr().String() }

// run serves until ctx ends or one of the two fails.
func (b *blog) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(b.services))
	for i, s := range b.services {
		go func() { ended <- service.Run(ctx, s, b.with[i]) }()
	}
	err := <-ended
	stop()
	return errors.Join(err, <-ended)
}

func (b *blog) close() {
	for _, with := range b.with {
		with.Listener.Close() // a service that ran has closed it
		with.DB.Close()
	}
}

// healthy reports whether a service has its tables and answers.
func healthy(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

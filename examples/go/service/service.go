// Package service runs one service: its tables, its REST interface, and its consumer of the other's events.
// In go the parts that make the service what it is; Run returns when ctx ends or a part fails. Start order
// doesn't matter: database, broker and topic may all come later.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"outferry/examples/go/database"
	"outferry/examples/go/inbox"
)

// Service is what Post and Comments differ in.
type Service struct {
	Name    string // of its consumer group
	Schema  database.Schema
	Routes  func(*http.ServeMux)
	Follows string // the topic of the other's events
	Handle  inbox.Handler
}

// Surroundings are what a service is given.
type Surroundings struct {
	DB       *database.DB
	Brokers  []string
	Listener net.Listener
	Log      *slog.Logger
}

// Run serves and consumes until ctx ends, and closes the listener.
func Run(ctx context.Context, s Service, with Surroundings) error {
	defer with.Listener.Close()
	if err := with.DB.PingContext(ctx); err != nil {
		with.Log.Warn("waiting for the database", "error", err)
		if err := with.DB.Await(ctx); err != nil {
			return err
		}
	}
	if err := with.DB.Make(ctx, s.Schema); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- serve(ctx, s, with) }()
	go func() {
		c := inbox.Consumer{Brokers: with.Brokers, Group: s.Name, Topic: s.Follows, DB: with.DB, Handle: s.Handle, Log: with.Log}
		ended <- c.Run(ctx)
	}()
	err := <-ended
	stop()
	return errors.Join(err, <-ended)
}

// serve lets requests that are under way end.
func serve(ctx context.Context, s Service, with Surroundings) error {
	mux := http.NewServeMux()
	s.Routes(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := with.DB.PingContext(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		done <- server.Shutdown(last)
	}()
	if err := server.Serve(with.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve at %s: %w", with.Listener.Addr(), err)
	}
	return <-done
}

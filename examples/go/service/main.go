package service

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"outferry/examples/go/database"
)

// Main runs a service as a program, until SIGINT or SIGTERM. Its settings come from the environment:
// DATABASE_URL, KAFKA_BROKERS (default localhost:9092) and LISTEN.
func Main(listen string, build func(*database.DB) Service) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, listen, build); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen string, build func(*database.DB) Service) error {
	db, err := database.Open(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer db.Close()
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("LISTEN"), listen))
	if err != nil {
		return err
	}
	s := build(db)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	log.Info("starting", "service", s.Name, "listen", listener.Addr().String())
	return Run(ctx, s, Surroundings{
		DB: db, Listener: listener, Log: log,
		Brokers: strings.Split(cmp.Or(os.Getenv("KAFKA_BROKERS"), "localhost:9092"), ","),
	})
}

package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/outbox"
)

// Whoever can reach the address may open connections, so each costs little and ends soon.
const (
	headerTimeout   = 5 * time.Second
	writeTimeout    = time.Minute // a profile takes 30 seconds by default
	idleTimeout     = time.Minute
	shutdownTimeout = 2 * time.Second
	maxHeaderBytes  = 16 << 10
)

// Serve answers at cfg.Listen until ctx is done. An address that can't be had is a fault when the file
// named it; the default one may be taken by a second process on the same machine, so then Serve warns
// and returns nil, as it does when there is no address.
func Serve(ctx context.Context, cfg configs.HTTP, metrics configs.Metrics, reg *Registry, log hclog.Logger) error {
	if cfg.Listen == "" {
		return nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	switch {
	case err == nil:
		log.Info("status served", "addr", ln.Addr())
		return serve(ctx, newServer(newRoutes(reg, metrics.Path, cfg.Pprof, log), log), ln)
	case ctx.Err() != nil:
		return nil
	case !cfg.ListenSet:
		log.Warn("going on without status and metrics", "addr", cfg.Listen, "error", err)
		return nil
	}
	return &outbox.Fault{
		Code:   "http.listen",
		Class:  outbox.Environment,
		Err:    fmt.Errorf("serve status at %s: %w", cfg.Listen, err),
		Remedy: "free the address, or name another one in service.http.listen",
	}
}

func newServer(h http.Handler, log hclog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       2 * headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// Its complaints are about whoever asks, so they are no news to an operator.
		ErrorLog: log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

// serve answers on ln until ctx is done, and returns when nothing of it runs any more.
func serve(ctx context.Context, srv *http.Server, ln net.Listener) error {
	ended := make(chan error, 1) // one slot: the server ends once, even if nobody is listening any more
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve status at %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(patience); err != nil {
		srv.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("stop serving status at %s: %w", ln.Addr(), err)
	}
	return nil
}

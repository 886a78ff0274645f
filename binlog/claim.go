package binlog

import (
	"context"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"outferry/outbox"
)

// Two readers under one replica number throw each other out for ever, so each holds a lock of the server's
// under that number, on a connection that does nothing else. The server lets the lock go as soon as the
// process is gone, and when it is frozen: then the connection says nothing within its wait_timeout.
const (
	claimWait    = 5  // seconds to wait for the lock
	claimTimeout = 10 // seconds of silence after which the server ends the connection
	claimEvery   = 2 * time.Second
)

func (s *Source) lockName() string { return fmt.Sprintf("outferry.replica.%d", s.set.serverID) }

// replicaHost is what we register as, so that a predecessor whose dump is still open can be told from a
// replica of another kind. The server ends a predecessor's dump when ours begins.
func (s *Source) replicaHost() string { return "outferry-" + s.cfg.Name }

// claim takes the lock and returns a func that gives it back. While it is held a goroutine keeps its
// connection alive, and ends the run when that is lost.
func (h *session) claim(ctx context.Context, lost func(error)) (release func(), err error) {
	c, err := h.connect(ctx)
	if err != nil {
		return nil, err
	}
	unhook := closing(ctx, c)
	if err := h.takeLock(c); err != nil {
		unhook()
		_ = c.Close()
		return nil, err
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer c.Close()
		defer unhook()
		h.keepLock(c, stop, lost)
	}()
	return func() { close(stop); <-done }, nil
}

func (h *session) takeLock(c *client.Conn) error {
	if _, err := c.Execute(fmt.Sprintf("SET SESSION wait_timeout = %d", claimTimeout)); err != nil {
		return transient("mysql.connection", "set up a connection: %w", plain(err))
	}
	r, err := queryOne(c, fmt.Sprintf("SELECT COALESCE(GET_LOCK(%s, %d), 0)", quoteText(h.lockName()), claimWait))
	if err != nil {
		return transient("mysql.connection", "take the lock of replica %d: %w", h.set.serverID, err)
	}
	if r[0] != "1" {
		return h.busy(fmt.Errorf("another connection of the server reads the log as replica %d", h.set.serverID))
	}
	return h.lookForReplicas(c, h.srv)
}

func (h *session) keepLock(c *client.Conn, stop <-chan struct{}, lost func(error)) {
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		asked := time.Now()
		if err := c.Ping(); err != nil {
			code := "mysql.connection"
			if time.Since(asked) >= h.set.readTimeout { // the library keeps the text of the cause alone
				code = "mysql.silent"
			}
			lost(transient(code, "hold the lock of replica %d: %w", h.set.serverID, plain(err)))
			return
		}
	}
}

// lookForOthers finds whoever reads under our replica number now.
func (s *Source) lookForOthers(c *client.Conn) error {
	r, err := queryOne(c, "SELECT COALESCE(IS_USED_LOCK("+quoteText(s.lockName())+"), 0)")
	if err != nil {
		return transient("mysql.connection", "look for another reader: %w", err)
	}
	if id := r.int(0); id != 0 {
		return s.busy(fmt.Errorf("connection %d of the server reads the log as replica %d", id, s.set.serverID))
	}
	return nil
}

// lookForReplicas finds another kind of replica under our number, where the account may ask.
func (s *Source) lookForReplicas(c *client.Conn, srv *server) error {
	rows, err := query(c, replicasSQL(srv))
	if err != nil {
		return nil
	}
	for _, r := range rows {
		if r.int(0) == int64(s.set.serverID) && r[1] != s.replicaHost() {
			return s.busy(fmt.Errorf("replica %q is registered under server id %d", r[1], s.set.serverID))
		}
	}
	return nil
}

func replicasSQL(srv *server) string {
	if srv.kind == mariaKind || olderThan(srv.version, 8, 1) {
		return "SHOW SLAVE HOSTS"
	}
	return "SHOW REPLICAS"
}

func (s *Source) busy(err error) error {
	return &outbox.Fault{Code: "mysql.server_id_taken", Class: outbox.Busy, Err: err,
		Remedy: "waiting for it to end; if it is not another instance of this pipeline, set source.mysql.server_id"}
}

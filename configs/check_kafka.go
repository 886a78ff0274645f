package configs

import (
	"net"
	"strconv"
	"strings"
)

func (c *checker) kafka() {
	c.brokers()
	c.tls("kafka.tls", c.p.Kafka.TLS)
	c.sasl()
	c.numbers()
}

func (c *checker) brokers() {
	brokers := c.p.Kafka.Brokers
	if len(brokers) == 0 && c.written("kafka.brokers") && c.sound("kafka.brokers") {
		c.errorf("kafka.brokers", "write [localhost:9092]", "names no broker")
	}
	for i, b := range brokers {
		path := c.itemPath("kafka.brokers", i)
		if strings.Contains(b, "://") {
			c.errorf(path, "write host:port; TLS and login go under kafka.tls and kafka.sasl", "an address has no protocol")
			continue
		}
		if strings.Contains(b, "@") {
			c.errorf(path, "write host:port; the login goes under kafka.sasl", "an address has no login")
			continue
		}
		host, port, err := net.SplitHostPort(b)
		switch {
		case err != nil && !strings.Contains(b, ":"):
			c.errorf(path, "write host:port; 9092 is usual", "has no port")
		case err != nil || host == "" || !isPort(port, 1):
			c.errorf(path, "write host:port", "not an address")
		}
	}
}

func isPort(text string, least int) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= least && n <= 65535
}

func (c *checker) sasl() {
	k := c.p.Kafka
	if !c.sound("kafka.sasl.mechanism", "kafka.sasl.user", "kafka.sasl.password") {
		return
	}
	if k.SASL.Mechanism == "" {
		if k.SASL.User != "" && !c.excused("kafka.sasl.mechanism") {
			c.errorf("kafka.sasl.user", "write kafka.sasl.mechanism: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN", "a user without a mechanism")
		}
		return
	}
	for _, need := range []struct {
		path  string
		empty bool
	}{{"kafka.sasl.user", k.SASL.User == ""}, {"kafka.sasl.password", k.SASL.Password.IsZero()}} {
		if need.empty && !c.excused(need.path) {
			c.errorf("kafka.sasl.mechanism", "", "%s needs %s", k.SASL.Mechanism, need.path)
		}
	}
	c.plainLogin(k)
}

// plainLogin refuses to send a password in clear over a network.
func (c *checker) plainLogin(k Kafka) {
	if k.SASL.Mechanism != "PLAIN" || k.TLS.Mode != "disable" || !c.sound("kafka.tls.mode") {
		return
	}
	for _, b := range k.Brokers {
		if !isLoopback(b) {
			c.errorf("kafka.sasl.mechanism", "write kafka.tls.mode: verify-full, or use SCRAM-SHA-512", "PLAIN without TLS would send the password in clear")
			return
		}
	}
}

// numbers refuses 0, which lies between the broker's default and the least that makes sense.
func (c *checker) numbers() {
	for _, n := range []struct {
		path  string
		value int
	}{
		{"kafka.topics.partitions", c.p.Kafka.Topics.Partitions},
		{"kafka.topics.replication_factor", c.p.Kafka.Topics.ReplicationFactor},
		{"offsets.replication_factor", c.p.Offsets.ReplicationFactor},
	} {
		if n.value == 0 && c.sound(n.path) {
			c.errorf(n.path, "write -1 for the broker's default", "0 is not possible")
		}
	}
}

// limits compares the options that bound each other.
func (c *checker) limits() {
	p := c.p
	if p.Commit.Interval >= TransactionTimeout && c.sound("commit.interval") && c.exactlyOnce() {
		c.errorf("commit.interval", "stay far below it, as 1s; the default is 250ms",
			"%s is not below the transaction timeout, %s", showDuration(p.Commit.Interval), showDuration(TransactionTimeout))
	}
	c.notAbove("kafka.max_record", p.Kafka.MaxRecord, "kafka.max_buffered", p.Kafka.MaxBuffered)
}

// exactlyOnce reports what is delivered, or was meant to be: a misspelt word must not hide another mistake.
func (c *checker) exactlyOnce() bool {
	if c.sound("delivery") {
		return c.p.Delivery == "exactly_once"
	}
	return strings.HasPrefix(strings.ToLower(c.values["delivery"].raw()), "exactly")
}

// notAbove points at the one of the two that the file says.
func (c *checker) notAbove(small string, n int64, large string, limit int64) {
	if n <= limit || !c.sound(small, large) {
		return
	}
	if !c.written(small) {
		c.errorf(large, "raise it, or lower "+small, "%s is below %s, %s", showSize(limit), small, showSize(n))
		return
	}
	c.errorf(small, "lower it, or raise "+large, "%s is above %s, %s", showSize(n), large, showSize(limit))
}

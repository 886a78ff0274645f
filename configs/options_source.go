package configs

import "time"

func generalOptions(p *Pipeline) []Option {
	return []Option{
		{Path: "version", Default: "1", Min: 1, Max: 1, into: &p.Version,
			Doc: "Format of this file; only 1 exists."},
		{Path: "name", Required: true, Example: "posts", into: &p.Name,
			Pattern: `^[a-z][a-z0-9-]{0,39}$`, PatternDoc: "lower case letters, digits and hyphens, a letter first, 40 at most",
			Doc: "Name of the pipeline: names slot, publication, client id, transactional id, offset record and metric label. Unique among all loaded pipelines."},
		{Path: "description", Example: "Post service outbox", into: &p.Description,
			Doc: "Free text for people."},
		{Path: "delivery", Default: "exactly_once", Words: []string{"exactly_once", "at_least_once"}, into: &p.Delivery,
			Debezium: []string{"exactly.once.support", "exactly.once.source.support"},
			Doc:      "exactly_once puts events and position in one Kafka transaction; at_least_once is for brokers without transactions and may repeat one batch."},
		{Path: "enabled", Default: "true", into: &p.Enabled,
			Doc: "Whether to start it. A pipeline that is not enabled is still loaded and checked."},
	}
}

func sourceOptions(s *Source) []Option {
	options := append(addressOptions(s), tlsOptions("source.tls", "prefer",
		[]string{"disable", "prefer", "require", "verify-ca", "verify-full"}, &s.TLS, sourceTLSNames)...)
	options = append(options, readingOptions(s)...)
	options = append(options, retryOptions(&s.Retry)...)
	options = append(options, postgresOptions(&s.Postgres)...)
	return append(options, mysqlOptions(&s.MySQL)...)
}

func addressOptions(s *Source) []Option {
	return []Option{
		{Path: "source.url", Required: true, Example: "postgres://outferry@localhost:5432/posts", into: &s.URL,
			Debezium: []string{"connector.class"},
			Doc:      "Address of the database: `postgres://`, `mysql://` or `mariadb://`, or the same behind `jdbc:`. Parameters for user, password and TLS are read, others ignored with a warning. What stands beside it in the file wins."},
		{Path: "source.type", Alternative: true, Words: []string{"postgres", "mysql", "mariadb"}, Example: "postgres", into: &s.Type,
			Doc: "In place of a url, with host, port and database."},
		{Path: "source.host", Alternative: true, Example: "localhost", into: &s.Host,
			Debezium: []string{"database.hostname"}, Doc: "Host of the database, in place of a url."},
		{Path: "source.port", Alternative: true, Default: "5432", Min: 1, Max: 65535, Example: "5432", into: &s.Port,
			Debezium: []string{"database.port"}, Doc: "Port of the database, in place of a url; 3306 where the type is mysql or mariadb."},
		{Path: "source.database", Alternative: true, Example: "posts", into: &s.Database,
			Debezium: []string{"database.dbname", "database.names"}, Doc: "Name of the database, in place of a url."},
		{Path: "source.user", Example: "outferry", into: &s.User,
			Debezium: []string{"database.user"}, Doc: "Role to log in as; wins over the one in the url."},
		{Path: "source.password", Example: "${file:/run/secrets/posts_db_password}", into: &s.Password,
			Debezium: []string{"database.password"},
			Doc:      "Password of the role; wins over the one in the url. `${file:path}` is read anew for each connection, its last newline cut."},
		{Path: "source.tables", Required: true, Example: "[public.outbox]", into: &s.Tables,
			Debezium: []string{"table.include.list", "table.whitelist", "database.include.list", "schema.include.list"},
			Doc:      "Outbox tables as schema.table, plain names and no patterns; a name without schema is in `public`, on MySQL and MariaDB in the database of the url. Several only where all have the columns that the router names. A table can't be named whose schema or name has a blank, a dot, a double quote, a comma, a colon, a semicolon, a slash, a backslash, a vertical bar, one of `* ? + ^ ( ) [ ]`, or a `$` at its end."},
	}
}

func readingOptions(s *Source) []Option {
	return []Option{
		{Path: "source.snapshot", Default: "initial", Words: []string{"initial", "no_data", "initial_only"}, into: &s.Snapshot,
			Debezium: []string{"snapshot.mode"},
			Doc:      "Rows already in the table at the first start: published (initial), left alone (no_data), or published and nothing more (initial_only)."},
		{Path: "source.snapshot_rows", Default: "10000", Min: 1, Max: 1_000_000, into: &s.SnapshotRows,
			Debezium: []string{"snapshot.fetch.size", "incremental.snapshot.chunk.size"},
			Doc:      "Rows per read of the snapshot, PostgreSQL only: MySQL and MariaDB send it in one go."},
		{Path: "source.heartbeat_interval", Default: "10s", Min: int64(100 * time.Millisecond), Max: int64(time.Hour), into: &s.HeartbeatInterval,
			Debezium: []string{"heartbeat.interval.ms"},
			Doc:      "How often an idle pipeline moves its position, so that a quiet outbox in a busy database keeps no log. 100ms to 1h."},
		{Path: "source.connect_timeout", Default: "10s", Min: int64(100 * time.Millisecond), Max: int64(time.Minute), into: &s.ConnectTimeout,
			Debezium: []string{"connect.timeout.ms", "connection.validation.timeout.ms"},
			Doc:      "Limit for opening a connection. 100ms to 1m."},
		{Path: "source.max_row", Default: "64MiB", Min: 1 << 10, Max: 1 << 30, into: &s.MaxRow,
			Doc: "A larger row stops the pipeline before it is read into memory. 1KiB to 1GiB."},
		{Path: "source.max_transaction", Default: "256MiB", Min: 1 << 20, Max: 1 << 50, into: &s.MaxTransaction,
			Doc: "A larger database transaction becomes visible in parts, each part durable. At least 1MiB."},
	}
}

func retryOptions(r *Retry) []Option {
	return []Option{
		{Path: "source.retry.initial", Default: "500ms", Min: int64(time.Millisecond), Max: int64(time.Hour), into: &r.Initial,
			Debezium: []string{"retriable.restart.connector.wait.ms", "slot.retry.delay.ms"}, Doc: "First pause. 1ms to 1h."},
		{Path: "source.retry.max", Default: "30s", Min: int64(time.Millisecond), Max: int64(24 * time.Hour), into: &r.Max,
			Debezium: []string{"errors.retry.delay.max.ms"}, Doc: "Longest pause. 1ms to 1d."},
		{Path: "source.retry.give_up_after", Default: "0s", Max: int64(10 * 365 * 24 * time.Hour), into: &r.GiveUpAfter,
			Debezium: []string{"errors.max.retries", "errors.retry.timeout", "slot.max.retries"}, Doc: "Stop after failing for this long; 0s is never."},
	}
}

func postgresOptions(p *Postgres) []Option {
	return []Option{
		{Path: "source.postgres.slot", Derived: "outferry_<name>, hyphens as underscores", into: &p.Slot,
			Pattern: `^[a-z0-9_]{1,63}$`, PatternDoc: "lower case letters, digits and underscores, 63 at most",
			Debezium: []string{"slot.name"}, Doc: "Replication slot."},
		{Path: "source.postgres.publication", Derived: "outferry_<name>, hyphens as underscores", into: &p.Publication,
			Debezium: []string{"publication.name"}, Doc: "Publication of exactly the outbox tables, 63 bytes at most."},
		{Path: "source.postgres.create", Default: "true", into: &p.Create,
			Debezium: []string{"publication.autocreate.mode"}, Doc: "Create slot and publication when they are missing; otherwise they are only checked."},
		{Path: "source.postgres.failover", Default: "false", into: &p.Failover,
			Debezium: []string{"slot.failover"}, Doc: "Have the slot synced to standbys, on PostgreSQL 17 and later."},
		{Path: "source.postgres.lag_warn", Default: "1GiB", Min: 1 << 20, Max: 1 << 50, into: &p.LagWarn,
			Doc: "Log kept back by the slot from which status and metrics warn. At least 1MiB."},
	}
}

func mysqlOptions(m *MySQL) []Option {
	return []Option{
		{Path: "source.mysql.server_id", Derived: "a number made of the name", Min: 1, Max: 1<<32 - 1, Example: "5701", into: &m.ServerID,
			Debezium: []string{"database.server.id"},
			Doc:      "Replica number under which the log is read. No other replica of the server may have it. 1 to 4294967295."},
		{Path: "source.mysql.position", Default: "auto", Words: []string{"auto", "gtid", "file"}, into: &m.Position,
			Doc: "How a place in the log is told: by GTIDs where the server has them (auto), by GTIDs or not at all (gtid), or by file and byte (file)."},
		{Path: "source.mysql.read_timeout", Default: "30s", Min: int64(time.Second), Max: int64(time.Hour), into: &m.ReadTimeout,
			Doc: "How long the server may be silent, which sends heartbeats more often than that, before the connection counts as lost. 1s to 1h."},
		{Path: "source.mysql.uuid_binary", Default: "auto", Words: []string{"auto", "rfc4122", "swapped", "none"}, into: &m.UUIDBinary,
			Doc: "BINARY(16) columns as UUID text: those of id and key (auto), all but the payload (rfc4122), the same as UUID_TO_BIN(x, 1) stores them (swapped), or none."},
	}
}

type tlsNames struct{ mode, ca, cert, key, client []string }

var sourceTLSNames = tlsNames{
	mode: []string{"database.sslmode", "database.ssl.mode"},
	ca:   []string{"database.sslrootcert", "database.ssl.truststore"},
	cert: []string{"database.sslcert", "database.ssl.keystore"},
	key:  []string{"database.sslkey"},
}

func tlsOptions(path, mode string, modes []string, t *TLS, old tlsNames) []Option {
	return []Option{
		{Path: path + ".mode", Default: mode, Words: modes, Debezium: old.mode, Client: old.client, into: &t.Mode,
			Doc: "From require on there is no fallback to plain text; verify-ca checks the chain, verify-full the host name too."},
		{Path: path + ".ca_file", Example: "/etc/outferry/ca.pem", Debezium: old.ca, into: &t.CAFile,
			Doc: "PEM file of trusted roots; empty: those of the system."},
		{Path: path + ".cert_file", Example: "/etc/outferry/client.pem", Debezium: old.cert, into: &t.CertFile,
			Doc: "PEM file of the client certificate; needs key_file."},
		{Path: path + ".key_file", Example: "/etc/outferry/client-key.pem", Debezium: old.key, into: &t.KeyFile,
			Doc: "PEM file of the client key; needs cert_file."},
		{Path: path + ".server_name", Example: "db.example.com", into: &t.ServerName,
			Doc: "Name that the certificate must carry; empty: the host connected to."},
	}
}

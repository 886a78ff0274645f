// Package configs reads pipeline files: plain structs with their defaults, strict decoding, and
// checks that report every mistake at once by file, line and column. It opens no connection.
package configs

import "time"

// Set is everything that a run was given: one service and its pipelines.
type Set struct {
	Service   Service
	Pipelines []*Pipeline
}

// Service is what concerns the process and not one pipeline.
type Service struct {
	HTTP            HTTP
	Log             Log
	Metrics         Metrics
	ShutdownTimeout time.Duration
}

type HTTP struct {
	Listen    string // host:port; empty = no listener
	ListenSet bool   // the file named it, so a busy address is an error and not a warning
	Pprof     bool
}

type Log struct {
	Level  string // trace | debug | info | warn | error
	Format string // auto | text | json
}

type Metrics struct {
	Path      string
	GoRuntime bool
}

// Pipeline is one outbox on its way to Kafka.
type Pipeline struct {
	Version     int
	Name        string
	Description string
	Delivery    string // exactly_once | at_least_once
	Enabled     bool

	Source   Source
	Router   Router
	Encoding Encoding
	Kafka    Kafka
	Commit   Commit
	Offsets  Offsets
	Errors   Errors
}

type Source struct {
	URL      Secret // resolved into the fields below; may hold a password, so it prints redacted
	Type     string // postgres | mysql | mariadb
	Host     string
	Port     int
	Database string
	User     string
	Password SecretRef
	Tables   []string // schema.table
	TLS      TLS

	Snapshot          string // initial | no_data | initial_only
	SnapshotRows      int
	HeartbeatInterval time.Duration
	ConnectTimeout    time.Duration
	MaxRow            int64
	MaxTransaction    int64
	Retry             Retry
	Postgres          Postgres
	MySQL             MySQL
}

type Retry struct {
	Initial     time.Duration
	Max         time.Duration
	GiveUpAfter time.Duration // 0 = never
}

type TLS struct {
	Mode       string // disable | prefer | require | verify-ca | verify-full
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string
}

// MySQL is what MySQL and MariaDB have.
type MySQL struct {
	ServerID    int    // replica number
	Position    string // auto | gtid | file
	ReadTimeout time.Duration
	UUIDBinary  string // auto | rfc4122 | swapped | none
}

type Postgres struct {
	Slot        string
	Publication string
	Create      bool
	Failover    bool
	LagWarn     int64
}

type Router struct {
	Columns                 Columns
	MatchColumns            string // loose | exact
	TopicPattern            string
	Topic                   string
	TopicsAllowed           string
	Headers                 []Placement // in the order of the file
	Envelope                []Placement
	MissingColumn           string // error | ignore
	ExpandJSON              bool
	JSONNull                string // ignore | optional_bytes
	JSONEmptyArray          string // ignore | optional_string
	TombstoneOnEmptyPayload bool
	OnUpdate                string // ignore | warn | stop
}

// Columns names the columns with a meaning. Defaulted says which of them the file left alone: only
// those are matched loosely.
type Columns struct {
	ID            string
	Key           string
	RouteBy       string
	Payload       string
	Timestamp     string
	SchemaVersion string
	Partition     string
	Defaulted     map[string]bool // by option name: id, key, route_by, payload
}

// Placement puts a column under a name: a header's or an envelope field's.
type Placement struct {
	Name   string
	Column string
}

type Encoding struct {
	Key     string // string | json | json_with_schema | bytes
	Value   string // auto | string | json | json_with_schema | bytes
	Headers string // string | json
}

type Kafka struct {
	Brokers         []string
	ClientID        string
	TransactionalID string
	TLS             TLS
	SASL            SASL
	Compression     string // none | gzip | snappy | lz4 | zstd
	MaxBuffered     int64
	MaxRecord       int64
	Topics          Topics
}

type SASL struct {
	Mechanism string // "" | PLAIN | SCRAM-SHA-256 | SCRAM-SHA-512
	User      string
	Password  SecretRef
}

type Topics struct {
	Create            bool
	Partitions        int // -1 = the broker's default
	ReplicationFactor int // -1 = the broker's default
	Config            map[string]string
	Limit             int
}

type Commit struct {
	Interval time.Duration
	Rows     int
	Bytes    int64
}

type Offsets struct {
	Topic             string
	ReplicationFactor int
}

type Errors struct {
	OnError string // stop
}

// Secret is a text that never prints: String, Format, MarshalJSON and MarshalYAML give <redacted>.
type Secret string

// SecretRef is a secret that may live in a file, which is read anew for each connection.
type SecretRef struct {
	text *string // a pointer, so that no dump of a struct that holds it shows the text
	file string
}

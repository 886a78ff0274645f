package servers

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// SharedVariable names the environment variable that holds the path of a Shared, as JSON. Command run
// sets it, so that all packages of one `go test ./...` use the same servers.
const SharedVariable = "OUTFERRY_TEST_SERVERS"

// Shared says where the shared servers of a test run listen.
type Shared struct {
	Postgres map[int]int    `json:"postgres,omitempty"` // ports, by major version
	Kafka    string         `json:"kafka,omitempty"`    // host:port
	MySQL    map[string]int `json:"mysql,omitempty"`    // ports, by version as MySQLOptions has it
}

// Share starts shared servers, all at once, that live until EndAll. The lists are as in 15,18 and 8.0,mariadb10.
func Share(postgres string, kafka bool, mysql string) (Shared, error) {
	versions, err := parseVersions(postgres)
	if err != nil {
		return Shared{}, fmt.Errorf("versions of postgres: %w", err)
	}
	s := starter{shared: Shared{Postgres: map[int]int{}, MySQL: map[string]int{}}}
	for _, version := range versions {
		s.begin(fmt.Sprintf("postgres %d", version), func() (func(), error) {
			port, err := sharePostgres(version)
			return func() { s.shared.Postgres[version] = port }, err
		})
	}
	for _, version := range splitList(mysql) {
		s.begin("mysql "+version, func() (func(), error) {
			port, err := shareMySQL(version)
			return func() { s.shared.MySQL[version] = port }, err
		})
	}
	if kafka {
		s.begin("kafka", func() (func(), error) {
			addr, err := shareKafka()
			return func() { s.shared.Kafka = addr }, err
		})
	}
	s.all.Wait()
	return s.shared, errors.Join(s.errs...)
}

// starter gathers what comes of starts that run side by side.
type starter struct {
	all    sync.WaitGroup
	mu     sync.Mutex
	shared Shared
	errs   []error
}

// begin starts one server; what that returns is run when nobody else touches the result.
func (s *starter) begin(name string, start func() (note func(), err error)) {
	s.all.Go(func() {
		note, err := start()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.errs = append(s.errs, fmt.Errorf("%s: %w", name, err))
			return
		}
		note()
	})
}

// Write puts the JSON into a file that lasts until EndAll.
func (s Shared) Write() (file string, err error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	dir, err := newDir()
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "servers.json")
	return file, os.WriteFile(file, b, 0o644)
}

func splitList(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func parseVersions(list string) (versions []int, err error) {
	for _, v := range splitList(list) {
		n, e := strconv.Atoi(v)
		versions, err = append(versions, n), errors.Join(err, e)
	}
	return versions, err
}

var given = sync.OnceValues(func() (shared Shared, err error) {
	path := os.Getenv(SharedVariable)
	if path == "" {
		return shared, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return shared, fmt.Errorf("read %s: %w", SharedVariable, err)
	}
	if err := json.Unmarshal(b, &shared); err != nil {
		return shared, fmt.Errorf("read %s in %s: %w", SharedVariable, path, err)
	}
	return shared, nil
})

// memo remembers what was started under a key, and also that it could not be.
type memo[K comparable, V any] struct {
	mu      sync.Mutex
	entries map[K]func() (V, error)
}

func (m *memo[K, V]) get(key K, start func() (V, error)) (V, error) {
	m.mu.Lock()
	entry, ok := m.entries[key]
	if !ok {
		entry = sync.OnceValues(start)
		if m.entries == nil {
			m.entries = map[K]func() (V, error){}
		}
		m.entries[key] = entry
	}
	m.mu.Unlock()
	return entry()
}

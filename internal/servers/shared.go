package servers

import (
	"encoding/json"
	"fmt"
	"os"
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

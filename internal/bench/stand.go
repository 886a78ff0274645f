package bench

import (
	"fmt"
	"os"
	"testing"

	"outferry/internal/servers"
)

// stand lends the servers of tests to a program: what would fail a test ends the run with an error instead.
type stand struct {
	testing.TB // never called: what the servers use is below
	cleanups   []func()
	failed     bool
}

type failure struct{ err error }

func (s *stand) Helper()                    {}
func (s *stand) Failed() bool               { return s.failed }
func (s *stand) Cleanup(f func())           { s.cleanups = append(s.cleanups, f) }
func (s *stand) Log(args ...any)            { fmt.Fprintln(os.Stderr, args...) }
func (s *stand) Logf(f string, args ...any) { fmt.Fprintf(os.Stderr, f+"\n", args...) }
func (s *stand) Error(args ...any)          { s.failed = true; s.Log(args...) }
func (s *stand) Fatal(args ...any) {
	s.failed = true
	panic(failure{fmt.Errorf("%s", fmt.Sprint(args...))})
}
func (s *stand) Fatalf(f string, a ...any) { s.failed = true; panic(failure{fmt.Errorf(f, a...)}) }

// attempt turns what would have failed a test into an error.
func attempt(do func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.err
		default:
			panic(r)
		}
	}()
	return do()
}

func (s *stand) close() {
	for n := len(s.cleanups); n > 0; n-- {
		s.cleanups[n-1]()
	}
	s.cleanups = nil
}

// startKafka starts a broker with the JVM's usual compilers, since a test's starts fast and runs slow.
func startKafka(s *stand) *servers.Broker {
	return servers.StartKafka(s, servers.KafkaOptions{
		Properties: []string{"num.partitions=4", "log.retention.bytes=-1", "log.segment.bytes=268435456"},
		JVM:        []string{"-Xms1g", "-Xmx1g", "-XX:TieredStopAtLevel=4", "-XX:-UseSerialGC", "-XX:+UseG1GC"},
	})
}

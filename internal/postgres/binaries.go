package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	embedded "github.com/fergusstrange/embedded-postgres"

	"outferry/internal/install"
	"outferry/internal/process"
)

// archives are the newest of each major version that was published when this was written.
var archives = map[int]string{
	13: "13.23.0", 14: "14.24.0", 15: "15.19.0", 16: "16.15.0", 17: "17.11.0", 18: "18.6.0",
}

// newest and oldest are the major versions that we know archives of.
const (
	oldest = 13
	newest = 18
)

// Binaries returns a directory with the programs of a major version: the machine's own, or else those of an
// archive, which is fetched once and kept. Version 0 is the newest that the machine has, or else the newest.
func Binaries(ctx context.Context, major int) (string, error) {
	if major != 0 {
		if bin, ok := Find(major); ok {
			return bin, nil
		}
		return Fetch(ctx, major)
	}
	for v := newest; v >= oldest; v-- {
		if bin, ok := Find(v); ok {
			return bin, nil
		}
	}
	return Fetch(ctx, newest)
}

// Find looks where Linux distributions and Homebrew put the programs of a major version.
func Find(major int) (bin string, ok bool) {
	for _, pattern := range []string{
		"/usr/lib/postgresql/%d/bin", "/usr/pgsql-%d/bin",
		"/opt/homebrew/opt/postgresql@%d/bin", "/usr/local/opt/postgresql@%d/bin",
	} {
		bin := fmt.Sprintf(pattern, major)
		if complete(bin) {
			return bin, true
		}
	}
	return "", false
}

func complete(bin string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(bin, program)); err != nil {
			return false
		}
	}
	return true
}

// Fetch gets the archive of a major version, unless that was done before. The library below can't be
// interrupted: when ctx ends, what it has fetched by then is left for the next call to sweep away.
func Fetch(ctx context.Context, major int) (string, error) {
	version, ok := archives[major]
	if !ok {
		return "", fmt.Errorf("fetch postgres %d: only %d to %d are known", major, oldest, newest)
	}
	var bin string
	done := make(chan error, 1)
	go func() {
		var err error
		bin, err = fetchOnce(version)
		done <- err
	}()
	select {
	case err := <-done:
		return bin, err
	case <-ctx.Done():
		return "", fmt.Errorf("fetch postgres %s: %w", version, ctx.Err())
	}
}

func fetchOnce(version string) (string, error) {
	dir, err := install.Once("postgres-"+version, func(dir string) error { return unpack(dir, version) })
	return filepath.Join(dir, "bin"), err
}

// unpack has the library fetch, check and unpack an archive and do no more. The library offers only Start, which
// would then run initdb and the server as ourselves, and so fails for root. A data directory that ends in a dot
// can't be emptied, by the documented rule of os.RemoveAll: that stops Start right after the unpacking.
func unpack(dir, version string) error {
	work, err := os.MkdirTemp("", "outferry-fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	started := embedded.NewDatabase(embedded.DefaultConfig().
		Version(embedded.PostgresVersion(version)).
		CachePath(filepath.Join(work, "cache")).
		RuntimePath(filepath.Join(work, "run")).
		DataPath(filepath.Join(work, "data") + "/.").
		BinariesPath(dir).
		Port(0).
		Logger(io.Discard)).Start()
	if started == nil {
		return errors.New("the archive library started a server, which it was kept from doing: " + strconv.Quote(version))
	}
	if !complete(filepath.Join(dir, "bin")) {
		return fmt.Errorf("fetch postgres %s: %w", version, started)
	}
	if _, err := process.Run(process.Spec{Args: []string{filepath.Join(dir, "bin", "postgres"), "--version"}, Dir: dir}); err != nil {
		return fmt.Errorf("try postgres %s: %w", version, err)
	}
	return nil
}

package install_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"outferry/internal/install"
)

func TestManyAtOnceInstallOnce(t *testing.T) {
	t.Setenv("OUTFERRY_SERVERS", t.TempDir())
	var fills atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			dir, err := install.Once("ferry", func(dir string) error {
				fills.Add(1)
				return os.WriteFile(filepath.Join(dir, "program"), nil, 0o700)
			})
			if err != nil {
				t.Error(err)
				return
			}
			info, err := os.Stat(filepath.Join(dir, "program"))
			if err != nil {
				t.Error(err)
			} else if info.Mode().Perm() != 0o755 {
				t.Errorf("mode %o, want 755: other users run it", info.Mode().Perm())
			}
		})
	}
	all.Wait()
	if n := fills.Load(); n != 1 {
		t.Fatalf("filled %d times", n)
	}
}

func TestFailedInstallLeavesNothing(t *testing.T) {
	top := t.TempDir()
	t.Setenv("OUTFERRY_SERVERS", top)
	cause := errors.New("no connection")
	_, err := install.Once("ferry", func(dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o644), cause)
	})
	if !errors.Is(err, cause) {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(top, "ferry*")); len(left) != 1 { // the lock
		t.Fatalf("left %v", left)
	}
}

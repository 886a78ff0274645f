// Package install keeps what is fetched once and used by many processes: the programs of servers. An
// install is whole or absent, also to a second process that wants the same at the same time.
package install

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Dir returns where installs live: $OUTFERRY_SERVERS, else the user's cache directory. Root gets one below the
// system's temporary directory, since servers run as another user and can't reach into root's home.
func Dir() (string, error) {
	dir := os.Getenv("OUTFERRY_SERVERS")
	if dir == "" && os.Geteuid() == 0 {
		dir = filepath.Join(os.TempDir(), "outferry-servers")
	} else if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory: %w", err)
		}
		dir = filepath.Join(cache, "outferry-servers")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the directory of installed servers: %w", err)
	}
	return dir, owned(dir)
}

// owned refuses a directory that somebody else made: we would run what they put there.
func owned(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the directory of installed servers: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("the directory of installed servers, %s, belongs to user %d and not to us: set OUTFERRY_SERVERS to another", dir, stat.Uid)
	}
	return nil
}

// Once returns the directory of that name below Dir. Where it is missing, fill gets an empty directory
// to put everything in, which then becomes it; everybody may read what is in it.
func Once(name string, fill func(dir string) error) (string, error) {
	top, err := Dir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(top, name)
	if exists(dir) {
		return dir, nil
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	defer unlock()
	if exists(dir) { // another process was quicker
		return dir, nil
	}
	if err := replace(dir, fill); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return dir, nil
}

func replace(dir string, fill func(string) error) error {
	tmp := dir + ".part"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return err
	}
	if err := fill(tmp); err != nil {
		return err
	}
	if err := readable(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// readable undoes a strict umask.
func readable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lock waits for other processes. The file stays: removing it would let two hold "the" lock.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

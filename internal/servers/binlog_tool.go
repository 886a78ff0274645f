package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"outferry/internal/install"
)

// BinlogTool returns the command of mysqlbinlog, or of mariadb-binlog: the machine's own, or Debian's, unpacked as a server
// is. Neither knows all events of the other's server.
func BinlogTool(mariadb bool) ([]string, error) {
	name, find := "mysqlbinlog", mysqlDir
	if mariadb {
		name, find = "mariadb-binlog", mariadbClientDir
	}
	if path, err := exec.LookPath(name); err == nil {
		return []string{path}, nil
	}
	dir, err := find()
	if err != nil {
		return nil, fmt.Errorf("install %s: %w", name, err)
	}
	return debianCommand(dir, filepath.Join("usr/bin", name))
}

// mysqlDir is where MySQL 9 lies, which brings the tool with the server.
func mysqlDir() (string, error) {
	p, err := mysqlKinds["9"]()
	return filepath.Dir(p.base), err
}

func mariadbClientDir() (string, error) {
	return install.Once("mariadb-client-10", func(dir string) error { return debian(dir, "bookworm", mariadbLeaveOut, "mariadb-client") })
}

// debianCommand runs a program of an unpacked archive with the C library that lies beside it.
func debianCommand(dir, program string) ([]string, error) {
	loader, err := firstOf(dir, "usr/lib64/ld-linux*.so.*", "lib64/ld-linux*.so.*", "usr/lib/ld-linux*.so.*", "lib/ld-linux*.so.*",
		"usr/lib/*/ld-linux*.so.*", "lib/*/ld-linux*.so.*")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, program)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	libs, _ := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-gnu*"))
	more, _ := filepath.Glob(filepath.Join(dir, "lib/*-linux-gnu*"))
	return []string{loader, "--library-path", strings.Join(append(libs, more...), ":"), path}, nil
}

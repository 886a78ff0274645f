package servers

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// CopyData copies the data directory of the stopped server, as a cold backup would, and returns the copy's path.
func (p *PostgresServer) CopyData() string {
	p.t.Helper()
	if p.server.Running() {
		p.t.Fatal("copy the data directory: the server runs")
	}
	to := filepath.Join(private(p.t), "data")
	p.check(copyTree(p.DataDir, to, nil))
	return to
}

// Restore replaces the data directory of the stopped server by a copy that CopyData made.
func (p *PostgresServer) Restore(backup string) {
	p.t.Helper()
	if p.server.Running() {
		p.t.Fatal("restore the data directory: the server runs")
	}
	p.check(os.RemoveAll(p.DataDir))
	p.check(copyTree(backup, p.DataDir, nil))
	p.check(p.server.Own(p.DataDir))
}

// StandBy has the stopped server start as a standby of nobody, which Promote makes a primary on a timeline of its own.
func (p *PostgresServer) StandBy() {
	p.t.Helper()
	p.check(os.WriteFile(filepath.Join(p.DataDir, "standby.signal"), nil, 0o600))
	p.check(p.server.Own(p.DataDir))
}

// copyTree copies directories and regular files. What vanishes meanwhile is left out, as the directory
// of a running server may lose files at any time.
func copyTree(from, to string, skip func(path string) bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case skip != nil && skip(name):
			return nil
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		default:
			return copyFile(path, target)
		}
	})
}

func copyFile(from, to string) (err error) {
	r, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	_, err = io.Copy(w, r)
	return err
}

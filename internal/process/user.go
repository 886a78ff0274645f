package process

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// User is who a child runs as. A nil User is who we are, in every method.
type User struct {
	UID, GID uint32
}

// Unprivileged returns the user for servers that refuse to run as root: nobody when we are root, and
// nil, which is ourselves, when we are not.
func Unprivileged() (*User, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("find a user without privileges: %w", err)
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the id of user nobody: %w", err)
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the group of user nobody: %w", err)
	}
	return &User{UID: uint32(uid), GID: uint32(gid)}, nil
}

// Own gives a file or a whole directory to the user.
func (u *User) Own(path string) error {
	if u == nil {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, int(u.UID), int(u.GID))
	})
}

// MkdirTemp makes a directory below the system's temporary one that every user may search, so that
// a server of another user reaches what lies inside.
func MkdirTemp(pattern string) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

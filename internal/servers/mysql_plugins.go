package servers

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"outferry/internal/install"
)

// pluginsOnly leaves out all names but mariadb-server, whose programs we have from a package of their own.
const pluginsOnly = `[^m].*|m[^a].*|ma[^r].*|mariadb-[^s].*|mariadb-server-.*`

// mariadbSuites are the releases of Debian that the servers come from.
var mariadbSuites = map[string]string{"mariadb10": "bookworm", "mariadb11": "trixie"}

// MariaDBPlugins fetches what a server of MariaDB's can load (auth_ed25519, ha_blackhole) and returns the
// setting by which it finds that.
func MariaDBPlugins(t testing.TB, version string) (setting string) {
	t.Helper()
	dir, err := mariadbPlugins(version)
	if err != nil {
		t.Fatalf("plugins of %s: %v", version, err)
	}
	return "plugin_dir = " + dir
}

func mariadbPlugins(version string) (string, error) {
	suite, ok := mariadbSuites[version]
	if !ok {
		return "", fmt.Errorf("no MariaDB of this test suite")
	}
	name := strings.Replace(version, "mariadb", "mariadb-plugins-", 1)
	dir, err := install.Once(name, func(dir string) error { return debian(dir, suite, pluginsOnly, "mariadb-server") })
	return filepath.Join(dir, "usr/lib/mysql/plugin"), err
}

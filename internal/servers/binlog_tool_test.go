package servers_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"outferry/internal/servers"
)

func TestToolsThatReadABinlogRun(t *testing.T) {
	tools := map[string]bool{"mariadb-binlog": true}
	if slices.Contains(strings.Split(os.Getenv("OUTFERRY_TEST_MYSQL"), ","), "9") { // which brings the other
		tools["mysqlbinlog"] = false
	}
	for name, mariadb := range tools {
		command, err := servers.BinlogTool(mariadb)
		if err != nil {
			t.Error(err)
			continue
		}
		out, err := exec.Command(command[0], append(command[1:], "--version")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), name) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

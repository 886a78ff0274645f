package servers

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// mysqlAccounts: what outferry reads it gets granted with each database.
const mysqlAccounts = `
CREATE USER 'root'@'%' IDENTIFIED BY 'root';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE USER 'outferry'@'%' IDENTIFIED BY 'outferry';
GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'outferry'@'%';
CREATE USER 'app'@'%' IDENTIFIED BY 'app';
`

// configure writes my.cnf, and makes the directories that it names.
func (m *mysqlServer) configure() error {
	for _, dir := range []string{"data", "tmp"} {
		if err := os.MkdirAll(m.path(dir), 0o700); err != nil {
			return err
		}
		if err := m.user.Own(m.path(dir)); err != nil {
			return err
		}
	}
	if err := m.user.Own(m.dir); err != nil {
		return err
	}
	lines, err := m.settings()
	if err != nil {
		return err
	}
	return m.write("my.cnf", "[mysqld]\n"+strings.Join(lines, "\n")+"\n")
}

func (m *mysqlServer) settings() ([]string, error) {
	o := m.options
	lines := []string{
		"basedir = " + m.program.base,
		"plugin_dir = " + m.program.plugins,
		"lc_messages_dir = " + m.program.share,
		"character_sets_dir = " + m.program.share + "/charsets",
		"datadir = " + m.path("data"),
		"tmpdir = " + m.path("tmp"),
		"secure_file_priv = " + m.path("tmp"), // Debian's default is a directory that must exist
		"socket = " + m.path("mysqld.sock"),
		"pid_file = " + m.path("mysqld.pid"),
		fmt.Sprintf("port = %d", m.port),
		"bind_address = 127.0.0.1",
		"loose_mysqlx = OFF",
		"skip_name_resolve",
		"character_set_server = utf8mb4",
		"max_connections = 200",
		"max_connect_errors = 1000000",
		"innodb_buffer_pool_size = 64M",
		"log_bin = binlog",
		fmt.Sprintf("server_id = %d", cmp.Or(o.ServerID, m.port)),
		"binlog_format = " + cmp.Or(o.BinlogFormat, "ROW"),
		"binlog_row_image = " + cmp.Or(o.RowImage, "FULL"),
	}
	if o.RowMetadata != "" {
		lines = append(lines, "binlog_row_metadata = "+o.RowMetadata)
	}
	if o.Durable {
		lines = append(lines, "sync_binlog = 1") // MariaDB's default is 0
	} else {
		lines = append(lines, "sync_binlog = 0", "innodb_flush_log_at_trx_commit = 2")
	}
	lines = append(lines, m.ownSettings()...)
	if o.TLS != nil {
		cert, key, err := o.TLS.serverFiles()
		if err != nil {
			return nil, err
		}
		lines = append(lines, "ssl_ca = "+o.TLS.File, "ssl_cert = "+cert, "ssl_key = "+key)
	}
	return append(lines, o.Settings...), nil
}

// ownSettings are those that only one of the two families knows.
func (m *mysqlServer) ownSettings() []string {
	o := m.options
	if m.program.mariadb {
		return []string{
			"log_slave_updates = ON", "gtid_strict_mode = ON",
			"log_bin_compress = " + onOff(o.Compress), "log_bin_compress_min_len = 10",
		}
	}
	return []string{
		"gtid_mode = " + onOff(!o.NoGTID), "enforce_gtid_consistency = " + onOff(!o.NoGTID),
		"binlog_transaction_compression = " + onOff(o.Compress),
	}
}

func onOff(on bool) string {
	if on {
		return "ON"
	}
	return "OFF"
}

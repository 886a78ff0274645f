package docs

import (
	"os"
	"strings"
	"testing"

	"outferry/configs"
	"outferry/internal/servers"
)

const mysqlSection = "MySQL and MariaDB rights"

// The blocks of that section, one after the other, make of a server one on which configs/mysql.yaml runs, and
// the README's row becomes the README's record there too. That each grant is needed is asked in binlog.
func TestMySQLBecomesASourceByTheBlocks(t *testing.T) {
	insert, record := readPage(t, "README.md").of("sql")[0], readPage(t, "README.md").of("text")[0]
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			db := asDocumented(t, version)
			db.Exec(t, "INSERT INTO outbox VALUES (UUID(), 'before', '1', 't', '{}')")
			broker := servers.StartKafka(t, servers.KafkaOptions{}) // the file has names that other tests may use
			run(t, mysqlFile(t, db, broker))
			consume(t, broker, "outbox.event.before")
			db.Exec(t, insert)
			if got := show(consume(t, broker, "outbox.event.post")); got != record {
				t.Errorf("the record is\n%s\nREADME.md shows\n%s", got, record)
			}
		})
	}
}

// asDocumented is a server after the statements of the page.
func asDocumented(t *testing.T, version string) *servers.MySQLDatabase {
	t.Helper()
	server := servers.StartMySQL(t, servers.MySQLOptions{Version: version})
	server.Admin().Exec(t, "DROP USER outferry; CREATE DATABASE blog")
	db := &servers.MySQLDatabase{Version: version, Name: "blog", Port: server.Port}
	blocks := 0
	for _, b := range readPage(t, "docs/operating.md").blocks {
		if b.language == "sql" && b.section == mysqlSection {
			db.Exec(t, b.text)
			blocks++
		}
	}
	if blocks < 3 {
		t.Fatalf("section %q has %d sql blocks, want settings, table and account", mysqlSection, blocks)
	}
	return db
}

func mysqlFile(t *testing.T, db *servers.MySQLDatabase, broker *servers.Broker) *configs.Pipeline {
	t.Helper()
	text, err := os.ReadFile(root + "/configs/mysql.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := strings.Replace(string(text), "${file:/run/secrets/mysql_password}", "secret", 1)
	return load(t, file, nil, "kafka.brokers="+broker.Addr,
		"source.url="+strings.Replace(db.URL("outferry"), ":outferry@", "@", 1))
}

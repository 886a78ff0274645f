package docs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
)

// Each sql block of docs/ for PostgreSQL runs as it stands, in a database called posts that has the README's outbox; and where a
// block makes a role, a pipeline runs with no more rights than that.
func TestSQLRuns(t *testing.T) {
	server := servers.StartPostgres(t, servers.PostgresOptions{Version: 18})
	admin := server.Database(t)
	admin.Exec(t, "DROP ROLE outferry")
	table := readPage(t, "README.md").of("sql")[1]
	for _, p := range pages(t) {
		if p.path == "README.md" {
			continue // TestTheInsertBecomesTheRecord
		}
		for i, b := range p.blocks {
			sql := b.text
			if b.language != "sql" || b.section == mysqlSection {
				continue
			}
			t.Run(fmt.Sprint(p.path, " ", i+1), func(t *testing.T) {
				admin.Exec(t, "CREATE DATABASE posts")
				db := &servers.Database{Name: "posts", Port: server.Port}
				db.Exec(t, table)
				t.Cleanup(func() { takeDown(t, admin, db) })
				for statement := range strings.SplitSeq(sql, ";\n") { // one by one: a slot is not made in a transaction that wrote
					db.Exec(t, statement)
				}
				if strings.Contains(sql, "CREATE ROLE outferry") {
					streams(t, db, !strings.Contains(sql, "pg_create_logical_replication_slot"))
				}
			})
		}
	}
}

// streams runs a pipeline as the role that was made, and sees a row of the snapshot and one of the stream arrive.
func streams(t *testing.T, db *servers.Database, create bool) {
	t.Helper()
	broker := servers.Kafka(t)
	name := strings.TrimSuffix(broker.Prefix(t), "-")
	insert := func(key string) {
		db.Exec(t, "INSERT INTO outbox VALUES (gen_random_uuid(), $1, $2, 't', '{}')", name+key, key)
	}
	insert("before")
	file := readPage(t, "README.md").of("yaml")[0]
	run(t, load(t, file, map[string]string{"DATABASE_URL": strings.Replace(db.URL("outferry"), ":outferry@", ":secret@", 1)},
		"name="+name, "kafka.brokers="+broker.Addr, "source.postgres.slot=outferry_posts", "source.postgres.publication=outferry_posts",
		fmt.Sprint("source.postgres.create=", create)))
	consume(t, broker, "outbox.event."+name+"before")
	insert("after")
	consume(t, broker, "outbox.event."+name+"after")
}

func takeDown(t *testing.T, admin, db *servers.Database) {
	t.Helper()
	servers.Eventually(t, time.Minute, "nobody reads a slot", func() bool {
		return admin.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE active") == "0"
	})
	db.Exec(t, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = 'posts'")
	db.Exec(t, "REASSIGN OWNED BY outferry TO postgres; DROP OWNED BY outferry; DROP ROLE outferry")
	admin.Exec(t, "DROP DATABASE posts WITH (FORCE)")
}

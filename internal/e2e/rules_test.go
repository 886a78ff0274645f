//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"outferry/internal/servers"
)

// The services' own tests, which Maven runs in its phase verify, against real databases.
func TestPostKeepsTheRulesOfTheOutbox(t *testing.T) {
	db := servers.Postgres(t, 15)
	verify(t, "post", jdbcPostgres(db))
}

func TestCommentsKeepsTheRulesOfTheInbox(t *testing.T) {
	db := servers.MySQL(t, "8.0")
	verify(t, "comments", jdbcMySQL(db))
}

func verify(t *testing.T, service, url string) {
	t.Helper()
	if err := maven(datasource(url), "verify", "--projects", ":"+service, "--also-make"); err != nil {
		t.Fatal(err)
	}
}

func datasource(url string) []string {
	return []string{"SPRING_DATASOURCE_URL=" + url, "SPRING_DATASOURCE_USERNAME=app", "SPRING_DATASOURCE_PASSWORD=app"}
}

func jdbcPostgres(db *servers.Database) string {
	return fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/%s", db.Port, db.Name)
}

// jdbcMySQL lets the driver ask for the server's key: this server may have no certificate.
func jdbcMySQL(db *servers.MySQLDatabase) string {
	return fmt.Sprintf("jdbc:mysql://127.0.0.1:%d/%s?allowPublicKeyRetrieval=true", db.Port, db.Name)
}

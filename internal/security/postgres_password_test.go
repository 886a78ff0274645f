package security

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
)

func port(n int) string { return fmt.Sprintf(":%d", n) }

// role makes an account that goes with the test. Accounts belong to the whole server.
func role(t testing.TB, d *servers.Database, suffix, options string) string {
	t.Helper()
	name := d.Name + suffix
	d.Exec(t, fmt.Sprintf("CREATE ROLE %s %s PASSWORD '%s'", name, options, name))
	t.Cleanup(func() { d.Exec(t, fmt.Sprintf("DROP OWNED BY %s; DROP ROLE %s", name, name)) })
	return name
}

func TestWrongPasswordOfPostgresIsNamed(t *testing.T) {
	d := servers.Postgres(t, 15)
	outboxOf(t, d)
	url := strings.Replace(d.URL("outferry"), "outferry:outferry", "outferry:wr0ng-pass", 1)
	f := wantFault(t, look(t, file(t, "posts", url, "127.0.0.1:9")), "pg.auth", outbox.Environment, "source.password")
	if strings.Contains(f.Error(), "wr0ng-pass") {
		t.Fatal("the fault shows the password")
	}
	unknown := strings.Replace(d.URL("outferry"), "outferry:outferry", "nobody:nothing", 1)
	wantFault(t, look(t, file(t, "posts", unknown, "127.0.0.1:9")), "pg.auth", outbox.Environment)
}

// The password is read anew at each connection: the running pipeline outlives a rotation and the cut that comes with it.
func TestPasswordFileIsReadAtEachConnection(t *testing.T) {
	d, b := servers.Postgres(t, 15), servers.Kafka(t)
	outboxOf(t, d)
	user := role(t, d, "_rot", "LOGIN REPLICATION")
	d.Exec(t, fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s; GRANT app TO %s", d.Name, user, user))
	secret := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(user)
	url := strings.Replace(d.URL(user), user+":"+user, user, 1)
	name := strings.TrimSuffix(b.Prefix(t), "-")
	cfg := file(t, name, url, b.Addr, "source.retry.initial=100ms")
	cfg.Source.Password = configs.SecretFile(secret)
	r := start(t, cfg)
	r.logged(t, `"streaming"`)
	insert(t, d, name, "before")
	wantKeys(t, b.Addr, "outbox.event."+name, "before")

	d.Exec(t, fmt.Sprintf("ALTER ROLE %s PASSWORD 'rotated'", user))
	d.Exec(t, fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%s'", user))
	r.logged(t, "pg.auth")
	write("rotated")
	insert(t, d, name, "after")
	wantKeys(t, b.Addr, "outbox.event."+name, "before", "after")
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
}

package binlog_test

import (
	"fmt"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
)

// plugins are the ways of logging in with a password that a server has.
func plugins(version string) map[string]string {
	switch {
	case isMaria(version):
		return map[string]string{
			"mysql_native_password": "IDENTIFIED VIA mysql_native_password USING PASSWORD('%s')",
			"ed25519":               "IDENTIFIED VIA ed25519 USING PASSWORD('%s')",
		}
	case version == "9": // the old one is gone
		return map[string]string{"caching_sha2_password": "IDENTIFIED WITH caching_sha2_password BY '%s'"}
	}
	return map[string]string{
		"caching_sha2_password": "IDENTIFIED WITH caching_sha2_password BY '%s'",
		"sha256_password":       "IDENTIFIED WITH sha256_password BY '%s'",
		"mysql_native_password": "IDENTIFIED WITH mysql_native_password BY '%s'",
	}
}

func as(user, password string) func(*configs.Pipeline) {
	return func(c *configs.Pipeline) {
		c.Source.User, c.Source.Password = user, configs.SecretText(password)
	}
}

func grants(d *servers.MySQLDatabase, user string) string {
	return fmt.Sprintf("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO %s; GRANT SELECT ON %s.outbox TO %[1]s", user, d.Name)
}

// TestLogins: each plugin, in plain text and under TLS, when the server has not seen the password before and
// when it has, and with a wrong one.
func TestLogins(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		ca := servers.NewCA(t)
		o := servers.MySQLOptions{Version: version, TLS: ca}
		if isMaria(version) {
			o.Settings = []string{servers.MariaDBPlugins(t, version), "plugin_load_add = auth_ed25519"}
		}
		d := servers.StartMySQL(t, o).Database(t)
		d.Exec(t, tablesSQL)
		for plugin, identified := range plugins(version) {
			for mode, tls := range map[string]configs.TLS{"plain": {Mode: "disable"}, "tls": {Mode: "verify-full", CAFile: ca.File}} {
				t.Run(plugin+" "+mode, func(t *testing.T) { login(t, d, identified, tls) })
			}
		}
	})
}

func login(t *testing.T, d *servers.MySQLDatabase, identified string, tls configs.TLS) {
	const user, password = "reader", `it's a "p\ä:@/ss`
	d.Exec(t, "CREATE USER reader "+fmt.Sprintf(identified, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password))+"; "+grants(d, user))
	defer d.Exec(t, "DROP USER reader")
	over := func(c *configs.Pipeline) { c.Source.TLS = tls }
	for _, wrong := range []string{"wrong", ""} {
		_, err := binlog.New(file(t, d, as(user, wrong), over), testLog(t), binlog.Options{}).Look(t.Context())
		wantFault(t, asFault(t, err), "mysql.auth", outbox.Environment)
	}
	for _, id := range []string{"new", "known"} {
		f := start(t, file(t, d, noData, as(user, password), over), nil, binlog.Options{})
		f.begun()
		d.Exec(t, insert(t.Name()+id))
		f.wait(1)
		f.stop()
	}
}

// TestMissingGrantNamesItself: the account has all but one.
func TestMissingGrantNamesItself(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t)
		d.Exec(t, tablesSQL+"; "+insert("old")+"; CREATE USER reader IDENTIFIED BY 'reader'")
		type missing struct{ without, says, code string }
		byFile := func(c *configs.Pipeline) { c.Source.MySQL.Position = "file" }
		cases := []missing{
			{"REPLICATION SLAVE ON *.*", "REPLICATION SLAVE", "mysql.permission"},
			{"SELECT ON " + d.Name + ".outbox", "GRANT SELECT ON `" + d.Name + "`.`outbox`", "mysql.table_missing"},
		}
		if isMaria(version) { // its snapshots say where in the log they stand, so they lock nothing
			cases = append(cases, missing{"REPLICATION CLIENT ON *.*", "BINLOG MONITOR", "mysql.permission"})
		} else {
			cases = append(cases, missing{"REPLICATION CLIENT ON *.*", "REPLICATION CLIENT", "mysql.permission"},
				missing{"LOCK TABLES ON " + d.Name + ".*", "LOCK TABLES", "mysql.permission"})
		}
		for _, c := range cases {
			t.Run(c.without, func(t *testing.T) {
				d.Exec(t, grants(d, "reader")+"; GRANT LOCK TABLES ON "+d.Name+".* TO reader")
				d.Exec(t, "REVOKE "+c.without+" FROM reader")
				fault := start(t, file(t, d, as("reader", "reader"), byFile), nil, binlog.Options{}).fault()
				if fault.Code != c.code || !strings.Contains(fault.Remedy, c.says) || strings.Contains(fault.Remedy, "gtid_mode") { // which is on
					t.Fatalf("got %v, want %s with %q in the remedy", fault, c.code, c.says)
				}
				t.Log(fault)
			})
		}
		d.Exec(t, grants(d, "reader")+"; GRANT LOCK TABLES ON "+d.Name+".* TO reader")
		start(t, file(t, d, as("reader", "reader"), byFile), nil, binlog.Options{}).wait(1)
	})
}

// TestGrantOnSomeColumnsIsNotEnough: the catalog shows the account no others, and the log has all.
func TestGrantOnSomeColumnsIsNotEnough(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		user := "u" + d.Name
		d.Exec(t, "CREATE USER "+user+" IDENTIFIED BY '"+user+"'; GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO "+user+"; GRANT SELECT (id, aggregatetype, aggregateid, type, payload) ON outbox TO "+user)
		t.Cleanup(func() { d.Exec(t, "DROP USER "+user) })
		fault := start(t, file(t, d, noData, as(user, user)), nil, binlog.Options{}).fault()
		wantFault(t, fault, "mysql.permission", outbox.Environment)
		_, grant, ok := strings.Cut(fault.Remedy, "run as an administrator: ")
		if !ok {
			t.Fatalf("got %v", fault)
		}
		d.Exec(t, grant)
		start(t, file(t, d, noData, as(user, user)), nil, binlog.Options{}).begun()
	})
}

// TestCertificateOfAnotherAuthority is a person's to mend in each mode that looks at the chain.
func TestCertificateOfAnotherAuthority(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version, TLS: servers.NewCA(t)}).Database(t)
		d.Exec(t, tablesSQL)
		other := servers.NewCA(t).File
		for _, mode := range []string{"require", "verify-ca", "verify-full"} {
			over := func(c *configs.Pipeline) { c.Source.TLS = configs.TLS{Mode: mode, CAFile: other} }
			_, err := binlog.New(file(t, d, over), testLog(t), binlog.Options{}).Look(t.Context())
			wantFault(t, asFault(t, err), "mysql.tls", outbox.Environment)
		}
	})
}

// TestWhereTLSIsRequired: who does not use it may get the answer to a wrong password.
func TestWhereTLSIsRequired(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version, TLS: servers.NewCA(t)}).Database(t)
		d.Exec(t, tablesSQL+"; CREATE USER secure IDENTIFIED BY 'secure' REQUIRE SSL; "+grants(d, "secure"))
		look := func(user string, tls configs.TLS) error {
			over := func(c *configs.Pipeline) { c.Source.TLS = tls }
			_, err := binlog.New(file(t, d, as(user, user), over), testLog(t), binlog.Options{}).Look(t.Context())
			return err
		}
		if err := look("secure", configs.TLS{Mode: "require"}); err != nil {
			t.Error(err)
		}
		wrong := configs.TLS{Mode: "prefer", CAFile: servers.NewCA(t).File} // so that it goes on without
		for _, tls := range []configs.TLS{{Mode: "disable"}, wrong} {
			fault := asFault(t, look("secure", tls))
			wantFault(t, fault, "mysql.auth", outbox.Environment)
			if !strings.Contains(fault.Remedy, "source.tls.mode: require") {
				t.Errorf("%s: the remedy says nothing of TLS", tls.Mode)
			}
		}
		root := d.Connect(t, "root") // without TLS, so that only this connection can turn it off again
		for _, on := range []string{"ON", "OFF"} {
			if _, err := root.Exec("SET GLOBAL require_secure_transport = " + on); err != nil {
				t.Fatal(err)
			}
			err := look("outferry", configs.TLS{Mode: "disable"})
			if required := err != nil && strings.Contains(asFault(t, err).Remedy, "source.tls.mode: require"); required != (on == "ON") {
				t.Errorf("require_secure_transport is %s: %v", on, err)
			}
		}
	})
}

package configs

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// isMySQL reports whether the source is MySQL or MariaDB.
func (s *Source) isMySQL() bool { return s.Type == "mysql" || s.Type == "mariadb" }

// defaultSchema is where a table without one is.
func (s *Source) defaultSchema() string {
	if s.isMySQL() && s.Database != "" {
		return s.Database
	}
	return "public"
}

// tables checks the outbox tables and puts those without a schema into the default one.
func (c *checker) tables() {
	s := &c.p.Source
	example := s.defaultSchema() + ".outbox"
	if len(s.Tables) == 0 && c.written("source.tables") && c.sound("source.tables") {
		c.errorf("source.tables", "write ["+example+"]", "names no table")
	}
	seen := map[string]bool{}
	for i, t := range s.Tables {
		path := c.itemPath("source.tables", i)
		if strings.ContainsAny(t, `*?\()[]|^+"`) || strings.HasSuffix(t, "$") { // a dollar sign may stand inside of a name
			c.errorf(path, "write plain names, one item for each table, as "+example, "a table name is not a pattern and has no quotes")
			continue
		}
		full := t
		if !strings.Contains(t, ".") {
			full = s.defaultSchema() + "." + t
		}
		if !s.isTableName(full) {
			c.errorf(path, "write schema.table, as "+example, "not the name of a table")
			continue
		}
		if seen[full] {
			c.errorf(path, "", "%s is named twice", full)
		}
		seen[full] = true
		s.Tables[i] = full
	}
}

// itemPath is the path of a list's item, or of the list when it came from one reference.
func (c *checker) itemPath(path string, i int) string {
	item := fmt.Sprintf("%s[%d]", path, i)
	if _, ok := c.places[item]; ok {
		return item
	}
	return path
}

// isTableName wants schema.table, each within what a server keeps of a name.
func (s *Source) isTableName(name string) bool {
	longest, size := 63, func(part string) int { return len(part) }
	if s.isMySQL() {
		longest, size = 64, utf8.RuneCountInString
	}
	parts := strings.Split(name, ".")
	if len(parts) != 2 {
		return false
	}
	for _, p := range parts {
		if p == "" || size(p) > longest || strings.ContainsAny(p, " \t\r\n\x00:,;/") {
			return false
		}
	}
	return true
}

func (c *checker) postgres() {
	if c.p.Source.isMySQL() {
		if c.written("source.snapshot_rows") {
			c.warnf("source.snapshot_rows", "leave it out", "MySQL and MariaDB send a snapshot in one go: ignored")
		}
		return
	}
	if name := c.p.Source.Postgres.Publication; len(name) > 63 || strings.ContainsAny(name, "\x00") {
		c.errorf("source.postgres.publication", "", "longer than 63 bytes, which is all that PostgreSQL keeps of a name")
	}
}

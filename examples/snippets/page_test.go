package snippets

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write README.md")

// The page shows what the tests run, and nothing else.
func TestPageShowsTheSnippets(t *testing.T) {
	want := page(t)
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, "README.md"); got != want {
		t.Error("README.md is behind: run go test ./examples/snippets -run Page -update")
	}
}

const introduction = `# Snippets

Each writes a post and its event in one transaction, into the tables of [schema.sql](schema.sql). The tests commit one post and have the
database refuse another at the very end of its transaction, and find both rows of the first and none of the second. A transaction is
all that a stack must have: Outferry does the rest.

`

type section struct{ title, file, proof string }

const (
	always = "Run by `go test ./examples/snippets`."
	byMake = "Run by `make snippets`."
	parsed = "Read by a parser of its language in `make snippets`, and not run: its runtime is not where the tests are."
)

var writers = []section{
	{"Java: JPA", "java/src/main/java/Jpa.java", byMake + " With Spring Data: [../spring-boot](../spring-boot)."},
	{"Java: Spring's JdbcClient", "java/src/main/java/Jdbc.java", byMake},
	{"C#: EF Core", "efcore.cs", parsed},
	{"Python: SQLAlchemy", "sqlalchemy_outbox.py", byMake},
	{"Python: Django", "django_outbox.py", byMake},
	{"Ruby: ActiveRecord", "active_record.rb", parsed},
	{"Node: pg", "pg.mjs", byMake},
	{"Node: Prisma", "prisma.mjs", byMake + " Its models: [schema.prisma](schema.prisma)."},
	{"Go: pgx", "pgx/main.go", always},
	{"Go: database/sql", "database-sql/main.go", always},
	{"SQL: a trigger", "trigger.sql", always + " For a program that can't be changed."},
}

var consumers = []section{
	{"Java", "java/src/main/java/Consumer.java", byMake},
	{"Go", "consumer/main.go", always + " With retries and dead letters: [../go/inbox](../go/inbox)."},
}

func page(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(introduction)
	b.WriteString("## Writing the event\n\n")
	for _, s := range writers {
		b.WriteString(s.text(t))
	}
	b.WriteString("## Consuming it once\n\nKafka delivers again after a crash, whatever the producer promises. The event's id, in the header `id`, tells.\n\n")
	for _, s := range consumers {
		b.WriteString(s.text(t))
	}
	return strings.TrimSpace(b.String()) + "\n"
}

func (s section) text(t *testing.T) string {
	t.Helper()
	language := strings.TrimPrefix(filepath.Ext(s.file), ".")
	if language == "mjs" {
		language = "js"
	}
	return "### " + s.title + "\n\n[" + s.file + "](" + s.file + "). " + s.proof + "\n\n```" + language + "\n" + shown(t, s.file) + "```\n\n"
}

// shown returns what stands between the marks, without its common indentation.
func shown(t *testing.T, file string) string {
	t.Helper()
	var lines []string
	inside := false
	for line := range strings.Lines(read(t, file)) {
		switch {
		case strings.HasSuffix(strings.TrimSpace(line), "snippet: begin"):
			inside = true
		case strings.HasSuffix(strings.TrimSpace(line), "snippet: end"):
			inside = false
		case inside:
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 || inside {
		t.Fatalf("%s has no snippet", file)
	}
	indent := len(lines[0]) - len(strings.TrimLeft(lines[0], " "))
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimPrefix(line, strings.Repeat(" ", indent)))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

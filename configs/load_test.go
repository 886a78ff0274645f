package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func named(name string) string { return strings.Replace(minimal, "all-options", name, 1) }

func names(set *Set) []string {
	var all []string
	for _, p := range set.Pipelines {
		all = append(all, p.Name)
	}
	return all
}

func TestDirectoriesFilesAndDocuments(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.yml": named("second"), "a.yaml": named("first"), "z.yaml": "service: {log: {level: debug}}\n---\n" + named("third") + "---\n" + named("fourth"),
		"notes.txt": "not: [yaml", ".hidden.yaml": "not: [yaml",
	})
	extra := filepath.Join(writeFiles(t, map[string]string{"e.conf": named("fifth")}), "e.conf")
	set, findings := Load([]string{dir, extra}, isolated(nil))
	if findings != nil {
		t.Fatal(findings.Error())
	}
	if diff := cmp.Diff([]string{"first", "second", "third", "fourth", "fifth"}, names(set)); diff != "" {
		t.Error(diff)
	}
	if set.Service.Log.Level != "debug" || set.Service.HTTP.Listen != "127.0.0.1:8087" || set.Service.HTTP.ListenSet {
		t.Errorf("got %+v", set.Service)
	}
}

func TestFindingsOfSeveralFilesAreInTheirOrder(t *testing.T) {
	dir := writeFiles(t, map[string]string{"b.yaml": named("first") + "x: 1\n", "a.yaml": named("second") + "y: 1\n", "c.yaml": "{"})
	_, findings := Load([]string{filepath.Join(dir, "b.yaml"), dir}, isolated(nil))
	var order []string
	for _, f := range findings {
		order = append(order, filepath.Base(f.File))
	}
	if got := strings.Join(order, " "); got != "b.yaml a.yaml b.yaml b.yaml c.yaml" {
		t.Errorf("got %s\n%s", got, findings.Error())
	}
}

func TestDefaultsLieUnderEveryPipeline(t *testing.T) {
	text := `service: {}
defaults:
  kafka:
    brokers: ["${BROKERS}"]
    topics: {partitions: 6, config: {a: b}}
  router:
    headers: {eventType: type}
  source:
    url: postgres://outferry@db/posts
---
name: one
source: {tables: [outbox]}
---
name: two
source: {url: postgres://x@other/posts, tables: [outbox]}
kafka: {brokers: [own:9092], topics: {limit: 5}}
router: {headers: {}}
`
	set, findings := LoadBytes("x.yaml", []byte(text), isolated(map[string]string{"BROKERS": "shared:9092"}))
	if findings != nil {
		t.Fatal(findings.Error())
	}
	one, two := set.Pipelines[0], set.Pipelines[1]
	if one.Kafka.Brokers[0] != "shared:9092" || one.Source.Host != "db" || len(one.Router.Headers) != 1 || one.Source.Tables[0] != "public.outbox" {
		t.Errorf("one: %+v", one)
	}
	if two.Kafka.Brokers[0] != "own:9092" || two.Source.Host != "other" || len(two.Router.Headers) != 0 ||
		two.Kafka.Topics.Partitions != 6 || two.Kafka.Topics.Limit != 5 || two.Kafka.Topics.Config["a"] != "b" {
		t.Errorf("two: %+v", two)
	}
	if _, findings = LoadBytes("x.yaml", []byte(text), isolated(nil)); len(findings) != 1 || findings[0].Line != 4 {
		t.Errorf("want one finding at the default, got\n%s", findings.Error())
	}
}

func TestFlagOverEnvironmentOverFile(t *testing.T) {
	text := minimal + "commit: {rows: 1, bytes: 1MiB, interval: 1s}\n"
	o := isolated(map[string]string{
		"OUTFERRY__COMMIT__ROWS": "2", "OUTFERRY__COMMIT__BYTES": "2MiB", "OUTFERRY__KAFKA__BROKERS": "a:1,b:2",
		"OUTFERRY__SERVICE__LOG__LEVEL": "warn", "OUTFERRY__SOURCE__PASSWORD": "${not expanded}",
	})
	o.Set = []string{"commit.rows=3", "service.http.listen=", "description=a=b"}
	set, findings := LoadBytes("x.yaml", []byte(text), o)
	if findings != nil {
		t.Fatal(findings.Error())
	}
	p := set.Pipelines[0]
	password, _ := p.Source.Password.Get()
	if p.Commit != (Commit{Interval: time.Second, Rows: 3, Bytes: 2 << 20}) || len(p.Kafka.Brokers) != 2 || password != "${not expanded}" || p.Description != "a=b" {
		t.Errorf("got %+v", p)
	}
	if set.Service.Log.Level != "warn" || set.Service.HTTP.Listen != "" || !set.Service.HTTP.ListenSet {
		t.Errorf("got %+v", set.Service)
	}
}

func TestBadOverridesNameTheirOrigin(t *testing.T) {
	o := isolated(map[string]string{"OUTFERRY__COMIT__ROWS": "2", "OUTFERRY__COMMIT__BYTES": "x"})
	o.Set = []string{"commit.rows", "slot.name=x", "router.headers={}", "delivery=never"}
	_, findings := LoadBytes("x.yaml", []byte(minimal), o)
	want := []string{
		"--set: error: wants path=value",
		"--set delivery: error: delivery: want exactly_once or at_least_once, got \"never\"",
		"--set router.headers: error: router.headers: a map can't be set here",
		"--set slot.name: error: slot.name: unknown option",
		"OUTFERRY__COMIT__ROWS: error: comit.rows: unknown option",
		"OUTFERRY__COMMIT__BYTES: error: commit.bytes: \"x\" is not a size",
	}
	if diff := cmp.Diff(want, strings.Split(findings.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
	o = isolated(nil)
	o.Set = []string{"commit.rows=5"}
	if _, f := LoadBytes("x.yaml", []byte(named("a")+"---\n"+named("b")), o); len(f) != 1 {
		t.Errorf("an override of one pipeline among two: %v", f)
	}
}

func TestWholeFileInAVariable(t *testing.T) {
	set, findings := Load(nil, isolated(map[string]string{"OUTFERRY_CONFIG_YAML": named("posts")}))
	if findings != nil || set.Pipelines[0].Name != "posts" {
		t.Error(findings.Error())
	}
	dir := writeFiles(t, map[string]string{"p.yaml": named("from-file")})
	set, findings = Load(nil, isolated(map[string]string{"OUTFERRY_CONFIG": filepath.Join(dir, "p.yaml")}))
	if findings != nil || set.Pipelines[0].Name != "from-file" {
		t.Error(findings.Error())
	}
	if _, findings = Load(nil, isolated(nil)); len(findings) != 1 || findings[0].File != "outferry.yaml" {
		t.Error(findings.Error())
	}
}

func TestUnusableFiles(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"empty.yaml": "# nothing\n---\n", "large.yaml": "# " + strings.Repeat("x", maxFileBytes), "service.yaml": "service: {}\n",
		"bomb.yaml": bomb(), "deep.yaml": strings.Repeat("[", 100_000), "cycle.yaml": "name: &a\n  name: *a\n",
	})
	for name, want := range map[string]string{
		"empty.yaml": "no pipeline", "service.yaml": "no pipeline", "large.yaml": "larger than 1MiB", "none.yaml": "does not exist",
		"bomb.yaml": "unknown field", "deep.yaml": "not YAML", "cycle.yaml": "expected a text",
	} {
		_, findings := Load([]string{filepath.Join(dir, name)}, isolated(nil))
		if !findings.HasErrors() || !strings.Contains(findings.Error(), want) {
			t.Errorf("%s: %s", name, findings.Error())
		}
	}
	if _, findings := Load([]string{t.TempDir()}, isolated(nil)); len(findings) != 1 {
		t.Errorf("empty directory: %v", findings)
	}
}

// A file that is no pipeline file, whatever it is, is answered soon.
func TestHostileFilesAreAnsweredSoon(t *testing.T) {
	const size = maxFileBytes / 4
	for name, text := range map[string]string{
		"one long key":    strings.Repeat("x", size) + ": 1\n",
		"a key of dots":   "x" + strings.Repeat(".", size) + ": 1\n",
		"many keys":       manyLines(size, func(i int) string { return fmt.Sprintf("key%d: 1\n", i) }),
		"many equal keys": manyLines(size, func(int) string { return "name: x\n" }),
		"many documents":  manyLines(size, func(int) string { return "---\na: 1\n" }),
		"a wide old name": "table: {" + manyLines(size, func(i int) string { return fmt.Sprintf("k%d: 1, ", i) }) + "}\n",
		"a wide list":     minimal + "description: [" + strings.Repeat("x,", size/2-200) + "]\n",
		"many references": minimal + "description: \"" + strings.Repeat("${A}", size/4-200) + "\"\n",
		"a late mistake":  manyLines(15<<10, func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }) + " x: 1\n",
	} {
		start := time.Now()
		_, findings := LoadBytes("x.yaml", []byte(text), isolated(map[string]string{"A": ""}))
		took := time.Since(start)
		t.Logf("%s: %s, %d findings", name, took, len(findings))
		if took > 10*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

func manyLines(size int, line func(i int) string) string {
	var out strings.Builder
	for i := 0; out.Len() < size-20; i++ {
		out.WriteString(line(i))
	}
	return out.String()
}

// bomb would hold 10^9 texts if its aliases were copied.
func bomb() string {
	var out strings.Builder
	out.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&out, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	return out.String() + minimal + "description: *a9\n"
}

func TestAliasOfAText(t *testing.T) {
	text := strings.Replace(minimal, "name: all-options", "name: &n posts\ndescription: *n", 1)
	set, findings := LoadBytes("x.yaml", []byte(text), isolated(nil))
	if findings != nil || set.Pipelines[0].Description != "posts" {
		t.Errorf("%+v\n%s", set.Pipelines[0], findings.Error())
	}
}

func TestDerivedDefaults(t *testing.T) {
	set, _ := LoadBytes("x.yaml", []byte(named("post-service")), isolated(nil))
	p := set.Pipelines[0]
	if p.Source.Postgres.Slot != "outferry_post_service" || p.Source.Postgres.Publication != "outferry_post_service" ||
		p.Kafka.ClientID != "outferry-post-service" || p.Kafka.TransactionalID != "outferry-post-service" {
		t.Errorf("got %+v, %+v", p.Source.Postgres, p.Kafka)
	}
	if !p.Router.Columns.Defaulted["key"] || !p.Router.Columns.Defaulted["id"] {
		t.Errorf("got %v", p.Router.Columns.Defaulted)
	}
	set, _ = LoadBytes("x.yaml", []byte(minimal+"router: {columns: {key: aggregateid}}\n"), isolated(nil))
	if set.Pipelines[0].Router.Columns.Defaulted["key"] {
		t.Error("a column that the file names is not defaulted")
	}
}

func TestFiftyPipelinesLoadFast(t *testing.T) {
	var text strings.Builder
	for i := range 50 {
		text.WriteString(named(fmt.Sprintf("p%d", i)) + "---\n")
	}
	start := time.Now()
	set, findings := LoadBytes("x.yaml", []byte(text.String()), isolated(nil))
	if findings != nil || len(set.Pipelines) != 50 {
		t.Fatal(findings.Error())
	}
	t.Logf("50 pipelines in %s", time.Since(start))
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		LoadBytes("x.yaml", []byte(minimal), isolated(nil))
	}
}

func TestHashIsOfTheMapping(t *testing.T) {
	hash := func(text string) string {
		set, findings := LoadBytes("x.yaml", []byte(text), isolated(nil))
		if findings.HasErrors() {
			t.Fatal(findings.Error())
		}
		return set.Pipelines[0].Hash()
	}
	base := hash(minimal)
	if len(base) != 12 || base != "a05e02d60f4e" {
		t.Errorf("the hash of a file changed, so every pipeline would report a new mapping: %s", base)
	}
	for _, same := range []string{"commit: {rows: 5}\n", "router: {topic: 'outbox.event.${routedByValue}'}\n", "description: x\n"} {
		if hash(minimal+same) != base {
			t.Errorf("%s is no change of the mapping", same)
		}
	}
	seen := map[string]bool{base: true}
	for _, other := range []string{
		minimal + "router: {topic: 'x.${routedByValue}'}\n", minimal + "router: {headers: {a: b, c: d}}\n", minimal + "router: {headers: {c: d, a: b}}\n",
		minimal + "encoding: {key: json}\n", strings.Replace(minimal, "outbox]", "outbox, public.more]", 1),
	} {
		if h := hash(other); seen[h] {
			t.Errorf("same hash: %s", other)
		} else {
			seen[h] = true
		}
	}
}

// TestTableNames: what each server takes for a name, and nothing that looks like a pattern.
func TestTableNames(t *testing.T) {
	for _, c := range []struct {
		url, table string
		ok         bool
	}{
		{"mysql://outferry@localhost:3306/posts", "out$box", true},
		{"mysql://outferry@localhost:3306/posts", "outbox$", false},
		{"mysql://outferry@localhost:3306/posts", strings.Repeat("é", 64), true},
		{"mysql://outferry@localhost:3306/posts", strings.Repeat("é", 65), false},
		{"postgres://outferry@localhost:5432/posts", "out$box", true},
		{"postgres://outferry@localhost:5432/posts", strings.Repeat("x", 63), true},
		{"postgres://outferry@localhost:5432/posts", strings.Repeat("é", 32), false},
	} {
		text := "name: posts\nsource:\n  url: " + c.url + "\n  tables: [" + c.table + "]\nkafka:\n  brokers: [localhost:9092]\n"
		_, findings := LoadBytes("test.yaml", []byte(text), Options{})
		if findings.HasErrors() == c.ok {
			t.Errorf("%s: %v", c.table, findings)
		}
	}
}

// TestTheAddressOfAPipelineWinsOverDefaults: what stands beside it in the file wins, and not what all pipelines share.
func TestTheAddressOfAPipelineWinsOverDefaults(t *testing.T) {
	const shared = "defaults: {source: {user: shared, password: x, tls: {mode: disable}}}\n---\n"
	const own = "name: posts\nsource: {url: 'postgres://own:pw@db/app?sslmode=verify-full', tables: [outbox]%s}\nkafka: {brokers: ['b:9092']}\n"
	for beside, want := range map[string]string{"": "verify-full own pw", ", user: beside, tls: {mode: require}": "require beside pw"} {
		set, findings := LoadBytes("x.yaml", []byte(shared+fmt.Sprintf(own, beside)), isolated(nil))
		if findings.HasErrors() {
			t.Fatal(findings)
		}
		s := set.Pipelines[0].Source
		password, _ := s.Password.Get()
		if got := s.TLS.Mode + " " + s.User + " " + password; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

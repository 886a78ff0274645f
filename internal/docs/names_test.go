package docs

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"outferry/configs"
)

var optionForm = regexp.MustCompile(`^(source|router|encoding|kafka|commit|offsets|errors|service)(\.[a-z_]+)+$`)

// What looks like an option is one, or a code.
func TestOptionsExist(t *testing.T) {
	codes := faultCodes(t)
	for _, p := range pages(t) {
		if p.path == "docs/reference.md" {
			continue // generated, and full of other programs' options
		}
		for _, span := range p.spans() {
			name, _, _ := strings.Cut(span, ":")
			if !optionForm.MatchString(name) || slices.Contains(codes, name) {
				continue
			}
			if _, ok := configs.Explain(name); !ok {
				t.Errorf("%s: there is no option %s", p.path, name)
			}
		}
	}
}

// What looks like a code is one.
func TestCodesExist(t *testing.T) {
	codes := faultCodes(t)
	form := regexp.MustCompile(`^(pg|row|kafka|mysql|connect|offsets)\.[a-z_]+$`)
	for _, p := range pages(t) {
		for _, span := range p.spans() {
			if _, option := configs.Explain(span); form.MatchString(span) && !option && !slices.Contains(codes, span) {
				t.Errorf("%s: there is no code %s", p.path, span)
			}
		}
	}
}

func TestEveryMetricIsListed(t *testing.T) {
	metrics := map[string]bool{}
	for _, files := range sources(t, "status", false) {
		for name := range texts(files, "Name", "name") {
			metrics["outferry_"+name] = true
		}
	}
	if len(metrics) < 20 {
		t.Fatalf("found only %d metrics: the search is broken: %v", len(metrics), metrics)
	}
	listed := map[string]bool{}
	for _, span := range readPage(t, "docs/operating.md").spans() {
		if name, _, _ := strings.Cut(span, "{"); strings.HasPrefix(name, "outferry_") && !strings.HasSuffix(name, "_posts") && name != "outferry_kafka_" {
			listed[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if !listed[name] {
			t.Errorf("docs/operating.md does not list %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if !metrics[name] {
			t.Errorf("docs/operating.md lists %s, which nothing reports", name)
		}
	}
}

var testForm = regexp.MustCompile(`^([a-z/_0-9]+_test\.go):((?:Test|Fuzz)\w+)(?:/\w+)?$`)

// A promise is worth the test that would fail: the tests that are named exist.
func TestNamedTestsExist(t *testing.T) {
	found := 0
	for _, p := range pages(t) {
		for _, span := range p.spans() {
			m := testForm.FindStringSubmatch(span)
			if m == nil {
				if strings.Contains(span, "_test.go") {
					t.Errorf("%s: %s is not file:Test", p.path, span)
				}
				continue
			}
			found++
			text, err := os.ReadFile(filepath.Join(root, m[1]))
			if err != nil || !strings.Contains(string(text), "func "+m[2]+"(") {
				t.Errorf("%s: there is no test %s", p.path, span)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d tests are named", found)
	}
}

// Subtests that are named are those of the suite of all sources.
func TestNamedSubtestsExist(t *testing.T) {
	suite, err := os.ReadFile(filepath.Join(root, "internal/sourcetest/suite.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		for _, span := range p.spans() {
			if _, name, ok := strings.Cut(span, ":TestSuite/"); ok && !strings.Contains(string(suite), `"`+name+`"`) {
				t.Errorf("%s: the suite has no test %s", p.path, name)
			}
		}
	}
}

// The map of names says what the program says.
func TestOldNamesLeadWhereTheMapSays(t *testing.T) {
	rows := 0
	for line := range strings.Lines(readPage(t, "docs/from-debezium.md").prose) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		ours := codeSpan.FindAllStringSubmatch(cells[2], -1)
		if len(ours) == 0 {
			continue
		}
		rows++
		for _, old := range codeSpan.FindAllStringSubmatch(cells[1], -1) {
			_, findings := configs.LoadBytes("old.yaml", []byte("name: x\n"+old[1]+": y\n"), configs.Options{})
			known := slices.ContainsFunc(findings, func(f configs.Finding) bool {
				return strings.HasPrefix(f.Remedy, "that is the Debezium name") && (strings.HasSuffix(f.Remedy, ours[0][1]) || strings.Contains(cells[2]+cells[3], "`"+last(f.Remedy)+"`"))
			})
			if !known {
				t.Errorf("%s is not answered with %s: %s", old[1], ours[0][1], findings.Error())
			}
		}
	}
	if rows < 15 {
		t.Errorf("the map has %d rows", rows)
	}
}

func last(text string) string {
	words := strings.Fields(text)
	return words[len(words)-1]
}

package arrows

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what go list says of a package of the module.
type pkg struct {
	ImportPath string
	Imports    []string
}

// allowed says which packages of the module each of them may import. Who is not named may import what it needs.
var allowed = map[string][]string{
	"outbox":                 {},
	"configs":                {},
	"encode":                 {"outbox"},
	"router":                 {"outbox", "configs", "encode"}, // encode: values become bytes where the record is made
	"offsets":                {"outbox"},
	"walstream":              {"outbox", "configs", "internal/transport"},
	"binlog":                 {"outbox", "configs", "internal/transport"},
	"sink":                   {"outbox", "configs", "internal/transport", "internal/logging"},
	"status":                 {"outbox", "configs", "internal/logging"},
	"internal/transport":     {"configs"},
	"internal/logging":       {"configs"},
	"internal/feedcheck":     {}, // the judge shares nothing with what it judges
	"internal/feedcheck/cmd": {"internal/feedcheck"},
	"pipeline":               {"outbox", "configs", "encode", "router", "offsets", "walstream", "binlog", "sink", "status", "internal/logging"},
}

// only says who may import a library.
var only = map[string][]string{
	"gopkg.in/yaml.v3":                   {"configs"},
	"github.com/spf13/cobra":             {"cmd/outferry"},
	"github.com/jackc/pglogrepl":         {"walstream"},
	"github.com/go-mysql-org/go-mysql":   {"binlog", "cmd/outferry"}, // outferry bench writes rows
	"github.com/twmb/franz-go/pkg/kfake": {"internal/demo"},
}

// notInTheBinary are libraries that tests alone need.
var notInTheBinary = []string{
	"github.com/Shopify/toxiproxy", "github.com/google/go-cmp", "github.com/santhosh-tekuri/jsonschema", "go.uber.org/goleak",
	"pgregory.net/rapid", "github.com/stretchr/testify", "github.com/prometheus/client_golang/prometheus/testutil",
	"outferry/internal/servers", "outferry/internal/feedcheck", "outferry/internal/sourcetest", "outferry/internal/recordtest", "outferry/internal/fakebroker",
	"outferry/internal/link", "outferry/internal/faults",
}

const module = "outferry/"

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range list(t, "outferry/...") {
		may, named := allowed[strings.TrimPrefix(p.ImportPath, module)]
		for _, i := range p.Imports {
			inside, ours := strings.CutPrefix(i, module)
			switch {
			case ours && inside == "cmd/outferry":
				t.Errorf("%s imports the roof", p.ImportPath)
			case ours && named && !slices.Contains(may, inside):
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

func TestTheFloorStandsOnTheStandardLibrary(t *testing.T) {
	for _, p := range list(t, "outferry/outbox") {
		for _, i := range p.Imports {
			if first, _, _ := strings.Cut(i, "/"); strings.Contains(first, ".") || first == "outferry" {
				t.Errorf("outbox imports %s", i)
			}
		}
	}
}

func TestLibrariesStayInTheirPackage(t *testing.T) {
	for _, p := range list(t, "-deps", "outferry/cmd/outferry", "outferry/binlog") {
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		for _, i := range p.Imports {
			for library, owners := range only {
				if (i == library || strings.HasPrefix(i, library+"/")) && !slices.Contains(owners, strings.TrimPrefix(p.ImportPath, module)) {
					t.Errorf("%s imports %s, which belongs to %v", p.ImportPath, i, owners)
				}
			}
		}
	}
}

func TestTheBinaryHoldsNoTools(t *testing.T) {
	deps := list(t, "-deps", "outferry/cmd/outferry")
	if len(deps) < 100 {
		t.Fatalf("found only %d packages", len(deps))
	}
	for _, p := range deps {
		for _, tool := range notInTheBinary {
			if p.ImportPath == tool || strings.HasPrefix(p.ImportPath, tool+"/") {
				t.Errorf("the binary holds %s", p.ImportPath)
			}
		}
		if slices.Contains(p.Imports, "testing") && strings.HasPrefix(p.ImportPath, module) {
			t.Errorf("%s, which is in the binary, imports testing", p.ImportPath)
		}
	}
}

// A name in the lists above that nothing has any more would watch over nothing.
func TestTheListsNameWhatExists(t *testing.T) {
	var ours []string
	for _, p := range list(t, "outferry/...") {
		ours = append(ours, strings.TrimPrefix(p.ImportPath, module))
	}
	for name, may := range allowed {
		for _, n := range append([]string{name}, may...) {
			if !slices.Contains(ours, n) {
				t.Errorf("there is no package %s", n)
			}
		}
	}
}

func list(t *testing.T, args ...string) (all []pkg) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v: %s", args, err, complaint.String())
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

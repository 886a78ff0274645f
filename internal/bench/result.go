package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"outferry/internal/bench/load"
)

// Result is a whole measurement.
type Result struct {
	Date       string            `json:"date"`
	Commit     string            `json:"commit"`
	Command    string            `json:"command"`
	Incomplete string            `json:"incomplete,omitempty"` // why
	Machine    Machine           `json:"machine"`
	Versions   map[string]string `json:"versions"`
	Settings   []string          `json:"settings"`
	OrderSeed  uint64            `json:"order_seed"`
	BinaryMB   float64           `json:"binary_mb"`
	Runs       []*Run            `json:"runs"`
}

// Write puts it into a file of its own in dir.
func (r *Result) Write(dir string) (path string, err error) {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(dir, time.Now().UTC().Format("2006-01-02-150405")+".json")
	return path, os.WriteFile(path, append(b, '\n'), 0o644)
}

// ReadResult reads one back.
func ReadResult(path string) (*Result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	err = json.Unmarshal(b, r)
	for _, run := range r.Runs {
		run.Short = run.Short && run.Kind == "drain" // older ones say it of latencies too
	}
	return r, err
}

// group is the runs of one subject over one shape.
type group struct {
	engine, shape, subject, kind string
	runs                         []*Run
}

// groups brings runs of the same thing together, in the order in which they first came.
func (r *Result) groups() (list []*group) {
	find := map[string]*group{}
	for _, run := range r.Runs {
		key := strings.Join([]string{run.Engine, run.Shape, run.Subject, run.Kind}, "|")
		if find[key] == nil {
			find[key] = &group{run.Engine, run.Shape, run.Subject, run.Kind, nil}
			list = append(list, find[key])
		}
		find[key].runs = append(find[key].runs, run)
	}
	return list
}

// spread is the least, the median and the largest of what right runs say.
type spread struct{ min, median, max float64 }

func (g *group) spread(value func(*Run) float64) spread {
	var all []float64
	for _, run := range g.runs {
		if run.Fault == "" {
			all = append(all, value(run))
		}
	}
	return spreadOf(all)
}

func spreadOf(all []float64) spread {
	if len(all) == 0 {
		return spread{}
	}
	slices.Sort(all)
	n := len(all)
	return spread{all[0], (all[(n-1)/2] + all[n/2]) / 2, all[n-1]}
}

func (s spread) String() string {
	digits := 2
	if s.median >= 100 {
		digits = 0
	}
	switch {
	case s.max == 0: // nobody measured it
		return "-"
	case s.min == s.max:
		return fmt.Sprintf("%.*f", digits, s.median)
	}
	return fmt.Sprintf("%.*f (%.*f-%.*f)", digits, s.median, digits, s.min, digits, s.max)
}

// right is how many runs were verified, of how many. Those that land nothing have nothing to verify.
func (g *group) right() string {
	n := 0
	for _, run := range g.runs {
		if run.Fault == "" {
			n++
		}
	}
	return fmt.Sprintf("%d/%d", n, len(g.runs))
}

// columns of the tables, by the kind of run.
var columns = map[string][]struct {
	name  string
	value func(*Run) float64
}{
	"drain": {
		{"events/s", func(r *Run) float64 { return r.Rate }},
		{"whole run", func(r *Run) float64 { return r.WholeRate }},
		{"with its start", func(r *Run) float64 { return r.LaunchRate }},
		{"CPU s/M", func(r *Run) float64 { return r.CPU }},
		{"whole", func(r *Run) float64 { return r.WholeCPU }},
		{"DB s/M", func(r *Run) float64 { return r.DBCPU }},
		{"broker s/M", func(r *Run) float64 { return r.BrokerCPU }},
		{"peak MiB", func(r *Run) float64 { return r.Memory }},
		{"marks", func(r *Run) float64 { return float64(r.Marks) }},
	},
	"latency": {
		{"written/s", func(r *Run) float64 { return r.WholeRate }},
		{"p50 ms", func(r *Run) float64 { return r.P50 }},
		{"p90", func(r *Run) float64 { return r.P90 }},
		{"p99", func(r *Run) float64 { return r.P99 }},
		{"p99.9", func(r *Run) float64 { return r.P999 }},
		{"max", func(r *Run) float64 { return r.Max }},
		{"cores", func(r *Run) float64 { return r.Cores }},
		{"broker s/M", func(r *Run) float64 { return r.BrokerCPU }},
		{"peak MiB", func(r *Run) float64 { return r.Memory }},
		{"wake", func(r *Run) float64 { return r.Wake }},
	},
	"cold": {
		{"first event s", func(r *Run) float64 { return r.First }},
		{"CPU s", func(r *Run) float64 { return r.Seconds }},
		{"MiB", func(r *Run) float64 { return r.Memory }},
	},
	"idle": {
		{"cores", func(r *Run) float64 { return r.Cores }},
		{"MiB", func(r *Run) float64 { return r.Memory }},
	},
}

// Print writes the tables: median (min-max), and the machine's load beside each row.
func (r *Result) Print(out io.Writer) error {
	for _, kind := range []string{"drain", "latency", "cold", "idle"} {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		some := false
		for _, g := range r.groups() {
			if g.kind != kind {
				continue
			}
			if !some {
				fmt.Fprintf(w, "\n%s\tshape\tsubject\tright\t%s\tload\tothers' cores\n", kind, strings.Join(names(kind), "\t"))
				some = true
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t", g.engine, g.shape, g.subject, g.right())
			for _, c := range columns[kind] {
				fmt.Fprintf(w, "%s\t", g.spread(c.value))
			}
			fmt.Fprintf(w, "%s\t%s\n", g.spread(func(r *Run) float64 { return r.LoadBefore }), g.spread(func(r *Run) float64 { return r.Others }))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if err := r.printRatios(out); err != nil {
		return err
	}
	r.printDoubts(out)
	return nil
}

// disturbed is how many cores others may use before a figure is in doubt.
const disturbed = 0.3

// printDoubts names the runs that are no results, or doubtful ones.
func (r *Result) printDoubts(out io.Writer) {
	for _, run := range r.Runs {
		what := fmt.Sprintf("%s %s %s, round %d", run.Engine, run.Shape, run.Subject, run.Round)
		switch {
		case run.Fault != "":
			fmt.Fprintf(out, "NOT A RESULT: %s: %s\n", what, run.Fault)
			continue
		case run.Short:
			fmt.Fprintf(out, "%s: too few rows for a steady part; the figures are those of the whole run, and are compared with nothing\n", what)
		}
		if run.Others > disturbed {
			fmt.Fprintf(out, "%s: others used %.2f cores\n", what, run.Others)
		}
	}
	if r.Incomplete != "" {
		fmt.Fprintf(out, "INCOMPLETE: %s\n", r.Incomplete)
	}
}

func names(kind string) (list []string) {
	for _, c := range columns[kind] {
		list = append(list, c.name)
	}
	return list
}

// Ours is the subject that the others are compared with.
const Ours = "outferry"

// ratios are how ours stands to another, by the kind of run.
var ratios = map[string][]struct {
	name, form string
	of         func(ours, theirs *Run) float64
}{
	"drain": {
		{"events/s", "%s x", func(ours, theirs *Run) float64 { return ours.Rate / theirs.Rate }},
		{"CPU per event", "1/%s", func(ours, theirs *Run) float64 { return theirs.CPU / ours.CPU }},
		{"peak memory", "1/%s", func(ours, theirs *Run) float64 { return theirs.Memory / ours.Memory }},
	},
	"latency": {
		{"p50", "1/%s", func(ours, theirs *Run) float64 { return theirs.P50 / ours.P50 }},
		{"p99", "1/%s", func(ours, theirs *Run) float64 { return theirs.P99 / ours.P99 }},
		{"cores", "1/%s", func(ours, theirs *Run) float64 { return theirs.Cores / ours.Cores }},
		{"peak memory", "1/%s", func(ours, theirs *Run) float64 { return theirs.Memory / ours.Memory }},
	},
	"cold": {{"first event", "1/%s", func(ours, theirs *Run) float64 { return theirs.First / ours.First }}},
}

// printRatios compares ours with every other subject in the same round.
func (r *Result) printRatios(out io.Writer) error {
	for _, kind := range []string{"drain", "latency", "cold"} {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		some := false
		for _, g := range r.groups() {
			if g.kind != kind || g.subject == Ours || r.ratio(g, ratios[kind][0].of).median == 0 {
				continue
			}
			if !some {
				fmt.Fprintf(w, "\nratios\tshape\t%s against", Ours)
				for _, c := range ratios[kind] {
					fmt.Fprintf(w, "\t%s", c.name)
				}
				fmt.Fprintln(w)
				some = true
			}
			fmt.Fprintf(w, "%s\t%s\t%s", g.engine, g.shape, g.subject)
			for _, c := range ratios[kind] {
				fmt.Fprintf(w, "\t"+c.form, r.ratio(g, c.of))
			}
			fmt.Fprintln(w)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	r.printForeign(out)
	return nil
}

// printForeign says what a row of another table costs, beside one of the outbox: what a transaction with both costs more than one
// with an outbox row alone.
func (r *Result) printForeign(out io.Writer) {
	cost := func(engine, shape string) float64 {
		for _, g := range r.groups() {
			if g.engine == engine && g.subject == Ours && g.kind == "drain" && g.shape == shape {
				return g.spread(func(r *Run) float64 { return r.CPU }).median
			}
		}
		return 0
	}
	for _, g := range r.groups() {
		both, alone := cost(g.engine, "foreign"), cost(g.engine, "1-row")
		if g.shape == "foreign" && g.subject == Ours && both > 0 && alone > 0 {
			fmt.Fprintf(out, "\n%s: a row of another table costs %.3f of an outbox row\n", g.engine, (both-alone)/load.Foreign/alone)
		}
	}
}

// ratio pairs the runs of a round. One that was too short is compared with nothing.
func (r *Result) ratio(g *group, of func(ours, theirs *Run) float64) spread {
	var all []float64
	for _, theirs := range g.runs {
		if theirs.Short {
			continue
		}
		for _, ours := range r.Runs {
			if ours.Subject == Ours && ours.Engine == g.engine && ours.Shape == g.shape && ours.Kind == g.kind && ours.Round == theirs.Round && ours.Fault == "" && theirs.Fault == "" && !ours.Short {
				all = append(all, of(ours, theirs))
			}
		}
	}
	return spreadOf(all)
}

// Faults is the error of runs that are no results.
func (r *Result) Faults() error {
	n := 0
	for _, run := range r.Runs {
		if run.Fault != "" {
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("%d of %d runs are no results", n, len(r.Runs))
	}
	return nil
}

package router

import (
	"fmt"
	"slices"
	"strings"

	"outferry/configs"
	"outferry/outbox"
)

// finder looks the columns of a pipeline file up in one table, and keeps what loose matching took.
type finder struct {
	table *outbox.Table
	cols  configs.Columns
	loose bool
	took  []string
}

// require returns the place of a column that the option names, which must exist.
func (f *finder) require(option, name string) (int, error) {
	if i := f.table.Index(name); i >= 0 {
		return i, nil
	}
	if f.loose && f.cols.Defaulted[strings.TrimPrefix(option, columnsPath)] {
		return f.match(option, name)
	}
	return -1, f.missing(option, name)
}

const columnsPath = "router.columns."

// match takes the one column that is called name but for case and underscores.
func (f *finder) match(option, name string) (int, error) {
	found := f.alike(name)
	switch len(found) {
	case 0:
		return -1, f.missing(option, name)
	case 1:
		col := f.table.Columns[found[0]].Name
		f.took = append(f.took, col+" as "+option)
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, at := range found {
		names[i] = f.table.Columns[at].Name
	}
	fault := configFault("router.column_ambiguous", "%s: table %s has more than one column like %q: %s", option, f.table, name, strings.Join(names, ", "))
	fault.Remedy = "name the one that is meant under " + option
	return -1, fault
}

func (f *finder) alike(name string) (found []int) {
	for i := range f.table.Columns {
		if fold(f.table.Columns[i].Name) == fold(name) {
			found = append(found, i)
		}
	}
	return found
}

func fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

func (f *finder) missing(option, name string) error {
	fault := configFault("router.column_missing", "%s: table %s has no column %q; %s", option, f.table, name, f.near(name))
	fault.Remedy = "name an existing column under " + option
	if slices.Contains(f.table.Generated, name) {
		fault.Err = fmt.Errorf("%s: column %q of table %s is generated, and generated columns are not in the log", option, name, f.table)
		fault.Remedy = "name an ordinary column under " + option + ", which the application writes"
	}
	if !strings.HasPrefix(option, columnsPath) || option == columnsPath+"partition" {
		fault.Remedy += ", or set router.missing_column to ignore"
	}
	return fault
}

// near lists the columns, up to a dozen, and which could have been meant.
func (f *finder) near(name string) string {
	var close, all []string
	for i := range f.table.Columns {
		col := f.table.Columns[i].Name
		if distance(fold(col), fold(name)) <= max(1, len(name)/3) {
			close = append(close, col)
		}
		if len(all) < 12 {
			all = append(all, col)
		}
	}
	has := "it has " + strings.Join(all, ", ")
	if len(close) > 0 {
		has += "; did you mean " + strings.Join(close, " or ") + "?"
	}
	return has
}

// distance counts the insertions, deletions and replacements between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// kindFault is for a column whose type can't do what the option asks of it.
func (f *finder) kindFault(option string, i int, want string) error {
	c := &f.table.Columns[i]
	return &outbox.Fault{Code: "router.column_type", Class: outbox.Config,
		Err:    fmt.Errorf("%s: column %s of table %s is of type %s", option, c.Name, f.table, c.TypeName),
		Remedy: "name a column of " + want}
}

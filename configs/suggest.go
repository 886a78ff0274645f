package configs

import (
	"slices"
	"strings"
)

// nearest returns the word that was probably meant, or "". Of equally near ones the first in the
// order given wins.
func nearest(typed string, words []string) string {
	typed = strings.ToLower(typed)
	best, least := "", max(1, len(typed)/3)+1
	for _, w := range words {
		if w == "" {
			continue
		}
		d := distance(typed, strings.ToLower(w))
		if d < least {
			best, least = w, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two words.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// suggestion is what an unknown key probably is.
type suggestion struct {
	path   string // the option meant, "" when there is none
	remedy string
}

// suggest looks among the keys beside it, then for the same name elsewhere.
func (s *section) suggest(key string, all []Option) suggestion {
	if strings.Contains(key, ".") {
		if near := nearest(key, paths(all)); near != "" {
			return suggestion{path: near, remedy: "sections are nested: write " + strings.ReplaceAll(near, ".", ": {") + ": ..." + strings.Repeat("}", strings.Count(near, "."))}
		}
	}
	if near := nearest(key, s.order); near != "" {
		return suggestion{path: join(s.path, near), remedy: "did you mean " + near + "?"}
	}
	for i := range all {
		if all[i].Key() == key {
			return suggestion{path: all[i].Path, remedy: "it belongs elsewhere: " + all[i].Path}
		}
	}
	var keys []string
	for i := range all {
		if len(all[i].Key()) > 3 {
			keys = append(keys, all[i].Key())
		}
	}
	if near := nearest(key, keys); near != "" && len(key) > 3 {
		i := slices.IndexFunc(all, func(o Option) bool { return o.Key() == near })
		return suggestion{path: all[i].Path, remedy: "did you mean " + all[i].Path + "?"}
	}
	return suggestion{remedy: "known here: " + strings.Join(s.order, ", ")}
}

func paths(options []Option) []string {
	all := make([]string, len(options))
	for i := range options {
		all[i] = options[i].Path
	}
	return all
}

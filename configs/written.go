package configs

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"maps"
)

// written is the option's present value as the file would write it. A secret is never shown.
func (o *Option) written() string {
	switch v := o.into.(type) {
	case *string:
		return quoted(*v)
	case *bool:
		return strconv.FormatBool(*v)
	case *int:
		return strconv.Itoa(*v)
	case *int64:
		return showSize(*v)
	case *time.Duration:
		return showDuration(*v)
	case *[]string:
		return "[" + strings.Join(quotedAll(*v), ", ") + "]"
	case *[]Placement:
		return writtenPlacements(*v)
	case *map[string]string:
		return writtenMap(*v)
	case *Secret:
		return quoted(v.String())
	case *SecretRef:
		return quoted(v.String())
	}
	return ""
}

func writtenPlacements(all []Placement) string {
	items := make([]string, len(all))
	for i, p := range all {
		items[i] = quoted(p.Name) + ": " + quoted(p.Column)
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func writtenMap(m map[string]string) string {
	var items []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		items = append(items, quoted(k)+": "+quoted(m[k]))
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func quotedAll(texts []string) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = quoted(t)
	}
	return all
}

// quoted leaves alone what YAML reads as a text anyway.
func quoted(text string) string {
	if plainText.MatchString(text) && text != "true" && text != "false" && text != "null" {
		return text
	}
	return strconv.Quote(text)
}

var plainText = compiled(`^[a-zA-Z/][a-zA-Z0-9_./:-]*[a-zA-Z0-9_/]$|^[a-zA-Z/]$`)

package router

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// templatePart is text followed by what a group matched; group -1 is none.
type templatePart struct {
	text  string
	group int
}

// parseTemplate reads a replacement as java.util.regex does: ${name}, $1, and a backslash in front of
// what is meant literally.
func parseTemplate(template string, pattern *regexp.Regexp) ([]templatePart, error) {
	var parts []templatePart
	var text strings.Builder
	for i := 0; i < len(template); {
		switch template[i] {
		case '\\':
			if i+1 == len(template) {
				return nil, errors.New("ends in a lone backslash")
			}
			text.WriteByte(template[i+1])
			i += 2
		case '$':
			group, n, err := parseReference(template[i:], pattern)
			if err != nil {
				return nil, err
			}
			parts = append(parts, templatePart{text: text.String(), group: group})
			text.Reset()
			i += n
		default:
			text.WriteByte(template[i])
			i++
		}
	}
	return append(parts, templatePart{text: text.String(), group: -1}), nil
}

// parseReference reads the group that s starts with, and says how long its reference is.
func parseReference(s string, pattern *regexp.Regexp) (group, length int, err error) {
	if len(s) > 1 && s[1] == '{' {
		name, _, ok := strings.Cut(s[2:], "}")
		if !ok {
			return 0, 0, errors.New("${ is not closed")
		}
		if group = pattern.SubexpIndex(name); group < 0 {
			return 0, 0, fmt.Errorf("${%s} is no group of the pattern", name)
		}
		return group, len(name) + 3, nil
	}
	return parseNumber(s, pattern.NumSubexp())
}

// parseNumber takes digits as long as there is such a group: $12 is group 1 and a 2 where there are
// fewer than twelve.
func parseNumber(s string, groups int) (group, length int, err error) {
	if len(s) < 2 || s[1] < '0' || s[1] > '9' {
		return 0, 0, errors.New("$ stands alone")
	}
	group, length = int(s[1]-'0'), 2
	if group > groups {
		return 0, 0, fmt.Errorf("$%d is no group of the pattern", group)
	}
	for length < len(s) && s[length] >= '0' && s[length] <= '9' {
		next := group*10 + int(s[length]-'0')
		if next > groups {
			break
		}
		group = next
		length++
	}
	return group, length, nil
}

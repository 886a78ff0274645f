package configs

import "strings"

// hasJavaClass finds [a-z&&[^b]] and [a[bc]], which Java and RE2 both take, and read differently.
func hasJavaClass(pattern string) bool {
	inside := false
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i+1:]
		switch b := pattern[i]; {
		case b == '\\' && strings.HasPrefix(rest, "Q"): // as it is, up to \E
			quoted, _, _ := strings.Cut(rest, `\E`)
			i += len(quoted) + len(`\E`)
		case b == '\\':
			i++
		case !inside && b == '[':
			inside = true
			first := strings.TrimPrefix(rest, "^")
			i += len(rest) - len(strings.TrimPrefix(first, "]"))
		case inside && b == ']':
			inside = false
		case inside && (b == '[' && !strings.HasPrefix(rest, ":") || b == '&' && strings.HasPrefix(rest, "&")):
			return true
		case inside && b == '[': // [:alpha:]
			i += max(strings.Index(rest, ":]"), 0) + len(":]")
		}
	}
	return false
}

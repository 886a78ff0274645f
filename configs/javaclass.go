package configs

import (
	"regexp"
	"strings"
)

// otherInJava finds what Java and RE2 both take, and read differently: a flag, an escape, a class.
func otherInJava(pattern string) (what string) {
	inside := false // a class
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i+1:]
		switch b := pattern[i]; {
		case b == '\\' && strings.HasPrefix(rest, "Q"): // as it is, up to \E
			quoted, _, _ := strings.Cut(rest, `\E`)
			i += len(quoted) + len(`\E`)
		case b == '\\' && javaEscape.MatchString(rest):
			return `a backslash with a digit, or \v, is another character in Java: write \x{..}`
		case b == '\\':
			i++
		case !inside && b == '(' && javaFlag.MatchString(rest):
			return "(?U) is Unicode classes in Java, and RE2 makes repetitions ungreedy"
		case !inside && b == '[':
			inside = true
			first := strings.TrimPrefix(rest, "^")
			i += len(rest) - len(strings.TrimPrefix(first, "]"))
		case inside && b == ']':
			inside = false
		case inside && (b == '[' && !strings.HasPrefix(rest, ":") || b == '&' && strings.HasPrefix(rest, "&")):
			return "a class inside a class, or an intersection of them: write the characters in one class, and a literal [ or & as \\[ or \\&"
		case inside && b == '[': // [:alpha:]
			i += max(strings.Index(rest, ":]"), 0) + len(":]")
		}
	}
	return ""
}

var (
	javaFlag   = regexp.MustCompile(`^\?[a-zA-Z-]*U`)
	javaEscape = regexp.MustCompile(`^[0-9v]`)
)

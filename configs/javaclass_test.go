package configs

import (
	"fmt"
	"strings"
	"testing"
)

// TestClassesThatMeanAnotherThingInJavaAreRefused: RE2 takes them, and would match other values without a word.
func TestClassesThatMeanAnotherThingInJavaAreRefused(t *testing.T) {
	for pattern, refused := range map[string]bool{
		"[a-z&&[^b]]": true, "[a-z&&[b-d]]+": true, "[a[bc]]": true, "x[^a[0-9]]": true, "[a&&b]": true, `[\Qa\E[b]]`: true,
		"[a-z]": false, "[[:alpha:]]+": false, `[\[a]`: false, `[a&b]`: false, "a&&b": false, `\[a[b]`: false, `\Q[a[b\E`: false, "[a][b]": false, `(?U)(\w+).*`: true, `(?iU)a`: true, `([a-z])\11`: true, `\012`: true, `a\v`: true, `a\\1`: false, "(?i)a": false, `(?P<U>a)`: false, `\(?US(.*)`: false, `[(?U]`: false, `\Q\1\E`: false, `\d\w[0-9]\.`: false, `[\1]`: true, "[]a]": false, "(?<r>.*)": false,
	} {
		_, findings := LoadBytes("x.yaml", []byte(minimal+fmt.Sprintf("router: {topic: t, topic_pattern: '%s'}\n", pattern)), isolated(nil))
		if findings.HasErrors() != refused {
			t.Errorf("%s: %v, want refused %v", pattern, findings, refused)
		}
	}
}

// TestPatternsThatAreOneOnlyByThemselvesAreRefused: the router makes each match a whole value.
func TestPatternsThatAreOneOnlyByThemselvesAreRefused(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("(", n) + "a" + strings.Repeat(")", n) }
	for pattern, remedy := range map[string]string{
		`\Qa`: `close it with \E: \Qa\E`, `b|\Qa\`: `close it with \E: b|\Qa\\E`, `\Qa\E\Qb`: `close it with \E: \Qa\E\Qb\E`, `[a]\Q`: `close it with \E: [a]\Q\E`,
		deep(999): "", `a\`: "", "a)": "", "a)|(b": "", "(a": "",
		`\Qa\E`: "sound", `\\Qa`: "sound", "(?i)a": "sound", "a|b": "sound", "": "sound", "^a$": "sound", deep(900): "sound", `\Q\E`: "sound",
	} {
		_, findings := LoadBytes("x.yaml", []byte(minimal+fmt.Sprintf("router: {topic: t, topic_pattern: '%s'}\n", pattern)), isolated(nil))
		if findings.HasErrors() != (remedy != "sound") || remedy != "sound" && findings[0].Remedy != remedy {
			t.Errorf("%.20s: %v, want remedy %s", pattern, findings, remedy)
		}
	}
}

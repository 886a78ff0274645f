package configs

import (
	"fmt"
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

package configs

import (
	"fmt"
	"testing"
)

// TestTableNamesThatTheReferenceRulesOut are refused, and no others.
func TestTableNamesThatTheReferenceRulesOut(t *testing.T) {
	refused := func(part string) bool {
		text := fmt.Sprintf("name: posts\nsource:\n  url: postgres://app@localhost/posts\n  tables: ['public.%s']\nkafka:\n  brokers: [localhost:9092]\n", part)
		_, findings := LoadBytes("test.yaml", []byte(text), Options{})
		return findings.HasErrors()
	}
	for _, part := range []string{"a b", "a.b", `a"b`, "a,b", "a:b", "a;b", "a/b", `a\b`, "a|b", "a*", "a?", "a+", "a^", "a(", "a)", "a[", "a]", "a$"} {
		if !refused(part) {
			t.Errorf("public.%s is taken", part)
		}
	}
	for _, part := range []string{"a$b", "a-b", "ä", "A_1"} {
		if refused(part) {
			t.Errorf("public.%s is refused", part)
		}
	}
}

package binlog

import "testing"

// TestOnlyWhatNamesAColumnRetypesIt: of any other statement than an ALTER TABLE nothing is taken for granted.
func TestOnlyWhatNamesAColumnRetypesIt(t *testing.T) {
	f := &readRows{untold: []string{"Trace", "id"}}
	for text, want := range map[string]bool{
		"ALTER TABLE outbox ADD COLUMN width int, ADD KEY (aggregateid)":      false,
		"alter online table outbox add tracer uuid":                           false,
		"ALTER TABLE outbox FORCE":                                            false,
		"ALTER TABLE outbox MODIFY `trace` uuid":                              true,
		"ALTER TABLE outbox\nCHANGE TRACE t2 binary(16)":                      true,
		"ALTER TABLE outbox /*!50000DROP id*/":                                true,
		"ALTER TABLE other RENAME outbox":                                     true,
		"RENAME TABLE outbox TO o, p TO outbox":                               true,
		"CREATE OR REPLACE TABLE outbox (n int)":                              true,
		"SET STATEMENT max_statement_time=1 FOR ALTER TABLE outbox ADD n int": true,
	} {
		if got := f.retyped(logged{text: []byte(text)}); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
	if !f.retyped(logged{text: []byte("ALTER TABLE outbox ADD n int"), cut: true}) {
		t.Error("there is more of the statement")
	}
	if f.untold = []string{"größe"}; !f.retyped(logged{text: []byte("ALTER TABLE outbox ADD n int")}) {
		t.Error("the name may stand there in another character set")
	}
	if f.untold = nil; f.retyped(logged{text: []byte("RENAME TABLE outbox TO o, p TO outbox")}) {
		t.Error("the log tells all of the rows")
	}
}

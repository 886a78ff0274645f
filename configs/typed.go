package configs

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// literal checks what the file itself says: its YAML type must be the option's.
func (o *Option) literal(n *yaml.Node) *mistake {
	tag := n.ShortTag()
	if isNull(n) {
		return mistakef("leave the line out for the default", "has no value")
	}
	want := map[string]string{"boolean": "!!bool", "integer": "!!int"}[o.Type()]
	switch {
	case tag == "!!int" && (o.Type() == "integer" || o.Type() == "size") && !integerForm.MatchString(n.Value):
		return mistakef(decimalRemedy(n), "%s is not %s", strconv.Quote(n.Value), article(o.Type()))
	case want != "" && tag == "!!str" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return mistakef("write it without quotes", "expected %s, got a text", article(o.Type()))
	case want == "" && !o.freeText() && !o.measured() && tag != "!!str" && !bareNumber.MatchString(n.Value):
		return mistakef("put it in quotes", "%s is read as %s, not as a text", strconv.Quote(n.Value), strings.TrimPrefix(tag, "!!"))
	case tag == "!!binary" || !strings.HasPrefix(tag, "!!"):
		return mistakef("", "a YAML tag is not allowed here")
	}
	return nil
}

// decimalRemedy writes a number as it is read here: YAML also has 1_000 and 0x10. It reads 010 as 8, which few mean.
func decimalRemedy(n *yaml.Node) string {
	plain := strings.ReplaceAll(n.Value, "_", "")
	if integerForm.MatchString(plain) {
		return "write " + plain
	}
	var number int64
	if !bareNumber.MatchString(plain) && n.Decode(&number) == nil {
		return "write " + strconv.FormatInt(number, 10)
	}
	return "write digits only, without a zero in front"
}

// measured reports whether the value is a number with a unit.
func (o *Option) measured() bool { return o.Type() == "size" || o.Type() == "duration" }

// set reads text with the option's type. shown is how the text may appear in a message.
func (o *Option) set(text, shown string) (m *mistake) {
	switch into := o.into.(type) {
	case *Secret:
		*into = Secret(text)
	case *SecretRef:
		*into = SecretText(text)
	case *[]string:
		*into = splitList(text)
	case *string:
		if m = o.checkText(text, shown); m == nil {
			*into = text
		}
	case *bool:
		return assign(into, text, shown, parseBool)
	case *int:
		return assignNumber(o, into, text, shown, parseInt, strconv.Itoa)
	case *int64:
		return assignNumber(o, into, text, shown, parseSize, showSize)
	case *time.Duration:
		return assignNumber(o, into, text, shown, parseDuration, showDuration)
	}
	return m
}

func assign[T any](into *T, text, shown string, parse func(text, shown string) (T, *mistake)) *mistake {
	v, m := parse(text, shown)
	if m == nil {
		*into = v
	}
	return m
}

func assignNumber[T ~int | ~int64](o *Option, into *T, text, shown string, parse func(text, shown string) (T, *mistake), show func(T) string) *mistake {
	remedy := "write " + show(T(o.Min))
	if o.Min != o.Max {
		remedy += " to " + show(T(o.Max))
	}
	n, m := parse(text, shown)
	if m != nil {
		m.remedy = cmp.Or(m.remedy, remedy)
		return m
	}
	if o.Min != 0 && int64(n) < o.Min {
		return mistakef(remedy, "%s is too small: at least %s", shown, show(T(o.Min)))
	}
	if o.Max != 0 && int64(n) > o.Max {
		return mistakef(remedy, "%s is too large: at most %s", shown, show(T(o.Max)))
	}
	*into = n
	return nil
}

// checkText compares with the words or the pattern of the option.
func (o *Option) checkText(text, shown string) *mistake {
	if len(o.Words) > 0 && !slices.Contains(o.Words, text) {
		return mistakef(o.wordRemedy(text), "want %s, got %s", alternatives(o.Words), shown)
	}
	if o.Pattern != "" && !compiled(o.Pattern).MatchString(text) {
		return mistakef(o.patternRemedy(), "%s is not allowed: want %s", shown, o.PatternDoc)
	}
	return nil
}

func (o *Option) patternRemedy() string {
	if o.Required {
		return "write one as " + o.Example
	}
	return "leave the line out for the default, " + cmp.Or(o.Default, o.Derived)
}

func (o *Option) wordRemedy(text string) string {
	if word, ok := otherWords[o.Path][strings.ToLower(text)]; ok {
		return word
	}
	if near := nearest(text, o.Words); near != "" {
		return "did you mean " + near + "?"
	}
	return "write " + alternatives(o.Words)
}

// show is how a value may appear in a message: never where it is secret or came from elsewhere.
func (o *Option) show(text string, refs []string) string {
	switch {
	case o.Secret():
		return "the value"
	case len(refs) > 0:
		return "the value of " + refs[0]
	case len(text) > 100:
		return "the value"
	}
	return strconv.Quote(text)
}

// put adds an entry to a map.
func (o *Option) put(key, text string) {
	switch into := o.into.(type) {
	case *[]Placement:
		*into = append(*into, Placement{Name: key, Column: text})
	case *map[string]string:
		if *into == nil {
			*into = map[string]string{}
		}
		(*into)[key] = text
	}
}

package configs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Reference is docs/reference.md: every option of a pipeline file, from its declaration.
func Reference() []byte {
	var out strings.Builder
	out.WriteString(referenceStart)
	pipeline, service := pipelineOptions(&Pipeline{}), serviceOptions(&Service{})
	out.WriteString("## The pipeline document\n\n")
	sectionsOf(pipeline).reference(&out)
	out.WriteString("## The service document\n\n")
	sectionsOf(service).sections["service"].reference(&out)
	out.WriteString(defaultsDoc)
	oldNameTable(&out, pipeline)
	return []byte(out.String())
}

func (s *section) reference(out *strings.Builder) {
	if s.path != "" {
		fmt.Fprintf(out, "### `%s`\n\n", s.path)
	}
	if doc := sectionDocs[s.path]; doc != "" {
		fmt.Fprintf(out, "%s\n\n", doc)
	}
	if len(s.options) > 0 {
		out.WriteString("| option | type | default | what it does |\n| --- | --- | --- | --- |\n")
		for _, key := range s.order {
			if o := s.options[key]; o != nil {
				o.row(out)
			}
		}
		out.WriteString("\n")
	}
	for _, key := range s.order {
		if below := s.sections[key]; below != nil {
			below.reference(out)
		}
	}
}

func (o *Option) row(out *strings.Builder) {
	fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", o.Path, o.typeDoc(), o.defaultDoc(), cell(o.docWithExample()))
}

// typeDoc names the type, and the words that are allowed.
func (o *Option) typeDoc() string {
	if len(o.Words) == 0 {
		return o.Type()
	}
	words := make([]string, 0, len(o.Words))
	for _, w := range o.Words {
		if w != "" {
			words = append(words, "`"+w+"`")
		}
	}
	return strings.Join(words, ", ")
}

func (o *Option) defaultDoc() string {
	switch {
	case o.Derived != "":
		return cell(o.Derived)
	case o.Required:
		return "**required**"
	case o.Default != "":
		return "`" + cell(o.Default) + "`"
	case o.isMap() || o.Type() == "list":
		return "none"
	}
	return "empty"
}

func (o *Option) docWithExample() string {
	if o.Example == "" || o.Alternative {
		return o.Doc
	}
	return o.Doc + " Example: `" + o.Key() + ": " + o.Example + "`."
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// oldNameTable lists what the names of Debezium and Kafka are called here, and those that are not
// needed any more.
func oldNameTable(out *strings.Builder, options []Option) {
	var rows []string
	for i := range options {
		for _, name := range slices.Concat(options[i].Debezium, options[i].Client) {
			rows = append(rows, fmt.Sprintf("| `%s` | `%s` |\n", name, options[i].Path))
		}
	}
	for name, remark := range withoutCounterpart {
		rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", name, cell(remark)))
	}
	for name, remark := range families {
		rows = append(rows, fmt.Sprintf("| `%s.*` | %s |\n", name, cell(remark)))
	}
	slices.Sort(rows)
	out.WriteString(oldNamesDoc + strings.Join(rows, ""))
}

// Explain describes one option, or the section and what is in it. It returns false for neither.
func Explain(path string) (string, bool) {
	all := append(pipelineOptions(&Pipeline{}), serviceOptions(&Service{})...)
	for i := range all {
		if all[i].Path == path {
			return all[i].explain(), true
		}
	}
	var out strings.Builder
	for i := range all {
		if path == "" || strings.HasPrefix(all[i].Path, path+".") {
			fmt.Fprintf(&out, "%-38s %s\n", all[i].Path, all[i].Doc)
		}
	}
	return out.String(), out.Len() > 0
}

func (o *Option) explain() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n  %s\n\n", o.Path, o.Doc)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&out, "  %-10s %s\n", name, text)
		}
	}
	line("type", o.Type())
	line("words", alternatives(o.Words))
	line("form", o.PatternDoc)
	line("default", o.Default+o.Derived)
	line("required", map[bool]string{true: strconv.FormatBool(true)}[o.Required])
	line("example", o.Example)
	line("since", o.Since())
	line("Debezium", strings.Join(o.Debezium, ", "))
	line("Kafka", strings.Join(o.Client, ", "))
	return out.String()
}

const referenceStart = "<!-- Generated from package configs by `go generate ./configs`; edit the declarations there. -->\n" + `# Reference: the pipeline file

A pipeline file is YAML. ` + "`outferry validate FILE`" + ` reports every mistake in it at once, without a connection to anything;
` + "`outferry explain PATH`" + ` says what is said here about one option. All options exist since version 0.1.0.

**Files.** Several documents may stand in one file with ` + "`---`" + ` between them, in several files, or in a directory (its
` + "`*.yaml` and `*.yml`" + `). Without a file, the text in ` + "`OUTFERRY_CONFIG_YAML`" + ` is taken, else the file that ` + "`OUTFERRY_CONFIG`" + ` names, else
` + "`outferry.yaml`" + `. A file has at most 1 MiB.

**References.** In a value, ` + "`${NAME}`" + ` is an environment variable (capitals, digits, underscores), ` + "`${env:name}`" + ` one of any name, and
` + "`${file:path}`" + ` the content of a file, without its last newline; a relative path starts at the pipeline file's directory.
` + "`${NAME:-default}`" + ` stands for the default when the variable is unset or empty, ` + "`${NAME:?message}`" + ` then fails with the message, ` + "`$$`" + ` is a
dollar sign. Anything else, such as ` + "`${routedByValue}` or `$1`" + `, is left as it is. References are replaced after the file is
parsed, in values only: what a variable holds never becomes structure, and is not expanded again. A list may be one reference,
with commas between the items.

**Precedence.** ` + "`--set path=value`" + ` wins over a variable, a variable over the file, the file over ` + "`defaults:`" + `, those over the defaults below.
The variable of ` + "`source.url` is `OUTFERRY__SOURCE__URL`" + `, and so on for every option that is not a map; it sets a pipeline's option only where one
pipeline is loaded.

**Types.** A *duration* has a unit (` + "`500ms`, `10s`, `7d`" + `). A *size* is a number of bytes, or has a unit: ` + "`64MiB`" + ` is 64·2^20, ` + "`64MB`" + ` is 64·10^6. A
*secret* is never shown; better a reference than a text in the file, which is warned of.

`

const defaultsDoc = `### ` + "`defaults`" + `

Beside ` + "`service`" + `: any option of the pipeline document except name and version, for every pipeline that does not set it itself. A
list or map of the pipeline's own replaces the one here whole.

`

const oldNamesDoc = `## From Debezium and Kafka names

` + "`outferry validate`" + ` recognises these names, dotted or nested, with or without a prefix such as ` + "`transforms.outbox.` or `producer.override.`" + `.

| there | here |
| --- | --- |
`

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"outferry/configs"
	"outferry/internal/logging"
)

func newValidateCommand() *cobra.Command {
	var v validation
	cmd := &cobra.Command{
		Use:   "validate FILE|DIR...",
		Short: "Check pipeline files without connecting to anything",
		Long: `Check pipeline files and report every mistake at once, each with its place and what to write instead.
Nothing is connected to. References such as ${NAME} and ${file:path} are looked up, as run would.
In a Markdown file (*.md) the yaml blocks that show a source are checked, each by itself.`,
		Example: `  outferry validate configs/postgres.yaml
  outferry validate --strict -o json pipelines/

Exit codes: 0 no errors, 2 errors (or warnings, with --strict).`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			return v.run(cmd.OutOrStdout(), paths)
		},
	}
	cmd.Flags().BoolVar(&v.options.Strict, "strict", false, "count warnings as errors")
	cmd.Flags().StringArrayVar(&v.options.Set, "set", nil, "set an option, as commit.interval=50ms; may be repeated")
	cmd.Flags().StringVarP(&v.output, "output", "o", "text", "text or json")
	return cmd
}

// validation is one call of the command.
type validation struct {
	options  configs.Options
	output   string
	names    []string
	findings configs.Findings
}

func (v *validation) run(out io.Writer, paths []string) error {
	if v.output != "text" && v.output != "json" {
		return &exitError{exitConfig, fmt.Errorf("--output: want text or json, got %q", v.output)}
	}
	if err := v.load(paths); err != nil {
		return err
	}
	if err := v.print(out); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if v.findings.HasErrors() {
		return &exitError{exitConfig, v.summary()}
	}
	return nil
}

// load checks YAML files together, as run would, and each block of a Markdown file by itself.
func (v *validation) load(paths []string) error {
	var files []string
	for _, path := range paths {
		if filepath.Ext(path) != ".md" {
			files = append(files, path)
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return &exitError{exitConfig, err}
		}
		for _, block := range configs.MarkdownBlocks(string(text)) {
			v.add(configs.LoadBytes(path, []byte(block), v.options))
		}
	}
	if len(files) > 0 || len(paths) == 0 {
		v.add(configs.Load(files, v.options))
	}
	return nil
}

func (v *validation) add(set *configs.Set, findings configs.Findings) {
	v.findings = append(v.findings, findings...)
	for _, p := range set.Pipelines {
		v.names = append(v.names, p.Name)
	}
}

func (v *validation) summary() error {
	return fmt.Errorf("%s, %s", count(len(v.findings.Errors()), "error"), count(len(v.findings.Warnings()), "warning"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (v *validation) print(out io.Writer) error {
	if v.output == "json" {
		return v.printJSON(out)
	}
	if err := v.findings.Print(out, colorful(out)); err != nil {
		return err
	}
	if v.findings.HasErrors() {
		return nil
	}
	_, err := fmt.Fprintf(out, "ok: %s (%s)\n", count(len(v.names), "pipeline"), strings.Join(v.names, ", "))
	return err
}

// envelope is the JSON that every command answers with.
type envelope struct {
	Command       string `json:"command"`
	OK            bool   `json:"ok"`
	Result        any    `json:"result"`
	Error         any    `json:"error"`
	SchemaVersion int    `json:"schema_version"`
}

type envelopeError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type validateResult struct {
	Pipelines []string         `json:"pipelines"`
	Findings  configs.Findings `json:"findings"`
}

func (v *validation) printJSON(out io.Writer) error {
	e := envelope{Command: "validate", OK: !v.findings.HasErrors(), SchemaVersion: configs.SchemaVersion,
		Result: validateResult{Pipelines: append([]string{}, v.names...), Findings: append(configs.Findings{}, v.findings...)}}
	if !e.OK {
		e.Error = envelopeError{"config.invalid", v.summary().Error()}
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(e)
}

// colorful reports whether a person looks at the output and did not ask for none.
func colorful(out io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && logging.IsTerminal(out)
}

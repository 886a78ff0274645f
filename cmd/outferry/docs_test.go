package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The commands that README.md and docs/ show are there, with their flags and as many arguments as they take.
func TestDocumentedCommandsAreReal(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range documented(string(text)) {
			checked++
			if err := parses(args); err != nil {
				t.Errorf("%s: outferry %s: %v", filepath.Base(file), strings.Join(args, " "), err)
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d commands were checked", checked)
	}
}

// documented returns the arguments of each outferry command in the text's sh blocks.
func documented(text string) (commands [][]string) {
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```sh"
		case inside:
			_, args, found := strings.Cut(" "+strings.ReplaceAll(strings.TrimSpace(line), "go run ./cmd/outferry", "outferry"), " outferry ")
			args, _, _ = strings.Cut(args, " > ")
			if found {
				commands = append(commands, strings.Fields(args))
			}
		}
	}
	return commands
}

// parses goes as far as cobra does before it runs a command.
func parses(args []string) error {
	cmd, rest, err := newRootCommand().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	if err := cmd.ValidateRequiredFlags(); err != nil {
		return err
	}
	return cmd.ValidateFlagGroups()
}

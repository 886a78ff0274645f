package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"outferry/outbox"
	"outferry/pipeline"
)

// answerVersion changes when a field of an answer changes its meaning or goes away.
const answerVersion = 1

// answer is what -o json prints, whatever the command and its outcome.
type answer struct {
	Command       string       `json:"command"`
	OK            bool         `json:"ok"`
	Result        any          `json:"result"`
	Error         *answerError `json:"error"`
	SchemaVersion int          `json:"schema_version"`
}

type answerError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// table prints a result for people.
type table interface{ table(w io.Writer) }

// give prints a command's result, if there is one, and returns what ends the process with the right code.
func give(cmd *cobra.Command, output string, result table, err error) error {
	out := cmd.OutOrStdout()
	if output == "json" {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		if err := e.Encode(answer{Command: cmd.CommandPath(), OK: err == nil, Result: result, Error: answerErrorOf(err), SchemaVersion: answerVersion}); err != nil {
			return &exitError{code: 1, err: fmt.Errorf("print the answer: %w", err)}
		}
		if err != nil {
			return &exitError{code: commandCode(err)}
		}
		return nil
	}
	if result != nil {
		result.table(out)
	}
	if err != nil {
		return &exitError{code: commandCode(err), err: err}
	}
	return nil
}

// give answers about the pipeline of that name.
func (a *aim) give(cmd *cobra.Command, name string, result table, err error) error {
	return give(cmd, a.output, result, pipeline.Named(err, name))
}

func answerErrorOf(err error) *answerError {
	if err == nil {
		return nil
	}
	var f *outbox.Fault
	if errors.As(err, &f) {
		return &answerError{Code: f.Code, Message: f.Err.Error(), Remedy: f.Remedy}
	}
	return &answerError{Code: "internal", Message: err.Error()}
}

// commandCode differs from a run's: nothing is tried again here, so what a run would wait for is a refusal.
func commandCode(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	var f *outbox.Fault
	if !errors.As(err, &f) {
		return 1
	}
	switch f.Class {
	case outbox.Config:
		return 2
	case outbox.Transient, outbox.Busy, outbox.Environment:
		return 3
	case outbox.PositionLost:
		return 4
	}
	return 1
}

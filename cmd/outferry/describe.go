package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"outferry/configs"
)

func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of pipeline files, for editors",
		Example: "  outferry schema > pipeline.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(configs.Schema())
			return err
		},
	}
}

func newExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "explain [PATH]",
		Short:   "Explain an option of the pipeline file, or list them",
		Example: "  outferry explain router.topic\n  outferry explain kafka",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := ""
			if len(args) == 1 {
				path = args[0]
			}
			text, ok := configs.Explain(path)
			if !ok {
				return &exitError{exitConfig, fmt.Errorf("no option or section %q: outferry explain lists them all", path)}
			}
			_, err := io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
}

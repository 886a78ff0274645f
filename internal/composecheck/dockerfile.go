package composecheck

import (
	"bytes"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Image is what a Dockerfile's last stage says of the containers.
type Image struct {
	Entrypoint, Command []string
	Environment         map[string]string
	Built               map[string]string // what is copied from the stage build: sources, by path in the container
}

// Stages reads a Dockerfile.
func Stages(file string) ([]instructions.Stage, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	return stages, nil
}

// ReadImage reads a Dockerfile with the arguments of its build.
func ReadImage(file string, args types.MappingWithEquals) (Image, error) {
	stages, err := Stages(file)
	if err != nil {
		return Image{}, err
	}
	i := Image{Environment: map[string]string{}, Built: map[string]string{}}
	for _, command := range stages[len(stages)-1].Commands {
		switch c := command.(type) {
		case *instructions.EntrypointCommand:
			i.Entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			i.Command = c.CmdLine
		case *instructions.EnvCommand:
			for _, pair := range c.Env {
				i.Environment[pair.Key] = pair.Value
			}
		case *instructions.CopyCommand:
			if c.From == "build" {
				i.Built[c.DestPath] = expand(c.SourcePaths[0], args)
			}
		}
	}
	return i, nil
}

func expand(text string, args types.MappingWithEquals) string {
	return os.Expand(text, func(name string) string {
		if value := args[name]; value != nil {
			return *value
		}
		return ""
	})
}

// Package composecheck reads docker-compose.yml with the loader that Docker Compose itself uses, and the Dockerfiles
// with Docker's own parser. In goes the repository; out comes what each container would run. It is a module of its
// own, so that neither is one of Outferry's dependencies: make compose runs its tests, and internal/e2e asks its
// command print.
package composecheck

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// Load reads the compose file of a directory, for some profiles; for none it takes those of .env.
func Load(ctx context.Context, directory string, profiles ...string) (*types.Project, error) {
	directory, err := filepath.Abs(directory)
	if err != nil {
		return nil, err
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(directory, "docker-compose.yml")},
		cli.WithWorkingDirectory(directory), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithName("blog"), cli.WithDefaultProfiles(profiles...))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// Container is what a service of the compose file runs: what its image says, and what the file says over it.
type Container struct {
	Image       string            `json:"image,omitempty"`
	Args        []string          `json:"args"` // entry point and command, as far as file and Dockerfile have them
	Environment map[string]string `json:"environment"`
	Files       map[string]string `json:"files"` // contents, by path in the container
	Built       map[string]string `json:"built"` // what the Dockerfile copies from its stage build: sources, by path in the container
	HealthCheck []string          `json:"healthCheck"`
	Restart     string            `json:"restart"`
}

// Containers returns all of a project's, by service.
func Containers(project *types.Project) (map[string]Container, error) {
	all := map[string]Container{}
	for name, s := range project.Services {
		c, err := container(project, s)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
		all[name] = c
	}
	return all, nil
}

func container(project *types.Project, s types.ServiceConfig) (Container, error) {
	c := Container{Image: s.Image, Environment: map[string]string{}, Restart: s.Restart}
	command := []string(s.Command)
	if s.Build != nil {
		i, err := ReadImage(filepath.Join(s.Build.Context, s.Build.Dockerfile), s.Build.Args)
		if err != nil {
			return c, err
		}
		c.Args, c.Built = i.Entrypoint, i.Built
		if command == nil {
			command = i.Command
		}
		maps.Copy(c.Environment, i.Environment)
	}
	c.Args = append(c.Args, command...)
	for name, value := range s.Environment {
		if value != nil {
			c.Environment[name] = *value
		}
	}
	if s.HealthCheck != nil {
		c.HealthCheck = s.HealthCheck.Test
	}
	var err error
	c.Files, err = files(project, s)
	return c, err
}

func files(project *types.Project, s types.ServiceConfig) (map[string]string, error) {
	all := map[string]string{}
	for _, mount := range s.Configs {
		config := project.Configs[mount.Source]
		all[mount.Target] = config.Content
		if config.File == "" {
			continue
		}
		content, err := os.ReadFile(config.File)
		if err != nil {
			return nil, err
		}
		all[mount.Target] = string(content)
	}
	return all, nil
}

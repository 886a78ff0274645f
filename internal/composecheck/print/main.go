// Command print writes what each container of the compose file in a directory would run, as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"outferry/internal/composecheck"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: print DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "print:", err)
		os.Exit(1)
	}
}

func run(directory string) error {
	project, err := composecheck.Load(context.Background(), directory, "*")
	if err != nil {
		return err
	}
	containers, err := composecheck.Containers(project)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(containers)
}

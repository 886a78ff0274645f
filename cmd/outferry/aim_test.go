package main

import "testing"

func TestWithoutAFileTheFlagIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("OUTFERRY_CONFIG", "")
	t.Setenv("OUTFERRY_CONFIG_YAML", "")
	outferry(t, nil, "offsets", "show", "posts").want(t, 2, "--config")
}

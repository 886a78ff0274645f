package configs

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	envText = "OUTFERRY_CONFIG_YAML" // the whole file in a variable
	envFile = "OUTFERRY_CONFIG"      // path of the file
)

// inputs reads what the paths name, or what the environment says when there are none.
func (l *loader) inputs(paths []string) {
	if len(paths) == 0 {
		if text, ok := l.opts.LookupEnv(envText); ok && text != "" {
			l.parse(envText, []byte(text))
			return
		}
		path, _ := l.opts.LookupEnv(envFile)
		if path == "" {
			path = "outferry.yaml"
		}
		paths = []string{path}
	}
	for _, path := range paths {
		for _, name := range l.filesOf(path) {
			l.read(name)
		}
	}
}

// filesOf returns the path, or the YAML files of the directory in order of name.
func (l *loader) filesOf(path string) []string {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path} // reading it says what is wrong
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		l.add(place{file: &file{name: path}}, "", mistakef("", "can't be read: %s", reason(err)))
		return nil
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	if len(names) == 0 {
		l.add(place{file: &file{name: path}}, "", mistakef("", "no *.yaml or *.yml file in this directory"))
	}
	slices.Sort(names)
	return names
}

func (l *loader) read(name string) {
	text, err := readLimited(name)
	if err != nil {
		l.add(place{file: &file{name: name, rank: l.files}}, "", mistakef("", "can't be read: %s", reason(err)))
		return
	}
	l.parse(name, text)
}

// readLimited reads one byte more than is allowed at most, so that parse can tell.
func readLimited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

func (l *loader) parse(name string, text []byte) {
	f := &file{name: name, dir: filepath.Dir(name), rank: l.files}
	l.files++
	if l.first == nil {
		l.first = f
	}
	documents, findings := parse(f, text)
	l.documents = append(l.documents, documents...)
	l.findings = append(l.findings, findings...)
}

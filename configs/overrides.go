package configs

import (
	"fmt"
	"slices"
	"strings"
)

// override is one option set outside the files.
type override struct {
	path string
	text string
	at   place
}

const envPrefix = "OUTFERRY__"

var pathForm = compiled(`^[\w.\-\[\]]*$`)

// readOverrides takes OUTFERRY__SOURCE__URL and its like, then what --set gave, so that the latter wins.
func (l *loader) readOverrides() {
	environ := slices.Clone(l.opts.Environ())
	slices.Sort(environ)
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		if key, ok := strings.CutPrefix(name, envPrefix); ok {
			path := strings.ReplaceAll(strings.ToLower(key), "__", ".")
			l.addOverride(override{path, text, l.outside(name)})
		}
	}
	for _, s := range l.opts.Set {
		path, text, ok := strings.Cut(s, "=")
		if !ok || !pathForm.MatchString(path) { // which may be half a secret then
			l.add(l.outside("--set"), "", mistakef("write --set kafka.compression=zstd", "wants path=value"))
			continue
		}
		l.addOverride(override{path, text, l.outside("--set " + path)})
	}
}

func (l *loader) outside(name string) place {
	return place{file: &file{name: name, dir: ".", rank: 1 << 20}}
}

// addOverride keeps an override of a known option.
func (l *loader) addOverride(o override) {
	all := append(pipelineOptions(&Pipeline{}), serviceOptions(&Service{})...)
	if slices.ContainsFunc(all, func(x Option) bool { return x.Path == o.path }) {
		l.overrides = append(l.overrides, o)
		return
	}
	hint, ok := l.old.find(o.path)
	if !ok {
		if near := nearest(o.path, paths(all)); near != "" {
			hint.remedy = fmt.Sprintf("did you mean %s?", near)
		}
	}
	l.add(o.at, o.path, mistakef(hint.remedy, "unknown option"))
}

// override lays those that concern the options over what the file says.
func (l *loader) override(c *collector, options []Option) {
	for _, o := range l.overrides {
		if slices.ContainsFunc(options, func(x Option) bool { return x.Path == o.path }) {
			c.values[o.path] = value{text: o.text, at: o.at}
			c.places[o.path] = o.at
		}
	}
}

// overridesFit refuses an override of a pipeline's option when it isn't clear which pipeline is meant.
func (l *loader) overridesFit(pipelines int) {
	if pipelines < 2 {
		return
	}
	for _, o := range l.overrides {
		if !strings.HasPrefix(o.path, "service.") {
			l.add(o.at, o.path, mistakef("write it in the files", "sets an option of one pipeline, but %d are loaded", pipelines))
		}
	}
}

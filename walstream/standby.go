package walstream

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// warnIfWaitedFor says that commits of the server wait for us. It takes every walsender that synchronous_standby_names
// matches for a standby, by application_name, and we confirm only what is in Kafka. To see sync_state needs a right; the
// setting needs none.
func (w *watch) warnIfWaitedFor(ctx context.Context) error {
	r, err := queryOne(ctx, w.cat, "SELECT current_setting('synchronous_standby_names'), current_setting('application_name')")
	if err != nil {
		return transient("pg.connection", "look for synchronous standbys: %w", plain(err))
	}
	waits := matchesStandby(r[0], r[1])
	if waits && !w.waitedFor {
		w.log.Warn("commits of the whole server wait for this pipeline, and for Kafka: the server takes it for a synchronous standby", "code", "pg.synchronous_standby",
			"synchronous_standby_names", r[0], "remedy", "name the replicas in synchronous_standby_names, instead of * or "+r[1])
	}
	w.waitedFor = waits
	return nil
}

// standbyName is a name in synchronous_standby_names, or a word or number beside the names.
var standbyName = regexp.MustCompile(`"(?:[^"]|"")*"|[^\s,()"]+`)

// matchesStandby reports whether a list of standbys matches an application_name.
func matchesStandby(names, application string) bool {
	return slices.ContainsFunc(standbyName.FindAllString(names, -1), func(name string) bool {
		if strings.HasPrefix(name, `"`) {
			name = strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
		}
		return name == "*" || strings.EqualFold(name, application)
	})
}

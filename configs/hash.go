package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Hash is short and stands for the mapping from rows to records: tables, router and encoding. Options
// at their default don't enter it, so that a new version with a new option keeps the hash.
func (p *Pipeline) Hash() string {
	c, d := *p, Pipeline{}
	mine, usual := pipelineOptions(&c), pipelineOptions(&d)
	setDefaults(usual)
	h := sha256.New()
	for i := range mine {
		path := mine[i].Path
		if path != "source.tables" && !strings.HasPrefix(path, "router.") && !strings.HasPrefix(path, "encoding.") {
			continue
		}
		if v := mine[i].written(); v != usual[i].written() {
			fmt.Fprintf(h, "%q=%q\n", path, v)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

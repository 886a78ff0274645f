package demo

import (
	"errors"
	"fmt"
	"strings"

	"outferry/configs"
)

// pipelineFile is what the demo runs, as a person would write it.
func pipelineFile(s *servers) string {
	return fmt.Sprintf(`name: blog
source:
  url: %s
  tables: [post.outbox, comments.outbox]
router:
  headers: {eventType: type}
kafka:
  brokers: [%s]
`, s.blogURL(), strings.Join(s.brokers(), ", "))
}

// yourFile is where a person goes from here: the file that configs/postgres.yaml is, too.
const yourFile = `name: posts
source:
  url: ${DATABASE_URL}
  tables: [public.outbox]
kafka:
  brokers: [localhost:9092]
`

// readPipelineFile reads the text as "outferry run" would read a file, but for the environment: what a person
// has set for pipelines of their own is not meant for the demo's.
func readPipelineFile(text string) (*configs.Pipeline, error) {
	set, findings := configs.LoadBytes("blog.yaml", []byte(text), configs.Options{
		LookupEnv: func(string) (string, bool) { return "", false },
		Environ:   func() []string { return nil },
	})
	if findings.HasErrors() {
		return nil, fmt.Errorf("read the demo's pipeline file: %w", findings.Errors())
	}
	if len(set.Pipelines) != 1 {
		return nil, errors.New("read the demo's pipeline file: want one pipeline")
	}
	return set.Pipelines[0], nil
}

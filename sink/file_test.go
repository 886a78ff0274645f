package sink

import (
	"fmt"
	"testing"

	"outferry/configs"
	"outferry/internal/configtest"
)

// File is a pipeline of the name on a broker; more are options as kafka.max_record=1MB.
func File(t testing.TB, addr, name string, more ...string) *configs.Pipeline {
	t.Helper()
	text := fmt.Sprintf("name: %s\nsource: {url: postgres://outferry@localhost/app, tables: [public.outbox]}\nkafka: {brokers: [%q]}\noffsets: {topic: %s-offsets}\n", name, addr, name)
	return configtest.Load(t, text, more...)
}

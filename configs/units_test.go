package configs

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "10s": 10 * time.Second, "7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour,
		"1.5h": 90 * time.Minute, "0s": 0, "1h30m": 90 * time.Minute, "0.5d": 12 * time.Hour,
	} {
		got, m := parseDuration(text, text)
		if m != nil || got != want {
			t.Errorf("%s: got %s, %+v", text, got, m)
		}
		if back, _ := parseDuration(showDuration(want), ""); back != want {
			t.Errorf("%s is shown as %s", text, showDuration(want))
		}
	}
	for _, text := range []string{"10", "0", "-5", "s", "", "10 s", "-1s", "1w", "10sec", "9999999d", "1h-5m", "1e3s"} {
		if got, m := parseDuration(text, text); m == nil {
			t.Errorf("%q was taken as %s", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"64MiB": 64 << 20, "64MB": 64_000_000, "1KiB": 1024, "1kB": 1000, "1KB": 1000, "512": 512, "512B": 512, "0": 0,
		"1.5GiB": 3 << 29, "1 GiB": 1 << 30, "9007199254740993": 9007199254740993, "2TiB": 2 << 40, "1TB": 1e12,
	} {
		got, m := parseSize(text, text)
		if m != nil || got != want {
			t.Errorf("%s: got %d, %+v", text, got, m)
		}
		if back, _ := parseSize(showSize(want), ""); back != want {
			t.Errorf("%s is shown as %s", text, showSize(want))
		}
	}
	for _, text := range []string{"64M", "64k", "1g", "-1", "", "MiB", "64 mib", "1e3", "0x10", "99999999TiB", "010", "99999999999999999999"} {
		if got, m := parseSize(text, text); m == nil {
			t.Errorf("%q was taken as %d", text, got)
		}
	}
}

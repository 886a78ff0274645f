package configs

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mistake is a finding that does not know its place yet.
type mistake struct {
	message string
	remedy  string
	warning bool
}

func mistakef(remedy, format string, args ...any) *mistake {
	return &mistake{message: fmt.Sprintf(format, args...), remedy: remedy}
}

var (
	bareNumber    = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?$`)
	integerForm   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	sizeForm      = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)$`)
	ambiguousSize = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([kKmMgGtT])$`)
	daysForm      = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)d`)
)

// durationPattern and sizePattern are what the JSON Schema says of the same texts.
const (
	durationPattern = `^[0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d)([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))*$`
	sizePattern     = `^[0-9]+(\.[0-9]+)? ?(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)$`
)

var durationForm = regexp.MustCompile(durationPattern)

var unitBytes = map[string]float64{
	"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

// parseDuration reads Go's form plus days. shown is how the text may appear in a message.
func parseDuration(text, shown string) (time.Duration, *mistake) {
	if bareNumber.MatchString(text) {
		return 0, mistakef(bareDurationRemedy(text, shown), "%s has no unit", shown)
	}
	wrong := mistakef("write a number with a unit, as 500ms, 10s, 5m, 1h or 7d", "%s is not a duration", shown)
	if !durationForm.MatchString(text) {
		return 0, wrong
	}
	hours := daysForm.ReplaceAllStringFunc(text, func(days string) string {
		n, _ := strconv.ParseFloat(strings.TrimSuffix(days, "d"), 64)
		return strconv.FormatFloat(n*24, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(hours)
	if err != nil {
		return 0, wrong
	}
	return d, nil
}

func bareDurationRemedy(text, shown string) string {
	if shown != strconv.Quote(text) {
		return "give it a unit, as 10s"
	}
	return fmt.Sprintf("write %ss for seconds, or %sms for milliseconds", text, text)
}

// parseSize reads a number of bytes. 64M is refused, since tools read it in two ways.
func parseSize(text, shown string) (int64, *mistake) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 && integerForm.MatchString(text) {
		return n, nil
	}
	if m := ambiguousSize.FindStringSubmatch(text); m != nil {
		unit := strings.ToUpper(m[2])
		return 0, mistakef(fmt.Sprintf("write %s%siB (powers of 1024) or %s%sB (powers of 1000)", m[1], unit, m[1], unit),
			"%s can be read in two ways", shown)
	}
	m := sizeForm.FindStringSubmatch(text)
	if m == nil {
		return 0, mistakef("write a number of bytes, or one with a unit, as 64MiB or 64MB", "%s is not a size", shown)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	bytes := n * unitBytes[m[2]]
	if err != nil || bytes >= math.MaxInt64 {
		return 0, mistakef("", "%s is too large", shown)
	}
	return int64(bytes), nil
}

func parseInt(text, shown string) (int, *mistake) {
	n, err := strconv.Atoi(text)
	if err != nil || !integerForm.MatchString(text) {
		return 0, mistakef("", "%s is not an integer", shown)
	}
	return n, nil
}

func parseBool(text, shown string) (bool, *mistake) {
	switch text {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return false, mistakef("", "want true or false, got %s", shown)
}

// showDuration and showSize print a value in the form that the file would write.
func showDuration(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

func showSize(n int64) string {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if size := int64(unitBytes[unit]); n >= size && n%size == 0 {
			return strconv.FormatInt(n/size, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}

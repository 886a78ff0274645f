package encode

import (
	"bytes"
	"math"
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
	microsPerMonth  = 2_629_800 * microsPerSecond // Debezium's month has 30.4375 days
)

// intervalMicros adds up an ISO 8601 duration whose parts may each have a sign.
func intervalMicros(v []byte) (int64, error) {
	b, ok := bytes.CutPrefix(v, []byte("P"))
	if !ok || len(b) == 0 {
		return 0, ErrInvalid
	}
	var sum int64
	clock := false
	for len(b) > 0 {
		if b[0] == 'T' && !clock {
			clock, b = true, b[1:]
			continue
		}
		part, rest, err := intervalPart(b, clock)
		if err != nil {
			return 0, err
		}
		if part > 0 && sum > math.MaxInt64-part || part < 0 && sum < math.MinInt64-part {
			return 0, ErrUnrepresentable
		}
		sum, b = sum+part, rest
	}
	return sum, nil
}

// intervalPart reads one part, such as -3D or 6.7S.
func intervalPart(b []byte, clock bool) (micros int64, rest []byte, err error) {
	b, negative := bytes.CutPrefix(b, []byte("-"))
	n, rest, ok := parseDigits(b, 1, 12)
	if !ok {
		return 0, nil, ErrInvalid
	}
	fraction, rest, ok := parseFraction(rest)
	if !ok || len(rest) == 0 {
		return 0, nil, ErrInvalid
	}
	unit := unitMicros(rest[0], clock)
	if unit == 0 || fraction != 0 && rest[0] != 'S' {
		return 0, nil, ErrInvalid
	}
	if n > math.MaxInt64/unit-1 {
		return 0, nil, ErrUnrepresentable
	}
	if micros = n*unit + fraction; negative {
		micros = -micros
	}
	return micros, rest[1:], nil
}

func unitMicros(unit byte, clock bool) int64 {
	switch {
	case unit == 'Y' && !clock:
		return 12 * microsPerMonth
	case unit == 'M' && !clock:
		return microsPerMonth
	case unit == 'W' && !clock:
		return 7 * microsPerDay
	case unit == 'D' && !clock:
		return microsPerDay
	case unit == 'H' && clock:
		return 3600 * microsPerSecond
	case unit == 'M' && clock:
		return 60 * microsPerSecond
	case unit == 'S' && clock:
		return microsPerSecond
	}
	return 0
}

package walstream

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

const day = 24 * 3600

var errTimeTZ = errors.New("timetz value is not in the form that the session asked for")

// inUTC moves a timetz to UTC, in place. PostgreSQL keeps the zone of each value, whatever the session's is.
func inUTC(v []byte) ([]byte, error) {
	at := bytes.LastIndexAny(v, "+-")
	if at < len("15:04:05") || len(v)-at < len("+00") {
		return nil, errTimeTZ
	}
	clock, err := seconds(v[:len("15:04:05")])
	zone, errZone := seconds(v[at+1:])
	switch {
	case err != nil || errZone != nil || zone >= day:
		return nil, errTimeTZ
	case zone == 0: // 24:00:00 stays what it is
		return v, nil
	case v[at] == '+':
		zone = -zone
	}
	clock = (clock + zone + day) % day
	copy(v, fmt.Sprintf("%02d:%02d:%02d", clock/3600, clock/60%60, clock%60))
	return append(v[:at], "+00"...), nil
}

// seconds reads 15, 15:04 or 15:04:05.
func seconds(v []byte) (n int, err error) {
	unit := 3600
	for part := range bytes.SplitSeq(v, []byte(":")) {
		value, err := strconv.ParseUint(string(part), 10, 8)
		if err != nil || unit == 0 {
			return 0, errTimeTZ
		}
		n += int(value) * unit
		unit /= 60
	}
	return n, nil
}

// listInUTC moves the elements of an array of timetz, in place. None of them needs quotes.
func listInUTC(v []byte) ([]byte, error) {
	out := v[:0]
	for len(v) > 0 {
		n := bytes.IndexAny(v, "{,}=")
		if n < 0 {
			return nil, errTimeTZ
		}
		element := v[:n]
		if n > 0 && element[0] >= '0' && element[0] <= '9' { // neither NULL nor bounds
			var err error
			if element, err = inUTC(element); err != nil {
				return nil, err
			}
		}
		mark := v[n]
		out = append(append(out, element...), mark)
		v = v[n+1:]
	}
	return out, nil
}

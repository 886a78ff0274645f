package encode

import "bytes"

// datedText is a text that starts with a date, freed of the era that PostgreSQL puts last.
type datedText struct {
	b  []byte
	bc bool
}

func trimBC(v []byte) datedText {
	b, bc := bytes.CutSuffix(v, []byte(" BC"))
	return datedText{b: b, bc: bc}
}

// parseDate reads year-month-day and returns its days since 1970 and what follows.
func parseDate(text datedText) (days int64, rest []byte, ok bool) {
	year, rest, ok := parseDigits(text.b, 4, 7)
	if !ok {
		return 0, nil, false
	}
	month, rest, ok1 := parsePart(rest, '-')
	day, rest, ok2 := parsePart(rest, '-')
	if text.bc {
		year = 1 - year
	}
	if !ok1 || !ok2 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, nil, false
	}
	return daysSince1970(year, month, day), rest, true
}

// parseClock reads [-]hours:minutes:seconds[.fraction] as microseconds and returns what follows.
func parseClock(b []byte) (micros int64, rest []byte, ok bool) {
	b, negative := bytes.CutPrefix(b, []byte("-"))
	hour, rest, ok := parseDigits(b, 2, 3)
	if !ok {
		return 0, nil, false
	}
	minute, rest, ok1 := parsePart(rest, ':')
	second, rest, ok2 := parsePart(rest, ':')
	if !ok1 || !ok2 || minute > 59 || second > 60 {
		return 0, nil, false
	}
	micros = (hour*3600 + minute*60 + second) * 1_000_000
	fraction, rest, ok := parseFraction(rest)
	if micros += fraction; negative {
		micros = -micros
	}
	return micros, rest, ok
}

// parseFraction reads .ffffff as microseconds, or nothing where no point stands.
func parseFraction(b []byte) (micros int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' {
		return 0, b, true
	}
	micros, rest, ok = parseDigits(b[1:], 1, 6)
	for i := len(b) - 1 - len(rest); i < 6; i++ {
		micros *= 10
	}
	return micros, rest, ok
}

func parsePart(b []byte, separator byte) (n int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != separator {
		return 0, nil, false
	}
	return parseDigits(b[1:], 2, 2)
}

// parseDigits reads between least and most digits.
func parseDigits(b []byte, least, most int) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && i < most && b[i] >= '0' && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	return n, b[i:], i >= least
}

// daysIn is the length of a month. MySQL keeps a 31 February where sql_mode has ALLOW_INVALID_DATES, which is no day.
func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days in the Gregorian calendar, carried back before its beginning.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

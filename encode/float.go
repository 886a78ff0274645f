package encode

import "strconv"

// appendFloat appends a float as Java 19 and later print it: plain between 0.001 and 10^7, else with
// an exponent that has no plus, always one fractional digit at least.
func appendFloat(dst, v []byte, bits int) ([]byte, error) {
	if isSpecial(v) {
		return append(dst, v...), nil
	}
	f, err := strconv.ParseFloat(string(v), bits)
	if err != nil {
		return dst, ErrInvalid
	}
	return AppendJavaFloat(dst, f, bits), nil
}

// AppendJavaFloat appends f, which is finite, as Double.toString or Float.toString print it.
func AppendJavaFloat(dst []byte, f float64, bits int) []byte {
	var tmp [32]byte
	digits, exp, negative := shortest(tmp[:0], f, bits)
	if negative {
		dst = append(dst, '-')
	}
	switch {
	case len(digits) == 1 && digits[0] == '0':
		return append(dst, "0.0"...)
	case exp >= -3 && exp < 0:
		dst = append(dst, "0.00"[:1-exp]...)
		return append(dst, digits...)
	case exp >= 0 && exp < 7:
		return appendPlain(dst, digits, exp)
	}
	dst = append(dst, digits[0], '.')
	dst = appendFraction(dst, digits[1:])
	dst = append(dst, 'E')
	return strconv.AppendInt(dst, int64(exp), 10)
}

func appendPlain(dst, digits []byte, exp int) []byte {
	for i := range exp + 1 {
		if i < len(digits) {
			dst = append(dst, digits[i])
		} else {
			dst = append(dst, '0')
		}
	}
	dst = append(dst, '.')
	return appendFraction(dst, digits[min(exp+1, len(digits)):])
}

func appendFraction(dst, digits []byte) []byte {
	if len(digits) == 0 {
		return append(dst, '0')
	}
	return append(dst, digits...)
}

// shortest returns the fewest digits that read back as f, without point, and the exponent of the
// first. Where one digit would do, Java takes the nearer two: the smallest double is 4.9E-324.
func shortest(tmp []byte, f float64, bits int) (digits []byte, exp int, negative bool) {
	text := strconv.AppendFloat(tmp, f, 'e', -1, bits)
	digits, exp, negative = splitFloat(text)
	if len(digits) > 1 {
		return digits, exp, negative
	}
	two := strconv.AppendFloat(tmp, f, 'e', 1, bits)
	if back, err := strconv.ParseFloat(string(two), bits); err != nil || back != f {
		two = strconv.AppendFloat(tmp, f, 'e', -1, bits)
	}
	digits, exp, negative = splitFloat(two)
	if len(digits) == 2 && digits[1] == '0' {
		digits = digits[:1]
	}
	return digits, exp, negative
}

// splitFloat takes -d.ddde-dd apart, in place.
func splitFloat(text []byte) (digits []byte, exp int, negative bool) {
	if text[0] == '-' {
		negative, text = true, text[1:]
	}
	e := len(text) - 1
	for text[e] != 'e' {
		e--
	}
	exp, _ = strconv.Atoi(string(text[e+1:]))
	if e == 1 {
		return text[:1], exp, negative
	}
	text[1] = text[0]
	return text[1:e], exp, negative
}

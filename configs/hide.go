package configs

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shownURL matches the addresses whose parts are certain. Its groups are what may be seen: all but the password.
var shownURL = regexp.MustCompile(`^((?:jdbc:)?[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:@/?#%]*)(?::\S*)?` +
	`(@(?:[^\s:@/?#\[\]]+|\[[0-9a-fA-F:.]+\])(?::\d+)?(?:[/?#][^\s@]*)?)$`)

// shownHost matches those without a login. A port needs a path behind it, else it might be a password of digits.
var shownHost = regexp.MustCompile(`^(?:jdbc:)?[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^\s:@/?#\[\]]+|\[[0-9a-fA-F:.]+\])(?:(?::\d+)?/[^\s@]*)?$`)

var (
	secretKey      = regexp.MustCompile(`(?i)([\w.\-]*(?:pass|pwd|secret|token|jaas|credential)[\w.\-]*["']?\s*[:=]\s*)(.*)`)
	secretPath     = regexp.MustCompile(`\.password$`)
	urlKey         = regexp.MustCompile(`(?i)(?:^|[^\w.\-])["']?[\w.\-]*(?:url|uri|dsn)[\w.\-]*["']?(?:\s*[:=]\s*|\s+)`)
	hostKey        = regexp.MustCompile(`(?i)(?:^|[^\w.\-])["']?[\w.\-]*(?:host|broker|server)[\w.\-]*["']?(?:\s*[:=]\s*|\s+)\[?\s*`)
	keyAhead       = regexp.MustCompile(`^(?:[\w.\-]+|"[\w.\-]+"|'[\w.\-]+')\s*:(?:\s|$)`)
	onlyReferences = regexp.MustCompile(`^["']?\$\{(?:[A-Z_][A-Z0-9_]*|env:[^{}:]+|file:[^{}]+)(?::\?[^{}]*)?\}["']?[\s,}\]]*(#.*)?$`)
)

// excerpt is a line with a place in it, which stays at the same words when others are covered.
type excerpt struct {
	line   string
	column int // in characters, 1 is the first
}

// withoutSecrets makes a source line fit to be shown: no password, nothing that moves the cursor. The finding is about the
// option path and points at column; what comes back is the line and where that column is in it.
func withoutSecrets(line, path string, column int) (string, int) {
	x := excerpt{line: strings.Map(printable, line), column: column}
	path, _, _ = strings.Cut(path, "[")
	at := x.offset()
	key, _, _ := strings.Cut(x.line[at:], ":")
	if keyAhead.MatchString(x.line[at:]) && (!secretPath.MatchString(path) || slices.Contains(strings.Split(path, "."), strings.Trim(key, `"' `))) {
		path = "" // column is where the option is missing
	}
	switch {
	case x.keyed(urlKey, x.coverURL):
	case path == "source.url":
		x.coverURL(at)
	case x.keyed(hostKey, x.coverHosts):
	case secretPath.MatchString(path) && !onlyReferences.MatchString(x.line[at:]):
		x.cover(at, len(x.line)) // its key stands in another line
	case path == "source.host" || path == "kafka.brokers":
		x.coverHosts(at)
	}
	x.coverLogins(0, false)
	if m := secretKey.FindStringSubmatchIndex(x.line); m != nil && m[4] < m[5] && !onlyReferences.MatchString(x.line[m[4]:]) {
		x.cover(m[4], len(x.line))
	}
	return x.line, x.column
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '?'
	}
	return r
}

// withoutLogin covers what stands before an @ in a message.
func withoutLogin(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	x := excerpt{line: text}
	x.coverLogins(0, false)
	return x.line
}

// offset is where the column is in bytes.
func (x *excerpt) offset() int {
	at := 0
	for range x.column - 1 {
		_, size := utf8.DecodeRuneInString(x.line[at:])
		at += size
	}
	return at
}

// cover hides the bytes of a secret.
func (x *excerpt) cover(from, to int) {
	start, covered := utf8.RuneCountInString(x.line[:from]), utf8.RuneCountInString(x.line[from:to])
	switch at := x.column - 1; {
	case at >= start+covered:
		x.column += len(redacted) - covered
	case at > start:
		x.column = start + 1
	}
	x.line = x.line[:from] + redacted + x.line[to:]
}

// keyed calls hide with where the value of such a key begins.
func (x *excerpt) keyed(key *regexp.Regexp, hide func(from int)) bool {
	m := key.FindStringIndex(x.line)
	if m == nil {
		return false
	}
	hide(m[1])
	return true
}

// coverURL hides the password of the address that begins there, and all of it where that could be anywhere.
func (x *excerpt) coverURL(from int) {
	rest := x.line[from:]
	if rest == "" || onlyReferences.MatchString(rest) {
		return
	}
	s := scalarAt(x.line, from)
	if !s.quoted {
		s.to = s.from + len(strings.TrimRight(x.line[s.from:s.to], ",}]"))
	}
	text, after := x.line[s.from:s.to], x.line[s.to:]
	switch {
	case isShown(text) && !strings.Contains(after, "@"):
		x.coverLogin(s, false)
	case s.quoted:
		x.cover(s.from, s.to)
	default:
		x.cover(s.from, len(x.line))
	}
}

// coverHosts hides what stands before the last @: in one text, since a password may hold anything, or in each where they
// are in quotes.
func (x *excerpt) coverHosts(from int) {
	at := strings.LastIndexByte(x.line, '@')
	switch {
	case at < from:
	case x.line[from] == '"' || x.line[from] == '\'':
		x.coverLogins(from, true)
	default:
		x.cover(from, at)
	}
}

// coverLogins hides the logins of all texts from there on. Without a colon one is hidden only where any login is.
func (x *excerpt) coverLogins(from int, any bool) {
	var all []scalar
	for at := from; at < len(x.line); {
		s := scalarAt(x.line, at)
		all = append(all, s)
		at = max(s.to, at+1)
	}
	for i := len(all) - 1; i >= 0; i-- {
		x.coverLogin(all[i], any)
	}
}

func (x *excerpt) coverLogin(s scalar, any bool) {
	text := x.line[s.from:s.to]
	if !s.quoted {
		text = strings.TrimRight(text, ",;.)}]")
	}
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return
	}
	if m := shownURL.FindStringSubmatchIndex(text); m != nil && m[3] < m[4] {
		x.cover(s.from+m[3]+len(":"), s.from+m[4])
	} else if m == nil && (any || strings.Contains(text[:at], ":")) {
		x.cover(s.from, s.from+at)
	}
}

func isShown(url string) bool { return shownURL.MatchString(url) || shownHost.MatchString(url) }

// scalar is one text of a line, without its quotes.
type scalar struct {
	from, to int
	quoted   bool
}

// scalarAt reads the text at or behind from: up to the quote that closes it, or to a blank.
func scalarAt(line string, from int) scalar {
	for from < len(line) && strings.IndexByte(" [{(,", line[from]) >= 0 {
		from++
	}
	if from == len(line) {
		return scalar{from: from, to: from}
	}
	if quote := line[from]; quote == '"' || quote == '\'' {
		for to := from + 1; to < len(line); to++ {
			if line[to] == quote && (to+1 == len(line) || strings.IndexByte(" ,]}:)", line[to+1]) >= 0) {
				return scalar{from: from + 1, to: to, quoted: true}
			}
		}
		return scalar{from: from + 1, to: len(line), quoted: true}
	}
	to := len(line)
	if blank := strings.IndexByte(line[from:], ' '); blank >= 0 {
		to = from + blank
	}
	return scalar{from: from, to: to}
}

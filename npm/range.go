package npm

// npm's version ranges, as packages use them for releases of Node.js:
// https://github.com/npm/node-semver#ranges

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nodeVersion is a release of Node: major, minor, patch.
type nodeVersion [3]int

// noNode is above every release.
var noNode = nodeVersion{math.MaxInt}

func (v nodeVersion) compare(w nodeVersion) int { return slices.Compare(v[:], w[:]) }

// next returns the first version after all that share the parts up to place.
func (v nodeVersion) next(place int) nodeVersion {
	v[place]++
	clear(v[place+1:])
	return v
}

// String leaves trailing zeros out: "20.19" is 20.19.0.
func (v nodeVersion) String() string {
	s := fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
	return strings.TrimSuffix(strings.TrimSuffix(s, ".0"), ".0")
}

// nodeRange is the versions that an npm range accepts: those in any of its spans.
type nodeRange []nodeSpan

// nodeSpan is the versions from from up to below, without below itself.
type nodeSpan struct{ from, below nodeVersion }

func (r nodeRange) overlaps(other nodeRange) bool {
	return slices.ContainsFunc(r, func(a nodeSpan) bool {
		return slices.ContainsFunc(other, func(b nodeSpan) bool { return !a.and(b).empty() })
	})
}

func (s nodeSpan) and(t nodeSpan) nodeSpan {
	return nodeSpan{
		from:  slices.MaxFunc([]nodeVersion{s.from, t.from}, nodeVersion.compare),
		below: slices.MinFunc([]nodeVersion{s.below, t.below}, nodeVersion.compare),
	}
}

func (s nodeSpan) empty() bool { return s.from.compare(s.below) >= 0 }

const partialVersion = `[v=\s]*(\d{1,9}|[xX*])(?:\.(\d{1,9}|[xX*]))?(?:\.(\d{1,9}|[xX*]))?(-[\w.-]+)?(?:\+[\w.-]+)?`

var (
	comparator  = regexp.MustCompile(`^(<=|>=|<|>|~>|~|\^|)\s*` + partialVersion + `(?:\s+|$)`)
	hyphenRange = regexp.MustCompile(`^` + partialVersion + `\s+-\s+` + partialVersion + `$`)
)

// parseNodeRange reads a range in the grammar of node-semver, for releases only: Node versions are
// compared without a prerelease. https://github.com/npm/node-semver#range-grammar
func parseNodeRange(s string) (nodeRange, error) {
	accepted := nodeRange{}
	for part := range strings.SplitSeq(s, "||") {
		span, ok := parseNodeSpan(strings.TrimSpace(part))
		if !ok {
			return nil, fmt.Errorf("%q is not a version or range of Node.js", s)
		}
		if !span.empty() {
			accepted = append(accepted, span)
		}
	}
	return accepted, nil
}

// parseNodeSpan reads comparators, all of which must hold. Without any, all versions are accepted.
func parseNodeSpan(s string) (nodeSpan, bool) {
	span := nodeSpan{below: noNode}
	if m := hyphenRange.FindStringSubmatch(s); m != nil {
		return comparatorSpan(">=", m[1:5]).and(comparatorSpan("<=", m[5:9])), true
	}
	for s != "" {
		m := comparator.FindStringSubmatch(s)
		if m == nil {
			return nodeSpan{}, false
		}
		span = span.and(comparatorSpan(m[1], m[2:6]))
		s = s[len(m[0]):]
	}
	return span, true
}

// comparatorSpan returns the versions that an operator accepts for a version, given as major,
// minor, patch and prerelease. A missing part, or an x, stands for any number.
func comparatorSpan(operator string, parts []string) nodeSpan {
	var from nodeVersion
	given := 0
	for given < 3 && parts[given] != "" && !strings.Contains("xX*", parts[given]) {
		from[given], _ = strconv.Atoi(parts[given]) // nine digits at most
		given++
	}
	next := noNode // after all that the version stands for
	if given > 0 {
		next = from.next(given - 1)
	}
	if given == 3 && parts[3] != "" {
		next = from // a prerelease comes before its release
	}

	switch operator {
	case ">=":
		return nodeSpan{from, noNode}
	case ">":
		return nodeSpan{next, noNode}
	case "<":
		return nodeSpan{below: from}
	case "<=":
		return nodeSpan{below: next}
	case "~", "~>":
		if given > 0 {
			next = from.next(min(given-1, 1))
		}
	case "^":
		if given > 0 {
			fixed := slices.IndexFunc(from[:given], func(n int) bool { return n > 0 })
			if fixed < 0 {
				fixed = given - 1
			}
			next = from.next(fixed)
		}
	}
	return nodeSpan{from, next}
}

package llbgen

import (
	"fmt"
	"strconv"
	"time"
)

// EpochArg is the build argument that gives the time of all files and of the image.
const EpochArg = "SOURCE_DATE_EPOCH"

// lastSecond is the last one of the year 9999. No image config can have a later time, as RFC 3339
// has years of four digits.
const lastSecond = 253402300799

// ParseEpoch reads SOURCE_DATE_EPOCH: see https://reproducible-builds.org/specs/source-date-epoch/
//
// BuildKit's Dockerfile frontend also accepts the name of a context. samforge does not: the files
// of its images come from other images, downloads and packages, not from a context.
func ParseEpoch(value string) (time.Time, error) {
	seconds, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("%s: expected seconds since 1970, found %q: for the time of a commit give what git log -1 --format=%%ct prints", EpochArg, value)
	case seconds < 0:
		return time.Time{}, fmt.Errorf("%s: %q is before 1970: expected seconds since then", EpochArg, value)
	case seconds > lastSecond:
		return time.Time{}, fmt.Errorf("%s: %q is after the year 9999: expected seconds since 1970, not milliseconds", EpochArg, value)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

package roundtrip

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

// FuzzRetryAfter: whatever a registry answers, nobody waits longer than the limit, and a number of
// seconds is waited for.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "5", "-5", "60", "3600", "9223372036854775807", "9223372037", "-9223372036854775808", "18446744074", "1.5", " 5", "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "x"} {
		f.Add(seed, http.StatusTooManyRequests)
		f.Add(seed, http.StatusNotFound)
	}
	f.Fuzz(func(t *testing.T, value string, status int) {
		res := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {value}}}
		wait, again := retryAfter(res, time.Second)
		if again && (wait > maxRetryAfter || !TransientStatus(status)) {
			t.Errorf("status %d, Retry-After: %s: wait %s", status, value, wait)
		}
		seconds, err := strconv.Atoi(value)
		if err != nil || !TransientStatus(status) {
			return
		}
		if far := seconds > int(maxRetryAfter/time.Second); again == far {
			t.Errorf("Retry-After: %s: again is %t", value, again)
		}
		if again && wait != time.Duration(max(seconds, 0))*time.Second {
			t.Errorf("Retry-After: %s: wait %s", value, wait)
		}
	})
}

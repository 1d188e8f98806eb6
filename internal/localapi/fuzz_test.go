package localapi

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/samforge/samforge/samtemplate"
)

// FuzzRespond: whatever a function answers, a client gets a whole response, with the status and the
// body that it says, or that it is none.
func FuzzRespond(f *testing.F) {
	for _, seed := range []string{
		`{"statusCode": 201, "headers": {"X-Calls": 1, "Set-Cookie": "a=b"}, "multiValueHeaders": {"A": ["b", "c"]}, "body": "text"}`, `{"statusCode": "200", "body": "dGV4dA==", "isBase64Encoded": true}`, `"hello"`, `{"a": 1}`, "",
		`{"statusCode": 204, "body": "x"}`, `{"statusCode": 200, "headers": {"Content-Length": "100", "Transfer-Encoding": "chunked", "Connection": "close", "a b": "c", "D": "e\r\nf: g"}}`, `{"statusCode": 101}`, `{"statusCode": 200, "cookies": ["a=b"], "body": null}`, `{"statusCode": 200, "cookies": ["\u007f"]}`,
		"{\"statusCode\": 200}\x00\x00\x00\x00\x00\x00\x00\x00streamed", `{"statusCode": 2e2}`, "null", `{"statusCode": 304, "headers": {"Content-Encoding": "gzip", "Trailer": "x"}, "body": "y"}`, `{"statusCode": 200, "headers": {"Date": "x", "Upgrade": "h2c"}}`, `{"statusCode": 200, "headers": {"content-length": "100"}, "body": "x"}`, `{"statusCode": 200, "headers": {"Transfer-Encoding": "gzip"}, "body": "x"}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	var text []byte
	var e endpoint
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := e.respond(w, text); err != nil {
			e.fail(w)
		}
	}))
	f.Cleanup(server.Close)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableCompression: true}}
	f.Fuzz(func(t *testing.T, answer []byte, second bool) {
		text, e = answer, endpoint{Route: samtemplate.Route{Payload: "1.0", API: samtemplate.HTTPAPI}}
		if second {
			e.Payload = "2.0"
		}
		response, err := client.Get(server.URL)
		if err != nil {
			t.Fatalf("%q: %v", answer, err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("%q: %v", answer, err)
		}
		_ = response.Body.Close()
		said, err := e.parse(answer)
		if status, wrong := strconv.Atoi(said.StatusCode.String()); err != nil || wrong != nil || status < 200 || status > 599 {
			if response.StatusCode != http.StatusInternalServerError {
				t.Errorf("%q is no response, and has the status %d", answer, response.StatusCode)
			}
		} else if response.StatusCode == status && !said.IsBase64Encoded && status != http.StatusNoContent && status != http.StatusNotModified && string(body) != said.Body {
			t.Errorf("%q has the body %q", answer, body)
		}
	})
}

// FuzzEvent: whatever a request is, its event is JSON that has its body.
func FuzzEvent(f *testing.F) {
	for _, seed := range [][4]string{
		{"POST", "/rest/7?a=1&a=2", "text/plain", "text"}, {"GET", "/a%2Fb?x=%zz;y", "application/json", ""}, {"PUT", "/", "image/png", "\x00\xff"}, {"ANY", "//\u2028?%00", "", "\xc3"},
	} {
		f.Add(seed[0], seed[1], seed[2], []byte(seed[3]), "a.localhost:3000")
	}
	f.Fuzz(func(t *testing.T, method, target, kind string, body []byte, host string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Method, r.Host = method, host
		path, query, _ := strings.Cut(target, "?")
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Cookie", kind)
		for _, payload := range []string{"1.0", "2.0"} {
			e := endpoint{Route: samtemplate.Route{Payload: payload, Method: samtemplate.AnyMethod, Path: "/{all+}"}}
			text, err := e.event(r, map[string]string{"all": path}, body)
			if err != nil {
				t.Fatal(err)
			}
			var event struct {
				Body            string
				IsBase64Encoded bool
				Version         string
			}
			if err := json.Unmarshal(text, &event); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			got := []byte(event.Body)
			if event.IsBase64Encoded {
				if got, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
					t.Fatal(err)
				}
			}
			if string(got) != string(body) && (utf8.Valid(body) || event.IsBase64Encoded) {
				t.Errorf("the body %q is %q in the event %s", body, got, payload)
			}
		}
	})
}

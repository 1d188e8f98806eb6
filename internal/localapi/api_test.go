package localapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/samforge/samforge/internal/invoke"
	"github.com/samforge/samforge/internal/lambda/instance"
	"github.com/samforge/samforge/internal/lambda/runtimeapi"
	"github.com/samforge/samforge/samtemplate"
)

func route(api samtemplate.API, method, path, payload string) endpoint {
	return endpoint{Route: samtemplate.Route{API: api, Method: method, Path: path, Payload: payload}, function: method + " " + path}
}

// The nearest route answers, whatever the order in the template.
func TestFind(t *testing.T) {
	t.Parallel()
	a := &API{endpoints: []endpoint{
		route(samtemplate.HTTPAPI, "$default", "$default", "2.0"), route(samtemplate.RestAPI, "ANY", "/{proxy+}", "1.0"),
		route(samtemplate.RestAPI, "GET", "/users/{id}", "1.0"), route(samtemplate.RestAPI, "ANY", "/users/{id}", "1.0"),
		route(samtemplate.RestAPI, "GET", "/users/me", "1.0"), route(samtemplate.RestAPI, "GET", "/users/{id}/files/{name+}", "1.0"), route(samtemplate.RestAPI, "GET", "/", "1.0"),
	}}
	own := endpoint{Route: a.endpoints[0].Route, host: "fn.localhost", function: "own"}
	a.endpoints = append(a.endpoints, own)
	for _, c := range []struct {
		method, url, want string
		parameters        map[string]string
	}{
		{"GET", "http://h/users/me", "GET /users/me", nil},
		{"GET", "http://h/users/7", "GET /users/{id}", map[string]string{"id": "7"}},
		{"PUT", "http://h/users/7/", "ANY /users/{id}", map[string]string{"id": "7"}},
		{"GET", "http://h/users/7/files/a/b", "GET /users/{id}/files/{name+}", map[string]string{"id": "7", "name": "a/b"}},
		{"GET", "http://h/users/a%2Fb%20c", "GET /users/{id}", map[string]string{"id": "a/b c"}},
		{"GET", "http://h/users/a%2Fb/files/c%2Fd/e", "GET /users/{id}/files/{name+}", map[string]string{"id": "a/b", "name": "c/d/e"}},
		{"GET", "http://h/us%65rs/me", "GET /users/me", nil},
		{"GET", "http://h/users//", "ANY /{proxy+}", map[string]string{"proxy": "users/"}},
		{"GET", "http://h/users/7/other", "ANY /{proxy+}", map[string]string{"proxy": "users/7/other"}},
		{"GET", "http://h/", "GET /", nil},
		{"POST", "http://h/", "$default $default", nil},
		{"GET", "http://FN.localhost:3000/users/me", "own", nil},
	} {
		e, parameters := a.find(httptest.NewRequest(c.method, c.url, http.NoBody))
		if e == nil || e.function != c.want || !reflect.DeepEqual(parameters, c.parameters) {
			t.Errorf("%s %s: got %+v, %v", c.method, c.url, e, parameters)
		}
	}
	a.endpoints = a.endpoints[2:4]
	if e, _ := a.find(httptest.NewRequest(http.MethodGet, "http://h/other", http.NoBody)); e != nil {
		t.Errorf("a path that no route has: got %+v", e)
	}
}

// An event has the fields that the types for Go know, in both formats.
func TestEvent(t *testing.T) {
	t.Parallel()
	request := func(body, kind string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:3000/users/7?a=1&a=2&b=x", strings.NewReader(body))
		r.Header = http.Header{"Content-Type": {kind}, "X-Two": {"1", "2"}, "Cookie": {"c=1 2; d={\"x\": 1};; e=\"q\""}}
		return r
	}
	e := route(samtemplate.RestAPI, "ANY", "/users/{id}", "1.0")
	var v1 events.APIGatewayProxyRequest
	decode(t, &e, request("text", "text/plain"), "text", &v1)
	if v1.Resource != "/users/{id}" || v1.Path != "/users/7" || v1.HTTPMethod != "POST" || v1.PathParameters["id"] != "7" || v1.Body != "text" || v1.IsBase64Encoded ||
		v1.QueryStringParameters["a"] != "2" || len(v1.MultiValueQueryStringParameters["a"]) != 2 || v1.Headers["X-Two"] != "2" || len(v1.MultiValueHeaders["X-Two"]) != 2 ||
		v1.RequestContext.Stage != "Prod" || v1.RequestContext.Identity.SourceIP == "" || v1.RequestContext.HTTPMethod != "POST" || v1.Headers["Cookie"] == "" {
		t.Errorf("got %+v", v1)
	}
	decode(t, &e, request("\xff\x00", "image/png"), "\xff\x00", &v1)
	if v1.Body != "/wA=" || !v1.IsBase64Encoded {
		t.Errorf("binary: got %q, %t", v1.Body, v1.IsBase64Encoded)
	}
	e = route(samtemplate.HTTPAPI, "POST", "/users/{id}", "2.0")
	var v2 events.APIGatewayV2HTTPRequest
	decode(t, &e, request(`{"x": 1}`, "application/json; charset=utf-8"), `{"x": 1}`, &v2)
	if v2.Version != "2.0" || v2.RouteKey != "POST /users/{id}" || v2.RawPath != "/users/7" || v2.RawQueryString != "a=1&a=2&b=x" || v2.QueryStringParameters["a"] != "1,2" ||
		v2.Headers["x-two"] != "1,2" || v2.Headers["cookie"] != "" || !reflect.DeepEqual(v2.Cookies, []string{"c=1 2", `d={"x": 1}`, `e="q"`}) || v2.Body != `{"x": 1}` || v2.IsBase64Encoded ||
		v2.RequestContext.HTTP.Method != http.MethodPost || v2.RequestContext.HTTP.Path != "/users/7" || v2.RequestContext.Stage != "$default" {
		t.Errorf("got %+v", v2)
	}
	decode(t, &e, request("a=b", "application/x-www-form-urlencoded"), "a=b", &v2)
	if v2.Body != "YT1i" || !v2.IsBase64Encoded {
		t.Errorf("a form: got %q, %t", v2.Body, v2.IsBase64Encoded)
	}
}

func decode(t *testing.T, e *endpoint, r *http.Request, body string, to any) {
	t.Helper()
	text, err := e.event(r, map[string]string{"id": "7"}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// Responses, and what is none.
func TestRespond(t *testing.T) {
	t.Parallel()
	rest, own := route(samtemplate.RestAPI, "GET", "/", "1.0"), route("", "$default", "$default", "2.0")
	for name, c := range map[string]struct {
		e        endpoint
		response string
		status   int
		body     string
		header   http.Header
	}{
		"a status":             {rest, `{"statusCode": 201, "body": "b", "headers": {"X-A": 1}, "multiValueHeaders": {"x-b": ["1", "2"]}}`, 201, "b", http.Header{"X-A": {"1"}, "X-B": {"1", "2"}}},
		"a status as text":     {rest, `{"statusCode": "200", "body": "b"}`, 200, "b", nil},
		"binary":               {rest, `{"statusCode": 200, "body": "/wA=", "isBase64Encoded": true, "headers": {"Content-Type": "image/png"}}`, 200, "\xff\x00", http.Header{"Content-Type": {"image/png"}}},
		"numbers and null":     {rest, `{"statusCode": 200, "headers": {"X-A": 12345678, "X-B": null, "X-C": true}, "multiValueHeaders": {"X-D": [1, null, false], "X-E": []}}`, 200, "", http.Header{"X-A": {"12345678"}, "X-B": nil, "X-C": {"true"}, "X-D": {"1", "false"}, "X-E": nil}},
		"a header with a list": {rest, `{"statusCode": 200, "headers": {"X-A": ["1"]}}`, 502, "", nil},
		"no status":            {rest, `{"body": "b"}`, 502, "", nil},
		"no object":            {rest, `"text"`, 502, "", nil},
		"not base64":           {rest, `{"statusCode": 200, "body": "%", "isBase64Encoded": true}`, 502, "", nil},
		"no status, 2.0":       {own, `{"message": "hi"}`, 200, `{"message": "hi"}`, http.Header{"Content-Type": {"application/json"}}},
		"a text, 2.0":          {own, `"hi"`, 200, `hi`, nil},
		"cookies, 2.0":         {own, `{"statusCode": 204, "cookies": ["a=1", "b=2"]}`, 204, "", http.Header{"Set-Cookie": {"a=1", "b=2"}}},
		"streamed with a head": {own, `{"statusCode": 202, "headers": {"X-A": "1"}}` + strings.Repeat("\x00", 8) + "bo\x00dy", 202, "bo\x00dy", http.Header{"X-A": {"1"}}},
		"streamed without one": {own, "plain text", 200, "plain text", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan *invoke.Request, 1)
			c.e.requests = requests
			go func() {
				request := <-requests
				_, _ = io.WriteString(request.Out, c.response)
				_ = request.Done(&instance.Report{}, nil)
			}()
			w := httptest.NewRecorder()
			var stderr strings.Builder
			(&API{Stderr: &stderr, endpoints: []endpoint{c.e}}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
			if w.Code != c.status || c.status != 502 && w.Body.String() != c.body || (c.status == 502) != strings.Contains(stderr.String(), "is none for an API: ") {
				t.Errorf("got %d, %q, %s", w.Code, w.Body, &stderr)
			}
			for name, want := range c.header {
				if got := w.Header()[name]; !reflect.DeepEqual(got, want) {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

// A function that fails, a path that nobody has, and a body that is too large.
func TestFailures(t *testing.T) {
	t.Parallel()
	requests := make(chan *invoke.Request)
	e := route(samtemplate.HTTPAPI, "POST", "/", "2.0")
	e.requests = requests
	var stderr strings.Builder
	a := &API{Stderr: &stderr, endpoints: []endpoint{e}}
	go func() {
		request := <-requests
		_ = request.Done(&instance.Report{Err: runtimeapi.NewError("Oops", "no")}, nil)
		request = <-requests
		_ = request.Done(nil, io.EOF)
	}()
	for _, c := range []struct {
		path, body string
		status     int
	}{{"/", "", 500}, {"/", "", 500}, {"/other", "", 403}, {"/", strings.Repeat("x", runtimeapi.MaxPayload), 413}, {"/", strings.Repeat("x", runtimeapi.MaxPayload+1), 413}} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s with %d bytes: got %d, %s", c.path, len(c.body), w.Code, w.Body)
		}
	}
	if want := `POST / failed: {"errorType":"Oops","errorMessage":"no"}` + "\n"; stderr.String() != want {
		t.Errorf("got %q, want %q", &stderr, want)
	}
}

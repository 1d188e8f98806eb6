package localapi

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/samforge/samforge/internal/lambda/runtimeapi"
	"github.com/samforge/samforge/samtemplate"
)

// fields are those of an event.
type fields map[string]any

// event returns the event of a request in the format of the endpoint, with what API Gateway would fill in.
func (e *endpoint) event(r *http.Request, parameters map[string]string, body []byte) ([]byte, error) {
	headers, now := maps.Clone(r.Header), time.Now()
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	for name, value := range map[string]string{"Host": r.Host, "X-Forwarded-For": source, "X-Forwarded-Proto": "http"} {
		headers.Set(name, value)
	}
	moment := now.UTC().Format("02/Jan/2006:15:04:05 -0700") // as the common log format has it
	about := fields{"accountId": runtimeapi.AccountID, "apiId": "1234567890", "domainName": r.Host, "requestId": rand.Text(), "stage": samtemplate.DefaultRoute}
	event := fields{"pathParameters": parameters, "stageVariables": nil, "requestContext": about, "isBase64Encoded": false}
	caller := fields{"sourceIp": source, "userAgent": r.UserAgent()}
	if e.Payload == "1.0" {
		maps.Copy(about, fields{"identity": caller, "httpMethod": r.Method, "path": r.URL.Path, "resourcePath": e.Path, "protocol": r.Proto, "requestTime": moment, "requestTimeEpoch": now.UnixMilli()})
		event.addV1(r, headers, body)
		event["resource"] = e.Path
		if e.API == samtemplate.RestAPI {
			about["stage"] = "Prod"
			delete(event, "version")
		}
	} else {
		key := strings.TrimPrefix(e.Method+" "+e.Path, samtemplate.DefaultRoute+" ")
		maps.Copy(caller, fields{"method": r.Method, "path": r.URL.Path, "protocol": r.Proto})
		maps.Copy(about, fields{"http": caller, "routeKey": key, "domainPrefix": strings.Split(r.Host, ".")[0], "time": moment, "timeEpoch": now.UnixMilli()})
		event.addV2(r, headers, body)
		event["routeKey"] = key
	}
	return json.Marshal(event)
}

// addV1 adds what the format 1.0 has of a request.
func (event fields) addV1(r *http.Request, headers http.Header, body []byte) {
	last := func(list []string) string { return list[len(list)-1] }
	maps.Copy(event, fields{
		"version": "1.0", "path": r.URL.Path, "httpMethod": r.Method, "headers": single(headers, last), "multiValueHeaders": headers,
		"queryStringParameters": nil, "multiValueQueryStringParameters": nil, "body": nil,
	})
	if query := r.URL.Query(); len(query) > 0 {
		event["queryStringParameters"], event["multiValueQueryStringParameters"] = single(query, last), query
	}
	event.addBody(body, utf8.Valid(body))
}

// textual are the types of bodies that are not encoded in the format 2.0.
var textual = regexp.MustCompile(`(?i)^(text/|application/(json|javascript|xml)\s*(;|$))`)

// addV2 adds what the format 2.0 has of a request.
func (event fields) addV2(r *http.Request, headers http.Header, body []byte) {
	var cookies []string
	for _, header := range headers["Cookie"] {
		for cookie := range strings.SplitSeq(header, ";") {
			if cookie = strings.TrimSpace(cookie); cookie != "" {
				cookies = append(cookies, cookie)
			}
		}
	}
	headers.Del("Cookie")
	joined := func(list []string) string { return strings.Join(list, ",") }
	lower := map[string]string{}
	for name, value := range single(headers, joined) {
		lower[strings.ToLower(name)] = value
	}
	maps.Copy(event, fields{"version": "2.0", "rawPath": r.URL.EscapedPath(), "rawQueryString": r.URL.RawQuery, "headers": lower})
	if query := r.URL.Query(); len(query) > 0 {
		event["queryStringParameters"] = single(query, joined)
	}
	if len(cookies) > 0 {
		event["cookies"] = cookies
	}
	event.addBody(body, r.Header.Get("Content-Encoding") == "" && textual.MatchString(r.Header.Get("Content-Type")))
}

// addBody adds a body, if there is one.
func (event fields) addBody(body []byte, isText bool) {
	switch {
	case len(body) == 0:
	case isText:
		event["body"] = string(body)
	default:
		event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
}

// single returns one value for each name.
func single[M ~map[string][]string](values M, of func([]string) string) map[string]string {
	all := map[string]string{}
	for name, list := range values {
		all[name] = of(list)
	}
	return all
}

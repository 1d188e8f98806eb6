// Package localapi serves the APIs of a SAM template as Amazon API Gateway and the addresses of functions
// do, with instances of its functions behind them:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
package localapi

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/samforge/samforge/internal/invoke"
	"github.com/samforge/samforge/internal/lambda/instance"
	"github.com/samforge/samforge/internal/lambda/runtimeapi"
	"github.com/samforge/samforge/samtemplate"
)

// API answers the requests of its endpoints.
type API struct {
	// Stderr gets the addresses of the endpoints, and the errors of functions.
	Stderr io.Writer

	endpoints []endpoint
}

// endpoint is a route with the function that answers its requests.
type endpoint struct {
	samtemplate.Route
	host     string // the address that the function has of its own; "" for a route of an API
	function string
	requests chan<- *invoke.Request // to the instance of the function
}

// Add adds what a function answers: its routes, and an address of its own below that of the listener.
func (a *API) Add(f *samtemplate.Function, requests chan<- *invoke.Request, listener net.Addr) {
	routes := f.Routes
	if f.HasURL {
		routes = append(routes, samtemplate.Route{Method: samtemplate.DefaultRoute, Path: samtemplate.DefaultRoute, Payload: "2.0"})
	}
	for _, route := range routes {
		if route.Unresolved != nil {
			fmt.Fprintf(a.Stderr, "WARNING: %s: an event is left out: %s\n", f.Path, route.Unresolved.Reason)
			continue
		}
		e, address := endpoint{route, "", f.Path, requests}, listener.String()
		if route.API == "" {
			e.host = strings.ToLower(f.LogicalID) + ".localhost"
			_, port, _ := net.SplitHostPort(address)
			address = net.JoinHostPort(e.host, port)
		}
		a.endpoints = append(a.endpoints, e)
		fmt.Fprintf(a.Stderr, "http://%s%s [%s] is %s\n", address, strings.Replace(route.Path, samtemplate.DefaultRoute, "/", 1), route.Method, f.Path)
	}
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, parameters := a.find(r)
	if e == nil {
		refuse(w, http.StatusForbidden, "Missing Authentication Token") // as a REST API does
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, runtimeapi.MaxPayload))
	var event []byte
	if err == nil {
		event, err = e.event(r, parameters, body)
	}
	if err != nil || len(event) > runtimeapi.MaxPayload {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	}
	var response bytes.Buffer
	done := make(chan *instance.Report, 1)
	request := &invoke.Request{Event: event, Out: &response, Done: func(report *instance.Report, err error) error {
		done <- report
		return err
	}}
	select {
	case e.requests <- request:
	case <-r.Context().Done():
		return
	}
	switch report := <-done; {
	case report == nil:
		e.fail(w)
	case report.Err != nil:
		fmt.Fprintf(a.Stderr, "%s failed: %s\n", e.function, report.Err.Body)
		e.fail(w)
	default:
		if err := e.respond(w, response.Bytes()); err != nil {
			fmt.Fprintf(a.Stderr, "WARNING: the response of %s is none for an API: %v\n", e.function, err)
			e.fail(w)
		}
	}
}

// find returns the endpoint for a request as API Gateway chooses it, nil if there is none: a part of a path
// as it is comes before a parameter, a parameter before all of the rest, and a method before any.
func (a *API) find(r *http.Request) (found *endpoint, parameters map[string]string) {
	host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
	nearest := ""
	for _, e := range a.endpoints {
		values, ok := match(e.Path, r.URL.EscapedPath())
		if e.host != "" && e.host != host || e.Method != r.Method && e.Method != samtemplate.AnyMethod && e.Method != samtemplate.DefaultRoute {
			continue
		}
		if rank := e.rank(); ok && (found == nil || rank < nearest) {
			found, parameters, nearest = &e, values, rank
		}
	}
	return found, parameters
}

// rank orders endpoints that match a request: the first is the nearest.
func (e *endpoint) rank() string {
	rank := parameter.ReplaceAllString(rest.ReplaceAllString(e.Path, "\x7f"), "~") // both are after letters
	switch {
	case e.host != "":
		return ""
	case e.Path == samtemplate.DefaultRoute:
		return "\x7f"
	case e.Method == samtemplate.AnyMethod:
		rank += "\x00"
	}
	return rank
}

// The parameters of a path.
var (
	rest      = regexp.MustCompile(`\{([^/}]+)\+\}`)
	parameter = regexp.MustCompile(`\{([^/}]+)\}`)
)

// match compares the path of a route with that of a request, which is escaped so that a %2F in a parameter
// is no end of it. It returns the parameters; nil without any.
func match(route, path string) (parameters map[string]string, ok bool) {
	if route == samtemplate.DefaultRoute {
		return nil, true
	}
	given, parts := strings.Split(strings.TrimSuffix(path, "/"), "/"), strings.Split(strings.TrimSuffix(route, "/"), "/")
	for i, part := range parts {
		if i >= len(given) {
			return nil, false
		}
		escaped, all := given[i], rest.MatchString(part)
		if all {
			escaped = strings.Join(given[i:], "/")
		}
		value, err := url.PathUnescape(escaped)
		name := parameter.FindStringSubmatch(part)
		switch {
		case err != nil, name == nil && part != value, name != nil && value == "":
			return nil, false
		case name == nil:
			continue
		case parameters == nil:
			parameters = map[string]string{}
		}
		parameters[strings.TrimSuffix(name[1], "+")] = value
		if all {
			return parameters, true
		}
	}
	return parameters, len(given) == len(parts)
}

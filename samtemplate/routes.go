package samtemplate

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/source"
)

// Route says which requests of an API a function answers.
type Route struct {
	// At is the place of the event in the template.
	At source.Position
	// API is the kind of the API.
	API API
	// Method is in upper case, and ANY for every method. Path begins with a slash, and may have
	// parameters, such as /users/{id} or /{proxy+}. Both are $default for the requests of an HTTP API
	// that no other route has.
	Method, Path string
	// Payload is the version of the event's format, 1.0 or 2.0.
	Payload string
	// Unresolved says why the route is not known before the stack is deployed; nil if it is.
	Unresolved *Unresolved
}

// API is a kind of API in front of a function.
type API string

// The kinds of APIs.
const (
	RestAPI API = "Api"
	HTTPAPI API = "HttpApi"
)

// DefaultRoute is the method and the path of a route that takes what no other does.
const DefaultRoute = "$default"

// AnyMethod is the method of a route that takes every method.
const AnyMethod = "ANY"

// readRoutes reads the events of a function that come from an API, and the address of its own. A build
// does not depend on them, so what is wrong about them is told by who uses them.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventsource.html
func (r *reader) readRoutes(f *Function, res resource) {
	if v, ok := res.properties["FunctionUrlConfig"]; ok && v.Node.Kind == yaml.MappingNode {
		f.HasURL = true
	}
	section, ok := res.properties["Events"]
	if section, ok = r.picked(section, ok); !ok {
		return
	}
	for _, event := range section.Entries() {
		event, ok := r.picked(event, true)
		if !ok {
			continue
		}
		fields := plainEntries(event)
		kind := API(literal(fields["Type"]))
		if kind != RestAPI && kind != HTTPAPI {
			continue
		}
		properties, _ := r.picked(fields["Properties"], fields["Properties"].Node != nil)
		f.Routes = append(f.Routes, r.route(kind, event.Position(), plainEntries(properties)))
	}
}

// picked returns a mapping after Fn::If; false if there is none.
func (r *reader) picked(v source.Value, given bool) (source.Value, bool) {
	if !given {
		return v, false
	}
	v, ok := r.pick(v)
	return v, ok && v.Node.Kind == yaml.MappingNode && v.Tag() == ""
}

// route returns the route of an event.
func (r *reader) route(kind API, at source.Position, properties map[string]source.Value) Route {
	route := Route{At: at, API: kind, Payload: "1.0"}
	defaults := map[string]string{"Method": "", "Path": ""}
	if kind == HTTPAPI {
		defaults = map[string]string{"Method": DefaultRoute, "Path": DefaultRoute, "PayloadFormatVersion": "2.0"}
	}
	values := map[string]string{}
	for name, fallback := range defaults {
		values[name] = fallback
		v, ok := properties[name]
		if !ok {
			continue
		}
		text := r.text(v)
		if text.Unresolved != nil {
			route.Unresolved = text.Unresolved
		} else if text.Given() {
			values[name] = text.Reveal()
		}
	}
	route.Path, route.Method = values["Path"], values["Method"]
	if method := strings.ToUpper(route.Method); route.Method != DefaultRoute {
		route.Method = method
	}
	if route.Method == "X-AMAZON-APIGATEWAY-ANY-METHOD" || route.Method == "*" {
		route.Method = AnyMethod
	}
	if kind == HTTPAPI && values["PayloadFormatVersion"] == "2.0" {
		route.Payload = "2.0"
	}
	wrong := route.Method == "" || !strings.HasPrefix(route.Path, "/") || (route.Method == DefaultRoute) != (route.Path == DefaultRoute)
	if route.Path == DefaultRoute && kind == HTTPAPI {
		route.Method, wrong = DefaultRoute, false
	}
	if route.Unresolved == nil && wrong {
		route.Unresolved = &Unresolved{At: at, Reason: "the event needs a Path, such as /hello, and a Method, such as get"}
	}
	return route
}

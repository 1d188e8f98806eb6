package samtemplate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

// The routes of a function are those of its events, after the intrinsic functions of the template.
func TestRoutes(t *testing.T) {
	t.Parallel()
	for events, want := range map[string]string{
		"{A: {Type: Api, Properties: {Path: /a, Method: get}}}":                                   "[Api GET /a 1.0 ]",
		"{A: {Type: HttpApi, Properties: {Path: '/a/{id}', Method: ANY}}}":                        "[HttpApi ANY /a/{id} 2.0 ]",
		"{A: {Type: HttpApi, Properties: {Path: /a, Method: post, PayloadFormatVersion: '1.0'}}}": "[HttpApi POST /a 1.0 ]",
		"{A: {Type: HttpApi}}": "[HttpApi $default $default 2.0 ]",
		"{A: {Type: Api, Properties: {Path: !Sub '/${Stage}', Method: x-amazon-apigateway-any-method}}}":                 "[Api ANY /dev 1.0 ]",
		"{A: {Type: Schedule, Properties: {Schedule: rate(1 day)}}, B: {Type: Api, Properties: {Path: /, Method: get}}}": "[Api GET / 1.0 ]",
		"{A: {Type: Api, Properties: {Path: /a}}}":                                                                       "[Api  /a 1.0 the event needs a Path, such as /hello, and a Method, such as get]",
		"{A: {Type: Api, Properties: {Path: a, Method: get}}}":                                                           "[Api GET a 1.0 the event needs a Path, such as /hello, and a Method, such as get]",
		"{A: !If [Never, {Type: Api, Properties: {Path: /a, Method: get}}, !Ref AWS::NoValue]}":                          "",
		"!If [Never, {}, {A: {Type: Api, Properties: {Path: /a, Method: get}}}]":                                         "[Api GET /a 1.0 ]",
		"[]":     "",
		"!Ref X": "",
	} {
		text := "Parameters: {Stage: {Type: String, Default: dev}}\nConditions: {Never: !Equals [a, b]}\n" + fn(", Events: "+events, complete)
		template, err := samtemplate.Load(samtemplate.File{Name: "app/template.yaml", Data: []byte(text)}, files{}.options())
		if err != nil {
			t.Errorf("%s: %v", events, err)
			continue
		}
		var got strings.Builder
		for _, r := range function(t, template, "Fn").Routes {
			reason := ""
			if r.Unresolved != nil {
				reason = r.Unresolved.Reason
			}
			fmt.Fprintf(&got, "[%s %s %s %s %s]", r.API, r.Method, r.Path, r.Payload, reason)
		}
		if got.String() != want {
			t.Errorf("%s: got %s, want %s", events, &got, want)
		}
	}
	template, err := samtemplate.Load(samtemplate.File{Name: "app/template.yaml", Data: []byte(fn(", FunctionUrlConfig: {AuthType: NONE}", complete))}, files{}.options())
	if err != nil || !function(t, template, "Fn").HasURL {
		t.Errorf("an address of its own: %v", err)
	}
}

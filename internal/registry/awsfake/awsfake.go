// Package awsfake speaks the parts of the APIs of Amazon ECR, ECR Public and STS that samforge uses.
// It is for tests: AWS's own services cannot run on a test's machine.
package awsfake

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// Account is the account of every identity.
const Account = "123456789012"

// Password is the one of every registry, for the user AWS.
const Password = "password-of-ecr"

// Server keeps repositories in memory. The zero value has none. It is safe for concurrent use.
type Server struct {
	// Failures are the codes to answer with, such as ExpiredToken, by action, such as
	// sts:AssumeRole.
	Failures map[string]string
	// Templates are prefixes of repositories that the registry creates on push.
	Templates []string

	mu           sync.Mutex
	repositories map[string]map[string]any // by name, as they were created
	policies     map[string]string
	calls        []Call
}

// Call is a request that was answered.
type Call struct {
	Action string         // such as ecr:CreateRepository
	Key    string         // the access key that signed it
	Input  map[string]any // for STS the form
}

// Calls returns the requests so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Actions returns the actions of Calls.
func (s *Server) Actions() (actions []string) {
	for _, call := range s.Calls() {
		actions = append(actions, call.Action)
	}
	return actions
}

// Repository returns the request that created a repository; nil if there is none.
func (s *Server) Repository(name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repositories[name]
}

// Policy returns the policy of a repository; "" if it has none.
func (s *Server) Policy(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policies[name]
}

// Add adds a repository, as if it had been created before.
func (s *Server) Add(name, policy string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(name, map[string]any{})
	if policy != "" {
		s.policies[name] = policy
	}
}

func (s *Server) add(name string, input map[string]any) {
	if s.repositories == nil {
		s.repositories, s.policies = map[string]map[string]any{}, map[string]string{}
	}
	s.repositories[name] = input
}

var signedBy = regexp.MustCompile(`Credential=([^/]+)/`)

// ServeHTTP answers a request of AWS's SDKs.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call := Call{}
	if m := signedBy.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		call.Key = m[1]
	}
	service, action, json := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch {
	case !json:
		s.serveSTS(w, r, call)
		return
	case strings.HasPrefix(service, "Spencer"):
		call.Action = "ecr-public:" + action
	default:
		call.Action = "ecr:" + action
	}
	s.serveECR(w, r, call)
}

func (s *Server) serveECR(w http.ResponseWriter, r *http.Request, call Call) {
	code, answer := "InvalidParameterException", any(nil)
	if err := json.NewDecoder(r.Body).Decode(&call.Input); err == nil {
		if code = s.Failures[call.Action]; code == "" {
			code, answer = s.answer(call)
		}
	}
	s.calls = append(s.calls, call)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if code != "" {
		status := http.StatusBadRequest
		if code == "ServerException" {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
		answer = map[string]string{"__type": code, "message": message(code, call.Action)}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client notices what is missing
}

// message is what AWS says with a code.
func message(code, action string) string {
	if strings.HasPrefix(code, "AccessDenied") {
		return "User: arn:aws:iam::" + Account + ":user/ci is not authorized to perform: " + action + " on resource: *"
	}
	return "the fake says " + code
}

// answer returns a code, or what the action returns.
func (s *Server) answer(call Call) (code string, answer any) {
	name, _ := call.Input["repositoryName"].(string)
	_, exists := s.repositories[name]
	service, action, _ := strings.Cut(call.Action, ":")
	switch action {
	case "GetAuthorizationToken":
		return "", s.token(service)
	case "DescribeRepositories":
		for _, asked := range call.Input["repositoryNames"].([]any) {
			if _, ok := s.repositories[asked.(string)]; !ok {
				return "RepositoryNotFoundException", nil
			}
		}
		return "", map[string]any{"repositories": []any{}}
	case "DescribeRepositoryCreationTemplates":
		templates := []any{}
		for _, prefix := range s.Templates {
			templates = append(templates, map[string]any{"prefix": prefix, "appliedFor": []string{"CREATE_ON_PUSH"}})
		}
		return "", map[string]any{"repositoryCreationTemplates": templates}
	case "CreateRepository":
		if exists {
			return "RepositoryAlreadyExistsException", nil
		}
		s.add(name, call.Input)
		created := map[string]any{"repositoryName": name}
		if service == "ecr-public" {
			created["repositoryUri"] = "public.ecr.aws/demo/" + name
		}
		return "", map[string]any{"repository": created}
	}
	if !exists {
		return "RepositoryNotFoundException", nil
	}
	switch action {
	case "SetRepositoryPolicy":
		s.policies[name] = call.Input["policyText"].(string)
	case "GetRepositoryPolicy":
		if s.policies[name] == "" {
			return "RepositoryPolicyNotFoundException", nil
		}
	case "PutLifecyclePolicy":
	default:
		return "UnknownOperationException", nil
	}
	return "", map[string]any{"repositoryName": name}
}

func (*Server) token(service string) any {
	data := map[string]any{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + Password)),
		"expiresAt":          4102444800,
		"proxyEndpoint":      "https://" + Account + ".dkr.ecr.eu-west-1.amazonaws.com",
	}
	if service == "ecr-public" {
		return map[string]any{"authorizationData": data}
	}
	return map[string]any{"authorizationData": []any{data}}
}

// RoleKey is the access key of an assumed role.
const RoleKey = "ASIAROLE"

const (
	roleCredentials = "<Credentials><AccessKeyId>" + RoleKey + "</AccessKeyId><SecretAccessKey>canary-of-the-role</SecretAccessKey>" +
		"<SessionToken>canary-of-the-session</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>"
	caller = "<Account>" + Account + "</Account><Arn>arn:aws:iam::" + Account + ":user/ci</Arn><UserId>AIDA</UserId>"
)

// serveSTS answers in the query protocol:
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func (s *Server) serveSTS(w http.ResponseWriter, r *http.Request, call Call) {
	_ = r.ParseForm() // what is missing has no action
	call.Input = plain(r.PostForm)
	action := r.PostForm.Get("Action")
	call.Action = "sts:" + action
	s.calls = append(s.calls, call)
	w.Header().Set("Content-Type", "text/xml")
	if code := s.Failures[call.Action]; code != "" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message(code, call.Action))
		return
	}
	result := roleCredentials
	if action == "GetCallerIdentity" {
		result = caller
	}
	fmt.Fprintf(w, "<%sResponse><%sResult>%s</%sResult></%sResponse>", action, action, result, action, action)
}

func plain(form url.Values) map[string]any {
	values := map[string]any{}
	for name := range form {
		values[name] = form.Get(name)
	}
	return values
}

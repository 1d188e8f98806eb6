package registry

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Error is a registry's answer in words for the user.
type Error struct {
	Sentence string // what is wrong and what to do
	Err      error  // what the registry said
}

// Error returns the sentence and, after it, the registry's own words.
func (e *Error) Error() string { return e.Sentence + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Explain returns err as an *Error when it is one that a registry commonly gives: ours, and those that BuildKit passes
// on as text. Any other error, and nil, comes back as it is. The reference is the image being worked on; where the text
// names another image, such as the base that could not be pulled, that one is meant.
func Explain(err error, ref string) error {
	var done *Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	text := strings.ToLower(err.Error())
	status := 0
	var te *transport.Error
	if errors.As(err, &te) {
		status = te.StatusCode
	}
	for _, rule := range rules {
		if rule.status != 0 && rule.status == status || rule.text.MatchString(text) {
			return &Error{Sentence: rule.sentence(subjectOf(err.Error(), ref)), Err: err}
		}
	}
	return err
}

// rule turns one kind of answer into a sentence. The first rule that matches wins: what the registry says about a tag or
// a limit is more exact than the status that it comes with.
type rule struct {
	status   int
	text     *regexp.Regexp // of the lower-case error
	sentence func(subject) string
}

// The texts are those of ECR, Harbor, Docker Hub, distribution and containerd's remotes, which BuildKit uses.
var rules = []rule{
	{
		text: regexp.MustCompile(`tag_?invalid|tag invalid|immutable|cannot be overwritten|imagetagalreadyexists`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s is there already and its repository does not let tags be overwritten; use --skip-existing or another tag", s.ref)
		},
	},
	{
		status: http.StatusTooManyRequests,
		text:   regexp.MustCompile(`toomanyrequests|too many requests|rate limit`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s limits how often it may be asked; wait, log in with `%s`, or use a mirror", s.host, s.login())
		},
	},
	{
		status: http.StatusForbidden,
		text:   regexp.MustCompile(`403 forbidden|\bdenied: |requested access to the resource is denied|not authorized to perform`),
		sentence: func(s subject) string {
			return fmt.Sprintf("these credentials give no right to %s; ask its owner, or log in as somebody else with `%s`", s.repo, s.login())
		},
	},
	{
		status: http.StatusUnauthorized,
		text:   regexp.MustCompile(`401 unauthorized|unauthorized: |no basic auth credentials|access denied|authorization failed|insufficient_scope|authentication required`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s wants credentials for %s, or has no such repository; run `%s`", s.host, s.repo, s.login())
		},
	},
	{
		text: regexp.MustCompile(`server gave http response to https client`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s speaks plain HTTP; give it TLS, or set `http = true` for it in buildkitd.toml", s.peer)
		},
	},
	{
		text: regexp.MustCompile(`connection refused|no such host|i/o timeout|network is unreachable|no route to host`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s cannot be reached; check its name, that it runs, and the network", s.peer)
		},
	},
}

// subject is the image that an error is about.
type subject struct {
	ref  string
	repo string
	host string // of the registry, docker.io for Docker Hub
	peer string // the host that the error's URL names, else the registry's
}

var (
	// namedImage finds the image, and requested the host, in BuildKit's own words.
	namedImage = regexp.MustCompile(`(?:failed to push|failed to resolve source metadata for|failed to resolve reference) "?([^\s"]+?)"?(?::? |$)`)
	requested  = regexp.MustCompile(`https?://([^/\s"]+)`)
)

func subjectOf(text, ref string) subject {
	if m := namedImage.FindStringSubmatch(text); m != nil {
		if _, err := name.ParseReference(m[1]); err == nil {
			ref = m[1]
		}
	}
	host, _, _ := strings.Cut(ref, "/")
	s := subject{ref: ref, repo: ref, host: host}
	if r, err := name.ParseReference(ref); err == nil {
		s.repo, s.host = r.Context().Name(), r.Context().RegistryStr()
	}
	if s.host == name.DefaultRegistry { // index.docker.io, which nobody writes
		s.host, s.repo = "docker.io", strings.TrimPrefix(s.repo, "index.")
	}
	s.peer = s.host
	if m := requested.FindStringSubmatch(text); m != nil {
		s.peer = m[1]
	}
	return s
}

// login returns the command that stores credentials for the registry.
func (s subject) login() string {
	if s.host == "docker.io" {
		return "docker login"
	}
	return "docker login " + s.host
}

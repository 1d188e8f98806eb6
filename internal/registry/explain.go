package registry

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Error explains a registry's answer to the user.
type Error struct {
	Sentence string // what is wrong and what to do
	Setting  string // which settings of a Build and Push step mend it; "" if none does. No part of Error
	Err      error  // what the registry said
}

// Error returns the sentence and, after it, the registry's own words.
func (e *Error) Error() string { return e.Sentence + ": " + e.Err.Error() }

// Unwrap returns what the registry said.
func (e *Error) Unwrap() error { return e.Err }

// Explain returns a builder's error as an *Error if it is one that registries commonly return;
// BuildKit passes such errors on as text. Any other error, and nil, is returned unchanged. ref is
// the image that samforge works on. If the text names another image, such as a base that could not
// be pulled, the Error is about that one.
func Explain(err error, ref string) error { return explained(err, ref, true) }

// explain is Explain for an error of a Client, which sent the request itself.
func explain(err error, ref string) error { return explained(err, ref, false) }

func explained(err error, ref string, builder bool) error {
	var done *Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	text := strings.ToLower(err.Error())
	if localFile.MatchString(text) {
		return err // no registry said it
	}
	for _, rule := range rules {
		if rule.status != 0 && rule.status == status(err) || rule.text != nil && rule.text.MatchString(text) {
			about := subjectOf(err.Error(), ref)
			about.builder = builder
			wrong := &Error{Sentence: rule.sentence(about), Err: err}
			if rule.login {
				wrong.Setting = about.settings()
			}
			return wrong
		}
	}
	return err
}

// localFile matches an error of a file system, in lower case, that sounds like a registry's "denied".
var localFile = regexp.MustCompile(`(?:open|openat|mkdir|mkdirat|create|stat|lstat|read|write|rename|remove|unlink|unlinkat|chmod|chown|lchown) [^\s:]+: permission denied`)

// rule turns one kind of answer into a sentence. The first matching rule wins: what the registry
// says about a tag or a limit is more precise than the HTTP status.
type rule struct {
	status   int            // of the answer to a Client's request; 0 matches any
	text     *regexp.Regexp // of the lower-case error; nil matches any
	login    bool           // another login mends it
	sentence func(subject) string
}

// The texts are those of ECR, Harbor, Docker Hub, distribution and containerd's remotes, which
// BuildKit uses. containerd omits a message that is the standard one for its code, so that only a
// bare "denied" or "unauthorized" is left.
var rules = []rule{
	{
		text: cacheUnwritten,
		sentence: func(s subject) string {
			return "the cache of --cache-to (PLUGIN_CACHE_TO in a CI step) could not be written; add ignore-error=true to it, so that no image fails by its cache, or name a repository that takes it and whose tags may move. The image may have been pushed"
		},
	},
	{
		text: tagTaken,
		sentence: func(s subject) string {
			return fmt.Sprintf("%s already exists with another image, and its repository does not allow tags to be overwritten; use another tag, or keep the image that is there: with --skip-existing, in a CI step with PLUGIN_SKIP_PUSH_IF_TAG_EXISTS=true, for a function of a SAM template without --no-skip", s.ref)
		},
	},
	{
		status: http.StatusTooManyRequests,
		text:   regexp.MustCompile(`toomanyrequests|too many requests|rate limit`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s limits the number of requests; wait, log in with `%s`, or use a mirror", s.host, s.login())
		},
	},
	{
		text: regexp.MustCompile(`token has expired|token is expired|token expired`),
		sentence: func(s subject) string {
			return fmt.Sprintf("the login to %s has expired; log in again with `%s`, or run `docker logout %s` to use it without", s.host, s.login(), s.host)
		},
	},
	{text: mountRefused, sentence: mountSentence},
	{
		text: regexp.MustCompile(`failed to push .*(name_?unknown|name unknown|repository name not known|repository with name .* does not exist)`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s has no repository %s and does not create it by itself; create it first%s", s.host, s.repo, s.create())
		},
	},
	{
		text: regexp.MustCompile(`invalid character '<' looking for beginning of value|media type "?text/html`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s sent a web page instead of an image; the registry, or a proxy in front of it, may want a login", s.host)
		},
	},
	{
		text: regexp.MustCompile(`failed to fetch (?:anonymous|oauth) token: .*: 403 forbidden`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s issues no token; the login may have expired: log in again with `%s`, or run `docker logout %s` to use it without", s.host, s.login(), s.host)
		},
	},
	{
		status: http.StatusNotFound,
		sentence: func(s subject) string {
			return fmt.Sprintf("%s was not found in its registry: check the name and the tag", s.ref)
		},
	},
	{
		status: http.StatusForbidden,
		login:  true,
		text:   regexp.MustCompile(`403 forbidden|(^|[\s:])denied($|[\s:])|requested access to the resource is denied|not authorized to perform`),
		sentence: func(s subject) string {
			return fmt.Sprintf("these credentials do not allow access to %s; ask its owner, or log in as another user with `%s` or DOCKER_AUTH_CONFIG", s.repo, s.login())
		},
	},
	{
		status: http.StatusUnauthorized,
		login:  true,
		text:   regexp.MustCompile(`401 unauthorized|(^|[\s:])unauthorized($|[\s:])|no basic auth credentials|access denied|authorization failed|insufficient_scope|authentication required`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s wants credentials for %s, or has no such repository; run `%s`, or set DOCKER_AUTH_CONFIG", s.host, s.repo, s.login())
		},
	},
	{
		text: regexp.MustCompile(`head request to .*405 method not allowed`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s does not answer HEAD requests, which a builder sends before it pulls or pushes; let the registry, or the proxy in front of it, accept them", s.peer)
		},
	},
	{
		text: regexp.MustCompile(`server gave http response to https client`),
		sentence: func(s subject) string {
			if s.builder {
				return fmt.Sprintf("%s speaks plain HTTP; give it TLS, or set `http = true` for it in buildkitd.toml (in a CI step PLUGIN_INSECURE_REGISTRY=%s does that)", s.peer, s.peer)
			}
			return fmt.Sprintf("%s speaks plain HTTP, and without a builder samforge uses it only with TLS; give it TLS, or use a mirror that has it (in a CI step PLUGIN_INSECURE_REGISTRY=%s allows it)", s.peer, s.peer)
		},
	},
	{
		text: regexp.MustCompile(`x509: certificate signed by unknown authority|x509: certificate is not trusted|x509: .*certificate is not standards compliant`),
		sentence: func(s subject) string {
			if s.builder {
				return fmt.Sprintf("the builder does not know the authority that signed the certificate of %s; name it in buildkitd.toml: [registry.%q] ca = [\"/path/to/ca.pem\"] (in a CI step PLUGIN_REGISTRY_CERTIFICATE=%s=/path/to/ca.pem does that)", s.peer, s.peer, s.peer)
			}
			return fmt.Sprintf("this machine does not know the authority that signed the certificate of %s; add it to the system's, or set SSL_CERT_FILE to a file that has it (in a CI step HARNESS_CA_PATH)", s.peer)
		},
	},
	{
		text: regexp.MustCompile(`connection refused|no such host|i/o timeout|network is unreachable|no route to host`),
		sentence: func(s subject) string {
			return fmt.Sprintf("%s cannot be reached; check its name, that it runs, and the network", s.peer)
		},
	},
}

// tagTaken finds that a tag may not be moved: ECR's codes (ImageTagAlreadyExistsException, or
// TAG_INVALID in the API of registries), or the words of ECR and of others, as BuildKit drops codes
// that it does not know.
var tagTaken = regexp.MustCompile(`imagetagalreadyexists|tag_?invalid|tag invalid|immutable|cannot be overwritten`)

// takenTag reports whether a push failed because the tag exists and may not be moved.
func takenTag(err error) bool {
	return err != nil && tagTaken.MatchString(strings.ToLower(err.Error())) && !CacheUnwritten(err)
}

// cacheUnwritten finds BuildKit's errors of a cache in a registry.
var cacheUnwritten = regexp.MustCompile(`error writing (?:layer|config|manifest) blob`)

// CacheUnwritten reports whether a builder could not write a cache. It pushes the image meanwhile,
// so that may be in its registry.
func CacheUnwritten(err error) bool { return err != nil && cacheUnwritten.MatchString(err.Error()) }

// subject is the image that an error is about.
type subject struct {
	ref     string
	repo    string
	host    string // of the registry, docker.io for Docker Hub
	peer    string // the host in the error's URL, else the registry's
	text    string // the error
	builder bool   // whether a builder sent the request
}

var (
	// namedImage finds the image, and requested finds the host, in BuildKit's own words.
	namedImage = regexp.MustCompile(`(?:failed to push|failed to resolve source metadata for) "?([^\s"]+?)"?(?::? |$)`)
	requested  = regexp.MustCompile(`https?://([^/\s"]+)`)
)

func subjectOf(text, ref string) subject {
	if m := namedImage.FindStringSubmatch(text); m != nil {
		if _, err := name.ParseReference(m[1]); err == nil {
			ref = m[1]
		}
	}
	host, _, _ := strings.Cut(ref, "/")
	s := subject{ref: ref, repo: ref, host: host, text: text}
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

const publicECR = "public.ecr.aws"

// privateECR matches the host of a private Amazon registry, with its region.
var privateECR = regexp.MustCompile(`^\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)

// login returns the command that stores credentials for the registry.
func (s subject) login() string {
	login := "docker login"
	if s.host != "docker.io" {
		login += " " + s.host
	}
	const aws = "aws %s get-login-password --region %s | docker login --username AWS --password-stdin %s"
	if s.host == publicECR {
		login = fmt.Sprintf(aws, "ecr-public", "us-east-1", s.host)
	} else if m := privateECR.FindStringSubmatch(s.host); m != nil {
		login = fmt.Sprintf(aws, "ecr", m[1], s.host)
	}
	return login
}

// settings returns which settings of a Build and Push step are the credentials for the registry.
func (s subject) settings() string {
	if s.host == publicECR || privateECR.MatchString(s.host) {
		return "PLUGIN_ACCESS_KEY and PLUGIN_SECRET_KEY, or PLUGIN_ASSUME_ROLE"
	}
	return "PLUGIN_USERNAME and PLUGIN_PASSWORD, for a base image PLUGIN_BASE_IMAGE_USERNAME and PLUGIN_BASE_IMAGE_PASSWORD"
}

// create returns what creates a repository, if one command or setting does.
func (s subject) create() string {
	m := privateECR.FindStringSubmatch(s.host)
	if m == nil {
		return ""
	}
	return fmt.Sprintf(" with `aws ecr create-repository --region %s --repository-name %s`, or let samforge do it with --create-repository (in a CI step PLUGIN_CREATE_REPOSITORY=true)", m[1], strings.TrimPrefix(s.repo, s.host+"/"))
}

// mountRefused finds, in a registry's error, the request to mount a blob from another repository.
var mountRefused = regexp.MustCompile(`post request to https?://\S+/blobs/uploads/\?\S*mount=\S+: [45]\d\d `)

// mountFrom finds the repository that the blob is in.
var mountFrom = regexp.MustCompile(`[?&]from=([^&\s]+)`)

func mountSentence(s subject) string {
	from := ""
	if m := mountFrom.FindStringSubmatch(s.text); m != nil {
		from = strings.ReplaceAll(m[1], "%2F", "/")
	}
	return fmt.Sprintf("%s does not give layers of %s to %s; let these credentials read %s, or ask the registry's administrator to allow mounting between its repositories",
		s.host, cmp.Or(from, "another repository"), s.repo, cmp.Or(from, "that repository"))
}

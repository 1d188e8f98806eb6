package llbgen

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/placeholder"
	"github.com/samforge/samforge/npm"
	"github.com/samforge/samforge/source"
)

// validate checks the values of the file and lists its targets.
func (p *Plan) validate() {
	f, doc := &p.File, p.doc
	kind, ok := kindNamed(f.Kind)
	switch {
	case f.Kind == "":
		doc.Errorf("kind", "missing: say what to build with kind or --kind; the kinds are: %s", strings.Join(KindNames(), ", "))
		return
	case !ok:
		doc.Errorf("kind", "unknown kind %q%s; the kinds are: %s", f.Kind, didYouMean(f.Kind, KindNames()), strings.Join(KindNames(), ", "))
		return
	}
	p.validatePlugin()
	p.validateDownloads()
	if f.Repo != "" {
		if scheme, rest, ok := strings.Cut(f.Repo, "://"); ok {
			doc.Errorf("repo", "%q is not a repository: leave %s:// out, as in %s", f.Repo, scheme, rest)
		} else if named, err := reference.ParseNormalizedNamed(f.Repo); err != nil {
			doc.Errorf("repo", "%q is not a repository: %v", f.Repo, err)
		} else if !reference.IsNameOnly(named) {
			doc.Errorf("repo", "%q has a tag or a digest: name the repository alone, samforge makes the tags", f.Repo)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(f.Mirrors)) {
		if problem := MirrorProblem(from, f.Mirrors[from]); problem != "" {
			doc.Errorf(source.Join("mirrors", from), "%s", problem)
		}
	}
	p.normalizeMirrors()
	p.refuseForeignFields()
	kind.validate(p)
	p.validateRuntimes()
}

func (p *Plan) validatePlugin() {
	f, doc := &p.File, p.doc
	if f.Plugin.Image == "" {
		doc.Errorf("plugin.image", "missing: name the plugin's base image here or with --build-arg HARNESS_BASE_IMAGE=…")
	} else if _, err := reference.ParseNormalizedNamed(f.Plugin.Image); err != nil {
		doc.Errorf("plugin.image", "%q is not an image reference: %v", f.Plugin.Image, err)
	}
	if f.Plugin.Version == "" {
		doc.Errorf("plugin.version", "missing: give the version that the tags carry here or with --build-arg VERSION=…")
	} else if !tagPart.MatchString(f.Plugin.Version) {
		doc.Errorf("plugin.version", "%q cannot be part of a tag: use letters, digits, dots, dashes and underscores", f.Plugin.Version)
	}
}

func (p *Plan) validateDownloads() {
	f, doc := &p.File, p.doc
	d := f.Docker
	if d.Image != "" && d.Archive != "" {
		doc.Errorf("docker", "image and archive exclude each other: keep one")
	}
	if len(d.SHA256) > 0 && d.Archive == "" {
		doc.Errorf("docker.sha256", "belongs to archive, which is not set; an image is pinned by its digest")
	}
	if d.Image != "" {
		if _, err := reference.ParseNormalizedNamed(d.Image); err != nil {
			doc.Errorf("docker.image", "%q is not an image reference: %v", d.Image, err)
		}
	}
	if d.Version != "" && !tagPart.MatchString(d.Version) {
		doc.Errorf("docker.version", "%q is not a version such as %s", d.Version, DefaultDockerVersion)
	}
	if d.Archive != "" {
		if placeholder.Uses(d.Archive, "Version") && d.Version == "" {
			doc.Errorf("docker.archive", "the URL uses the version, which is missing: set docker.version")
		} else if credentials.In(d.Archive) {
			doc.Errorf("docker.archive", "%s", hasCredentials(d.Archive, false))
		} else if url, err := expandURL(d.Archive, urlFields{Version: d.Version, Arch: "amd64"}); err != nil {
			doc.Errorf("docker.archive", "%v", err)
		} else if !isURL(url) {
			doc.Errorf("docker.archive", "%q is not a URL: it must start with https:// or http://", d.Archive)
		}
	}
	if v := f.GoTemplate.Version; v != "" && !tagPart.MatchString(v) {
		doc.Errorf("goTemplate.version", "%q is not a version such as %s", v, DefaultGoTemplateVersion)
	}
	p.validateSums("docker.sha256", d.SHA256)
	p.validateSums("goTemplate.sha256", f.GoTemplate.SHA256)
}

// hasCredentials says what to do with the user or the password in an address.
func hasCredentials(address string, packages bool) string {
	secret := fmt.Sprintf("--secret id=%s,src=FILE", npm.SecretNPMRC)
	if !packages {
		host := "HOST"
		if u, err := url.Parse(address); err == nil {
			host = u.Hostname()
		}
		secret = fmt.Sprintf("--secret id=HTTP_AUTH_HEADER_%s,src=FILE, which is the value of the Authorization header", host)
	}
	return "there is a user or a password in the address, which would be recorded with the image: leave it out, and pass it with " + secret
}

func (p *Plan) validateSums(path string, sums map[string]string) {
	for _, arch := range slices.Sorted(maps.Keys(sums)) {
		if !slices.Contains(architectures(), arch) {
			p.doc.Errorf(source.Join(path, arch), "unknown architecture %q: use %s", arch, strings.Join(architectures(), " or "))
		} else if _, err := parseSHA256(sums[arch]); err != nil {
			p.doc.Errorf(source.Join(path, arch), "%v", err)
		}
	}
}

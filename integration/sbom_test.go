package integration

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	intoto "github.com/in-toto/in-toto-golang/in_toto"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/samforge/samforge/integration/testenv"
)

// attested is an image for one platform with its in-toto statements by the type of
// their predicates.
type attested struct {
	digest     string
	statements map[string]statement
}

type statement struct {
	PredicateType string `json:"predicateType"`
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	Predicate json.RawMessage `json:"predicate"`
}

// attestations returns the attestations of each platform of an image, in the form of
// https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
func (b *bed) attestations(t *testing.T, ref string) map[string]attested {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	must(t, err)
	index, err := remote.Index(parsed, remote.WithContext(t.Context()))
	must(t, err)
	manifest, err := index.IndexManifest()
	must(t, err)
	images, platforms := map[string]attested{}, map[string]string{}
	for _, m := range manifest.Manifests {
		if m.Annotations["vnd.docker.reference.type"] == "" {
			images[m.Platform.String()] = attested{m.Digest.String(), map[string]statement{}}
			platforms[m.Digest.String()] = m.Platform.String()
		}
	}
	for _, m := range manifest.Manifests {
		if m.Annotations["vnd.docker.reference.type"] != "attestation-manifest" {
			continue
		}
		image, err := index.Image(m.Digest)
		must(t, err)
		layers, err := image.Layers()
		must(t, err)
		of := images[platforms[m.Annotations["vnd.docker.reference.digest"]]]
		for _, layer := range layers {
			content, err := layer.Uncompressed()
			must(t, err)
			data, err := io.ReadAll(content)
			must(t, err)
			var s statement
			must(t, json.Unmarshal(data, &s))
			of.statements[s.PredicateType] = s
		}
	}
	return images
}

// wantSBOM checks the SBOM of an image and returns it.
func wantSBOM(t *testing.T, image attested, packages ...string) *spdx.Document {
	t.Helper()
	s, ok := image.statements[intoto.PredicateSPDX]
	if !ok {
		t.Fatalf("the attestations are %v", slices.Collect(maps.Keys(image.statements)))
	}
	if len(s.Subject) == 0 || "sha256:"+s.Subject[0].Digest["sha256"] != image.digest {
		t.Errorf("the subject is %v, want %s", s.Subject, image.digest)
	}
	doc, err := spdxjson.Read(bytes.NewReader(s.Predicate))
	must(t, err)
	must(t, spdxlib.ValidateDocument(doc))
	lines := packageLines(doc)
	for _, want := range packages {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is not in the SBOM:\n%s", want, strings.Join(lines, "\n"))
		}
	}
	return doc
}

// packageLines returns the packages as name, version and checksums.
func packageLines(doc *spdx.Document) []string {
	var lines []string
	for _, p := range doc.Packages {
		line := p.PackageName + " " + p.PackageVersion
		for _, sum := range p.PackageChecksums {
			line += " " + strings.ToLower(string(sum.Algorithm)) + ":" + sum.Value
		}
		lines = append(lines, line)
	}
	return lines
}

// imageLine returns the SBOM line of an image that the build uses.
func (b *bed) imageLine(t *testing.T, upstream, tag string) string {
	t.Helper()
	ref, err := b.Registry.Ref(upstream + ":" + tag)
	must(t, err)
	return upstream + " " + tag + " " + b.digestOfTag(ref)
}

const forBothPlatforms = "linux/amd64,linux/arm64"

// Through both doors the same bytes of SBOM are attached to an image, with everything that samforge
// knows about it, and nothing is pulled for it.
func TestSBOMOfSAM(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	dir, ref := x.folder(samFile), x.repo("ci/cached:1")
	want := []string{
		x.imageLine(t, "public.ecr.aws/sam/build-nodejs22.x", "1.144.0-20250911030138"),
		x.imageLine(t, "docker.io/harness/aws-sam-plugin", "1.1.2-beta-base-image"),
		x.imageLine(t, "docker.io/library/docker", "28.5.2-cli"),
		"harness-sam-plugin 1.1.2", "docker-cli 28.5.2", "aws-sam-cli 1.144.0", "node 22",
	}
	seen := map[string]string{} // predicate by platform
	for door, build := range x.doors(dir, "nodejs22.x") {
		build(x.Buildkitd, "--platform", forBothPlatforms).ok(t)
		plain := x.attestations(t, ref)
		for _, provenance := range []string{"mode=min", "mode=max"} {
			t.Run(door+"/"+provenance, func(t *testing.T) {
				cold := startBuildkitd(t, x.Registry, testenv.BuildkitdOptions{})
				x.Registry.Reset()
				build(cold, "--platform", forBothPlatforms, "--sbom=true", "--provenance", provenance).ok(t)
				x.wantNothingPulled(testenv.Node22Base)
				images := x.attestations(t, ref)
				for _, platform := range strings.Split(forBothPlatforms, ",") {
					image := images[platform]
					if image.digest != plain[platform].digest {
						t.Errorf("the image for %s is %s, without attestations %s", platform, image.digest, plain[platform].digest)
					}
					doc := wantSBOM(t, image, want...)
					if i := slices.IndexFunc(packageLines(doc), func(line string) bool { return strings.HasPrefix(line, "go-template v0.4.15 sha256:") }); i < 0 {
						t.Errorf("go-template is not listed with its sum")
					}
					predicate := string(image.statements[intoto.PredicateSPDX].Predicate)
					if before, ok := seen[platform]; ok && before != predicate {
						t.Errorf("the SBOM for %s differs", platform)
					}
					seen[platform] = predicate
					if len(image.statements) != 2 {
						t.Errorf("%s has %d attestations, want an SBOM and a provenance", platform, len(image.statements))
					}
				}
			})
		}
	}
	if seen["linux/amd64"] == seen["linux/arm64"] {
		t.Error("both platforms have the same SBOM")
	}
}

// Law 2 with attestations: an unchanged build on an empty builder with a registry
// cache pulls no layer of any image.
func TestSBOMAndCaches(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	dir, ref := x.folder(samFile), x.repo("ci/cached:1")
	for door, build := range x.doors(dir, "nodejs22.x") {
		for _, mode := range []string{"min", "max"} {
			t.Run(door+"/"+mode, func(t *testing.T) {
				cache := "type=registry,ref=" + x.repo("cache/"+door+mode)
				attest := []string{"--platform", forBothPlatforms, "--sbom=true", "--provenance", "mode=" + mode}
				build(startBuildkitd(t, x.Registry, testenv.BuildkitdOptions{}), append(attest, "--cache-to", cache+",mode="+mode)...).ok(t)
				before := x.attestations(t, ref)
				fresh := startBuildkitd(t, x.Registry, testenv.BuildkitdOptions{})
				x.Registry.Reset()
				r := build(fresh, append(attest, "--cache-from", cache)...)
				r.ok(t)
				wantWorked(t, r)
				for _, p := range x.Registry.Pulls() {
					if p.Kind == "layer" && p.Repository != "samforge-frontend" {
						t.Errorf("%s of %s was pulled", p.Digest, p.Repository)
					}
				}
				for platform, image := range x.attestations(t, ref) {
					if image.digest != before[platform].digest || !bytes.Equal(image.statements[intoto.PredicateSPDX].Predicate, before[platform].statements[intoto.PredicateSPDX].Predicate) {
						t.Errorf("%s is another image, or has another SBOM", platform)
					}
				}
			})
		}
	}
}

// The SBOM of a Serverless image lists exactly the packages that npm installed, and the Lambda base
// image that Node.js comes from.
func TestSBOMOfServerless(t *testing.T) {
	t.Parallel()
	b := newLawsBed(t, pairsFile)
	x := b.newBuildx(b.Buildkitd)
	x.npm = b.npm.URL()
	file, err := os.ReadFile(b.file)
	must(t, err)
	doors, ref := x.doors(x.folder(string(file)), "python3.12-serverless"), x.repo("ci/cached:1")
	cache := "type=registry,ref=" + x.repo("cache/sls")
	attest := []string{"--platform", forBothPlatforms, "--sbom=true", "--provenance", "mode=max"}
	b.forget()
	doors["samforge"](b.Buildkitd, append(attest, "--cache-to", cache+",mode=max")...).ok(t)
	if pulled := b.pulledFrom("ecr/sam/build-python3.12"); len(pulled) > 0 {
		t.Errorf("layers of the runtime image were pulled: %s", pulled)
	}
	images := b.attestations(t, ref)
	for _, platform := range strings.Split(forBothPlatforms, ",") {
		doc := wantSBOM(t, images[platform], "node 20", "python 3.12",
			x.imageLine(t, "public.ecr.aws/lambda/nodejs", "20.2025.03.25.16"),
			"harness-serverless-plugin 1.1.0-beta", "docker-cli 28.5.2")
		installed := b.installed(t, ref, platform)
		listed := slices.DeleteFunc(packageLines(doc), func(line string) bool { return !strings.Contains(line, " sha512:") })
		slices.Sort(listed)
		if len(installed) < 500 || !slices.Equal(listed, installed) {
			t.Errorf("%s: the SBOM lists %d packages, npm installed %d:\n%q\n%q", platform, len(listed), len(installed), listed, installed)
		}
	}

	fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
	b.forget()
	r := doors["buildx"](fresh, append(attest, "--cache-from", cache)...)
	r.ok(t)
	wantWorked(t, r)
	b.wantNoNPM(t)
	b.wantNoLayer(t, "samforge-frontend")
	for platform, image := range b.attestations(t, ref) {
		if image.digest != images[platform].digest || !bytes.Equal(image.statements[intoto.PredicateSPDX].Predicate, images[platform].statements[intoto.PredicateSPDX].Predicate) {
			t.Errorf("%s: docker buildx gives another image, or another SBOM", platform)
		}
	}
}

// installed returns the packages that npm reports as installed in an image, in the form of
// packageLines.
func (b *bed) installed(t *testing.T, ref, platform string) []string {
	t.Helper()
	image, err := b.Registry.ReadImage(t.Context(), ref, platform)
	must(t, err)
	data, err := image.ReadFile("/opt/harness/serverless/node_modules/.package-lock.json")
	must(t, err)
	var record struct {
		Packages map[string]struct{ Name, Version, Integrity string }
	}
	must(t, json.Unmarshal(data, &record))
	var lines []string
	for place, p := range record.Packages {
		_, sum, _ := strings.Cut(p.Integrity, "-")
		decoded, err := base64.StdEncoding.DecodeString(sum)
		must(t, err)
		parts := strings.Split(place, "node_modules/")
		lines = append(lines, fmt.Sprintf("%s %s sha512:%x", cmp.Or(p.Name, parts[len(parts)-1]), p.Version, decoded))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// docker buildx imagetools shows both attestations.
func TestSBOMInImagetools(t *testing.T) {
	t.Parallel()
	x := newSAMBuildx(t)
	ref := x.repo("ci/shown:1")
	x.build(x.folder(samFile), "--platform", forBothPlatforms, "--push", "-t", ref, "--sbom=true", "--provenance", "mode=max").ok(t)
	for what, want := range map[string]struct{ key, text string }{
		"SBOM":       {"SPDX", "harness-sam-plugin"},
		"Provenance": {"SLSA", "buildType"},
	} {
		r := x.docker("", "buildx", "imagetools", "inspect", ref, "--format", "{{json ."+what+"}}")
		r.ok(t)
		var shown map[string]map[string]json.RawMessage // by platform
		must(t, json.Unmarshal([]byte(r.stdout), &shown))
		for _, platform := range strings.Split(forBothPlatforms, ",") {
			if !strings.Contains(string(shown[platform][want.key]), want.text) {
				t.Errorf("the %s for %s is %s", what, platform, r.stdout)
			}
		}
	}
}

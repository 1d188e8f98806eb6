package llbgen_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/samforge/samforge/llbgen"
)

// The whole document of a small image, to be read.
func TestSBOMGolden(t *testing.T) {
	t.Parallel()
	plan := load(t, buildFile, nil)
	content := sbom(t, build(t, plan, fakeOptions(plan, "linux/amd64")))
	var indented bytes.Buffer
	if err := json.Indent(&indented, content, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "sbom of sam", indented.String()+"\n")
}

func TestSBOM(t *testing.T) {
	t.Parallel()
	withoutSum := func(o *llbgen.Options) { o.Checksum = nil }
	for _, test := range []struct {
		name     string
		file     string
		platform string
		options  func(*llbgen.Options)
		count    int      // of npm packages
		want     []string // name, version, where the sum comes from
		not      []string
	}{
		{
			name: "Serverless has Node.js, the framework and the packages of its lock", platform: "linux/amd64", count: 585,
			file: serverlessFile("python3.12", "nodejs20.x", ""),
			want: []string{
				"public.ecr.aws/sam/build-python3.12 1.143.0-20250822194415 SHA256", "public.ecr.aws/sam/build-nodejs20.x 1.142.1-20250701194712 SHA256",
				"docker.io/harness/serverless-plugin 1.1.0-beta-base-image SHA256", "docker.io/library/docker 28.5.2-cli SHA256",
				"harness-serverless-plugin 1.1.0-beta", "go-template v0.4.15 SHA256", "docker-cli 28.5.2", "aws-sam-cli 1.143.0", "python 3.12", "node 20",
				"serverless 3.39.0 SHA512", "ajv 8.20.0 SHA512",
			},
			not: []string{"fsevents"},
		},
		{
			name: "a Lambda base image as node image has its own name, and Node.js by its tag", platform: "linux/arm64", count: 585,
			file: fromLambda(serverlessFile("python3.12", "nodejs22.x", "")),
			want: []string{"public.ecr.aws/lambda/nodejs 22.2025.05.04.04 SHA256", "node 22", "python 3.12", "aws-sam-cli 1.143.0"},
			not:  []string{"public.ecr.aws/sam/build-nodejs22.x"},
		},
		{
			name: "packages for another architecture are left out", platform: "linux/arm64", count: 143,
			file: strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "version: 3.39.0", "flavor: osls, version: 4.3.1", 1),
			want: []string{"osls 4.3.1 SHA512", "@esbuild/linux-arm64 "},
			not:  []string{"@esbuild/linux-x64", "@esbuild/darwin-arm64"},
		},
		{
			name: "what only such a package depends on is left out too", platform: "linux/amd64", count: 2,
			file: strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "3.39.0, lock: package-lock.json", 1),
			options: withFile("package-lock.json", framework(
				`"node_modules/watch": {"version": "1.0.0", "integrity": "`+sum+`", "optionalDependencies": {"mac": "1", "any": "1"}}`,
				`"node_modules/mac": {"version": "1.0.0", "integrity": "`+sum+`", "optional": true, "os": ["darwin"], "dependencies": {"macs-own": "1"}}`,
				`"node_modules/mac/node_modules/macs-own": {"version": "1.0.0", "integrity": "`+sum+`", "optional": true}`,
				`"node_modules/any": {"version": "1.0.0", "integrity": "`+sum+`", "optional": true}`,
				`"node_modules/tests": {"version": "1.0.0", "integrity": "`+sum+`", "dev": true}`,
			)),
			want: []string{"watch 1.0.0 SHA512", "any 1.0.0 SHA512"},
			not:  []string{"mac", "macs-own", "tests"},
		},
		{
			name: "what the lock marks as for development and something needs is there", platform: "linux/amd64", count: 1,
			file: strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "3.39.0, lock: package-lock.json", 1),
			options: withFile("package-lock.json", lockOf(`"serverless": "3.39.0"`, frameworkOn(`"optionalDependencies": {"a": "1"}`),
				`"node_modules/a": {"version": "1.0.0", "integrity": "`+sum+`", "dev": true}`)),
			want: []string{"serverless 3.39.0 SHA512", "a 1.0.0 SHA512"},
		},
		{
			name: "without a lock the framework alone is known", platform: "linux/amd64",
			file: strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "3.37.0", 1),
			want: []string{"serverless 3.37.0"},
		},
		{
			name: "a framework from an archive has its sum", platform: "linux/arm64",
			file: strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "4.18.0", 1),
			want: []string{"serverless 4.18.0 SHA256"},
		},
		{
			name: "a Docker CLI from an archive has its sum", platform: "linux/amd64",
			file: buildFile + "docker:\n  version: 27.5.1\n  archive: https://download.docker.com/linux/static/stable/{{.Machine}}/docker-{{.Version}}.tgz\n",
			want: []string{"docker-cli 27.5.1 SHA256"},
			not:  []string{"docker.io/library/docker"},
		},
		{
			name: "a tag that is no version asserts none", platform: "linux/amd64",
			file: buildFile + "docker: {image: 'registry.example.com/docker:latest'}\n",
			want: []string{"docker-cli NOASSERTION", "registry.example.com/docker latest SHA256"},
		},
		{
			name: "a download that nothing pins has no sum", platform: "linux/amd64", options: withoutSum,
			file: buildFile + "goTemplate: {version: v0.0.1}\n",
			want: []string{"go-template v0.0.1"},
			not:  []string{"go-template v0.0.1 SHA256"},
		},
		{
			name: "plain files in the place of the plugin image have its name", platform: "linux/amd64",
			file: buildFile, options: func(o *llbgen.Options) {
				withBase(func(image *llbgen.SourceImage) {
					if strings.Contains(image.Name, "harness") {
						image.Digest, image.Config = "", nil
					}
				})(o)
			},
			want: []string{"docker.io/harness/aws-sam-plugin:1.1.2-beta-base-image NOASSERTION"},
		},
		{
			name: "a runtime image that is the node image is listed once", platform: "linux/amd64", count: 585,
			file: strings.ReplaceAll(serverlessFile("nodejs20.x", "nodejs20.x", ""), "1.142.1-20250701194712", "1.143.0-20250822194415"),
			want: []string{"public.ecr.aws/sam/build-nodejs20.x 1.143.0-20250822194415 SHA256", "node 20"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, test.file, nil)
			opt := fakeOptions(plan, test.platform)
			if test.options != nil {
				test.options(&opt)
			}
			doc := readSBOM(t, sbom(t, build(t, plan, opt)))
			count, lines := 0, []string{}
			for _, p := range doc.Packages {
				line := p.PackageName + " " + p.PackageVersion
				for _, sum := range p.PackageChecksums {
					line += " " + string(sum.Algorithm)
				}
				lines = append(lines, line)
				if p.PrimaryPackagePurpose == "LIBRARY" {
					count++
				}
			}
			text := "\n" + strings.Join(lines, "\n") + "\n"
			for _, want := range test.want {
				if strings.Count(text, "\n"+want) != 1 {
					t.Errorf("%q is there %d times, want once:\n%s", want, strings.Count(text, "\n"+want), text)
				}
			}
			for _, not := range test.not {
				if strings.Contains(text, "\n"+not+" ") || slices.Contains(lines, not) {
					t.Errorf("%q is listed", not)
				}
			}
			if count != test.count {
				t.Errorf("there are %d npm packages beside the framework, want %d", count, test.count)
			}
		})
	}
}

// Software from a Lambda base image is listed for that image too, and the comment says that its
// files were not read.
func TestSBOMOfALambdaNodeImage(t *testing.T) {
	t.Parallel()
	plan := load(t, fromLambda(serverlessFile("python3.12", "nodejs22.x", "")), nil)
	doc := readSBOM(t, sbom(t, build(t, plan, fakeOptions(plan, "linux/amd64"))))
	var node, lambda spdx.ElementID
	for _, p := range doc.Packages {
		switch p.PackageName {
		case "node":
			node = p.PackageSPDXIdentifier
		case "public.ecr.aws/lambda/nodejs":
			lambda = p.PackageSPDXIdentifier
			url := p.PackageExternalReferences[0].Locator
			if !strings.HasPrefix(url, "pkg:oci/nodejs@sha256:") || !strings.Contains(url, "repository_url=public.ecr.aws%2Flambda%2Fnodejs&tag=22.2025.05.04.04") {
				t.Errorf("the image is %s", url)
			}
		}
	}
	var inLambda []spdx.ElementID
	for _, r := range doc.Relationships {
		if r.RefA.ElementRefID == lambda {
			inLambda = append(inLambda, r.RefB.ElementRefID)
		}
	}
	if node == "" || !slices.Equal(inLambda, []spdx.ElementID{node}) {
		t.Errorf("the Lambda base image contains %q, want Node.js alone (%q)", inLambda, node)
	}
	if want := "the files that come from the node image public.ecr.aws/lambda/nodejs:22.2025.05.04.04"; !strings.Contains(doc.DocumentComment, want) {
		t.Errorf("the comment is %q, want %q in it", doc.DocumentComment, want)
	}
}

// Package URLs follow the examples of their types:
// https://github.com/package-url/purl-spec/blob/main/PURL-TYPES.rst
func TestSBOMPackageURLs(t *testing.T) {
	t.Parallel()
	plan := load(t, strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "version: 3.39.0", "flavor: osls, version: 4.3.1", 1), nil)
	urls := map[string]string{}
	for _, p := range readSBOM(t, sbom(t, build(t, plan, fakeOptions(plan, "linux/arm64")))).Packages {
		for _, r := range p.PackageExternalReferences {
			urls[p.PackageName], _, _ = strings.Cut(r.Locator, "?")
		}
	}
	for name, want := range map[string]string{
		"osls":                     "pkg:npm/osls@4.3.1",
		"@aws-sdk/core":            "pkg:npm/%40aws-sdk/core@",
		"docker-cli":               "pkg:github/docker/cli@v28.5.2",
		"go-template":              "pkg:generic/go-template@v0.4.15",
		"docker.io/library/docker": "pkg:oci/docker@sha256:",
		"node":                     "pkg:generic/node",
	} {
		if !strings.HasPrefix(urls[name], want) {
			t.Errorf("%s is %q, want %s", name, urls[name], want)
		}
	}
}

// A document is the same each time, and has a namespace of its own.
func TestSBOMIsReproducible(t *testing.T) {
	t.Parallel()
	plan := load(t, serverlessFile("python3.12", "nodejs20.x", ""), nil)
	amd64 := fakeOptions(plan, "linux/amd64")
	one, two := sbom(t, build(t, plan, amd64)), sbom(t, build(t, plan, amd64))
	if !bytes.Equal(one, two) {
		t.Error(diff(string(one), string(two)))
	}
	later := amd64
	later.Epoch = time.Unix(1758000000, 0)
	namespaces := map[string]bool{readSBOM(t, one).DocumentNamespace: true}
	for _, opt := range []llbgen.Options{later, fakeOptions(plan, "linux/arm64")} {
		namespaces[readSBOM(t, sbom(t, build(t, plan, opt))).DocumentNamespace] = true
	}
	if len(namespaces) != 3 {
		t.Errorf("three documents have the namespaces %v", namespaces)
	}
	if created := readSBOM(t, sbom(t, build(t, plan, later))).CreationInfo.Created; created != "2025-09-16T05:20:00Z" {
		t.Errorf("created is %s", created)
	}
}

func sbom(t *testing.T, image *llbgen.Image) []byte {
	t.Helper()
	content, err := image.SBOM()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// readSBOM reads a document and checks that it follows the specification and has no loose ends.
func readSBOM(t *testing.T, content []byte) *spdx.Document {
	t.Helper()
	doc, err := spdxjson.Read(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		t.Error(err)
	}
	if doc.SPDXVersion != "SPDX-2.3" || doc.DataLicense != "CC0-1.0" || doc.SPDXIdentifier != "DOCUMENT" || strings.Contains(doc.DocumentNamespace, "#") {
		t.Errorf("the document is %s %s %s %s", doc.SPDXVersion, doc.DataLicense, doc.SPDXIdentifier, doc.DocumentNamespace)
	}
	for _, r := range doc.Relationships {
		if first := r == doc.Relationships[0]; first != (r.Relationship == "DESCRIBES") || !first && r.Relationship != "CONTAINS" {
			t.Errorf("%s %s %s", r.RefA.ElementRefID, r.Relationship, r.RefB.ElementRefID)
		}
	}
	seen := map[string]bool{}
	for _, p := range doc.Packages {
		id := string(p.PackageSPDXIdentifier)
		if seen[id] || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" {
			t.Errorf("%s is there twice, or no identifier", id)
		}
		seen[id] = true
		if p.FilesAnalyzed || p.PackageDownloadLocation == "" || p.PackageName == "" {
			t.Errorf("%s: %+v", id, p)
		}
		for _, sum := range p.PackageChecksums {
			if want := map[string]int{"SHA256": 64, "SHA512": 128}[string(sum.Algorithm)]; len(sum.Value) != want {
				t.Errorf("%s has the sum %s", id, fmt.Sprint(sum))
			}
		}
	}
	return doc
}

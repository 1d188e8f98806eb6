package lambda

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar"
	digestA     = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB     = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// object is a JSON object.
type object = map[string]any

// encode returns a JSON document. A string is one already.
func encode(t *testing.T, document any) []byte {
	t.Helper()
	if text, ok := document.(string); ok {
		return []byte(text)
	}
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func manifest(mediaType, configType string, layerTypes ...string) object {
	var layers []object
	for _, layer := range layerTypes {
		layers = append(layers, object{"mediaType": layer, "digest": digestA})
	}
	return object{"schemaVersion": 2, "mediaType": mediaType, "config": object{"mediaType": configType, "digest": digestB}, "layers": layers}
}

// goodManifest and goodConfig are those of an image that Lambda takes.
var (
	goodManifest = manifest(ociManifest, ociConfig, ociLayer+"+gzip", ociLayer+"+gzip")
	goodConfig   = configWith(object{"Entrypoint": []string{"/lambda-entrypoint.sh"}, "Cmd": []string{"app.handler"}})
)

func configWith(settings object) object {
	return object{"os": "linux", "architecture": "amd64", "config": settings}
}

func platform(os, architecture string) object {
	return object{"os": os, "architecture": architecture, "config": object{"Entrypoint": []string{"/run"}}}
}

func entry(program ...string) object { return configWith(object{"Entrypoint": program}) }

// index returns an index of images for platforms such as linux/amd64. "attestation" is one of the
// image before.
func index(mediaType string, members ...string) object {
	var manifests []object
	for n, m := range members {
		os, architecture, _ := strings.Cut(m, "/")
		member := object{"mediaType": ociManifest, "digest": []string{digestA, digestB}[n%2], "platform": object{"os": os, "architecture": architecture}}
		if m == "attestation" {
			member["platform"] = object{"os": "unknown", "architecture": "unknown"}
			member["annotations"] = object{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digestA}
		}
		manifests = append(manifests, member)
	}
	return object{"schemaVersion": 2, "mediaType": mediaType, "manifests": manifests}
}

// judged is an image, a function and what is found. A finding is its rule, its level and a part of
// its message.
type judged struct {
	manifest, config any // default goodManifest, goodConfig
	mediaType        string
	size             int64
	function         Function
	want             string // empty if nothing is found
}

func judge(t *testing.T, cases map[string]judged) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := Image{MediaType: c.mediaType, Manifest: encode(t, goodManifest), Config: encode(t, goodConfig), Size: c.size}
			if c.manifest != nil {
				image.Manifest = encode(t, c.manifest)
			}
			if c.config != nil {
				image.Config = encode(t, c.config)
			}
			found := Check(image, c.function)
			if c.want == "" && len(found) == 0 {
				return
			}
			rule, rest, _ := strings.Cut(c.want, " ")
			level, text, _ := strings.Cut(rest, ": ")
			if len(found) != 1 || found[0].Rule.Name != rule || string(found[0].Level) != level || !strings.Contains(found[0].Message, text) {
				t.Errorf("got %q\nwant %s", found, c.want)
			}
		})
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	const attestations = "--provenance=false --sbom=false"
	judge(t, map[string]judged{
		"OCI":                         {},
		"OCI without a media type":    {manifest: manifest("", ociConfig, ociLayer+"+gzip")},
		"Docker":                      {manifest: manifest(dockerManifest, dockerConfig, dockerLayer+".gzip")},
		"the registry names the type": {manifest: manifest("", ociConfig, ociLayer+"+gzip"), mediaType: ociManifest},

		"an index that has an attestation": {manifest: index(ociIndex, "linux/amd64", "attestation"),
			want: "LambdaManifest error: because the build added attestations (provenance or an SBOM), which are stored beside the image, and Lambda takes one image: build it with " +
				attestations + ", or name the image in the index by its digest, " + digestA},
		"an attestation without a platform": {manifest: `{"manifests": [{"digest": "` + digestA + `"}, {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}]}`,
			want: "LambdaManifest error: because the build added attestations"},
		"an attestation without an annotation": {manifest: index(ociIndex, "linux/amd64", "unknown/unknown"),
			want: "LambdaManifest error: because the build added attestations"},
		"an index of one image": {manifest: index(ociIndex, "linux/amd64"),
			want: "LambdaManifest error: this is an index, and Lambda takes one image: build it with " + attestations + ", or name the image in the index by its digest, " + digestA},
		"an index of two platforms": {manifest: index(ociIndex, "linux/amd64", "linux/arm64"),
			want: "LambdaManifest error: an index of 2 images (linux/amd64, linux/arm64), and Lambda takes one image: build it with --platform linux/amd64 or linux/arm64"},
		"an index of two platforms for a function": {manifest: index(dockerIndex, "linux/amd64", "linux/arm64"), function: Function{Architecture: "arm64"},
			want: "LambdaManifest error: build it with --platform linux/arm64, or name the image in the index by its digest, " + digestB},
		"an index of two platforms with attestations": {manifest: index(ociIndex, "linux/amd64", "attestation", "linux/arm64", "attestation"),
			want: "LambdaManifest error: build it with --platform linux/amd64 or linux/arm64 " + attestations},
		"an index without the function's architecture": {manifest: index(ociIndex, "linux/amd64", "linux/s390x"), function: Function{Architecture: "arm64"},
			want: "LambdaManifest error: an index of 2 images (linux/amd64, linux/s390x), and Lambda takes one image: build it with --platform linux/arm64"},
		"an index of attestations": {manifest: index(ociIndex, "attestation"),
			want: "LambdaManifest error: an index without an image"},
		"an index without a media type": {manifest: index("", "linux/amd64"), want: "LambdaManifest error: this is an index"},
		"an index that has no digest":   {manifest: `{"manifests": [{"digest": "sha256:\u001b[2J"}]}`, want: "LambdaManifest error: this is an index"},

		"Docker's first schema": {manifest: object{"schemaVersion": 1}, mediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws",
			want: "LambdaManifest error: Lambda takes Docker's image manifest version 2, schema 2, and that of the OCI: build and push the image again"},
		"a Helm chart": {manifest: manifest(ociManifest, "application/vnd.cncf.helm.config.v1+json", ociLayer+"+gzip"),
			want: `LambdaManifest error: the config has the media type "application/vnd.cncf.helm.config.v1+json", so this is another artifact and not an image`},
		"no JSON":           {manifest: "<html>", want: "LambdaManifest error: the manifest is not valid JSON"},
		"no JSON in config": {config: "<html>", want: "LambdaManifest error: the image config is not valid JSON"},
	})
}

func TestLayers(t *testing.T) {
	t.Parallel()
	const fix = ", and only gzip is known to work in Lambda: build the image with --output type=image,push=true,compression=gzip,force-compression=true"
	of := func(layers ...string) object { return manifest(ociManifest, ociConfig, layers...) }
	many := slices.Repeat([]string{ociLayer + "+gzip"}, 200)
	judge(t, map[string]judged{
		"gzip":                {manifest: of(ociLayer + "+gzip")},
		"gzip of Docker":      {manifest: manifest(dockerManifest, dockerConfig, dockerLayer+".gzip")},
		"as many as 200":      {manifest: of(many...)},
		"zstd":                {manifest: of(ociLayer+"+gzip", ociLayer+"+zstd"), want: "LambdaLayers error: layer 2 of 2 is compressed with zstd" + fix},
		"zstd of Docker":      {manifest: of(dockerLayer + ".zstd"), want: "LambdaLayers error: layer 1 of 1 is compressed with zstd" + fix},
		"several with zstd":   {manifest: of(ociLayer+"+zstd", ociLayer+"+gzip", ociLayer+"+zstd"), want: "LambdaLayers error: 2 of 3 layers are compressed with zstd" + fix},
		"tar":                 {manifest: of(ociLayer, ociLayer+"+gzip"), want: "LambdaLayers error: layer 1 of 2 is not compressed" + fix},
		"tar of Docker":       {manifest: of(dockerLayer), want: "LambdaLayers error: layer 1 of 1 is not compressed" + fix},
		"something else":      {manifest: of("application/vnd.in-toto+json"), want: `LambdaLayers error: layer 1 of 1 is of the media type "application/vnd.in-toto+json"` + fix},
		"control characters":  {manifest: of("a\n\x1b[2J"), want: `LambdaLayers error: "a\n\x1b[2J"`},
		"without a mediaType": {manifest: of(""), want: `LambdaLayers error: of the media type ""`},
	})
	if found := Check(Image{Manifest: encode(t, of(ociLayer+"+zstd", ociLayer)), Config: encode(t, goodConfig)}, Function{}); len(found) != 2 {
		t.Errorf("two compressions: %q", found)
	}
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	x86, arm := Function{Architecture: "x86_64"}, Function{Architecture: "arm64"}
	judge(t, map[string]judged{
		"x86_64":                {config: platform("linux", "amd64"), function: x86},
		"arm64":                 {config: platform("linux", "arm64"), function: arm},
		"x86_64 for any":        {config: platform("linux", "amd64")},
		"arm64 for any":         {config: platform("linux", "arm64")},
		"arm64 for x86_64":      {config: platform("linux", "arm64"), function: x86, want: "LambdaPlatform error: the image is for linux/arm64 and the function for x86_64: build the image with --platform linux/amd64, or set the function's Architectures to [arm64]"},
		"x86_64 for arm64":      {config: platform("linux", "amd64"), function: arm, want: "LambdaPlatform error: the image is for linux/amd64 and the function for arm64: build the image with --platform linux/arm64, or set the function's Architectures to [x86_64]"},
		"another machine":       {config: platform("linux", "riscv64"), want: `LambdaPlatform error: the image is for "linux/riscv64", which Lambda does not have: build it with --platform linux/amd64 or linux/arm64`},
		"32 bits":               {config: platform("linux", "386"), function: x86, want: `LambdaPlatform error: "linux/386", which Lambda does not have: build it with --platform linux/amd64`},
		"Windows":               {config: platform("windows", "amd64"), want: `LambdaPlatform error: "windows/amd64", which Lambda does not have`},
		"Windows, for x86_64":   {config: platform("windows", "amd64"), function: x86, want: `LambdaPlatform error: "windows/amd64", which Lambda does not have: build it with --platform linux/amd64`},
		"nothing is said":       {config: platform("", ""), want: "LambdaPlatform warning: does not name the operating system and the architecture"},
		"no architecture named": {config: platform("linux", ""), function: arm, want: "LambdaPlatform warning: build the image with --platform linux/arm64"},
	})
}

func TestArchitectureOf(t *testing.T) {
	t.Parallel()
	for platform, want := range map[string]string{"linux/amd64": "x86_64", "linux/arm64": "arm64", "linux/386": "", "linux/x86_64": "", "windows/amd64": "", "/": ""} {
		os, architecture, _ := strings.Cut(platform, "/")
		if got, ok := ArchitectureOf(os, architecture); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", platform, got, ok, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	judge(t, map[string]judged{
		"not known":          {size: 0},
		"10 GB":              {size: 10 << 30},
		"10 GB and one byte": {size: 10<<30 + 1, want: "LambdaSize error: the image has at least 10241 MB uncompressed, and Lambda takes at most 10 GB (10240 MB): leave out what the function does not need"},
		"11 GB":              {size: 11 << 30, want: "LambdaSize error: the image has at least 11264 MB uncompressed"},
		"11 GB compressed": {manifest: object{"schemaVersion": 2, "mediaType": ociManifest, "config": object{"mediaType": ociConfig, "digest": digestB},
			"layers": []object{{"mediaType": ociLayer + "+gzip", "digest": digestA, "size": 11 << 30}}},
			want: "LambdaSize error: the image has at least 11264 MB uncompressed"},
	})
}

func TestEntryPoint(t *testing.T) {
	t.Parallel()
	const shell = "LambdaEntryPoint warning: ENTRYPOINT is in the shell form, so that /bin/"
	judge(t, map[string]judged{
		"an absolute path":                   {config: entry("/lambda-entrypoint.sh")},
		"an absolute path and arguments":     {config: entry("/usr/local/bin/python", "-m", "awslambdaric")},
		"a shell that runs a file":           {config: entry("/bin/sh", "/run.sh")},
		"the shell form":                     {config: entry("/bin/sh", "-c", "./handler"), want: shell + "sh starts first and CMD is ignored: write it in the exec form"},
		"the shell form of another SHELL":    {config: entry("/bin/bash", "-o", "pipefail", "-c", "./handler"), want: shell + "bash starts first"},
		"a program in PATH":                  {config: entry("python3", "-m", "awslambdaric"), want: `LambdaEntryPoint warning: ENTRYPOINT starts "python3", which is searched in PATH, and AWS asks for an absolute path`},
		"a relative path":                    {config: entry("./handler"), want: `LambdaEntryPoint error: ENTRYPOINT starts "./handler", and Lambda takes only an absolute path: write the whole path, beginning with /`},
		"a path in a folder":                 {config: entry("bin/handler"), want: `LambdaEntryPoint error: "bin/handler"`},
		"an empty name":                      {config: entry(""), want: `LambdaEntryPoint error: ENTRYPOINT starts ""`},
		"CMD alone":                          {config: configWith(object{"Cmd": []string{"/handler"}})},
		"neither":                            {config: configWith(object{}), want: "LambdaEntryPoint error: the image has no ENTRYPOINT and no CMD, so nothing would start: set ENTRYPOINT in the Dockerfile, or EntryPoint in the function's ImageConfig"},
		"no settings at all":                 {config: `{"os": "linux", "architecture": "arm64"}`, want: "LambdaEntryPoint error: no ENTRYPOINT and no CMD"},
		"neither, and ImageConfig has one":   {config: configWith(object{}), function: Function{EntryPoint: []string{"/handler"}}},
		"neither, and ImageConfig a Command": {config: configWith(object{}), function: Function{Command: []string{"/handler"}}},
		"ImageConfig replaces a wrong one":   {config: entry("./handler"), function: Function{EntryPoint: []string{"/handler"}}},
		"ImageConfig has a wrong one":        {function: Function{EntryPoint: []string{"./handler"}}, want: `LambdaEntryPoint error: EntryPoint of ImageConfig starts "./handler"`},
		"ImageConfig is not known yet":       {config: configWith(object{}), function: Function{Unresolved: true}},
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	// with returns a config whose four settings have so many bytes together.
	with := func(size int) object {
		env := "A=" + strings.Repeat("x", size-len("A="+"/run"+"app.handler"+"/var/task"))
		return configWith(object{"Entrypoint": []string{"/run"}, "Cmd": []string{"app.handler"}, "WorkingDir": "/var/task", "Env": []string{env}})
	}
	long := []string{"/run", strings.Repeat("x", 16<<10)}
	judge(t, map[string]judged{
		"16 KB":                           {config: with(16 << 10)},
		"16 KB and one byte":              {config: with(16<<10 + 1), want: "LambdaSettings error: ENTRYPOINT, CMD, WORKDIR and ENV have 16385 bytes together, and Lambda takes at most 16 KB (16384 bytes)"},
		"labels do not count":             {config: configWith(object{"Entrypoint": []string{"/run"}, "Labels": object{"a": strings.Repeat("x", 20<<10)}})},
		"a long EntryPoint":               {function: Function{EntryPoint: long}, want: "LambdaSettings error: together"},
		"a long Command":                  {function: Function{Command: long}, want: "LambdaSettings error: together"},
		"a long WorkingDirectory":         {function: Function{WorkingDirectory: long[1]}, want: "LambdaSettings error: together"},
		"a shorter WorkingDirectory":      {config: with(16<<10 + 1), function: Function{WorkingDirectory: "/"}},
		"an environment of 4 KB":          {function: Function{EnvironmentSize: 4 << 10}},
		"an environment of 4 KB and more": {function: Function{EnvironmentSize: 4<<10 + 1}, want: "LambdaSettings error: the function's environment variables have 4097 bytes together, and Lambda takes at most 4 KB (4096 bytes)"},
	})
}

func TestCheckWithLooksIntoAnIndex(t *testing.T) {
	t.Parallel()
	relative := Image{Manifest: encode(t, goodManifest), Config: encode(t, entry("./handler"))}
	stored := func(index object) map[string]Image {
		return map[string]Image{"": {Manifest: encode(t, index)}, digestA: relative, digestB: relative}
	}
	arm := Function{Architecture: "arm64", EnvironmentSize: 5 << 10}
	for name, c := range map[string]struct {
		images   map[string]Image
		function Function
		want     string
	}{
		"an image":                        {map[string]Image{"": relative}, Function{}, "LambdaEntryPoint"},
		"an index of one image":           {stored(index(ociIndex, "linux/amd64", "attestation")), Function{}, "LambdaManifest LambdaEntryPoint"},
		"an index of two":                 {stored(index(ociIndex, "linux/amd64", "linux/arm64")), Function{}, "LambdaManifest"},
		"an index of two, for one":        {stored(index(ociIndex, "linux/amd64", "linux/arm64")), arm, "LambdaManifest LambdaSettings LambdaPlatform LambdaEntryPoint"},
		"an index of two, for another":    {stored(index(ociIndex, "linux/amd64", "linux/386")), Function{Architecture: "arm64"}, "LambdaManifest"},
		"an index in an index is no loop": {map[string]Image{"": {Manifest: encode(t, index(ociIndex, "linux/amd64"))}, digestA: {Manifest: encode(t, index(ociIndex, "linux/amd64"))}}, Function{}, "LambdaManifest LambdaManifest"},
		"an index without a digest":       {map[string]Image{"": {Manifest: []byte(`{"manifests": [{"digest": "sha256:../../x"}]}`)}}, Function{}, "LambdaManifest"},
		"no JSON":                         {map[string]Image{"": {Manifest: []byte("<html>")}}, Function{}, "LambdaManifest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := CheckWith(c.function, func(digest string) (Image, error) {
				image, ok := c.images[digest]
				if !ok {
					t.Errorf("%q is read", digest)
				}
				return image, nil
			})
			var rules []string
			for _, f := range found {
				rules = append(rules, f.Rule.Name)
			}
			if got := strings.Join(rules, " "); err != nil || got != c.want {
				t.Errorf("got %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestCheckWithReturnsTheErrorOfRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("the registry is down")
	for _, failing := range []string{"", digestA} {
		_, err := CheckWith(Function{}, func(digest string) (Image, error) {
			if digest == failing {
				return Image{}, broken
			}
			return Image{Manifest: encode(t, index(ociIndex, "linux/amd64"))}, nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("read of %q: %v", failing, err)
		}
	}
}

// docs/lambda.md has a section for each rule and no other sections.
func TestEveryRuleIsExplained(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/lambda.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^## `).Split(string(data), -1)[1:]
	if len(sections) != len(Rules()) {
		t.Fatalf("there are %d sections and %d rules", len(sections), len(Rules()))
	}
	for i, rule := range Rules() {
		heading, text, _ := strings.Cut(sections[i], "\n")
		if heading != rule.Name || !strings.HasPrefix(text, "**"+rule.Description+".**") || !strings.HasSuffix(rule.URL(), "docs/lambda.md#"+strings.ToLower(heading)) {
			t.Errorf("the section of %s is\n## %s\n%s", rule.Name, heading, text)
		}
	}
}

package llbgen_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

func TestBuildErrors(t *testing.T) {
	t.Parallel()
	offline := errors.New("no route to host")
	for _, test := range []struct {
		name    string
		file    string
		options func(*llbgen.Options)
		want    string
	}{
		{
			name: "an image that cannot be resolved is shown in the build file",
			file: buildFile + "docker: false\n",
			options: func(o *llbgen.Options) {
				resolve := o.Resolve
				o.Resolve = func(ctx context.Context, ref string, platform ocispecs.Platform, pin llbgen.Pin) (*llbgen.SourceImage, error) {
					if strings.Contains(ref, "plugin") {
						return nil, offline
					}
					return resolve(ctx, ref, platform, pin)
				}
			},
			want: `samforge.yaml:3:10: plugin.image: no route to host
   3 |   image: harness/aws-sam-plugin:1.1.2-beta-base-image
                ^`,
		},
		{
			name: "a download that fails names its address, after mirrors",
			file: buildFile + "goTemplate: {version: v0.4.5}\nmirrors: {'https://app.harness.io/': 'https://files.example.com/'}\n",
			options: func(o *llbgen.Options) {
				o.Checksum = func(context.Context, llbgen.Download) (digest.Digest, error) { return "", offline }
			},
			want: `samforge.yaml:8:13: goTemplate: download https://files.example.com/public/shared/tools/go-template/release/v0.4.5/bin/linux/amd64/go-template (check the version, or set mirrors): no route to host
   8 | goTemplate: {version: v0.4.5}
                   ^`,
		},
		{
			name: "an archive that cannot be downloaded is shown too",
			file: buildFile + "docker: {archive: 'https://files.example.com/docker.tgz'}\ngoTemplate: false\n",
			options: func(o *llbgen.Options) {
				o.Checksum = func(context.Context, llbgen.Download) (digest.Digest, error) { return "", offline }
			},
			want: `samforge.yaml:8:19: docker.archive: download https://files.example.com/docker.tgz (check the version, or set mirrors): no route to host
   8 | docker: {archive: 'https://files.example.com/docker.tgz'}
                         ^`,
		},
		{
			name: "a docker image for another architecture is shown by its version",
			file: buildFile + "docker: {version: 17.12.0}\n",
			options: withBase(func(image *llbgen.SourceImage) {
				if strings.Contains(image.Name, "docker:") {
					image.Config.Architecture = "s390x"
				}
			}),
			want: `samforge.yaml:8:19: docker.version: docker.io/library/docker:17.12.0-cli is an image for linux/s390x, not for linux/amd64: name one that has amd64
   8 | docker: {version: 17.12.0}
                         ^`,
		},
		{
			name: "an image that says no architecture is refused",
			file: buildFile + "docker: {version: 17.12.0}\n",
			options: withBase(func(image *llbgen.SourceImage) {
				if strings.Contains(image.Name, "docker:") {
					image.Config.Architecture = ""
				}
			}),
			want: `samforge.yaml:8:19: docker.version: docker.io/library/docker:17.12.0-cli does not say which architecture it is for: name one that is for linux/amd64
   8 | docker: {version: 17.12.0}
                         ^`,
		},
		{
			name:    "plain files cannot be a base",
			file:    strings.Replace(buildFile, "plugin:\n  image: harness/aws-sam-plugin:1.1.2-beta-base-image", "plugin:\n  image: harness/plugin", 1),
			options: withBase(func(image *llbgen.SourceImage) { image.Config = nil }),
			want: `samforge.yaml:7:12: runtimes[0].image: public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138 is replaced by plain files, and a base image needs a config: use docker-image:// or oci-layout://
   7 |   - image: public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138
                  ^`,
		},
		{
			name: "a plugin image for another architecture is refused",
			file: buildFile,
			options: withBase(func(image *llbgen.SourceImage) {
				if strings.Contains(image.Name, "plugin") {
					image.Config.Architecture = "arm64"
				}
			}),
			want: `samforge.yaml:3:10: plugin.image: harness/aws-sam-plugin:1.1.2-beta-base-image is an image for linux/arm64, not for linux/amd64: name one that has amd64
   3 |   image: harness/aws-sam-plugin:1.1.2-beta-base-image
                ^`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, test.file, nil)
			opt := fakeOptions(plan, "linux/amd64")
			test.options(&opt)
			_, err := plan.Build(t.Context(), plan.Targets[0], opt)
			if err == nil || err.Error() != test.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, test.want)
			}
			if strings.Contains(test.want, offline.Error()) && !errors.Is(err, offline) {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestAGivenChecksumIsTakenAtItsWord(t *testing.T) {
	t.Parallel()
	sum := digest.FromString("go-template v0.4.5 for arm64")
	plan := load(t, buildFile+"goTemplate:\n  version: v0.4.5\n  sha256:\n    arm64: "+strings.ToUpper(sum.Encoded())+"\n", nil)
	opt := fakeOptions(plan, "linux/arm64")
	opt.Checksum = func(_ context.Context, d llbgen.Download) (digest.Digest, error) {
		url := d.URL
		return "", errors.New("nothing needs to be downloaded, but this was: " + url)
	}
	image := build(t, plan, opt)
	if text := graphText(decode(t, image.State, opt.Platform)); !strings.Contains(text, "http.checksum "+sum.String()) {
		t.Errorf("no download has the checksum %s:\n%s", sum, text)
	}
	if len(image.Warnings) > 0 {
		t.Errorf("warnings: %v", image.Warnings)
	}
}

func TestWarningsAreInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	plan := load(t, buildFile+"docker:\n  archive: https://files.example.com/docker.tgz\ngoTemplate:\n  version: v0.4.5\n", nil)
	for range 20 { // the downloads race
		warnings := build(t, plan, fakeOptions(plan, "linux/amd64")).Warnings
		if len(warnings) != 2 || warnings[0].Field != "docker.archive" || warnings[1].Field != "goTemplate" {
			t.Fatalf("got %v", warnings)
		}
	}
}

func TestPluginFilesMayComeFromAFolder(t *testing.T) {
	t.Parallel()
	plan := load(t, buildFile, nil)
	opt := fakeOptions(plan, "linux/amd64")
	withBase(func(image *llbgen.SourceImage) {
		if strings.Contains(image.Name, "plugin") {
			image.Digest, image.Config, image.State = "", nil, llb.Local("plugin")
		}
	})(&opt)
	if text := graphText(decode(t, build(t, plan, opt).State, opt.Platform)); !strings.Contains(text, "local://plugin") {
		t.Errorf("the folder is not in the graph:\n%s", text)
	}
}

func TestTheBaseConfigStaysAsItIs(t *testing.T) {
	t.Parallel()
	plan := load(t, buildFile+"labels: {team: platform}\n", nil)
	opt := fakeOptions(plan, "linux/amd64")
	withBase(func(image *llbgen.SourceImage) {
		image.Config.History[0].Created = nil
		image.Config.Config.Labels = map[string]string{"vendor": "aws", "team": "lambda"}
	})(&opt)
	image := build(t, plan, opt)
	if image.Base.Config.History[0].Created != nil || len(image.Base.Config.Config.Labels) != 2 || len(image.Base.Config.Config.Cmd) != 1 {
		t.Errorf("the base's config was changed: %s", configText(image.Base.Config))
	}
	if got := image.Config.Config.Labels; got["vendor"] != "aws" || got["team"] != "platform" {
		t.Errorf("labels are %v; the base's stay, where the file does not say otherwise", got)
	}
	if !image.Config.History[0].Created.Equal(llbgen.DefaultEpoch()) {
		t.Errorf("history without a time got %v", image.Config.History[0].Created)
	}
}

// A signed URL has a query that is longer than a file name can be, and a path may have any
// character.
func TestNamesOfDownloads(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 300)
	for url, want := range map[string]string{
		"https://files.example.com/docker-28.5.2.tgz":            "docker-28.5.2.tgz",
		"https://files.example.com/docker.tgz?signature=" + long: "docker.tgz",
		"https://files.example.com/docker.tgz#" + long:           "docker.tgz",
		"https://files.example.com/" + long + ".tgz":             "download",
		"https://files.example.com/a\u0085b.tgz":                 "download",
		"https://files.example.com/..":                           "download",
	} {
		plan := load(t, buildFile+"goTemplate: false\ndocker: {archive: "+strconv.QuoteToASCII(url)+"}\n", nil)
		opt := fakeOptions(plan, "linux/amd64")
		got := ""
		opt.Checksum = func(_ context.Context, d llbgen.Download) (digest.Digest, error) {
			got = d.Filename
			return digest.FromString("a download"), nil
		}
		graph := graphText(decode(t, build(t, plan, opt).State, opt.Platform))
		if got != want || !strings.Contains(graph, ":/"+want+" -> / ") {
			t.Errorf("%.60s is downloaded to %s, want %s:\n%s", url, got, want, graph)
		}
	}
}

// The exporter assigns the layers to the history in order: our entries name our layers, whatever
// the base's history is like.
func TestHistoryHasOneEntryALayer(t *testing.T) {
	t.Parallel()
	entry := func(by string, empty bool) ocispecs.History {
		return ocispecs.History{CreatedBy: by, EmptyLayer: empty}
	}
	for name, c := range map[string]struct {
		history []ocispecs.History
		want    string // the entries with a layer, of which the base has two
	}{
		"as many":         {[]ocispecs.History{entry("one", false), entry("ENV", true), entry("two", false)}, "one, two"},
		"none":            {nil, "base image, base image"},
		"one too few":     {[]ocispecs.History{entry("one", false), entry("ENV", true)}, "one, base image"},
		"two too many":    {[]ocispecs.History{entry("a", false), entry("b", false), entry("one", false), entry("two", false)}, "one, two"},
		"empty ones, too": {[]ocispecs.History{entry("a", false), entry("one", false), entry("two", false), entry("CMD", true)}, "one, two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, buildFile, nil)
			opt := fakeOptions(plan, "linux/amd64")
			withBase(func(image *llbgen.SourceImage) { image.Config.History = c.history })(&opt)
			image := build(t, plan, opt)
			var by []string
			for _, h := range image.Config.History {
				if !h.EmptyLayer {
					by = append(by, h.CreatedBy)
				}
			}
			if len(by) != 2+len(image.Layers) || strings.Join(by[:2], ", ") != c.want || !strings.HasPrefix(by[2], "plugin from ") {
				t.Errorf("the entries with a layer are %q", by)
			}
		})
	}
}

func TestStepsPointAtTheBuildFile(t *testing.T) {
	t.Parallel()
	plan := load(t, buildFile+"goTemplate: false\n", nil)
	opt := fakeOptions(plan, "linux/amd64")
	opt.SourceMap = llb.NewSourceMap(nil, "samforge.yaml", "YAML", []byte(buildFile))
	def, err := build(t, plan, opt).State.Marshal(t.Context(), llb.Platform(opt.Platform))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]int32{}
	for dgst, locations := range def.ToPB().Source.Locations {
		name := def.Metadata[digest.Digest(dgst)].Description["llb.customname"]
		for _, location := range locations.Locations {
			lines[name] = location.Ranges[0].Start.Line
		}
	}
	for step, want := range map[string]int32{
		"copy the plugin from docker.io/harness/aws-sam-plugin:1.1.2-beta-base-image": 3,
		"make the plugin's directories":                                               3,
		"assemble the image":                                                          7,
	} {
		if lines[step] != want {
			t.Errorf("%q points at line %d, want %d", step, lines[step], want)
		}
	}
}

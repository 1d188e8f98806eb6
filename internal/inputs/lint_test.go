package inputs

import (
	"context"
	"errors"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestLint: Docker's own rules find what they find in `docker build --check`, without a registry as
// far as the settings of the images are known.
func TestLint(t *testing.T) {
	t.Parallel()
	const lambda, other = "FROM " + baseImage + "\n", "FROM images.example.com/other:1\n"
	for name, c := range map[string]struct {
		dockerfile  string
		args        map[string]string
		unreachable bool
		want        string // the rules, with the lines
		mistake     string
	}{
		"nothing is found":                          {dockerfile: lambda + "COPY app ${LAMBDA_TASK_ROOT}/\nCMD [\"app.handler\"]\n"},
		"the settings of Lambda's images are known": {dockerfile: lambda + "ENV A=$LAMBDA_RUNTIME_DIR\n", unreachable: true},
		"a finding":                                    {dockerfile: lambda + "CMD app.handler\n", want: "JSONArgsRecommended:2"},
		"an unknown variable":                          {dockerfile: lambda + "ENV A=$OTHER\n", want: "UndefinedVar:2"},
		"a variable of another image":                  {dockerfile: other + "ENV A=$OF_IMAGE\n"},
		"an unknown variable of an image out of reach": {dockerfile: other + "ENV A=$OF_IMAGE\nCMD a\n", unreachable: true, want: "JSONArgsRecommended:3"},
		"a stage that is not the target":               {dockerfile: "FROM scratch as other\n" + lambda, want: "FromAsCasing:1"},
		"a rule that is skipped":                       {dockerfile: "# check=skip=JSONArgsRecommended\n" + lambda + "CMD app.handler\n"},
		"findings are no mistakes here":                {dockerfile: "# check=error=true\n" + lambda + "CMD app.handler\n", want: "JSONArgsRecommended:3"},
		"the build argument takes its place":           {dockerfile: "# check=skip=all\n" + lambda + "CMD a\n", args: map[string]string{"BUILDKIT_DOCKERFILE_CHECK": ""}, want: "JSONArgsRecommended:3"},
		"a frontend in another language":               {dockerfile: "# syntax=images.example.com/other:1\nrecipe: true\n"},
		"Docker's own frontend":                        {dockerfile: "# syntax=docker/dockerfile:1\n" + lambda + "CMD a\n", want: "JSONArgsRecommended:3"},
		"a mistake":                                    {dockerfile: lambda + "COPPY a b\n", mistake: "2: dockerfile parse error on line 2: unknown instruction: COPPY"},
		"an image that is not there":                   {dockerfile: "FROM images.example.com/missing:1\n", mistake: "1: images.example.com/missing:1"},
		"a directive that is none":                     {dockerfile: "# check=what\n" + lambda, mistake: ": app/Dockerfile: failed to parse check options"},
		"an empty file":                                {mistake: ": app/Dockerfile: the Dockerfile cannot be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, c.dockerfile)
			a.build.Args = c.args
			f := &Finder{Resolve: func(ctx context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error) {
				if c.unreachable {
					return "", nil, &UnreachableError{errors.New("no such host")}
				}
				_, _, err := a.resolve(ctx, ref, platform)
				return digest.FromString(ref), []byte(`{"architecture":"amd64","os":"linux","config":{"Env":["OF_IMAGE=1"]}}`), err
			}}
			results, err := f.Lint(t.Context(), a.build, "app/Dockerfile")
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, w := range results.Warnings {
				found = append(found, w.RuleName+":"+lineOf(w.Location.Ranges[0].Start.Line))
			}
			got := ""
			if results.Error != nil {
				if ranges := results.Error.Location.Ranges; len(ranges) > 0 {
					got = lineOf(ranges[0].Start.Line)
				}
				got += ": " + results.Error.Message
			}
			if strings.Join(found, " ") != c.want || !strings.HasPrefix(got, c.mistake) || c.mistake == "" && got != "" || results.Sources[0].Filename != "app/Dockerfile" {
				t.Errorf("found %v and the mistake %q, want %s and %q", found, got, c.want, c.mistake)
			}
		})
	}
}

func lineOf(line int32) string { return string('0' + line) }

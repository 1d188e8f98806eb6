package integration

import (
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"

	"github.com/samforge/samforge/integration/testenv"
)

// inside runs a shell script in a finished image, with its environment and user, and returns its
// output. An error of the script is in err.
func (b *bed) inside(d *testenv.Buildkitd, ref, script string) (output string, err error) {
	b.t.Helper()
	image, err := b.Registry.ReadImage(b.t.Context(), ref, "linux/amd64", testenv.OnlyLayers(1000))
	must(b.t, err)
	opts := []llb.RunOption{llb.Args([]string{"/bin/sh", "-ec", script}), llb.Dir("/tmp"), llb.IgnoreCache}
	for _, variable := range image.Config.Env {
		name, value, _ := strings.Cut(variable, "=")
		opts = append(opts, llb.AddEnv(name, value))
	}
	def, err := llb.Image(ref).Run(opts...).Marshal(b.t.Context(), llb.LinuxAmd64)
	must(b.t, err)
	c, err := d.Client(b.t.Context())
	must(b.t, err)
	defer c.Close()
	var text strings.Builder
	status, done := make(chan *client.SolveStatus), make(chan struct{})
	go func() {
		defer close(done)
		for s := range status {
			for _, line := range s.Logs {
				text.Write(line.Data)
			}
		}
	}()
	_, err = c.Solve(b.t.Context(), def, client.SolveOpt{FrontendAttrs: map[string]string{}}, status)
	<-done
	return text.String(), err
}

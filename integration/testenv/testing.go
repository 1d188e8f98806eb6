// The test bed for one test.

package testenv

import "testing"

// Options says what [New] starts. The zero value is an open registry, a file
// server and a rootful buildkitd that finds the public registries' images in it.
type Options struct {
	Registry    RegistryOptions
	Buildkitd   BuildkitdOptions // without Mirrors, the registry's own are set
	NoBuildkitd bool
}

// Env is a running test bed.
type Env struct {
	Registry  *Registry
	Files     *Files
	Buildkitd *Buildkitd // nil with NoBuildkitd
}

// New starts a test bed that ends with the test. The test fails if something does not start; a
// failed test shows the end of buildkitd's log.
func New(t testing.TB, options Options) *Env {
	t.Helper()
	var env Env
	var err error
	if env.Registry, err = StartRegistry(t.Context(), options.Registry); err != nil {
		t.Fatal(err)
	}
	closeAfter(t, env.Registry)
	if env.Files, err = StartFiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	closeAfter(t, env.Files)
	if options.NoBuildkitd {
		return &env
	}
	if options.Buildkitd.Mirrors == nil {
		options.Buildkitd.Mirrors = env.Registry.Mirrors()
	}
	if env.Buildkitd, err = StartBuildkitd(t.Context(), options.Buildkitd); err != nil {
		t.Fatal(err)
	}
	closeAfter(t, env.Buildkitd)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("buildkitd's log ends with:\n%s", env.Buildkitd.Log())
		}
	})
	return &env
}

func closeAfter(t testing.TB, server interface{ Close() error }) {
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("stopping a server of the test bed: %v", err)
		}
	})
}

package main

import (
	"path/filepath"
	"testing"
)

// What a build writes is no change, or it would never end.
func TestFilesThatABuildWrites(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := watchFlags{buildFlags: &buildFlags{}}
	f.build.MetadataFile, f.output.Output = filepath.Join(dir, "meta.json"), filepath.Join(dir, "packaged.yaml")
	f.build.Outputs = []string{"type=oci,dest=" + filepath.Join(dir, "image.tar"), filepath.Join(dir, "out"), "-"}
	for name, want := range map[string]bool{
		"meta.json": true, ".tmp-meta.json123": true, "packaged.yaml": true, "packaged-Child.yaml": true, ".tmp-packaged-Child.yaml1": true, "image.tar": true, "out": true, "out/a/b": true,
		"meta.json.orig": false, "packaged2.yaml": false, "meta-a.json": false, "outer": false, "app.mjs": false, "-": false,
	} {
		if got := f.writes(filepath.Join(dir, name)); got != want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

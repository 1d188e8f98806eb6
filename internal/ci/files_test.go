package ci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of the settings that cannot be written is an error before the build.
func TestFilesAreCheckedBeforeTheBuild(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"PLUGIN_TAR_PATH", "PLUGIN_METADATA_FILE", "PLUGIN_ARTIFACT_FILE", "PLUGIN_IMAGE_NAME_WITH_DIGEST_FILE",
		"PLUGIN_IMAGE_NAME_TAG_WITH_DIGEST_FILE", "DRONE_OUTPUT",
	} {
		for path, want := range map[string]string{
			file + "/image":            name + ": the user ",
			"/proc/none":               name + ": the user ",
			folder + "/" + name + "/x": "",
			file:                       "",
			"/dev/null":                "",
		} {
			step, _, err := Read([]string{name + "=" + path})
			if err != nil {
				t.Fatal(err)
			}
			err = step.checkFiles()
			if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
				t.Errorf("%s=%s: got %v, want %q", name, path, err, want)
			}
		}
	}
	if left, _ := filepath.Glob(folder + "/*/.samforge-*"); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

// Kubernetes mounts /dev/termination-log: nobody can put another file in its place.
func TestWriteToAFileThatCannotBeReplaced(t *testing.T) {
	t.Parallel()
	if err := write("/dev/null", []byte("digest\n")); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "log")
	for _, text := range []string{"a long digest\n", "a digest\n"} {
		if err := write(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); string(got) != text || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

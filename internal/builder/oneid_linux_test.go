package builder

import (
	"os"
	"testing"
)

func TestSpecLosesOnlyTheGroupOfTerminals(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/config.json"
	writeFile(t, file, `{"linux":{"maskedPaths":[],"uid":18446744073709551615},"mounts":[`+
		`{"options":["nosuid","gid=5"],"type":"tmpfs"},{"options":["mode=0620","gid=5"],"type":"devpts"},{"type":"bind"}]}`)
	if err := editSpec(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"linux":{"maskedPaths":[],"uid":18446744073709551615},"mounts":[` +
		`{"options":["nosuid","gid=5"],"type":"tmpfs"},{"options":["mode=0620"],"type":"devpts"},{"type":"bind"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

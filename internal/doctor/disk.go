package doctor

import "fmt"

const (
	gigabyte = 1 << 30
	tooLow   = 1 * gigabyte // a runtime's base image unpacked does not fit
	low      = 10 * gigabyte
)

// temporary checks the folder that rootlesskit and buildkitd mount in.
func (m Machine) temporary() Finding {
	const check, folder = "temporary files", "/tmp"
	if _, err := m.Disk(folder); err != nil {
		return Finding{check, Problem, fmt.Sprintf("%s cannot be used: %v", folder, err), []Remedy{
			{dockerRun, "--tmpfs " + folder},
			{kubernetes, "volumes:\n- {name: tmp, emptyDir: {}}\ncontainers:\n- volumeMounts:\n  - {name: tmp, mountPath: " + folder + "}"},
		}}
	}
	return ok(check, folder+" can be written to")
}

// cacheVolume is a volume for the state of a private buildkitd.
var cacheVolume = []Remedy{
	{dockerRun, "--volume samforge:/home/samforge/.cache"},
	{kubernetes, "volumes:\n- name: cache\n  emptyDir: {sizeLimit: 20Gi}\ncontainers:\n- volumeMounts:\n  - {name: cache, mountPath: /home/samforge/.cache}\nsecurityContext: # of the pod, so that the user owns the volume\n  fsGroup: 1000"},
	{host, "XDG_CACHE_HOME=/a/folder/that/only/you/can/write/to"},
}

// disk checks the folder that a private buildkitd keeps its state in.
func (m Machine) disk(folder string) []Finding {
	const check = "disk"
	disk, err := m.Disk(folder)
	if err != nil {
		return []Finding{{check, Problem, fmt.Sprintf("the state of the buildkitd would be in %s, which cannot be used: %v", folder, err), cacheVolume}}
	}
	free := fmt.Sprintf("the state of the buildkitd would be in %s, with %.1f GB free", folder, float64(disk.Free)/gigabyte)
	space := ok(check, free)
	switch {
	case disk.Free < tooLow:
		space = Finding{check, Problem, free + ", which no base image fits in", cacheVolume}
	case disk.Inodes != 0 && disk.Inodes < 100_000:
		space = Finding{check, Warning, fmt.Sprintf("%s and %d files, which a few images with node_modules use up", free, disk.Inodes), cacheVolume}
	case disk.Free < low:
		space = Finding{check, Warning, free + ", which a few images use up", cacheVolume}
	}
	return []Finding{space}
}

// snapshots checks whether BuildKit can use overlayfs in that folder. BuildKit tries the same when it
// starts, then fuse-overlayfs, and copies files if it has neither: see newWorker in its
// main_oci_worker.go.
func (m Machine) snapshots(folder string) Finding {
	const check = "snapshots"
	err := m.TryOverlay(folder)
	if err == nil {
		return ok(check, "BuildKit can use overlayfs in that folder")
	}
	detail := fmt.Sprintf("overlayfs cannot be used in that folder (%v)", err)
	if m.HasFuse() {
		return ok(check, detail+", and fuse-overlayfs takes its place")
	}
	return Finding{check, Warning, detail + ": BuildKit copies all files for each step, which is slow and takes space. The container's own file system is such a folder, a volume is not", cacheVolume}
}

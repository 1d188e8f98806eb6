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

// disk checks the folder that a private buildkitd keeps its state in.
func (m Machine) disk(folder string) []Finding {
	const check = "disk"
	remedies := []Remedy{
		{dockerRun, "--volume samforge:/home/samforge/.cache"},
		{kubernetes, "volumes:\n- name: cache\n  emptyDir: {sizeLimit: 20Gi}\ncontainers:\n- volumeMounts:\n  - {name: cache, mountPath: /home/samforge/.cache}\nsecurityContext: # of the pod, so that the user owns the volume\n  fsGroup: 1000"},
		{host, "XDG_CACHE_HOME=/a/folder/that/only/you/can/write/to"},
	}
	disk, err := m.Disk(folder)
	if err != nil {
		return []Finding{{check, Problem, fmt.Sprintf("the state of the buildkitd would be in %s, which cannot be used: %v", folder, err), remedies}}
	}
	free := fmt.Sprintf("the state of the buildkitd would be in %s, with %.1f GB free", folder, float64(disk.Free)/gigabyte)
	space := ok(check, free)
	switch {
	case disk.Free < tooLow:
		space = Finding{check, Problem, free + ", which no base image fits in", remedies}
	case disk.Inodes != 0 && disk.Inodes < 100_000:
		space = Finding{check, Warning, fmt.Sprintf("%s and %d files, which a few images with node_modules use up", free, disk.Inodes), remedies}
	case disk.Free < low:
		space = Finding{check, Warning, free + ", which a few images use up", remedies}
	}
	if !disk.Overlay {
		return []Finding{space, ok("snapshots", "the folder is not on an overlay, so BuildKit can use overlayfs there")}
	}
	return []Finding{space, {
		"snapshots", Warning,
		"the folder is on the container's own overlay, where BuildKit cannot use overlayfs: it copies all files for each step, which is slow and takes space", remedies,
	}}
}

// Keeping state in memory, where there is enough.

package testenv

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// MemoryDir is a directory whose files are in memory.
const MemoryDir = "/dev/shm"

// enoughMemory is the memory in bytes that must be free for another buildkitd to keep its state
// there. The largest builds of the tests need a third of it, and several run side by side.
const enoughMemory = 8 << 30

// hasMemory reports whether the state of a buildkitd can be in memory. npm writes some ten thousand
// small files in a build, which takes half the time there.
func hasMemory() bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(MemoryDir, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		return false
	}
	return int64(fs.Bavail)*fs.Bsize >= enoughMemory && availableMemory() >= enoughMemory
}

// availableMemory returns MemAvailable of proc_meminfo(5) in bytes, 0 if it is unknown.
func availableMemory() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(data) {
		if fields := bytes.Fields(line); len(fields) >= 2 && string(fields[0]) == "MemAvailable:" {
			kilobytes, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// What is in memory: the state of builders where there is enough, and what processes have.

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
func availableMemory() int64 { return sizeIn("/proc/meminfo", "MemAvailable") }

// MemoryOf returns a size of a process in proc_pid_status(5), such as VmRSS or VmHWM, in bytes; 0 if the
// process has ended.
func MemoryOf(pid int, field string) int64 {
	return sizeIn("/proc/"+strconv.Itoa(pid)+"/status", field)
}

// sizeIn returns a size that a file of the kernel has in kilobytes.
func sizeIn(file, field string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(data) {
		if fields := bytes.Fields(line); len(fields) >= 2 && string(fields[0]) == field+":" {
			kilobytes, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

package instance

import (
	"bytes"
	"os"
	goruntime "runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// resident returns the memory of a process in bytes, without what a kernel can take back at any time,
// such as the pages of a program's file: proc_pid_status(5).
func resident(pid int) int64 {
	sum, _ := sizes(pid, "status", "RssAnon", "RssShmem", "VmSwap") // 0 if it has ended
	return sum
}

// sizes returns the sum of some fields of a process in bytes, and how many of them the kernel has.
func sizes(pid int, file string, fields ...string) (sum int64, found int) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + file)
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(data) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		for _, field := range fields {
			if string(key) == field {
				kib, _ := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
				sum, found = sum+kib<<10, found+1
			}
		}
	}
	return sum, found
}

// sharedMemory measures processes together, and counts once what several of them have: a process that was
// forked shares the memory of its parent until one of them writes to it.
type sharedMemory struct {
	uid, gid int

	mu       sync.Mutex
	measured time.Time
	last     int64
}

// sharedInterval is how long a measurement counts: the kernel looks at each page for it.
const sharedInterval = 25 * time.Millisecond

// of returns the memory of the processes in bytes.
func (s *sharedMemory) of(pids []int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.measured) < sharedInterval {
		return s.last
	}
	s.last = 0
	over := make(chan struct{})
	go func() {
		defer close(over)
		// The kernel tells this about a process to its own user, and to others only with a capability that
		// build steps do not have. The thread stays that user's, and so it ends with the goroutine.
		goruntime.LockOSThread()
		_, _ = syscall.Setfsgid(s.gid), syscall.Setfsuid(s.uid)
		for _, pid := range pids {
			s.last += proportional(pid)
		}
	}()
	<-over
	s.measured = time.Now()
	return s.last
}

// proportional returns the memory of a process with its share of what others have too. Where the kernel
// does not tell, it is all that the process has.
func proportional(pid int) int64 {
	const fields = 3
	if sum, found := sizes(pid, "smaps_rollup", "Pss_Anon", "Pss_Shmem", "SwapPss"); found == fields {
		return sum
	}
	return resident(pid)
}

package instance

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// memoryInterval is how often the memory of the processes is looked at.
const memoryInterval = 5 * time.Millisecond

// memory watches how much memory the processes of a container have, but this one. A control group would
// do so more exactly, but a rootless builder often may not set one.
type memory struct {
	over, seen atomic.Int64 // 1 if the limit was exceeded; the most bytes
	end        chan struct{}
	once       sync.Once
	watching   sync.WaitGroup
}

// watchMemory calls kill when the processes have more than limit bytes. A limit of 0 is none.
func watchMemory(limit int64, kill func()) *memory {
	m := &memory{end: make(chan struct{})}
	m.watching.Go(func() {
		tick := time.NewTicker(memoryInterval)
		defer tick.Stop()
		for {
			select {
			case <-m.end:
				return
			case <-tick.C:
			}
			now := resident()
			if now > m.seen.Load() {
				m.seen.Store(now)
			}
			if limit > 0 && now > limit && m.over.CompareAndSwap(0, 1) {
				kill()
			}
		}
	})
	return m
}

func (m *memory) most() int64    { return m.seen.Load() }
func (m *memory) exceeded() bool { return m.over.Load() == 1 }

func (m *memory) stop() {
	m.once.Do(func() { close(m.end) })
	m.watching.Wait()
}

// resident returns the memory of all processes that are seen but this one, in bytes, without what a
// kernel can take back at any time, such as the pages of a program's file: proc_pid_status(5).
func resident() (sum int64) {
	folder, err := os.Open("/proc")
	if err != nil {
		return 0
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return 0
	}
	self := strconv.Itoa(os.Getpid())
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' || name == self {
			continue
		}
		data, err := os.ReadFile("/proc/" + name + "/status")
		if err != nil {
			continue // it has ended
		}
		for line := range bytes.Lines(data) {
			key, value, _ := bytes.Cut(line, []byte(":"))
			switch string(key) {
			case "RssAnon", "RssShmem", "VmSwap":
				kib, _ := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
				sum += kib << 10
			}
		}
	}
	return sum
}

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

// resident returns the resident memory of all processes that are seen but this one, in bytes:
// proc_pid_statm(5). Processes share pages, which are counted for each of them.
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
		data, err := os.ReadFile("/proc/" + name + "/statm")
		if err != nil {
			continue // it has ended
		}
		if fields := bytes.Fields(data); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			sum += pages * int64(os.Getpagesize())
		}
	}
	return sum
}

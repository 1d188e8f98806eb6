package instance

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The memory of the processes is looked at every memoryInterval while the runtime starts or answers, and
// every restInterval in between. A look costs much less than to find the processes, which happens at each
// of listEvery looks.
const (
	memoryInterval = 5 * time.Millisecond
	restInterval   = 250 * time.Millisecond
	listEvery      = 4
)

// memory watches how much memory the processes have that this one started. A control group would do so
// more exactly, but a rootless builder often may not set one.
type memory struct {
	limit    int64
	kill     func()
	over     atomic.Bool  // the limit was exceeded
	seen     atomic.Int64 // the most bytes
	rests    atomic.Bool
	shared   sharedMemory
	woken    chan struct{}
	end      chan struct{}
	once     sync.Once
	watching sync.WaitGroup
}

// watchMemory calls kill when the processes, which are those of a user, have more than limit bytes. A
// limit of 0 is none.
func watchMemory(limit int64, uid, gid uint32, kill func()) *memory {
	m := &memory{limit: limit, kill: kill, shared: sharedMemory{uid: int(uid), gid: int(gid)}, woken: make(chan struct{}, 1), end: make(chan struct{})}
	m.watching.Go(m.watch)
	return m
}

func (m *memory) watch() {
	timer := time.NewTimer(m.interval())
	defer timer.Stop()
	var pids []int
	for looks := 0; ; looks++ {
		select {
		case <-m.end:
			return
		case <-m.woken:
			looks = 0
		case <-timer.C:
		}
		if looks%listEvery == 0 || m.rests.Load() {
			pids = descendants(os.Getpid())
		}
		m.note(pids)
		timer.Reset(m.interval())
	}
}

func (m *memory) interval() time.Duration {
	if m.rests.Load() {
		return restInterval
	}
	return memoryInterval
}

// rest says that no invocation runs, and wake that one does.
func (m *memory) rest() { m.rests.Store(true) }

func (m *memory) wake() {
	m.rests.Store(false)
	select {
	case m.woken <- struct{}{}:
	default: // it wakes already
	}
}

// procFolder is where the kernel shows the processes: proc(5).
const procFolder = "/proc"

// shows reports whether a kernel shows the processes that this one starts, of which pid is one: it may
// be built without their lists (CONFIG_PROC_CHILDREN), or hide those of other users (hidepid).
func shows(proc string, self, pid int) bool {
	if _, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(self), "task", strconv.Itoa(self), "children")); err != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(proc, strconv.Itoa(pid)))
	return err == nil || syscall.Kill(pid, 0) != nil // it has ended
}

// look looks at the memory once.
func (m *memory) look() { m.note(descendants(os.Getpid())) }

// note keeps the most that the processes have had, and ends them if that is too much.
func (m *memory) note(pids []int) {
	var now int64
	for _, pid := range pids {
		now += resident(pid)
	}
	if m.limit > 0 && now > m.limit && len(pids) > 1 {
		now = min(now, m.shared.of(pids))
	}
	for {
		most := m.seen.Load()
		if now <= most || m.seen.CompareAndSwap(most, now) {
			break
		}
	}
	if m.limit > 0 && now > m.limit && m.over.CompareAndSwap(false, true) {
		m.kill()
	}
}

func (m *memory) most() int64    { return m.seen.Load() }
func (m *memory) exceeded() bool { return m.over.Load() }

func (m *memory) stop() {
	m.once.Do(func() { close(m.end) })
	m.watching.Wait()
}

// descendants returns the processes that a process started, and those that they started, as the kernel
// lists them: proc_pid_task_tid_children(5). Where a builder has no process sandbox, processes of others
// are seen beside them.
func descendants(pid int) (all []int) {
	tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil // it has ended
	}
	for _, task := range tasks {
		list, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + task.Name() + "/children")
		if err != nil {
			continue
		}
		for field := range bytes.FieldsSeq(list) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				all = append(append(all, child), descendants(child)...)
			}
		}
	}
	return all
}

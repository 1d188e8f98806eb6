package instance

import "sync"

// credit is how many bytes may be sent now.
type credit struct {
	mu    sync.Mutex
	more  sync.Cond
	bytes int
	ended bool
}

func newCredit(bytes int) *credit {
	c := &credit{bytes: bytes}
	c.more.L = &c.mu
	return c
}

// take takes some, and waits before if there is none left: it may become less than none, so that every
// message can be sent.
func (c *credit) take(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for bytes > 0 && c.bytes <= 0 && !c.ended {
		c.more.Wait()
	}
	c.bytes -= bytes
}

func (c *credit) give(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += bytes
	c.more.Broadcast()
}

// end lets everything pass, since nobody gives any more.
func (c *credit) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.more.Broadcast()
}

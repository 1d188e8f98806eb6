package instance

import (
	"testing"
	"testing/synctest"
)

// What has been sent and not heard waits, and passes when there is credit, or nobody gives any.
func TestCredit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCredit(10)
		sent := 0
		go func() {
			for range 4 {
				c.take(6)
				sent++
			}
		}()
		for _, step := range []struct {
			do   func()
			want int
		}{
			{func() {}, 2}, {func() { c.give(2) }, 2}, {func() { c.give(1) }, 3}, {c.end, 4},
		} {
			step.do()
			synctest.Wait()
			if sent != step.want {
				t.Errorf("%d were sent, want %d", sent, step.want)
			}
		}
		c.take(0) // what is not counted passes
	})
}

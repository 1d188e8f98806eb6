package builder

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// jobOn returns a job whose first choice is the builder.
func jobOn(p *Pool, b *Builder, name, duration string) Job {
	var addresses []string
	for _, m := range p.members {
		addresses = append(addresses, m.address)
	}
	job := sleepJob(name, duration)
	for i := 0; job.Group == "" || ranked(job.Group, addresses)[0] != b.Address; i++ {
		job.Group = fmt.Sprint(name, i)
	}
	return job
}

func TestPoolFinishesElsewhereWhatALostBuilderWasBuilding(t *testing.T) {
	dying, living := startForTest(t), startForTest(t)
	p := &Pool{[]member{{address: dying.Address, builder: dying}, {address: living.Address, builder: living}}}
	running := make(chan struct{})
	go func() {
		<-running
		_ = syscall.Kill(-dying.daemon.cmd.Process.Pid, syscall.SIGKILL)
	}()
	shown := &notifyOn{text: "sleeping for", seen: running}
	d, err := NewDisplay(shown, "plain")
	if err != nil {
		t.Fatal(err)
	}
	jobs := []Job{jobOn(p, dying, "java21", "1s"), stateJob("python3.12", fileState("exported"))}
	for i, r := range p.Run(t.Context(), sleepSession(t), jobs, d) {
		if r.Name != jobs[i].Name || r.Err != nil || r.Response == nil {
			t.Errorf("%s: %v, %v", r.Name, r.Response, r.Err)
		}
	}
	for _, want := range []string{"WARNING: lost the builder " + dying.Address, "[java21] sleep 1s"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not shown:\n%s", want, shown.String())
		}
	}
}

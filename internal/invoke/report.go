package invoke

import (
	"fmt"
	"math"
	"time"

	"github.com/samforge/samforge/internal/lambda/instance"
)

// print writes the end of an invocation as Lambda logs it.
func (i *Invoker) print(id string, f Function, report *instance.Report) {
	if report.OutOfMemory {
		fmt.Fprintf(i.opt.Stderr, "RequestId: %s Error: the function had more memory than its MemorySize of %d MB\n", id, f.Memory)
	}
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	line := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %.0f ms\tMemory Size: %d MB\tMax Memory Used: %d MB",
		id, milliseconds(report.Duration), math.Ceil(milliseconds(report.Duration+report.Init)), f.Memory, (report.Memory+1<<20-1)>>20)
	if report.Init > 0 {
		line += fmt.Sprintf("\tInit Duration: %.2f ms", milliseconds(report.Init))
	}
	switch {
	case report.TimedOut:
		line += "\tStatus: timeout"
	case report.Err != nil:
		line += "\tStatus: error\tError Type: " + report.Err.Type
	}
	fmt.Fprintf(i.opt.Stderr, "END RequestId: %s\n%s\n", id, line)
}

package measure

import (
	"time"

	"golang.org/x/sys/unix"
)

// HasThreadTime says whether TimeOnCPU is more than Time here.
const HasThreadTime = true

// threadTime returns how long the thread has been on a CPU.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0 // Linux has had it since 2.6.12
	}
	return time.Duration(t.Nano())
}

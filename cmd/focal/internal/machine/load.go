package machine

import (
	"os"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/process"
)

// A Load watches what other programs take of the CPUs.
type Load struct{ all, own, idle float64 } // CPU seconds so far

// WatchLoad begins to watch.
func WatchLoad() *Load {
	l := &Load{}
	if times, err := cpu.Times(false); err == nil && len(times) == 1 {
		t := times[0] // user includes guest
		l.idle = t.Idle + t.Iowait
		l.all = l.idle + t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
	}
	if p, err := process.NewProcess(int32(os.Getpid())); err == nil {
		if t, err := p.Times(); err == nil {
			l.own = t.User + t.System
		}
	}
	return l
}

// Others returns the share of all CPUs' time that others have taken since, in [0, 1]. ok is false if the operating system
// does not tell, or too little time has passed.
func (l *Load) Others() (share float64, ok bool) {
	now := WatchLoad()
	all := now.all - l.all
	if all < 0.1 {
		return 0, false
	}
	busy := all - (now.idle - l.idle)
	return min(max((busy-(now.own-l.own))/all, 0), 1), true
}

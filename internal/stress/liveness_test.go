//go:build linux

package stress

import (
	"bytes"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/effort"
)

// Assembly cannot be preempted: while it runs the garbage collector waits to stop the world, and everybody with it. So
// that this never takes long a call covers no more than a block.

func mustFail(err error) {
	if err == nil {
		panic("no error")
	}
}

// plainLoop is what the runtime can interrupt anywhere.
//
//go:noinline
func plainLoop(x []float64) (sum float64) {
	for _, v := range x {
		sum = sum/3 + v
	}
	return sum
}

var (
	plainResult float64
	found       int
)

// goesOn runs f over and over, stops the world beside it many times, and returns how much longer f ran when it should
// have stopped: of the stops that found it running, in ascending order.
//
// The time is that which the thread of f spent on a CPU. A machine that others use as well takes the CPU away at times,
// for milliseconds, when it suits it, so that by the clock a stop may take any time; this one does not count the waiting.
func goesOn(t *testing.T, limit time.Duration, stops int, f func()) []time.Duration {
	t.Helper()
	var done atomic.Bool
	started, finished := make(chan int), make(chan struct{})
	go func() {
		defer close(finished)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- unix.Gettid()
		for !done.Load() {
			f()
		}
	}()
	clock := int32(^<-started<<3 | 6) // the thread's own, see clock_getcpuclockid
	used := func() time.Duration {
		var now unix.Timespec
		require.NoError(t, unix.ClockGettime(clock, &now))
		return time.Duration(now.Nano())
	}
	var stats runtime.MemStats
	var on []time.Duration
	for start := time.Now(); time.Since(start) < limit && len(on) < stops; {
		before := used()
		runtime.ReadMemStats(&stats) // stops the world
		if d := used() - before; d > 0 {
			on = append(on, d)
		}
	}
	done.Store(true)
	<-finished
	require.NotEmpty(t, on)
	slices.Sort(on)
	return on
}

// typically returns the median of what goesOn finds.
func typically(t *testing.T, f func()) time.Duration {
	on := goesOn(t, 2*time.Second, 100, f)
	return on[len(on)/2]
}

// The world can be stopped in the middle of every call. A kernel that covered all of a long call would not let that
// happen: the last part shows that it would be noticed.
func TestLiveness(t *testing.T) {
	effort.Long(t)
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("the world must be stopped from beside the kernel")
	}
	const (
		limit    = time.Millisecond // a block takes less than a tenth of it, and a call several times as long
		attempts = 5
	)
	const elements = 16 << 20
	x, dst, targets := make([]float64, elements), make([]float64, elements), make([]float64, elements)
	for i := range x {
		x[i] = float64(i%64) - 32
	}
	label, wrong := make([]int32, elements), make([]int32, elements)
	targets[elements-1], wrong[elements-1] = 2, 2 // which is found last
	classes, single := focal.Labels(label[:elements/64]), focal.Labels(label)
	p, power := focal.Default(), focal.Params{Gamma: 2.3, Alpha: 0.25}

	check := func(name string, f func(), enough func(on time.Duration) bool) {
		t.Helper()
		var on time.Duration
		for range attempts {
			if on = typically(t, f); enough(on) {
				break
			}
		}
		t.Logf("%s: goes on for %v", name, on)
		require.True(t, enough(on), "%s goes on for %v", name, on)
	}
	forAssembly(func(path string) {
		for name, f := range map[string]func(){
			"sum":              func() { mustFused(focal.Sum(x, classes, p)) },
			"sum, gamma 2.3":   func() { mustFused(focal.Sum(x, classes, power)) },
			"loss, one column": func() { must(focal.Loss(dst, x, single, p)) },
			"sigmoid":          func() { must(focal.Sigmoid(dst, x)) },
			"check of labels":  func() { mustFail(focal.Loss(dst, x, focal.Labels(wrong), p)) },
			"check of targets": func() { mustFail(focal.Loss(dst, x, focal.Dense(targets), p)) },
		} {
			check(path+", "+name, f, func(on time.Duration) bool { return on <= limit })
		}
	})
	// Assembly that does cover all of it.
	text := make([]byte, 256<<20)
	check("a search in one call", func() { found += bytes.Count(text, []byte{1}) }, func(on time.Duration) bool { return on > limit })
}

// TestStopTheWorld measures what docs/reliability.md states: how much longer a call with a hundred million elements runs
// when the world is to be stopped, compared with a loop in Go. Figures of one machine: nothing is required.
func TestStopTheWorld(t *testing.T) {
	if os.Getenv("FOCAL_MEASURE") == "" {
		t.Skip("a measurement, of a minute and more; FOCAL_MEASURE=1 makes it")
	}
	const elements = 100_000_000
	x, dst := make([]float32, elements), make([]float32, elements)
	for i := range x {
		x[i] = float32(i%64) - 32
	}
	plainX := make([]float64, 8<<20)
	y := focal.Labels(make([]int32, elements/80))
	forAssembly(func(path string) {
		measured := map[string][]time.Duration{}
		cases := []struct {
			name string
			f    func()
		}{
			{"a loop in Go", func() { plainResult += plainLoop(plainX) }},
			{"loss, gamma 2", func() { must(focal.Loss(dst, x, y, focal.Params{Gamma: 2, Alpha: 0.25, Norm: 1})) }},
			{"loss, gamma 2.3", func() { must(focal.Loss(dst, x, y, focal.Params{Gamma: 2.3, Alpha: 0.25, Norm: 1})) }},
			{"sum and gradient, gamma 2", func() {
				mustFused(focal.Fused(focal.Out[float32]{Grad: dst}, x, y, focal.Params{Gamma: 2, Alpha: 0.25, Norm: 1}))
			}},
		}
		for range 4 { // in turn
			for _, c := range cases {
				measured[c.name] = append(measured[c.name], goesOn(t, time.Second, 200, c.f)...)
			}
		}
		for _, c := range cases {
			on := measured[c.name]
			slices.Sort(on)
			at := func(share float64) time.Duration { return on[int(share*float64(len(on)-1))] }
			t.Logf("%v, %s: goes on for %v (half of %d stops), %v (90 %%), %v (99 %%)", path, c.name, at(0.5), len(on), at(0.9), at(0.99))
		}
	})
}

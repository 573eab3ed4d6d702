//go:build linux

package focal

import (
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gofocal/focal/internal/effort"
)

// Assembly cannot be preempted: while it runs the garbage collector waits to stop the world, and everybody with it. So
// that this never takes long a call covers no more than a block.

// plainLoop is what the runtime can interrupt anywhere.
//
//go:noinline
func plainLoop(x []float64) (sum float64) {
	for _, v := range x {
		sum = sum/3 + v
	}
	return sum
}

var plainResult float64

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
// happen, which the last part shows.
func TestLiveness(t *testing.T) {
	effort.Long(t)
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("the world must be stopped from beside the kernel")
	}
	const (
		limit    = time.Millisecond // a block takes less than a tenth of it, and a call several times as long
		attempts = 5
	)
	x := make([]float64, 16<<20)
	for i := range x {
		x[i] = float64(i%64) - 32
	}
	dst := make([]float64, len(x))
	zeros, label := make([]float64, len(x)), make([]int32, 2*len(x))
	classes, single := Labels(label[:len(x)/64]), Labels(label[:len(x)])
	p := Default()

	for _, path := range availablePaths() {
		if path == pathGeneric {
			continue
		}
		withPath(path, func() {
			for name, f := range map[string]func(){
				"sum":              func() { mustFused(Sum(x, classes, p)) },
				"sum, gamma 2.3":   func() { mustFused(Sum(x, classes, Params{Gamma: 2.3, Alpha: 0.25, Norm: 1})) },
				"loss, one column": func() { must(Loss(dst, x, single, p)) },
				"sigmoid":          func() { must(Sigmoid(dst, x)) },
				"check of labels":  func() { mustBeNone(firstBadLabel(label, 1, -1)) },
				"check of targets": func() { mustBeNone(firstBadTarget(zeros)) },
			} {
				on := limit + 1
				for range attempts {
					if on = typically(t, f); on <= limit {
						break
					}
				}
				t.Logf("%v, %s: goes on for %v", path, name, on)
				require.LessOrEqual(t, on, limit, "%v, %s, does not let the world be stopped", path, name)
			}
			for name, f := range map[string]func(){
				"sigmoid":         func() { sigmoidF64(path, &dst[0], &x[0], len(x)) },
				"check of labels": func() { labelsValid(path, &label[0], len(label), 1, -1) },
			} {
				on := time.Duration(0)
				for range attempts {
					if on = typically(t, f); on > limit {
						break
					}
				}
				t.Logf("%v, %s in one call: goes on for %v", path, name, on)
				require.Greater(t, on, limit, "%v, %s: a call without a bound is not noticed", path, name)
			}
		})
	}
}

func mustBeNone(firstBad int) {
	if firstBad >= 0 {
		panic(firstBad)
	}
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
	y := Labels(make([]int32, elements/80))
	for _, path := range availablePaths() {
		if path == pathGeneric {
			continue // a loop in Go
		}
		withPath(path, func() {
			measured := map[string][]time.Duration{}
			cases := []struct {
				name string
				f    func()
			}{
				{"a loop in Go", func() { plainResult += plainLoop(plainX) }},
				{"loss, gamma 2", func() { must(Loss(dst, x, y, Params{Gamma: 2, Alpha: 0.25, Norm: 1})) }},
				{"loss, gamma 2.3", func() { must(Loss(dst, x, y, Params{Gamma: 2.3, Alpha: 0.25, Norm: 1})) }},
				{"sum and gradient, gamma 2", func() {
					mustFused(Fused(Out[float32]{Grad: dst}, x, y, Params{Gamma: 2, Alpha: 0.25, Norm: 1}))
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
}

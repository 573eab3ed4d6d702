//go:build linux

package focal

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Assembly cannot be preempted: while it runs the garbage collector waits to stop the world, and everybody with it. So
// that this never takes long a call covers no more than a block.

const stoppingMetric = "/sched/pauses/stopping/gc:seconds"

// stops counts how long it took to stop the world for the garbage collector, by the runtime's histogram.
type stops struct {
	buckets []float64
	counts  []uint64
}

// during runs f over and over for a while, collects garbage beside it, and adds the times that stopping took.
func (s *stops) during(duration time.Duration, f func()) {
	var done atomic.Bool
	finished := make(chan struct{})
	sample := []metrics.Sample{{Name: stoppingMetric}}
	read := func() []uint64 {
		metrics.Read(sample)
		h := sample[0].Value.Float64Histogram()
		s.buckets = h.Buckets
		return append([]uint64(nil), h.Counts...)
	}
	runtime.GC()
	before := read()
	go func() {
		defer close(finished)
		for !done.Load() {
			f()
		}
	}()
	for start := time.Now(); time.Since(start) < duration; {
		runtime.GC()
	}
	after := read()
	done.Store(true)
	<-finished

	if s.counts == nil {
		s.counts = make([]uint64, len(after))
	}
	for i := range after {
		s.counts[i] += after[i] - before[i]
	}
}

func (s *stops) total() (n uint64) {
	for _, c := range s.counts {
		n += c
	}
	return n
}

// quantile returns an upper bound of the time that the share q of all stops did not exceed.
func (s *stops) quantile(q float64) time.Duration {
	left := uint64(math.Ceil(q * float64(s.total())))
	for i, c := range s.counts {
		if c >= left && c > 0 {
			bound := s.buckets[i+1]
			if math.IsInf(bound, 1) {
				bound = s.buckets[i]
			}
			return time.Duration(bound * 1e9)
		}
		left -= c
	}
	return 0
}

func (s *stops) String() string {
	return fmt.Sprintf("25 %% within %v, 50 %% %v, 90 %% %v, 99 %% %v, all %d within %v", s.quantile(0.25), s.quantile(0.5), s.quantile(0.9),
		s.quantile(0.99), s.total(), s.quantile(1))
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

var plainResult float64

// goesOn runs f over and over, stops the world beside it many times, and returns how much longer f typically ran when
// it should have stopped: the median, of the stops that found it running.
//
// The time is that which the thread of f spent on a CPU. A machine that others use as well takes the CPU away at times,
// for milliseconds, when it suits it, so that by the clock a stop may take any time; this one does not count the waiting.
func goesOn(t *testing.T, f func()) time.Duration {
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
	for start := time.Now(); time.Since(start) < 2*time.Second && len(on) < 100; {
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
	return on[len(on)/2]
}

// The world can be stopped in the middle of every call. A kernel that covered all of a long call would not let that
// happen, which the last part shows.
func TestLiveness(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and the machine")
	}
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
				"check of labels":  func() { mustBeNone(checkLabels(label, 1, -1)) },
				"check of targets": func() { mustBeNone(checkDense(zeros)) },
			} {
				on := limit + 1
				for range attempts {
					if on = goesOn(t, f); on <= limit {
						break
					}
				}
				t.Logf("%v, %s: goes on for %v", path, name, on)
				require.LessOrEqual(t, on, limit, "%v, %s, does not let the world be stopped", path, name)
			}
			for name, f := range map[string]func(){
				"sigmoid":         func() { assemblySigmoid(path, true, unsafe.Pointer(&dst[0]), unsafe.Pointer(&x[0]), len(x)) },
				"check of labels": func() { assemblyLabelsValid(path, label, 1, -1) },
			} {
				on := time.Duration(0)
				for range attempts {
					if on = goesOn(t, f); on > limit {
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

// TestStopTheWorld measures what docs/reliability.md states: how long it takes to stop the world while a call with a
// hundred million elements is in flight. Figures of one machine at rest: no more than that is required here.
func TestStopTheWorld(t *testing.T) {
	if os.Getenv("FOCAL_MEASURE") == "" {
		t.Skip("a measurement, of a minute and more; FOCAL_MEASURE=1 makes it")
	}
	const elements, rounds, interval = 100_000_000, 20, 200 * time.Millisecond
	x, dst := make([]float32, elements), make([]float32, elements)
	for i := range x {
		x[i] = float32(i%64) - 32
	}
	plainX := make([]float64, 8<<20)
	y := Labels(make([]int32, elements/80))
	for _, path := range availablePaths() {
		withPath(path, func() {
			for _, gamma := range []float64{2, 2.3} {
				p := Params{Gamma: gamma, Alpha: 0.25, Norm: 1}
				var loss, fused, plain stops
				for range rounds {
					plain.during(interval, func() { plainResult += plainLoop(plainX) })
					loss.during(interval, func() { must(Loss(dst, x, y, p)) })
					fused.during(interval, func() { mustFused(Fused(Out[float32]{Grad: dst}, x, y, p)) })
				}
				t.Logf("%v, gamma %v, loss: %v", path, gamma, &loss)
				t.Logf("%v, gamma %v, sum and gradient: %v", path, gamma, &fused)
				t.Logf("%v, a loop in Go: %v", path, &plain)
			}
		})
	}
}

package focal

import (
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Assembly cannot be preempted: while it runs the garbage collector waits to stop the world, and everybody with it. So
// that this never takes long a call covers no more than a block.

const stoppingMetric = "/sched/pauses/stopping/gc:seconds"

// longestStop runs f over and over for a while, collects garbage at the same time, and returns the longest time (an
// upper bound of it) that it took to stop the world for that.
func longestStop(f func()) time.Duration {
	const duration = 200 * time.Millisecond
	var done atomic.Bool
	finished := make(chan struct{})
	sample := []metrics.Sample{{Name: stoppingMetric}}
	read := func() *metrics.Float64Histogram {
		metrics.Read(sample)
		h := *sample[0].Value.Float64Histogram()
		h.Counts = append([]uint64(nil), h.Counts...)
		return &h
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

	longest := 0.0
	for i, n := range after.Counts {
		if n > before.Counts[i] {
			longest = after.Buckets[i+1]
			if math.IsInf(longest, 1) {
				longest = after.Buckets[i]
			}
		}
	}
	return time.Duration(longest * 1e9)
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

// A machine that others use as well stops everybody at times, the garbage collector too. This only ever makes a stop
// longer, so that the shortest of several attempts tells: calls that the collector had to wait for would make all of
// them long.
func TestLiveness(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and the machine")
	}
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("the collector must run beside the kernel")
	}
	const (
		attempts = 20
		enough   = time.Millisecond // a block takes less than a tenth of it
	)
	x := make([]float64, 8<<20) // a call of some 20 ms
	for i := range x {
		x[i] = float64(i%64) - 32
	}
	y := Labels(make([]int32, len(x)/64))

	best := func(f func(), limit func() time.Duration) (shortest time.Duration) {
		shortest = math.MaxInt64
		for range attempts {
			if shortest = min(shortest, longestStop(f)); shortest <= limit() {
				break
			}
		}
		return shortest
	}
	plain := time.Duration(math.MaxInt64)
	for i := 0; i < 3 || i < attempts && plain > enough/2; i++ {
		plain = min(plain, longestStop(func() { plainResult += plainLoop(x) }))
	}
	t.Logf("a loop in Go: %v", plain)
	limit := func() time.Duration { return max(2*plain, enough) }

	for _, p := range availablePaths() {
		if p == pathGeneric {
			continue
		}
		withPath(p, func() {
			for _, gamma := range []float64{2, 2.3} {
				stop := best(func() {
					_, err := Sum(x, y, Params{Gamma: gamma, Alpha: 0.25, Norm: 1})
					must(err)
				}, limit)
				t.Logf("%v, sum, gamma %v: %v", p, gamma, stop)
				require.LessOrEqual(t, stop, limit(), "%v, sum, gamma %v: a loop in Go has %v", p, gamma, plain)
			}
			dst := make([]float64, len(x))
			stop := best(func() { must(Sigmoid(dst, x)) }, limit)
			t.Logf("%v, sigmoid: %v", p, stop)
			require.LessOrEqual(t, stop, limit(), "%v, sigmoid: a loop in Go has %v", p, plain)

			// What the test is there to find, it finds: a kernel that is given all at once. This one needs no masks.
			long := time.Duration(0)
			for i := 0; i < attempts && long <= limit(); i++ {
				long = longestStop(func() {
					assemblySigmoid(p, true, unsafe.Pointer(&dst[0]), unsafe.Pointer(&x[0]), len(x))
				})
			}
			t.Logf("%v, sigmoid in one call: %v", p, long)
			require.Greater(t, long, limit(), fmt.Sprint(p, ": a call without a bound is not noticed"))
		})
	}
}

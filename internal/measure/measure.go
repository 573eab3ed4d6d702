// Package measure is how this project takes times: the clock of the CPU, calls repeated until they take long enough, and
// the inputs that are measured with.
package measure

import (
	"math"
	"math/rand/v2"
	"runtime"
	"time"
)

// chain is a chain of additions, each of which waits for the one before: a cycle each on every CPU we know.
//
//go:noinline
func chain(n int, a, b uint64) uint64 {
	for range n {
		a += b
		a ^= b
		a += b
		a ^= b
		a += b
		a ^= b
		a += b
		a ^= b
	}
	return a
}

var chainResult uint64

// NanosecondsPerCycle measures the clock, by the fastest of a few runs. It is not for concurrent use.
func NanosecondsPerCycle() float64 {
	const n = 5000
	best := math.Inf(1)
	for range 20 {
		start := time.Now()
		chainResult += chain(n, chainResult, 3)
		best = min(best, float64(time.Since(start).Nanoseconds())/(8*n))
	}
	return best
}

// Time calls f often enough to take about the given time, at least once, and returns the number of calls and what they
// took. Two calls before that are not counted: the first fills the caches, the second tells how many are needed.
func Time(atLeast time.Duration, f func()) (calls int, elapsed time.Duration) {
	begin := time.Now()
	return repeat(atLeast, f, func() time.Duration { return time.Since(begin) })
}

// TimeOnCPU is Time for a function that computes on the goroutine that calls it, and on no other. It counts only the time
// that the thread has had on a CPU, where the operating system tells: other programs disturb it less.
func TimeOnCPU(atLeast time.Duration, f func()) (calls int, elapsed time.Duration) {
	if !HasThreadTime {
		return Time(atLeast, f)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return repeat(atLeast, f, threadTime)
}

func repeat(atLeast time.Duration, f func(), now func() time.Duration) (calls int, elapsed time.Duration) {
	f()
	start := now()
	f()
	calls = int(atLeast/max(now()-start, 1)) + 1
	start = now()
	for range calls {
		f()
	}
	return calls, now() - start
}

// Logits returns n logits like those of a detector in training, mostly negative. They are always the same.
func Logits[T float32 | float64](n int) []T {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]T, n)
	for i := range x {
		x[i] = T(4*rng.NormFloat64() - 3)
	}
	return x
}

// Labels returns the labels of n rows of c classes, in the convention of focal.Labels, of which the given shares are
// foreground and ignored. They are always the same.
func Labels(n, c int, foreground, ignored float64) []int32 {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(c)))
	label := make([]int32, n)
	for i := range label {
		switch r := rng.Float64(); {
		case r < foreground:
			label[i] = 1 + int32(rng.IntN(c))
		case r < foreground+ignored:
			label[i] = -1
		}
	}
	return label
}

package stress

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/effort"
)

// Many goroutines at the same time, and many calls.

// deep calls f with a stack that has grown by some hundred bytes for each level, as it has to be copied.
//
//go:noinline
func deep(levels int, f func()) byte {
	var frame [512]byte
	if levels == 0 {
		f()
		return frame[0]
	}
	frame[levels%len(frame)] = 1
	return deep(levels-1, f) + frame[(levels+1)%len(frame)]
}

// Calls on shared inputs, with outputs side by side in one array, while garbage is collected all the time and stacks
// grow. The race detector knows what the kernels read and write (internal/race).
func TestManyCallers(t *testing.T) {
	forFloats(t, testManyCallers[float32], testManyCallers[float64])
}

func testManyCallers[T focal.Float](t *testing.T) {
	const callers, rows, c = 8, 130, 7
	rounds := 6
	if effort.Full() {
		rounds = 40
	}
	b := newBatch[T](rows, c)
	forPaths(func(path string) {
		for _, gamma := range []float64{2, 2.3} {
			p := focal.Params{Gamma: gamma, Alpha: 0.25, Norm: 3, Workers: 2}
			want, wantSoft := b.compute(b.labels, p), b.compute(b.soft, p)

			n := len(b.x)
			all := make([]T, callers*3*n) // an output ends where the next one begins, in the middle of a cache line
			var wrong atomic.Int64
			var done atomic.Bool
			var others, collector sync.WaitGroup
			collector.Add(1)
			go func() {
				defer collector.Done()
				for !done.Load() {
					runtime.GC()
				}
			}()
			for caller := range callers {
				others.Add(1)
				go func() {
					defer others.Done()
					mine := all[3*caller*n:][:3*n]
					out := focal.Out[T]{Loss: mine[:n], Grad: mine[n : 2*n], Hess: mine[2*n:]}
					for round := range rounds {
						y, want := b.labels, &want
						if round%2 == 1 {
							y, want = b.soft, &wantSoft
						}
						deep((round*37+caller*11)%200, func() {
							sum, err := focal.Fused(out, b.x, y, p)
							same := err == nil && sameBits(sum, want.all) && sameSlice(mine, want.values[3*n:])
							err = focal.Grad(out.Grad, b.x, y, b.dout, p)
							if !same || err != nil || !sameSlice(out.Grad, want.values[n:2*n]) {
								wrong.Add(1)
							}
						})
					}
				}()
			}
			others.Wait()
			done.Store(true)
			collector.Wait()
			require.Zero(t, wrong.Load(), "%v, γ = %v: calls with other results than alone", path, gamma)
		}
	})
}

// Thousands of calls allocate nothing, leave no goroutine behind, and no more memory in use than before.
func TestManyCalls(t *testing.T) { forFloats(t, testManyCalls[float32], testManyCalls[float64]) }

func testManyCalls[T focal.Float](t *testing.T) {
	const rows, c = 100, 10
	calls := 200 // of each function
	if effort.Full() {
		calls = 1000
	}
	b := newBatch[T](rows, c)
	x := b.x
	out := focal.Out[T]{Loss: make([]T, len(x)), Grad: make([]T, len(x)), Hess: make([]T, len(x))}
	bad := []int32{c + 1}
	forPaths(func(path string) {
		p := focal.Params{Gamma: 2.3, Alpha: 0.25, Norm: 3, Workers: 1}
		once := func(p focal.Params) {
			must(focal.Loss(out.Loss, x, b.labels, p))
			must(focal.Grad(out.Grad, x, b.soft, b.dout, p))
			mustFused(focal.Fused(out, x, b.labels, p))
			mustFused(focal.Sum(x, b.soft, p))
			must(focal.Sigmoid(out.Loss, x))
		}
		once(p)
		runtime.GC()
		var before, after runtime.MemStats
		goroutines := runtime.NumGoroutine()
		runtime.ReadMemStats(&before)
		for range calls {
			once(p)
		}
		runtime.ReadMemStats(&after)
		// The runtime itself allocates now and then.
		require.Less(t, after.Mallocs-before.Mallocs, uint64(calls/10), "%v", path)

		p.Workers = 3 // goroutines come and go
		for range calls / 10 {
			once(p)
			require.Error(t, focal.Loss(out.Loss[:c], x[:c], focal.Labels(bad), p))
		}
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		require.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "%v: goroutines are left", path)
		runtime.GC()
		runtime.ReadMemStats(&after)
		require.Less(t, float64(after.HeapInuse), float64(before.HeapInuse)+1<<20, "%v: memory in use", path)
	})
}

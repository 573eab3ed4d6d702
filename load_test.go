package focal

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
// grow. The race detector knows what the kernels read and write (race.go).
func TestManyCallers(t *testing.T) {
	forFloats(t, testManyCallers[float32], testManyCallers[float64])
}

func testManyCallers[T Float](t *testing.T) {
	const callers, rows, c = 8, 130, 7
	rounds := 6
	if effort.Full() {
		rounds = 40
	}
	x, y, dout := publicBatch[T](rows, c)
	soft := Dense(mixedTargets[T](rand.New(rand.NewPCG(31, 32)), len(x)))
	for _, path := range availablePaths() {
		withPath(path, func() {
			for _, gamma := range []float64{2, 2.3} {
				p := Params{Gamma: gamma, Alpha: 0.25, Norm: 3, Workers: 2}
				want, wantSoft := compute(t, x, y, dout, p), compute(t, x, soft, dout, p)

				n := len(x)
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
						out := Out[T]{}
						for k, v := range []*[]T{&out.Loss, &out.Grad, &out.Hess} {
							start := (3*caller + k) * n
							*v = all[start : start+n]
						}
						for round := range rounds {
							y, want := y, &want
							if round%2 == 1 {
								y, want = soft, &wantSoft
							}
							deep((round*37+caller*11)%200, func() {
								sum, err := Fused(out, x, y, p)
								same := err == nil && sameBits(sum, want.fusedSum) &&
									sameSlice(out.Loss, want.fusedLoss) && sameSlice(out.Grad, want.fusedGrad) && sameSlice(out.Hess, want.fusedHess)
								err = Grad(out.Grad, x, y, dout, p)
								if !same || err != nil || !sameSlice(out.Grad, want.grad) {
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
}

func sameSlice[T Float](a, b []T) bool {
	for i := range a {
		if !sameBits(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// Thousands of calls allocate nothing, leave no goroutine behind, and no more memory in use than before.
func TestManyCalls(t *testing.T) { forFloats(t, testManyCalls[float32], testManyCalls[float64]) }

func testManyCalls[T Float](t *testing.T) {
	const rows, c = 100, 10
	calls := 200 // of each function
	if effort.Full() {
		calls = 1000
	}
	x, y, dout := publicBatch[T](rows, c)
	dense := Dense(mixedTargets[T](rand.New(rand.NewPCG(33, 34)), len(x)))
	out := Out[T]{Loss: make([]T, len(x)), Grad: make([]T, len(x)), Hess: make([]T, len(x))}
	bad := []int32{c + 1}
	for _, path := range availablePaths() {
		withPath(path, func() {
			p := Params{Gamma: 2.3, Alpha: 0.25, Norm: 3, Workers: 1}
			once := func(p Params) {
				must(Loss(out.Loss, x, y, p))
				must(Grad(out.Grad, x, dense, dout, p))
				mustFused(Fused(out, x, y, p))
				mustFused(Sum(x, dense, p))
				must(Sigmoid(out.Loss, x))
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
				require.Error(t, Loss(out.Loss[:c], x[:c], Labels(bad), p))
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
}

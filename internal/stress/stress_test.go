// Package stress tests what package focal has to stand beside arithmetic: many callers and workers, garbage collection,
// signals, and a changed state of the processor.
package stress

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
)

func forFloats(t *testing.T, f32, f64 func(t *testing.T)) {
	t.Run("type=f32", f32)
	t.Run("type=f64", f64)
}

func isFloat32[T focal.Float]() bool { return unsafe.Sizeof(T(0)) == 4 }

// forPaths runs f on each path, the best first.
func forPaths(f func(path string)) {
	for _, path := range control.Paths() {
		restore := control.SetPath(path)
		f(path)
		restore()
	}
}

// forAssembly runs f on each path but pure Go.
func forAssembly(f func(path string)) {
	forPaths(func(path string) {
		if path != "generic" {
			f(path)
		}
	})
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func mustFused(_ float64, err error) { must(err) }

// A batch is what calls compute from.
type batch[T focal.Float] struct {
	x, dout []T
	labels  focal.Target
	soft    focal.Target // one of five is 0 or 1
}

// newBatch returns logits and targets of every kind, the same ones in every run.
func newBatch[T focal.Float](rows, c int) (b batch[T]) {
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(c)))
	label, targets := make([]int32, rows), make([]T, rows*c)
	for i := range label {
		label[i] = rng.Int32N(int32(c)+2) - 1
	}
	b.x, b.dout = make([]T, rows*c), make([]T, rows*c)
	for i := range b.x {
		b.x[i] = T(math.Ldexp(rng.Float64()-0.5, rng.IntN(12)-3))
		b.dout[i] = T(rng.Float64() - 0.5)
		targets[i] = T(rng.Float64())
		if rng.IntN(5) == 0 {
			targets[i] = T(rng.IntN(2))
		}
	}
	b.labels, b.soft = focal.Labels(label), focal.Dense(targets)
	return b
}

// results are all that the package computes of one batch, one after the other.
type results[T focal.Float] struct {
	values   []T
	sum, all float64
}

// compute makes a call of each kind.
func (b *batch[T]) compute(y focal.Target, p focal.Params) (r results[T]) {
	n := len(b.x)
	r.values = make([]T, 6*n)
	part := func(k int) []T { return r.values[k*n : (k+1)*n] }
	must(focal.Loss(part(0), b.x, y, p))
	must(focal.Grad(part(1), b.x, y, b.dout, p))
	must(focal.Sigmoid(part(2), b.x))
	var err error
	r.sum, err = focal.Sum(b.x, y, p)
	must(err)
	r.all, err = focal.Fused(focal.Out[T]{Loss: part(3), Grad: part(4), Hess: part(5)}, b.x, y, p)
	must(err)
	return r
}

func (r *results[T]) equal(other *results[T]) bool {
	return sameBits(r.sum, other.sum) && sameBits(r.all, other.all) && sameSlice(r.values, other.values)
}

func sameBits[T focal.Float](a, b T) bool {
	return math.Float64bits(float64(a)) == math.Float64bits(float64(b)) || a != a && b != b
}

func sameSlice[T focal.Float](a, b []T) bool {
	for i := range a {
		if !sameBits(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func requireSame[T focal.Float](t *testing.T, want, got results[T], about ...any) {
	t.Helper()
	require.True(t, want.equal(&got), about...)
}

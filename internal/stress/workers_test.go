package stress

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/abi"
)

func TestWorkers(t *testing.T) { forFloats(t, testWorkers[float32], testWorkers[float64]) }

func testWorkers[T focal.Float](t *testing.T) {
	const block = abi.BlockLen
	for _, shape := range [][2]int{{1, 1}, {5, 3}, {1, 3*block + 1}, {2, block}, {300, 80}, {block - 1, 1}, {block, 1}, {2*block + 1, 1}} {
		b := newBatch[T](shape[0], shape[1])
		p := focal.Default()
		for _, y := range []focal.Target{b.labels, b.soft} {
			want := b.compute(y, p)
			for _, p.Workers = range []int{0, 2, 3, 8, -1, math.MaxInt} {
				requireSame(t, want, b.compute(y, p), "%v %+v", shape, p)
			}
		}
	}
}

// The corners of sums too: what is not finite in one block is so in all.
func TestWorkersNotFinite(t *testing.T) {
	const rows = 4*abi.BlockLen + 3
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, tt := range []struct {
		values map[int]float32
		want   float64
	}{
		{map[int]float32{5: inf}, math.Inf(1)},
		{map[int]float32{abi.BlockLen + 5: inf, 3 * abi.BlockLen: inf}, math.Inf(1)},
		{map[int]float32{abi.BlockLen: nan}, math.NaN()},
		{map[int]float32{0: inf, rows - 1: nan}, math.NaN()},
		{map[int]float32{0: nan, rows - 1: inf}, math.NaN()},
	} {
		x := make([]float32, rows)
		for i, v := range tt.values {
			x[i] = v
		}
		for _, workers := range []int{1, 2, 3, 8} {
			sum, err := focal.Sum(x, focal.Labels(make([]int32, rows)), focal.Params{Gamma: 2, Alpha: 0.25, Workers: workers})
			require.NoError(t, err)
			require.Equal(t, math.Float64bits(tt.want), math.Float64bits(sum))
		}
	}
}

// No goroutine outlives a call. One that has done its work may need a moment to vanish.
func TestWorkersEnd(t *testing.T) {
	b := newBatch[float32](20*abi.BlockLen, 1)
	before := runtime.NumGoroutine()
	p := focal.Default()
	for _, workers := range []int{2, 8, 100, -1} {
		p.Workers = workers
		_, err := focal.Fused(focal.Out[float32]{}, b.x, b.labels, p)
		require.NoError(t, err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func TestAllocations(t *testing.T) { forFloats(t, testAllocations[float32], testAllocations[float64]) }

func testAllocations[T focal.Float](t *testing.T) {
	b := newBatch[T](1000, 20)
	x, y, label := b.x, b.labels, make([]int32, 1000)
	p := focal.Default()
	dst, grad, hess := make([]T, len(x)), make([]T, len(x)), make([]T, len(x))
	var err error
	for name, call := range map[string]func(){
		"Loss":    func() { err = focal.Loss(dst, x, y, p) },
		"Grad":    func() { err = focal.Grad(dst, x, y, b.dout, p) },
		"Sum":     func() { _, err = focal.Sum(x, y, p) },
		"Fused":   func() { _, err = focal.Fused(focal.Out[T]{Loss: dst, Grad: grad, Hess: hess}, x, y, p) },
		"Sigmoid": func() { err = focal.Sigmoid(dst, x) },
		"Labels":  func() { err = focal.Loss(dst, x, focal.Labels(label).Ignoring(0), p) },
	} {
		assert.Zero(t, testing.AllocsPerRun(10, call), name)
		require.NoError(t, err)
	}
}

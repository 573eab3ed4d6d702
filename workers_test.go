package focal

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// batch returns logits and labels of every kind, the same ones in every run.
func batch[T Float](rows, c int) ([]T, Target) {
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(c)))
	x := make([]T, rows*c)
	for i := range x {
		x[i] = T(4 * rng.NormFloat64())
	}
	label := make([]int32, rows)
	for i := range label {
		label[i] = rng.Int32N(int32(c)+2) - 1
	}
	return x, Labels(label)
}

func sameBits[T Float](a, b T) bool {
	return math.Float64bits(float64(a)) == math.Float64bits(float64(b)) || a != a && b != b
}

func requireSameBits[T Float](t *testing.T, want, got []T) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	for i := range want {
		if !sameBits(want[i], got[i]) {
			require.Failf(t, "bits differ", "element %d: want %v, got %v", i, want[i], got[i])
		}
	}
}

// labelsOf returns the labels of a batch.
func labelsOf(y Target) []int32 { return sliceOf[int32](&y.label) }

// results is all that the package computes of one batch.
type results[T Float] struct {
	loss, grad, fusedLoss, fusedGrad, fusedHess []T
	sum, fusedSum                               float64
}

func compute[T Float](t *testing.T, x []T, y Target, dout []T, p Params) results[T] {
	t.Helper()
	n := len(x)
	r := results[T]{make([]T, n), make([]T, n), make([]T, n), make([]T, n), make([]T, n), 0, 0}
	require.NoError(t, Loss(r.loss, x, y, p))
	require.NoError(t, Grad(r.grad, x, y, dout, p))
	var err error
	r.sum, err = Sum(x, y, p)
	require.NoError(t, err)
	r.fusedSum, err = Fused(Out[T]{Loss: r.fusedLoss, Grad: r.fusedGrad, Hess: r.fusedHess}, x, y, p)
	require.NoError(t, err)
	return r
}

func requireSameResults[T Float](t *testing.T, want, got results[T]) {
	t.Helper()
	requireSameBits(t, want.loss, got.loss)
	requireSameBits(t, want.grad, got.grad)
	requireSameBits(t, want.fusedLoss, got.fusedLoss)
	requireSameBits(t, want.fusedGrad, got.fusedGrad)
	requireSameBits(t, want.fusedHess, got.fusedHess)
	requireSameBits(t, []float64{want.sum, want.fusedSum}, []float64{got.sum, got.fusedSum})
}

// borderShapes are batches whose sizes are around the borders of blocks.
func borderShapes() [][2]int {
	shapes := [][2]int{{1, 1}, {5, 3}, {1, 3*blockLen + 1}, {2, blockLen}, {300, 80}}
	for _, blocks := range []int{1, 2} {
		for d := -1; d <= 1; d++ {
			shapes = append(shapes, [2]int{blocks*blockLen + d, 1})
		}
	}
	return shapes
}

func TestWorkers(t *testing.T) { forFloats(t, testWorkers[float32], testWorkers[float64]) }

func testWorkers[T Float](t *testing.T) {
	for _, shape := range borderShapes() {
		x, y := batch[T](shape[0], shape[1])
		dout, _ := batch[T](shape[1], shape[0])
		p := Default()
		want := compute(t, x, y, dout, p)
		for _, workers := range []int{0, 2, 3, 8, -1, math.MaxInt} {
			p.Workers = workers
			requireSameResults(t, want, compute(t, x, y, dout, p))
		}
	}
}

// The corners of sums too: what is not finite in one block is so in all.
func TestWorkersNotFinite(t *testing.T) {
	const rows = 4*blockLen + 3
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, tt := range []struct {
		values map[int]float32
		want   float64
	}{
		{map[int]float32{5: inf}, math.Inf(1)},
		{map[int]float32{blockLen + 5: inf, 3 * blockLen: inf}, math.Inf(1)},
		{map[int]float32{blockLen: nan}, math.NaN()},
		{map[int]float32{0: inf, rows - 1: nan}, math.NaN()},
		{map[int]float32{0: nan, rows - 1: inf}, math.NaN()},
	} {
		x := make([]float32, rows)
		for i, v := range tt.values {
			x[i] = v
		}
		for _, workers := range []int{1, 2, 3, 8} {
			sum, err := Sum(x, Labels(make([]int32, rows)), Params{Gamma: 2, Alpha: 0.25, Workers: workers})
			require.NoError(t, err)
			require.Equal(t, math.Float64bits(tt.want), math.Float64bits(sum))
		}
	}
}

// No goroutine outlives a call. One that has done its work may need a moment to vanish.
func TestWorkersEnd(t *testing.T) {
	x, y := batch[float32](20*blockLen, 1)
	before := runtime.NumGoroutine()
	p := Default()
	for _, workers := range []int{2, 8, 100, -1} {
		p.Workers = workers
		_, err := Fused(Out[float32]{}, x, y, p)
		require.NoError(t, err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func TestGoroutines(t *testing.T) {
	const procs = 3
	former := runtime.GOMAXPROCS(procs)
	defer runtime.GOMAXPROCS(former)
	for _, tt := range []struct{ workers, blocks, want int }{
		{0, 10, 1}, {1, 10, 1}, {2, 10, 2}, {10, 10, 10}, {11, 10, 10}, {math.MaxInt, 10, 10}, {8, 1, 1},
		{-1, 1 << 20, procs}, {math.MinInt, 1 << 20, procs}, {-1, 1, 1},
	} {
		assert.Equalf(t, tt.want, goroutines(tt.workers, tt.blocks), "%+v", tt)
	}
	assert.Equal(t, procs, runtime.GOMAXPROCS(0), "it is asked, not set")
}

func TestAllocations(t *testing.T) { forFloats(t, testAllocations[float32], testAllocations[float64]) }

func testAllocations[T Float](t *testing.T) {
	x, y := batch[T](1000, 20)
	p := Default()
	dst, grad, hess, dout := make([]T, len(x)), make([]T, len(x)), make([]T, len(x)), make([]T, len(x))
	var err error
	for name, call := range map[string]func(){
		"Loss":    func() { err = Loss(dst, x, y, p) },
		"Grad":    func() { err = Grad(dst, x, y, dout, p) },
		"Sum":     func() { _, err = Sum(x, y, p) },
		"Fused":   func() { _, err = Fused(Out[T]{Loss: dst, Grad: grad, Hess: hess}, x, y, p) },
		"Sigmoid": func() { err = Sigmoid(dst, x) },
		"Labels":  func() { err = Loss(dst, x, Labels(labelsOf(y)).Ignoring(-1), p) },
	} {
		assert.Zero(t, testing.AllocsPerRun(10, call), name)
		require.NoError(t, err)
	}
}

// Blocks cover all elements once, in order, however many there are: the sizes that memory does not hold are tested
// by arithmetic.
func TestBlocks(t *testing.T) {
	sizes := []int{0, 1, blockLen - 1, blockLen, blockLen + 1, 10*blockLen - 1, 10 * blockLen, math.MaxInt, math.MaxInt - blockLen}
	if strconv.IntSize == 64 {
		for _, shift := range []int{31, 32, 33, 40, 62} {
			n := 1 << (shift % strconv.IntSize)
			sizes = append(sizes, n-1, n, n+1)
		}
	}
	for _, size := range sizes {
		blocks := blockCount(size)
		check := func(b int) {
			start, end := blockRange(b, size)
			n := end - start
			require.Equal(t, b, start/blockLen)
			require.Zero(t, start%blockLen)
			if b < blocks-1 {
				require.Equal(t, blockLen, n)
				next, _ := blockRange(b+1, size)
				require.Equal(t, start+n, next)
				return
			}
			require.Equal(t, size-start, n)
			require.Positive(t, n)
			require.LessOrEqual(t, n, blockLen)
		}
		for b := range min(blocks, 20) {
			check(b)
			check(blocks - 1 - b)
		}
		if size == 0 {
			require.Zero(t, blocks)
		}
	}
}

// accumulator keeps what a plain sum in float64 loses.
func TestAccumulator(t *testing.T) {
	var a accumulator
	a.add(1 << 53)
	for range 1000 {
		a.add(1)
	}
	assert.Equal(t, float64(1<<53+1000), a.result())

	a = accumulator{}
	for range 10 {
		a.add(0.1) // the float64 nearest to 0.1 is above it by 5.6e-18
	}
	assert.Equal(t, 1.0, a.result())

	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{math.Inf(1), 1, 2}, math.Inf(1)},
		{[]float64{1, math.Inf(1), math.Inf(1)}, math.Inf(1)},
		{[]float64{math.MaxFloat64, math.MaxFloat64, 1}, math.Inf(1)},
		{[]float64{math.Inf(1), math.NaN()}, math.NaN()},
		{[]float64{math.Float64frombits(0xfff8000000000123), 1}, math.NaN()},
		{[]float64{5e-324, 5e-324}, 1e-323},
	} {
		a = accumulator{}
		for _, v := range tt.values {
			a.add(v)
		}
		assert.Equal(t, math.Float64bits(tt.want), math.Float64bits(a.result()), "%v", tt.values)
	}
}

// The lanes of an infinite sum leave Inf-Inf in lo, which must not make a NaN of it.
func TestLaneSumsInfinite(t *testing.T) {
	s := laneSums{}
	s.Hi[3], s.Lo[3] = math.Inf(1), math.NaN()
	var a accumulator
	a.addSum(totalOf(&s))
	a.addSum(accumulator{hi: 1, lo: 1e-20})
	assert.Equal(t, math.Inf(1), a.result())

	s = laneSums{}
	s.Hi[0], s.Hi[15], s.Lo[2] = 1<<53, 1, 0.5
	s.Lo[3] = 0.5
	assert.Equal(t, accumulator{hi: 1 << 53, lo: 2}, totalOf(&s))
}

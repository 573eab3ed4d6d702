package focal

import (
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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

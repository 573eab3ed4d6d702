package focal

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The activations have the same bits on every path, in place, and at every length. (internal/verify has their errors.)
func TestActivations(t *testing.T) { forFloats(t, testActivations[float32], testActivations[float64]) }

func testActivations[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	x := mixedLogits[T](rng, 3*pieceLen+41)
	for _, f := range []func(dst, x []T) error{Sigmoid[T], Softplus[T], LogSigmoid[T]} {
		var want []T
		withPath(pathGeneric, func() {
			want = make([]T, len(x))
			require.NoError(t, f(want, x))
		})
		for _, p := range availablePaths() {
			withPath(p, func() {
				for _, n := range []int{len(x), 0, 1, 2, 31, 95, 96, 97, 1000, pieceLen - 1, pieceLen, pieceLen + 1} {
					from := len(x) - n
					got := filled[T](n)
					require.NoError(t, f(got, x[from:]))
					requireSameBits(t, want[from:], got)
					inPlace := slices.Clone(x[from:])
					require.NoError(t, f(inPlace, inPlace))
					requireSameBits(t, want[from:], inPlace)
				}
			})
		}
	}
}

// LogSigmoid is what Softplus is of the negated logits, and both are losses of plain cross-entropy.
func TestLogSigmoid(t *testing.T) { forFloats(t, testLogSigmoid[float32], testLogSigmoid[float64]) }

func testLogSigmoid[T Float](t *testing.T) {
	x := mixedLogits[T](rand.New(rand.NewPCG(23, 24)), 5000)
	soft, log, pos, neg := make([]T, len(x)), make([]T, len(x)), make([]T, len(x)), make([]T, len(x))
	require.NoError(t, Softplus(soft, x))
	require.NoError(t, LogSigmoid(log, x))
	label := make([]uint8, len(x))
	p := Params{Alpha: NoAlpha}
	require.NoError(t, Loss(neg, x, Labels(label), p))
	for i := range label {
		label[i] = 1
	}
	require.NoError(t, Loss(pos, x, Labels(label), p))
	for i, v := range x {
		minus := []T{-v}
		require.NoError(t, Softplus(minus, minus))
		require.True(t, sameBits(-minus[0], log[i]), "x = %v", v)
		if v != v {
			require.True(t, soft[i] != soft[i] && log[i] != log[i])
			continue
		}
		for _, pair := range [][2]T{{neg[i], soft[i]}, {pos[i], -log[i]}} {
			if want, got := float64(pair[0]), float64(pair[1]); want != got { // infinities are equal
				require.InEpsilon(t, want+1, got+1, 1e-6)
			}
		}
	}
	inf := T(math.Inf(1))
	corners := []T{-inf, 0, inf}
	require.NoError(t, LogSigmoid(corners, corners))
	assert.Equal(t, -inf, corners[0])
	assert.InDelta(t, -math.Ln2, float64(corners[1]), 1e-7)
	assert.Zero(t, corners[2])
	corners = []T{-inf, 0, inf}
	require.NoError(t, Softplus(corners, corners))
	assert.Equal(t, []T{0, inf}, []T{corners[0], corners[2]})
}

func TestParallel(t *testing.T) { forFloats(t, testParallel[float32], testParallel[float64]) }

func testParallel[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	for _, n := range []int{0, 1, blockLen, blockLen + 1, 5*blockLen + 77} {
		x := mixedLogits[T](rng, n)
		for _, f := range []func(dst, x []T) error{Sigmoid[T], Softplus[T], LogSigmoid[T]} {
			want := make([]T, n)
			require.NoError(t, f(want, x))
			for _, workers := range []int{-1, 0, 1, 2, 3, math.MaxInt} {
				got := filled[T](n)
				require.NoError(t, Parallel(got, x, f, workers))
				requireSameBits(t, want, got)
				got = slices.Clone(x)
				require.NoError(t, Parallel(got, got, f, workers))
				requireSameBits(t, want, got)
			}
		}
	}

	x := make([]T, 5*blockLen)
	require.NoError(t, Parallel(x, x, Sigmoid, 2), "the type is inferred")
	dst := filled[T](len(x))
	for _, err := range []error{
		Parallel(dst[1:], x, Sigmoid, 2),
		Parallel(dst[:0], x, Sigmoid, 1),
		Parallel(x[1:], x[:len(x)-1], Sigmoid, 3),
		Parallel(dst, x, nil, 1),
	} {
		require.Error(t, err)
	}
	require.ErrorIs(t, Parallel(x[1:], x[:len(x)-1], Softplus, 3), ErrOverlap)
	require.ErrorIs(t, Parallel(dst, x, nil, 3), ErrParam)
	requireUntouched(t, dst)

	// The first part's error is returned, whichever goroutine ends first.
	first, other := errors.New("first"), errors.New("other")
	for i := range x {
		x[i] = T(i / blockLen)
	}
	for range 20 {
		err := Parallel(dst, x, func(_, x []T) error {
			switch x[0] {
			case 2:
				return first
			case 3, 4:
				return other
			}
			return nil
		}, 5)
		require.ErrorIs(t, err, first)
	}
}

func TestParallelAllocations(t *testing.T) {
	x, dst := make([]float32, 3*blockLen), make([]float32, 3*blockLen)
	assert.Zero(t, testing.AllocsPerRun(10, func() { must(Parallel(dst, x, Softplus, 1)) }))
	assert.Zero(t, testing.AllocsPerRun(10, func() { must(LogSigmoid(dst, x)) }))
}

// With several workers f runs on several goroutines at the same time.
func TestParallelWorkers(t *testing.T) {
	x := make([]float32, 4*blockLen)
	var calls atomic.Int64
	two := make(chan struct{})
	require.NoError(t, Parallel(x, x, func(dst, x []float32) error {
		if calls.Add(1) == 2 {
			close(two)
		}
		select {
		case <-two:
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("nobody else works")
		}
	}, 2))
}

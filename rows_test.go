package focal

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/oracle"
)

func TestRows(t *testing.T) { forFloats(t, testRows[float32], testRows[float64]) }

func testRows[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 7))
	for _, shape := range [][2]int{{1, 1}, {9, 1}, {7, 3}, {40, 77}, {2, pieceLen}, {1, pieceLen + 1}, {2, blockLen + 1}, {blockLen + 1, 1}} {
		rows, c := shape[0], shape[1]
		if testing.Short() && rows*c > pieceLen+1 {
			continue
		}
		for _, finite := range []bool{true, false} {
			for _, b := range scoredBatches[T](rng, rows, c, finite) {
				x, y := b.shard(0, rows)
				for _, p := range scoredParams[:2] {
					p.Norm = 3
					loss, dst := make([]T, len(x)), make([]T, rows)
					require.NoError(t, Loss(loss, x, y, p))
					require.NoError(t, Rows(dst, x, y, p))
					for r, got := range dst {
						row := loss[r*c : (r+1)*c]
						want, finite := 0.0, true
						for _, v := range row {
							want += float64(v)
							finite = finite && isFinite(float64(v))
						}
						if !finite {
							requireSameBits(t, []T{T(want)}, []T{got})
							continue
						}
						// Compensated, the sum is as good as exact; two roundings are left.
						exact, _ := oracle.Sum(row).Float64()
						next := math.Abs(float64(T(exact))) * 0x1p-52
						if isFloat32[T]() {
							next = math.Abs(float64(T(exact))) * 0x1p-24
						}
						require.InDelta(t, exact, float64(got), next, "%s, row %d of %v", b.name, r, shape)
					}
					for _, workers := range []int{2, 3, -1} {
						p.Workers = workers
						got := make([]T, rows)
						require.NoError(t, Rows(got, x, y, p))
						requireSameBits(t, dst, got)
					}
					for range 3 { // in any shard
						from := rng.IntN(rows)
						to := from + 1 + rng.IntN(rows-from)
						x, y := b.shard(from, to)
						got := make([]T, to-from)
						require.NoError(t, Rows(got, x, y, p))
						requireSameBits(t, dst[from:to], got)
					}
				}
			}
		}
	}
}

// With planes, rows are those of the same logits with the channels last.
func TestRowsPlanes(t *testing.T) { forFloats(t, testRowsPlanes[float32], testRowsPlanes[float64]) }

func testRowsPlanes[T Float](t *testing.T) {
	for _, shape := range [][3]int{{3, 2, 5}, {1, 1, 1}, {40, 3, 7}, {2, 20, rowTile}, {2, 3, rowTile + 1}, {3, 1, 2*rowTile + 5}, {1, 7, 3000}} {
		images, c, size := shape[0], shape[1], shape[2]
		last, y := batch[T](images*size, c)
		first, dense, denseLast := make([]T, len(last)), make([]T, len(last)), make([]T, len(last))
		for i := range last {
			row, col := i/c, i%c
			at := (row/size*c+col)*size + row%size
			first[at] = last[i]
			denseLast[i] = T(i%11) / 10
			dense[at] = denseLast[i]
		}
		p := Default()
		want, got := make([]T, images*size), make([]T, images*size)
		for _, p.Workers = range []int{1, 3} {
			require.NoError(t, Rows(want, last, y, p))
			require.NoError(t, Rows(got, first, y.Planes(size), p))
			requireSameBits(t, want, got)
			require.NoError(t, Rows(want, last, Dense(denseLast), p))
			require.NoError(t, Rows(got, first, Dense(dense).Planes(size), p))
			requireSameBits(t, want, got)
		}
	}
}

func TestRowsInPlace(t *testing.T) {
	x, y := batch[float32](20000, 1)
	want := make([]float32, len(x))
	require.NoError(t, Rows(want, x, y, Default()))
	p := Default()
	p.Workers = 3
	require.NoError(t, Rows(x, x, y, p))
	requireSameBits(t, want, x)
}

func TestRowsErrors(t *testing.T) {
	buf := make([]float32, 12)
	x := buf[:6]
	label := []int32{0, 0}
	for _, tt := range []struct {
		dst, x []float32
		y      Target
		p      Params
		want   error
		text   string
	}{
		{filled[float32](3), x, Labels(label), Default(), ErrShape, "len(dst) = 3, want len(label) = 2"},
		{nil, x, Labels(label), Default(), ErrShape, "len(dst) = 0, want len(label) = 2"},
		{filled[float32](1), nil, Labels[int32](nil), Default(), ErrShape, "len(dst) = 1, want len(label) = 0"},
		{filled[float32](4), x, Dense(make([]float32, 6)), Default(), ErrShape, "len(dst) = 4, want a number of rows that divides len(x) = 6"},
		{nil, x, Dense(make([]float32, 6)), Default(), ErrShape, "len(dst) = 0, want a number of rows"},
		{filled[float32](1), nil, Dense([]float32{}), Default(), ErrShape, "len(dst) = 1, want a number of rows"},
		{filled[float32](2), x, Dense(make([]float32, 5)), Default(), ErrShape, "len(t) = 5"},
		{filled[float32](2), x, Labels([]int32{0, 4}), Default(), ErrLabel, "label[1] = 4"},
		{filled[float32](2), x, Dense([]float32{0, 0, 0, -1, 0, 0}), Default(), ErrTarget, "t[3] = -1"},
		{filled[float32](2), x, Target{}, Default(), ErrTarget, "zero Target"},
		{filled[float32](2), x, Labels(label), Params{Gamma: -1}, ErrParam, "Gamma"},
		{filled[float32](2), x, Labels(label), Params{Norm: 1e-300, Alpha: 1}, ErrParam, "Norm"},
		{buf[5:7], x, Labels(label), Default(), ErrOverlap, "dst overlaps x"},
		{buf[:2], x, Labels(label), Default(), ErrOverlap, "dst overlaps x"},
		{buf[10:12], x, Dense(buf[6:12]), Default(), ErrOverlap, "dst overlaps t"},
	} {
		err := Rows(tt.dst, tt.x, tt.y, tt.p)
		require.ErrorIs(t, err, tt.want, tt.text)
		require.ErrorContains(t, err, tt.text)
		require.ErrorContains(t, err, "focal: Rows: ")
		for _, v := range tt.dst {
			require.True(t, v == untouched || v == 0, "written")
		}
	}
	require.NoError(t, Rows(nil, []float32{}, Labels[int32](nil), Default()))
	require.NoError(t, Rows(nil, []float32{}, Dense([]float32{}), Default()))
}

func TestFits(t *testing.T) {
	label := make([]int32, 6)
	require.NoError(t, Labels(label).Fits(6, 3))
	require.NoError(t, ZeroBased(label).Ignoring(7).Fits(6, 1))
	require.NoError(t, Labels[int32](nil).Fits(0, 3))
	require.NoError(t, Dense(make([]float32, 6)).Fits(2, 3))
	require.NoError(t, Dense(make([]float64, 6)).Fits(3, 2))
	for want, y := range map[string]Target{
		"2×3 logits: len(label) = 6, want 2": Labels(label),
		"2×3 logits: len(t) = 5, want 6":     Dense(make([]float64, 5)),
		"2×3 logits: len(t) = 2, want 6":     Dense(make([]float32, 2)),
	} {
		err := y.Fits(2, 3)
		require.ErrorIs(t, err, ErrShape)
		require.ErrorContains(t, err, want)
	}
	require.ErrorIs(t, Target{}.Fits(0, 0), ErrTarget)
	for _, y := range []Target{Labels[int32](nil), Dense([]float32{})} {
		for _, shape := range [][2]int{{-1, 0}, {0, -1}, {math.MinInt, math.MinInt}} {
			require.ErrorIs(t, y.Fits(shape[0], shape[1]), ErrShape)
		}
	}
	require.ErrorIs(t, Labels(label).Fits(6, 0), ErrShape)
	require.ErrorIs(t, Dense([]float32{}).Fits(math.MinInt/-2, 8), ErrShape) // 0, where the product overflows
}

package focal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/effort"
)

func TestFgNum(t *testing.T) {
	assert.Equal(t, 0, FgNum(nil))
	assert.Equal(t, 3, FgNum([]int32{0, 1, -1, 2, math.MaxInt32, math.MinInt32, 0}))
}

// masksByDefinition asks for each element on its own what labelMasks must find.
func masksByDefinition(start, n int, label []int32, c int, offset, ignore int32) (pos, ign []bool) {
	pos, ign = make([]bool, n), make([]bool, n)
	for i := range n {
		row, col := (start+i)/c, (start+i)%c
		ign[i] = label[row] == ignore
		pos[i] = !ign[i] && int(label[row])-int(offset) == col
	}
	return pos, ign
}

func bitsOf(m *bitmask, n int) []bool {
	b := make([]bool, n)
	for i := range b {
		b[i] = m[i/64]>>(i%64)&1 != 0
	}
	return b
}

func garbage() bitmask {
	var m bitmask
	for i := range m {
		m[i] = 0x5a5a5a5a5a5a5a5a
	}
	return m
}

func TestLabelMasks(t *testing.T) {
	columns := []int{1203, blockLen - 1, blockLen, blockLen + 1, 20000}
	for c := 1; c <= 70; c++ {
		columns = append(columns, c)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i, c := range columns {
		if !effort.Full() && c > 17 && i%8 != 0 || effort.Least() && c > 3 { // what is special are few columns
			continue
		}
		rows := (2*blockLen+c-1)/c + 3
		label := make([]int32, rows)
		for try := range 5 {
			for _, kind := range []struct{ offset, ignore int32 }{{1, -1}, {0, -1}, {1, 255}, {1, 0}, {0, 0}, {1, math.MinInt32}} {
				fillLabels(rng, label, c, kind.ignore, []float64{0, 0.1, 0.9}[try%3])
				n := 1 + rng.IntN(pieceLen)
				if try%4 == 0 {
					n = pieceLen
				}
				start := rng.IntN(rows*c - n + 1)
				if try%5 == 0 {
					start = start / c * c
				}
				wantPos, wantIgn := masksByDefinition(start, n, label, c, kind.offset, kind.ignore)

				for _, p := range availablePaths() {
					withPath(p, func() {
						pos, keep := garbage(), garbage()
						last := (start + n - 1) / c
						ignored := labelBits(&pos, &keep, n, label[start/c:last+1], start%c, c, kind.offset, kind.ignore)
						require.Equal(t, wantPos, bitsOf(&pos, n), "%v c=%d start=%d n=%d", p, c, start, n)
						require.Equal(t, slices.Contains(wantIgn, true), ignored, "%v c=%d start=%d n=%d %v", p, c, start, n, kind)
						if ignored {
							require.Equal(t, wantIgn, not(bitsOf(&keep, n)), "%v c=%d start=%d n=%d", p, c, start, n)
						}

						longPos, longKeep := garbage(), garbage()
						labelBits(&longPos, &longKeep, n, label[start/c:], start%c, c, kind.offset, kind.ignore)
						require.Equal(t, bitsOf(&pos, n), bitsOf(&longPos, n), "labels behind the piece do not matter")
						require.Equal(t, bitsOf(&keep, n), bitsOf(&longKeep, n), "labels behind the piece do not matter")
					})
				}
			}
		}
	}
}

// What is reported of a single row or element is reported of many: even numbers do not cancel out.
func TestMasksOfAll(t *testing.T) { forFloats(t, testMasksOfAll[float32], testMasksOfAll[float64]) }

func testMasksOfAll[T Float](t *testing.T) {
	for _, p := range availablePaths() {
		withPath(p, func() {
			for n := laneCount; n <= 8*laneCount; n += laneCount {
				label, soft := make([]int32, n), make([]T, n)
				for i := range n {
					label[i], soft[i] = -1, 0.5
				}
				for c := 1; c <= 2*listColumns; c++ {
					var pos, keep bitmask
					require.True(t, labelBits(&pos, &keep, n*c, label, 0, c, 1, -1), "%v: %d×%d", p, n, c)
					require.Zero(t, pos.count(n*c)+keep.count(n*c), "%v: %d×%d", p, n, c)
					var index [pieceLen + 2*laneCount]uint16
					count, ignored := labelList(index[:], &keep, n*c, label, 0, c, 1, -1)
					require.True(t, ignored && count == 0, "%v: %d×%d", p, n, c)
				}
				var pos, mask bitmask
				require.True(t, targetBits(&pos, &mask, soft), "%v n=%d", p, n)
				require.Equal(t, n, mask.count(n), "%v n=%d", p, n)
				require.False(t, allWithin(soft, 0, 0.75, 1), "%v n=%d", p, n)
				require.False(t, allWithin(soft, 0, 0, 0.25), "%v n=%d", p, n)
			}
		})
	}
}

func not(v []bool) []bool {
	for i := range v {
		v[i] = !v[i]
	}
	return v
}

// fillLabels fills in valid labels, the given share of them ignored.
func fillLabels(rng *rand.Rand, label []int32, c int, ignore int32, share float64) {
	for i := range label {
		label[i] = rng.Int32N(int32(c) + 1)
		if rng.Float64() < share {
			label[i] = ignore
		}
	}
}

func TestCheckLabels(t *testing.T) {
	for _, tt := range []struct {
		label  []int32
		limit  uint32
		ignore int32
		want   int
	}{
		{nil, 0, -1, -1},
		{[]int32{0, 1, 2, 3, -1}, 3, -1, -1},
		{[]int32{0, 1, 2, 3, -1}, 2, -1, 3},
		{[]int32{0, 1, -1}, 2, 255, 2},
		{[]int32{0, 255, 256}, 2, 255, 2},
		{[]int32{math.MaxInt32, 0}, math.MaxInt32, -1, -1},
		{[]int32{math.MaxInt32, math.MinInt32}, math.MaxInt32, -1, 1},
		{[]int32{math.MinInt32, -1}, math.MaxInt32, math.MinInt32, 1},
	} {
		for _, p := range availablePaths() {
			withPath(p, func() {
				y := Labels(tt.label)
				assert.Equal(t, tt.want, y.firstBadLabel(0, tt.limit, tt.ignore), "%v %+v", p, tt)
			})
		}
	}
}

// Wherever the bad label is, it is found, and it alone.
func TestCheckLabelsPositions(t *testing.T) {
	for _, p := range availablePaths() {
		withPath(p, func() { testCheckLabelsPositions(t) })
	}
}

func testCheckLabelsPositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for n := range 70 {
		label := make([]int32, n)
		y := Labels(label)
		require.Equal(t, -1, y.firstBadLabel(0, 5, -1))
		if n > 0 { // otherwise each is looked at again, which takes long
			occupyRegisters[float32](rng)
			require.True(t, labelsValid(&label[0], n, 5, -1), n)
		}
		for i := range label {
			label[i] = 6
			require.Equal(t, i, y.firstBadLabel(0, 5, -1))
			label[i] = 0
		}
	}
}

// More classes than an int32 counts: all labels that are not negative are valid. No memory holds such a row.
func TestManyClasses(t *testing.T) {
	y := Labels([]int32{math.MaxInt32})
	require.NoError(t, y.checkLabels("Loss", math.MaxInt))
	require.ErrorIs(t, y.checkLabels("Loss", math.MaxInt32-1), ErrLabel)

	var pos, ign bitmask
	require.False(t, labelBits(&pos, &ign, 3, labelsOf(y), math.MaxInt32-3, math.MaxInt, 1, -1))
	require.Equal(t, bitmask{0: 1 << 2}, pos)
	labelsOf(y)[0] = 1
	require.False(t, labelBits(&pos, &ign, pieceLen, labelsOf(y), math.MaxInt-pieceLen, math.MaxInt, 1, -1))
	require.Equal(t, bitmask{}, pos, "the positive is in an earlier piece")
}

// The two conventions say the same with labels that differ by one.
func TestConventions(t *testing.T) {
	const c = 4
	zero := []int32{0, 1, 2, 3, c, -1}
	paddle := []int32{1, 2, 3, 4, 0, -1}
	other := []int32{1, 2, 3, 4, 0, 255}
	x, _ := batch[float64](len(zero), c)
	want := compute(t, x, Labels(paddle), nil, Default())
	requireSameResults(t, want, compute(t, x, ZeroBased(zero), nil, Default()))
	requireSameResults(t, want, compute(t, x, Labels(other).Ignoring(255), nil, Default()))

	// The positives are those whose gradient is negative.
	for i, g := range want.grad {
		row, col := i/c, i%c
		switch {
		case zero[row] == -1:
			assert.Zero(t, g)
		case int(zero[row]) == col:
			assert.Negative(t, g)
		default:
			assert.Positive(t, g)
		}
	}
}

// A class may be the ignored value.
func TestIgnoringClass(t *testing.T) {
	x := []float32{1, 2, 3, 4}
	dst := make([]float32, 4)
	require.NoError(t, Loss(dst, x, Labels([]int32{2, 1}).Ignoring(2), Default()))
	assert.Equal(t, []float32{0, 0}, dst[:2])
	assert.NotContains(t, dst[2:], float32(0))
}

// Ignored rows are 0 whatever is in them, and whatever dout is.
func TestIgnoredRows(t *testing.T) { forFloats(t, testIgnoredRows[float32], testIgnoredRows[float64]) }

func testIgnoredRows[T Float](t *testing.T) {
	inf, nan := T(math.Inf(1)), T(math.NaN())
	special := []T{nan, inf, -inf, 1}
	for _, shape := range [][2]int{{5, 3}, {blockLen + 1, 1}, {3, 3000}, {200, 80}} {
		rows, c := shape[0], shape[1]
		x, y := batch[T](rows, c)
		dout := make([]T, len(x))
		ignored := func(i int) bool { return labelsOf(y)[i/c] == -1 }
		for i := range x {
			dout[i] = 1
			if ignored(i) {
				x[i], dout[i] = special[i%4], special[i/4%4]
			}
		}
		for _, alpha := range []float64{0.25, NoAlpha, 0, 1} {
			for _, gamma := range []float64{0, 2} {
				r := compute(t, x, y, dout, Params{Gamma: gamma, Alpha: alpha})
				for _, got := range [][]T{r.loss, r.grad, r.fusedLoss, r.fusedGrad, r.fusedHess} {
					for i, v := range got {
						if ignored(i) && math.Float64bits(float64(v)) != 0 || v != v {
							require.Failf(t, "not zero", "alpha=%v gamma=%v rows=%d c=%d: %v at %d", alpha, gamma, rows, c, v, i)
						}
					}
				}
				require.False(t, math.IsNaN(r.sum) || math.IsInf(r.sum, 0))
				require.True(t, sameBits(r.sum, r.fusedSum))
			}
		}
	}
}

// A class without weight is exactly 0, except where the logit is NaN.
func TestNoWeight(t *testing.T) { forFloats(t, testNoWeight[float32], testNoWeight[float64]) }

func testNoWeight[T Float](t *testing.T) {
	inf, nan := T(math.Inf(1)), T(math.NaN())
	values := []T{-inf, -1000, -1, 0, 1, 1000, inf, nan}
	const c = 2
	x := make([]T, 0, c*len(values))
	label := make([]int32, len(values))
	for i, v := range values {
		x = append(x, v, v)
		label[i] = 1 // column 0 is positive, column 1 negative
	}
	for _, gamma := range []float64{0, 0.5, 2} {
		for _, tt := range []struct {
			p    Params
			zero func(col int) bool
		}{
			{Params{Gamma: gamma, Alpha: 0}, func(col int) bool { return col == 0 }},
			{Params{Gamma: gamma, Alpha: 1}, func(col int) bool { return col == 1 }},
			{Params{Gamma: gamma, Alpha: math.Copysign(0, -1)}, func(col int) bool { return col == 0 }},
			{Params{Gamma: gamma, Alpha: 5e-324, Norm: 4}, func(col int) bool { return col == 0 }},
		} {
			r := compute(t, x, Labels(label), nil, tt.p)
			for k, got := range [][]T{r.loss, r.grad, r.fusedLoss, r.fusedGrad, r.fusedHess} {
				for i, v := range got {
					at := fmt.Sprintf("%+v: output %d at x=%v column %d", tt.p, k, x[i], i%c)
					switch {
					case x[i] != x[i]:
						require.True(t, v != v, at)
					case tt.zero(i % c):
						require.Zero(t, math.Float64bits(float64(v)), at)
					default:
						require.False(t, v != v, at)
					}
				}
			}
			require.True(t, math.IsNaN(r.sum), "a NaN logit shows in the sum")
		}
	}
}

// Labels of every integer type mean what the same labels as int32 mean, in every call, wherever a piece of them begins.
func TestIntegerLabels(t *testing.T) {
	for _, p := range availablePaths() {
		withPath(p, func() {
			testIntegerLabels[int](t)
			testIntegerLabels[int8](t)
			testIntegerLabels[int16](t)
			testIntegerLabels[classID](t)
			testIntegerLabels[int64](t)
			testIntegerLabels[uint](t)
			testIntegerLabels[uint8](t)
			testIntegerLabels[uint16](t)
			testIntegerLabels[uint32](t)
			testIntegerLabels[uint64](t)
			testIntegerLabels[uintptr](t)
		})
	}
}

type classID int32

func testIntegerLabels[L Integer](t *testing.T) {
	unsigned := L(0)-1 > 0
	rng := rand.New(rand.NewPCG(7, 8))
	for i, shape := range [][2]int{{blockLen + 7, 1}, {1100, 3}, {300, 25}, {2, blockLen + 1}} {
		if effort.Least() && i != int(unsafe.Sizeof(L(0)))%4 { // a shape for each size
			continue
		}
		rows, c := shape[0], shape[1]
		x, _ := batch[float32](rows, c)
		as32, as := make([]int32, rows), make([]L, rows)
		ignore := int32(-1)
		if unsigned {
			ignore = 127
		}
		fillLabels(rng, as32, min(c, 100), ignore, 0.1)
		for i, v := range as32 {
			as[i] = L(v)
		}
		for k, y := range [][2]Target{{Labels(as32).Ignoring(ignore), Labels(as).Ignoring(ignore)}, {ZeroBased(as32).Ignoring(ignore), ZeroBased(as).Ignoring(ignore)}} {
			p := Default()
			want := compute(t, x, y[0], nil, p)
			p.Workers = []int{1, 3}[k]
			requireSameResults(t, want, compute(t, x, y[1], nil, p))
			require.Equal(t, mustScore(t, x, y[0], p), mustScore(t, x, y[1], p))
			perRow, got := make([]float32, rows), make([]float32, rows)
			require.NoError(t, Rows(perRow, x, y[0], p))
			require.NoError(t, Rows(got, x, y[1], p))
			requireSameBits(t, perRow, got)
		}
	}
}

// A label whose last 32 bits are those of a valid one is invalid all the same, and the text has all of its digits.
func TestErrLabelInteger(t *testing.T) {
	const c = 3
	x := make([]float32, 2000*c)
	for _, at := range []int{0, 511, 512, 1999} {
		testErrLabelInteger(t, x, at, int64(math.MaxInt64), "9223372036854775807")
		testErrLabelInteger(t, x, at, int64(1)<<32+1, "4294967297")
		testErrLabelInteger(t, x, at, -int64(1)<<32, "-4294967296")
		testErrLabelInteger(t, x, at, -int64(1)<<32-1, "-4294967297")
		testErrLabelInteger(t, x, at, uint64(math.MaxUint64), "18446744073709551615")
		testErrLabelInteger(t, x, at, uint64(1)<<32, "4294967296")
		testErrLabelInteger(t, x, at, uint32(math.MaxUint32), "4294967295")
		testErrLabelInteger(t, x, at, uint32(4), "4")
		testErrLabelInteger(t, x, at, uint16(math.MaxUint16), "65535")
		testErrLabelInteger(t, x, at, uint8(math.MaxUint8), "255")
		testErrLabelInteger(t, x, at, int8(-2), "-2")
		testErrLabelInteger(t, x, at, int16(4), "4")
		testErrLabelInteger(t, x, at, -2, "-2")
	}
}

func testErrLabelInteger[L Integer](t *testing.T, x []float32, at int, bad L, text string) {
	label := make([]L, 2000)
	label[at], label[len(label)-1] = bad, bad
	dst := filled[float32](len(x))
	err := Loss(dst, x, Labels(label), Default())
	require.ErrorIs(t, err, ErrLabel)
	require.EqualError(t, err, fmt.Sprintf("focal: Loss: label[%d] = %s, want 0..C with C = 3, or -1 if ignored: label out of range", at, text))
	require.ErrorIs(t, Loss(dst, x, ZeroBased(label), Default()), ErrLabel)
	requireUntouched(t, dst)
}

// Labels of another type than int32 are converted on the stack.
func TestIntegerLabelsAllocate(t *testing.T) {
	x, label := make([]float32, 3*blockLen), make([]int, 3*blockLen)
	dst := make([]float32, len(x))
	assert.Zero(t, testing.AllocsPerRun(10, func() { must(Loss(dst, x, Labels(label), Default())) }))
	label8 := make([]uint8, len(x)/8)
	assert.Zero(t, testing.AllocsPerRun(10, func() { must(Loss(dst, x, Labels(label8), Default())) }))
}

// An output may not overlap labels of any type.
func TestErrOverlapInteger(t *testing.T) {
	const n = 16
	words := make([]uint64, n)
	x := make([]float64, n)
	out := unsafe.Slice((*float64)(unsafe.Pointer(&words[0])), n)
	require.ErrorIs(t, Loss(out, x, Labels(words), Default()), ErrOverlap)
	require.ErrorIs(t, Loss(out[1:], x[1:], Labels(unsafe.Slice((*uint8)(unsafe.Pointer(&words[0])), 9)[:5]), Default()), nil)
	require.ErrorIs(t, Loss(out[1:], x[1:], Labels(unsafe.Slice((*uint8)(unsafe.Pointer(&words[1])), 5)), Default()), ErrOverlap)
}

func TestCheckDense(t *testing.T) { forFloats(t, testCheckDense[float32], testCheckDense[float64]) }

func testCheckDense[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	smallest, below1 := fromBits[T](1), fromBits[T](toBits(T(1))-1)
	above1, minusSmallest := fromBits[T](toBits(T(1))+1), -smallest
	valid := []T{0, T(math.Copysign(0, -1)), smallest, 0.5, below1, 1}
	invalid := []T{minusSmallest, -0.5, -1, above1, 2, T(math.Inf(1)), T(math.Inf(-1)), T(math.NaN()), T(math.Copysign(math.NaN(), -1)),
		fromBits[T](toBits(T(math.Inf(1))) | 1)} // the last one is a signaling NaN
	for _, p := range availablePaths() {
		withPath(p, func() {
			for n := range 300 {
				v := make([]T, n+2)[1 : n+1] // what is beside it is valid; the loop below makes it invalid
				for i := range v {
					v[i] = valid[i%len(valid)]
				}
				require.Equal(t, -1, firstOutside(v, 0, 1), "%v n=%d", p, n)
				if n > 0 { // otherwise each is looked at again, which takes long
					occupyRegisters[T](rng)
					require.True(t, allWithin(v, 0, 0, 1), "%v n=%d", p, n)
				}
				for at := range n {
					was := v[at]
					v[at] = invalid[(n+at)%len(invalid)]
					require.Equal(t, at, firstOutside(v, 0, 1), "%v n=%d: %v", p, n, v[at])
					v[at] = was
				}
				whole := v[:n:n]
				around := append(append([]T{2}, whole...), 2)
				require.Equal(t, -1, firstOutside(around[1:n+1], 0, 1), "%v n=%d: what is beside the slice does not matter", p, n)
			}
			long := make([]T, 3*blockLen+5)
			for _, at := range []int{0, blockLen - 1, blockLen, 2*blockLen + 7, len(long) - 1} {
				long[at] = 2
				require.Equal(t, at, firstOutside(long, 0, 1), p)
				long[at] = 0
			}
		})
	}
}

func TestTargetBits(t *testing.T) { forFloats(t, testTargetBits[float32], testTargetBits[float64]) }

func testTargetBits[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	hard := []T{0, 1, 1}
	soft := []T{0.5, fromBits[T](1), fromBits[T](toBits(T(1)) - 1)}
	for _, p := range availablePaths() {
		withPath(p, func() {
			for _, n := range append(upTo(300), pieceLen-1, pieceLen) {
				around := make([]T, n+2)
				around[0], around[n+1] = 0.5, 0.5 // beside the block
				v := around[1 : n+1]
				want := make([]bool, n)
				for i := range v {
					v[i] = hard[rng.IntN(len(hard))]
					want[i] = v[i] == 1
				}
				pos, mask := garbage(), garbage()
				occupyRegisters[T](rng)
				require.False(t, targetBits(&pos, &mask, v), "%v n=%d", p, n)
				require.Equal(t, make([]bool, n), bitsOf(&mask, n), "%v n=%d", p, n)
				require.Equal(t, want, bitsOf(&pos, n), "%v n=%d", p, n)
				for range 10 {
					at := rng.IntN(n)
					was := v[at]
					v[at] = soft[rng.IntN(len(soft))]
					require.True(t, targetBits(&pos, &mask, v), "%v n=%d: v[%d] = %v", p, n, at, v[at])
					wantSoft := make([]bool, n)
					wantSoft[at] = true
					require.Equal(t, wantSoft, bitsOf(&mask, n), "%v n=%d: v[%d] = %v", p, n, at, v[at])
					v[at] = was
				}
			}
		})
	}
}

// upTo returns 1..n.
func upTo(n int) (v []int) {
	for i := range n {
		v = append(v, i+1)
	}
	return v
}

// Hard targets have the bits of labels, alone and among soft ones, which other kernels compute.
func TestDenseHard(t *testing.T) { forFloats(t, testDenseHard[float32], testDenseHard[float64]) }

func testDenseHard[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, n := adversarialLogits[T](1), 3*blockLen
	if effort.Least() {
		n = blockLen
	}
	for len(x) < n {
		x = append(x, mixedLogits[T](rng, 1000)...)
	}
	dout := mixedDout[T](rng, len(x))
	label := make([]int32, len(x)) // one column
	dense, among := make([]T, len(x)), make([]T, len(x))
	var isSoft []bool
	for i := range label {
		label[i] = rng.Int32N(2)
		dense[i] = T(label[i])
		among[i] = dense[i]
		soft := i%7 == 3 || i < 64
		if soft {
			among[i] = mixedTargets[T](rng, 1)[0]
		}
		isSoft = append(isSoft, soft)
	}
	for i, p := range []Params{
		{Gamma: 2, Alpha: 0.25, Norm: 17}, {Gamma: 2, Alpha: NoAlpha}, {Gamma: 2, Alpha: 1, Norm: 3}, {Gamma: 2, Alpha: 0},
		{Gamma: 0, Alpha: 0.25}, {Gamma: 0.5, Alpha: NoAlpha}, {Gamma: 2.3, Alpha: 0.25, Norm: 17}, {Gamma: 5, Alpha: 0},
		{Gamma: 300, Alpha: 0.75}, {Gamma: 1e30, Alpha: 0.5},
	} {
		want := compute(t, x, Labels(label), dout, p)
		for j, path := range availablePaths() {
			if !effort.Full() && (i+j)%3 != 0 || effort.Least() && i%5 != 0 {
				continue
			}
			withPath(path, func() {
				requireIdentical(t, want, compute(t, x, Dense(dense), dout, p))

				got := compute(t, x, Dense(among), dout, p)
				for k, w := range [][]T{want.loss, want.grad, want.fusedLoss, want.fusedGrad, want.fusedHess} {
					g := [][]T{got.loss, got.grad, got.fusedLoss, got.fusedGrad, got.fusedHess}[k]
					for i := range w {
						if !isSoft[i] && !sameBits(w[i], g[i]) {
							require.Failf(t, "bits differ", "%v %+v: result %d, x %v, t %v: want %v, got %v", path, p, k, x[i], dense[i], w[i], g[i])
						}
					}
				}
			})
		}
	}
}

func TestDensePaths(t *testing.T) { forFloats(t, testDensePaths[float32], testDensePaths[float64]) }

func testDensePaths[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for i, n := range []int{1, 2, 15, 16, 17, 100, blockLen - 1, blockLen, blockLen + 1, 2*blockLen + 77} {
		x, target, dout := mixedLogits[T](rng, n), mixedTargets[T](rng, n), mixedDout[T](rng, n)
		for from := 0; from+2*blockLen <= n; from += 2 * blockLen { // blocks of hard ones too
			for k := range blockLen {
				target[from+k] = T(rng.IntN(2))
			}
		}
		p := []Params{{Gamma: 2, Alpha: 0.25, Norm: 17}, {Gamma: 2.3, Alpha: 0.25, Norm: 17}, {Gamma: 2, Alpha: 1}}[i%3]
		var want results[T]
		withPath(pathGeneric, func() { want = compute(t, x, Dense(target), dout, p) })
		for _, path := range availablePaths() {
			for _, p.Workers = range []int{1, 3} {
				withPath(path, func() { requireIdentical(t, want, compute(t, x, Dense(target), dout, p)) })
			}
		}
	}
}

func TestErrTargetDense(t *testing.T) {
	forFloats(t, testErrTargetDense[float32], testErrTargetDense[float64])
}

func testErrTargetDense[T Float](t *testing.T) {
	const n = 70
	for _, op := range operations[T]() {
		for _, bad := range []T{-1, 1.5, T(math.NaN())} {
			for _, at := range []int{0, 1, 63, n - 1} {
				target := make([]T, n)
				target[at], target[n-1] = bad, bad // the first is named
				dst := [3][]T{filled[T](n), filled[T](n), filled[T](n)}
				err := op.call(dst, make([]T, n), Dense(target), Default())
				require.ErrorIs(t, err, ErrTarget)
				require.ErrorContains(t, err, fmt.Sprintf("focal: %s: t[%d] = %v, want it in [0, 1]", op.name, at, bad))
				requireUntouched(t, dst[:]...)
			}
		}
		dst := [3][]T{filled[T](n), filled[T](n), filled[T](n)}
		for _, length := range []int{0, 1, n - 1, n + 1} {
			err := op.call(dst, make([]T, n), Dense(make([]T, length)), Default())
			require.ErrorIs(t, err, ErrShape)
			require.ErrorContains(t, err, fmt.Sprintf("focal: %s: len(t) = %d, want len(x) = %d", op.name, length, n))
		}
		var other Target
		have, want := "float64", "float32"
		if !isFloat32[T]() {
			other, have, want = Dense(make([]float32, n)), want, have
		} else {
			other = Dense(make([]float64, n))
		}
		err := op.call(dst, make([]T, n), other, Default())
		require.ErrorIs(t, err, ErrTarget)
		require.ErrorContains(t, err, fmt.Sprintf("y is Dense of %s, want it of %s", have, want))
		requireUntouched(t, dst[:]...)
		require.NoError(t, op.call([3][]T{{}, {}, {}}, nil, Dense[T](nil), Default()), "an empty batch")
	}
}

// An output may not be the targets, nor overlap them.
func TestErrOverlapDense(t *testing.T) {
	const n = 16
	for offset := range 2*n + 2 {
		buffer := make([]float32, 4*n)
		target := buffer[n : 2*n]
		dst := buffer[offset : offset+n]
		err := Loss(dst, make([]float32, n), Dense(target), Default())
		if overlapping := offset > 0 && offset < 2*n; overlapping {
			require.ErrorIs(t, err, ErrOverlap, offset)
			require.ErrorContains(t, err, "dst overlaps t")
		} else {
			require.NoError(t, err, offset)
		}
		for _, v := range target {
			require.Zero(t, v)
		}
	}
	x := make([]float32, n)
	require.NoError(t, Loss(make([]float32, n), x, Dense(x), Default()), "inputs may overlap each other")
}

// The limits of soft targets at infinite logits, and NaN in its element alone.
func TestDenseCorners(t *testing.T) {
	forFloats(t, testDenseCorners[float32], testDenseCorners[float64])
}

func testDenseCorners[T Float](t *testing.T) {
	inf := T(math.Inf(1))
	for _, p := range availablePaths() {
		for _, gamma := range []float64{0, 0.5, 1, 2, 2.3} {
			withPath(p, func() {
				x := []T{inf, -inf, inf, -inf, T(math.NaN()), T(math.NaN()), inf, -inf, 0.25}
				target := []T{0.25, 0.25, 1, 0, 0, 0.5, 0, 1, 0.25}
				loss, grad, hess := make([]T, len(x)), make([]T, len(x)), make([]T, len(x))
				sum, err := Fused(Out[T]{Loss: loss, Grad: grad, Hess: hess}, x, Dense(target), Params{Gamma: gamma, Alpha: NoAlpha})
				require.NoError(t, err)
				assert.True(t, math.IsNaN(sum))
				for i, want := range []T{inf, inf, 0, 0, -1, -1, inf, inf} {
					if want < 0 {
						assert.True(t, loss[i] != loss[i] && grad[i] != grad[i] && hess[i] != hess[i], i)
						continue
					}
					assert.Equal(t, want, loss[i], "%v gamma=%v x=%v t=%v", p, gamma, x[i], target[i])
				}
				// m → 1-t at +Inf, t at -Inf; there grad → m^γ·E', and hess → 0
				for i, want := range map[int]float64{
					0: math.Pow(0.75, gamma) * 0.75, 1: -math.Pow(0.25, gamma) * 0.25, 2: 0, 3: 0, 6: 1, 7: -1,
				} {
					assert.InDelta(t, want, float64(grad[i]), 1e-6, "%v gamma=%v x=%v t=%v", p, gamma, x[i], target[i])
					assert.Zero(t, hess[i], "%v gamma=%v x=%v t=%v", p, gamma, x[i], target[i])
				}
				assert.False(t, loss[8] != loss[8])
			})
		}
	}
}

// A loss is infinite at an infinite logit, however small its weight and m^γ are, if they are not exactly 0; and it is the
// same whether or not derivatives are wanted.
func TestDenseTiny(t *testing.T) { forFloats(t, testDenseTiny[float32], testDenseTiny[float64]) }

func testDenseTiny[T Float](t *testing.T) {
	inf, smallest := T(math.Inf(1)), fromBits[T](1)
	rng := rand.New(rand.NewPCG(19, 20))
	var x, target []T
	for _, tt := range []T{smallest, 1e-20, 1e-23, 1e-30, T(math.Exp2(-60)), 0.5} {
		x, target = append(x, -inf, inf), append(target, tt, tt)
	}
	infinite := len(x)
	// where e shows beside t, if the weight is large
	x, target = append(x, T(-0x1.5bef78p+127), T(-2.156724e38), T(-2.0867732e38)), append(target, T(0x1.3d0d86p-101), 4.4095958e-31, 4.7674383e-31)
	for range 4000 {
		x = append(x, T(math.Copysign(math.Exp2(6+120*rng.Float64()), rng.Float64()-0.5)))
		target = append(target, T(math.Exp2(-149*rng.Float64())))
	}
	for _, p := range []Params{
		{Gamma: 2, Alpha: 1}, {Gamma: 2, Alpha: NoAlpha}, {Gamma: 2, Alpha: 0.25, Norm: 1e4}, {Gamma: 3, Alpha: 1, Norm: 3},
		{Gamma: 0, Alpha: NoAlpha, Norm: 0x1p149}, {Gamma: 2, Alpha: NoAlpha, Norm: 0x1p-30},
	} {
		for _, path := range availablePaths() {
			withPath(path, func() {
				n := len(x)
				loss, grad := make([]T, n), make([]T, n)
				all := Out[T]{Loss: make([]T, n), Grad: make([]T, n), Hess: make([]T, n)}
				require.NoError(t, Loss(loss, x, Dense(target), p))
				require.NoError(t, Grad(grad, x, Dense(target), nil, p))
				_, err := Fused(all, x, Dense(target), p)
				require.NoError(t, err)
				requireSameBits(t, loss, all.Loss)
				for i := range grad {
					require.Equal(t, toBits(grad[i]), toBits(all.Grad[i]), "%v %+v x=%v t=%v", path, p, x[i], target[i])
				}
				for i := range infinite {
					require.Equal(t, inf, loss[i], "%v %+v x=%v t=%v", path, p, x[i], target[i])
				}
			})
		}
	}
}

// The same of quality focal loss, whose derivatives are at their limits there.
func TestQualityTiny(t *testing.T) { forFloats(t, testQualityTiny[float32], testQualityTiny[float64]) }

func testQualityTiny[T Float](t *testing.T) {
	inf := T(math.Inf(1))
	for _, score := range []T{fromBits[T](1), 1e-20, 0.5, 1 - 1.0/1024} {
		for _, gamma := range []float64{0, 0.5, 1, 1.5, 2, 2.3, 1e6} {
			for _, norm := range []float64{1, 1 / smallestNormal[T]()} {
				v := make([]T, 8)
				out := Out[T]{v[:2], v[2:4], v[4:6], v[6:]}
				y := Scored(Labels([]int32{1, 1}), []T{score, score}, QualityFocal)
				_, err := Fused(out, []T{-inf, inf}, y, Params{Gamma: gamma, Norm: norm})
				require.NoError(t, err)
				assert.Equal(t, []T{inf, inf}, out.Loss, "score %v γ %v norm %v", score, gamma, norm)
				assert.Equal(t, []T{0, 0, 0, 0}, v[4:], "score %v γ %v norm %v", score, gamma, norm)
				low, high := math.Pow(float64(score), gamma+1), math.Pow(float64(1-score), gamma+1)
				assert.InDelta(t, -low/norm, float64(out.Grad[0]), 1e-6/norm)
				assert.InDelta(t, high/norm, float64(out.Grad[1]), 1e-6/norm)
			}
		}
	}
}

func TestDenseAllocates(t *testing.T) {
	x, target := make([]float32, 2*blockLen), make([]float32, 2*blockLen)
	target[5] = 0.5
	dst := make([]float32, len(x))
	assert.Zero(t, testing.AllocsPerRun(10, func() { must(Loss(dst, x, Dense(target), Default())) }))
}

// Labels of every type become int32 of their last bits, and what is out of range is noticed wherever it stands.
func TestIntegersAsInt32(t *testing.T) {
	integersAsInt32[int8](t)
	integersAsInt32[int16](t)
	integersAsInt32[int32](t)
	integersAsInt32[int64](t)
	integersAsInt32[uint8](t)
	integersAsInt32[uint16](t)
	integersAsInt32[uint32](t)
	integersAsInt32[uint64](t)
}

func integersAsInt32[L Integer](t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	edges := []int64{math.MinInt32, math.MaxInt32, -1, 0, 1, 2, 127, 128, 255, 32767, 65535}
	outside := []int64{math.MinInt32 - 1, math.MaxInt32 + 1, math.MinInt64, math.MaxInt64, math.MaxUint32, 1<<32 + 1, 1<<32 - 3, -1 << 32, -1}
	for range 300 {
		limit, ignore := uint32(max(0, edges[1+rng.IntN(len(edges)-1)])), int32(edges[rng.IntN(len(edges))])
		inRange := func(v L) bool {
			if v < 0 || uint64(v) > uint64(limit) {
				return int64(v) == int64(ignore) && (v < 0) == (ignore < 0)
			}
			return true
		}
		all := make([]L, 1+rng.IntN(100))
		for i := range all {
			if v := L(edges[rng.IntN(len(edges))]); inRange(v) {
				all[i] = v
			}
		}
		if rng.IntN(2) == 0 {
			all[rng.IntN(len(all))] = L(outside[rng.IntN(len(outside))])
		}
		from := rng.IntN(len(all))
		want, valid := make([]int32, len(all)-from), true
		for i, v := range all[from:] {
			want[i] = int32(v)
			valid = valid && inRange(v)
		}
		v := numbersOf(all)
		for _, p := range availablePaths() {
			withPath(p, func() {
				require.Equal(t, want, v.asInt32(make([]int32, len(all)), from, len(want)), "%v, %v", p, v.of)
				occupyRegisters[float32](rng)
				ok := v.allUpTo(limit, ignore, from, len(want))
				require.Equal(t, valid, ok, "%v, %v: %v, limit %v, ignore %v", p, v.of, all[from:], limit, ignore)
			})
		}
	}
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
	for want, y := range map[string]Target{ // which are targets for 4 rows of 3
		"which is C = 4, want 3 as Classes says": Dense(make([]float32, 12)).Classes(3),
		"len(w of WeighRows) = 4, want 3":        WeighRows(Dense(make([]float32, 12)), make([]float32, 4)),
		"len(neg of WeighClasses) = 3, want 4":   WeighClasses(Dense(make([]float32, 12)), make([]float32, 3), nil),
		"len(pos of WeighClasses) = 3, want 4":   WeighClasses(Dense(make([]float64, 12)), nil, make([]float64, 3)),
		"len(label) = 4, want 3":                 Labels(make([]int8, 4)),
		"len(score of Scored) = 4, want 3":       Scored(Labels(label[:3]), make([]float32, 4), Varifocal),
		"len(w of WeighElements) = 11, want 12":  WeighElements(Labels(label[:3]), make([]float32, 11)),
		"len(w of WeighRows) = 12, want 6":       WeighRows(Labels(label).Planes(2), make([]float32, 12)),
		"len(neg of WeighClasses) = 4, want 2":   WeighClasses(Labels(label).Planes(2), make([]float32, 4), nil),
	} {
		err := y.Fits(3, 4)
		require.ErrorIs(t, err, ErrShape, want)
		require.ErrorContains(t, err, "focal: 3×4 logits: "+want+": ")
	}
	all := WeighElements(WeighClasses(WeighRows(Labels(label), make([]float32, 6)), make([]float32, 2), nil), make([]float32, 12))
	require.NoError(t, Scored(all, make([]float32, 6), Aligned).Planes(2).Classes(2).Fits(3, 4))
	for _, cols := range []int{0, 3} {
		require.NoError(t, WeighClasses(Labels[int32](nil), make([]float32, 2), nil).Classes(2).Fits(0, cols))
	}
	require.ErrorIs(t, Labels(label).Classes(0).Fits(6, 3), ErrTarget)
	require.ErrorIs(t, WeighElements(Labels(label[:2]), make([]float32, 4)).Fits(2, math.MinInt/-2), ErrShape) // where the product overflows
	require.ErrorIs(t, Target{}.Fits(0, 0), ErrTarget)
	for _, y := range []Target{Labels[int32](nil), Dense([]float32{})} {
		for _, shape := range [][2]int{{-1, 0}, {0, -1}, {math.MinInt, math.MinInt}} {
			require.ErrorIs(t, y.Fits(shape[0], shape[1]), ErrShape)
		}
	}
	require.ErrorIs(t, Labels(label).Fits(6, 0), ErrShape)
	require.ErrorIs(t, Dense([]float32{}).Fits(math.MinInt/-2, 8), ErrShape) // 0, where the product overflows
}

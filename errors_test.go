package focal

import (
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/crc32"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// operation calls one public function with a target. It writes to dst, to as many of the slices as outputs says.
type operation[T Float] struct {
	name    string
	outputs []string // as errors name them
	call    func(dst [3][]T, x []T, y Target, p Params) error
}

func operations[T Float]() []operation[T] {
	return []operation[T]{
		{"Loss", []string{"dst"}, func(dst [3][]T, x []T, y Target, p Params) error {
			return Loss(dst[0], x, y, p)
		}},
		{"Grad", []string{"dst"}, func(dst [3][]T, x []T, y Target, p Params) error {
			return Grad(dst[0], x, y, nil, p)
		}},
		{"Sum", nil, func(_ [3][]T, x []T, y Target, p Params) error {
			sum, err := Sum(x, y, p)
			return zeroOnError(sum, err)
		}},
		{"Fused", []string{"out.Loss", "out.Grad", "out.Hess"}, func(dst [3][]T, x []T, y Target, p Params) error {
			sum, err := Fused(Out[T]{Loss: dst[0], Grad: dst[1], Hess: dst[2]}, x, y, p)
			return zeroOnError(sum, err)
		}},
	}
}

// zeroOnError returns err, or another error if there is a sum beside it.
func zeroOnError(sum float64, err error) error {
	if err != nil && sum != 0 {
		return fmt.Errorf("the sum is %v beside the error %v", sum, err)
	}
	return err
}

const untouched = 1234.5 // no loss, gradient or second derivative in these tests

// filled returns n elements that are all untouched.
func filled[T Float](n int) []T {
	return slices.Repeat([]T{untouched}, n)
}

func requireUntouched[T Float](t *testing.T, dst ...[]T) {
	t.Helper()
	for i, s := range dst {
		for k, v := range s {
			if v != untouched {
				require.Failf(t, "written", "output %d at %d: %v", i, k, v)
			}
		}
	}
}

// forFloats runs a test with both element types.
func forFloats(t *testing.T, f32, f64 func(t *testing.T)) {
	t.Run("type=f32", f32)
	t.Run("type=f64", f64)
}

func TestErrParam(t *testing.T) { forFloats(t, testErrParam[float32], testErrParam[float64]) }

func testErrParam[T Float](t *testing.T) {
	inf, nan, minus := math.Inf(1), math.NaN(), -1.0
	tests := []struct {
		p    Params
		want string
	}{
		{Params{Gamma: -1}, "Gamma = -1"},
		{Params{Gamma: -1e-300}, "Gamma = -1e-300"},
		{Params{Gamma: inf}, "Gamma = +Inf"},
		{Params{Gamma: -inf}, "Gamma = -Inf"},
		{Params{Gamma: nan}, "Gamma = NaN"},
		{Params{Alpha: -0.5}, "Alpha = -0.5"},
		{Params{Alpha: -2}, "Alpha = -2"},
		{Params{Alpha: math.Nextafter(1, 2)}, "Alpha = 1.0000000000000002"},
		{Params{Alpha: inf}, "Alpha = +Inf"},
		{Params{Alpha: nan}, "Alpha = NaN"},
		{Params{Norm: -1}, "Norm = -1"},
		{Params{Norm: inf}, "Norm = +Inf"},
		{Params{Norm: nan}, "Norm = NaN"},
		{Params{Norm: 5e-324}, "Norm = 5e-324"},
		{Params{Norm: 5e-324, Alpha: 1}, "Norm = 5e-324"},
		{Params{Norm: 5e-324, Alpha: NoAlpha}, "Norm = 5e-324"},
		{Params{Gamma: nan, Alpha: nan, Norm: nan}, "Gamma = NaN"},
		{Params{NegGamma: &nan}, "NegGamma = NaN"},
		{Params{NegGamma: &inf}, "NegGamma = +Inf"},
		{Params{NegGamma: &minus}, "NegGamma = -1"},
	}
	if unsafe.Sizeof(T(0)) == 4 {
		tests = append(tests, struct {
			p    Params
			want string
		}{Params{Norm: 1e-39}, "makes a weight larger than 2^30"})
	}
	x := make([]T, 6)
	for _, op := range operations[T]() {
		for _, tt := range tests {
			dst := [3][]T{filled[T](6), filled[T](6), filled[T](6)}
			err := op.call(dst, x, Labels([]int32{0, 1}), tt.p)
			require.ErrorIs(t, err, ErrParam)
			require.ErrorContains(t, err, "focal: "+op.name+": ")
			require.ErrorContains(t, err, tt.want)
			requireUntouched(t, dst[:]...)
		}
	}
}

func TestParamsValid(t *testing.T) {
	x, dst := make([]float64, 6), make([]float64, 6)
	for _, p := range []Params{
		{},
		Default(),
		{Gamma: 1000, Alpha: 1, Norm: math.MaxFloat64},
		{Gamma: math.Copysign(0, -1), Alpha: math.Copysign(0, -1), Norm: math.Copysign(0, -1)},
		{Alpha: NoAlpha, Norm: 0.25},
		{Norm: 1e-70},
	} {
		assert.NoErrorf(t, Loss(dst, x, Labels([]int32{0, 1}), p), "%+v", p)
	}
}

// Norm is the divisor, and 0 is 1.
func TestNorm(t *testing.T) {
	x := []float64{-1, 0, 2, 3}
	y := Labels([]int32{1, 0})
	p := Default()
	want, got := make([]float64, 4), make([]float64, 4)
	require.NoError(t, Loss(want, x, y, p))
	p.Norm = 0
	require.NoError(t, Loss(got, x, y, p))
	assert.Equal(t, want, got)
	p.Norm = 0.5
	require.NoError(t, Loss(got, x, y, p))
	for i := range want {
		assert.Equal(t, 2*want[i], got[i], "a power of two scales exactly")
	}
}

func TestErrShape(t *testing.T) { forFloats(t, testErrShape[float32], testErrShape[float64]) }

func testErrShape[T Float](t *testing.T) {
	for _, op := range operations[T]() {
		for _, tt := range []struct {
			logits, labels int
			want           string
		}{
			{5, 0, "len(x) = 5, want 0"},
			{0, 3, "len(x) = 0, want a positive multiple of len(label) = 3"},
			{7, 2, "len(x) = 7, want a positive multiple of len(label) = 2"},
			{1, 2, "len(x) = 1, want a positive multiple of len(label) = 2"},
		} {
			n := tt.logits
			dst := [3][]T{filled[T](n), filled[T](n), filled[T](n)}
			err := op.call(dst, make([]T, n), Labels(make([]int32, tt.labels)), Default())
			require.ErrorIs(t, err, ErrShape)
			require.ErrorContains(t, err, "focal: "+op.name+": "+tt.want)
			requireUntouched(t, dst[:]...)
		}
		for i, name := range op.outputs {
			for _, n := range []int{0, 1, 3, 5} {
				dst := [3][]T{filled[T](4), filled[T](4), filled[T](4)}
				dst[i] = filled[T](n)
				err := op.call(dst, make([]T, 4), Labels(make([]int32, 2)), Default())
				require.ErrorIs(t, err, ErrShape)
				require.ErrorContains(t, err, fmt.Sprintf("focal: %s: len(%s) = %d, want len(x) = 4", op.name, name, n))
				requireUntouched(t, dst[:]...)
			}
		}
	}
	x, y := make([]T, 4), Labels(make([]int32, 2))
	assert.ErrorIs(t, Loss(nil, x, y, Default()), ErrShape, "a nil destination is no wish for nothing")
	assert.ErrorIs(t, Grad(nil, x, y, nil, Default()), ErrShape)
	for _, n := range []int{0, 3, 5} {
		dst := filled[T](4)
		err := Grad(dst, x, y, make([]T, n), Default())
		require.ErrorIs(t, err, ErrShape)
		require.ErrorContains(t, err, fmt.Sprintf("focal: Grad: len(dout) = %d, want len(x) = 4", n))
		requireUntouched(t, dst)

		dst = filled[T](n)
		err = Sigmoid(dst, x)
		require.ErrorIs(t, err, ErrShape)
		require.ErrorContains(t, err, fmt.Sprintf("focal: Sigmoid: len(dst) = %d, want len(x) = 4", n))
		requireUntouched(t, dst)
	}
}

// No rows and no logits are an empty batch, whether the slices are nil or empty.
func TestEmptyBatch(t *testing.T) {
	for _, x := range [][]float32{nil, {}} {
		for _, y := range []Target{Labels[int32](nil), Labels([]int32{}), ZeroBased[int64](nil), Labels([]uint8{})} {
			for _, workers := range []int{-1, 0, 1, 8} {
				p := Default()
				p.Workers = workers
				assert.NoError(t, Loss(x, x, y, p))
				assert.NoError(t, Loss(nil, x, y, p))
				assert.NoError(t, Grad(x, x, y, nil, p))
				assert.NoError(t, Grad(nil, x, y, []float32{}, p))
				sum, err := Sum(x, y, p)
				assert.NoError(t, err)
				assert.Zero(t, sum)
				sum, err = Fused(Out[float32]{Loss: x, Grad: []float32{}}, x, y, p)
				assert.NoError(t, err)
				assert.Zero(t, sum)
			}
		}
		assert.NoError(t, Sigmoid(x, x))
		assert.NoError(t, Sigmoid(nil, x))
	}
}

func TestErrTarget(t *testing.T) {
	for _, op := range operations[float32]() {
		for _, n := range []int{0, 4} {
			for _, y := range []Target{{}, Target{}.Ignoring(7)} {
				dst := [3][]float32{filled[float32](n), filled[float32](n), filled[float32](n)}
				err := op.call(dst, make([]float32, n), y, Default())
				require.ErrorIs(t, err, ErrTarget)
				require.ErrorContains(t, err, "focal: "+op.name+": y is the zero Target")
				requireUntouched(t, dst[:]...)
			}
		}
	}
}

func TestErrLabel(t *testing.T) { forFloats(t, testErrLabel[float32], testErrLabel[float64]) }

func testErrLabel[T Float](t *testing.T) {
	const rows, c = 70, 3
	for _, op := range operations[T]() {
		for _, tt := range []struct {
			bad, ignore int32
		}{
			{c + 1, -1}, {math.MaxInt32, -1}, {-2, -1}, {math.MinInt32, -1},
			{-1, 255}, {-1, -100}, {254, 255}, {c + 1, 0},
		} {
			for _, at := range []int{0, 1, 63, rows - 1} {
				for _, target := range []func([]int32) Target{Labels[int32], ZeroBased[int32]} {
					label := make([]int32, rows)
					label[at], label[rows-1] = tt.bad, tt.bad // the first is named
					dst := [3][]T{filled[T](rows * c), filled[T](rows * c), filled[T](rows * c)}
					err := op.call(dst, make([]T, rows*c), target(label).Ignoring(tt.ignore), Default())
					require.ErrorIs(t, err, ErrLabel)
					require.ErrorContains(t, err, fmt.Sprintf("focal: %s: ", op.name))
					require.ErrorContains(t, err, fmt.Sprintf("label[%d] = %d, want 0..C", at, tt.bad))
					require.ErrorContains(t, err, fmt.Sprintf(", or %d if ignored", tt.ignore))
					requireUntouched(t, dst[:]...)
				}
			}
		}
	}
}

// An output that begins at any other element of the same memory than x does is refused as long as they overlap.
func TestErrOverlapLogits(t *testing.T) {
	forFloats(t, testErrOverlapLogits[float32], testErrOverlapLogits[float64])
}

func testErrOverlapLogits[T Float](t *testing.T) {
	const n, c = 12, 3
	y := Labels(make([]int32, n/c))
	buf := filled[T](3 * n)
	x := buf[n : 2*n]
	for _, op := range operations[T]() {
		for i, name := range op.outputs {
			for at := 0; at <= 2*n; at++ {
				for k := range buf {
					buf[k] = untouched
				}
				dst := [3][]T{filled[T](n), filled[T](n), filled[T](n)}
				dst[i] = buf[at : at+n]
				err := op.call(dst, x, y, Default())
				if at == 0 || at == n || at == 2*n {
					require.NoErrorf(t, err, "%s at %d", name, at)
					continue
				}
				require.ErrorIsf(t, err, ErrOverlap, "%s at %d", name, at)
				where, apart := "after", (n-at)*int(unsafe.Sizeof(T(0)))
				if apart < 0 {
					where, apart = "before", -apart
				}
				require.ErrorContains(t, err, fmt.Sprintf("focal: %s: %s overlaps x, which begins %d bytes %s %s", op.name, name, apart, where, name))
				requireUntouched(t, append(dst[:], buf)...)
			}
		}
	}
	for at := 0; at <= 2*n; at++ {
		for k := range buf {
			buf[k] = untouched
		}
		err := Sigmoid(buf[at:at+n], x)
		if at == 0 || at == n || at == 2*n {
			require.NoErrorf(t, err, "dst at %d", at)
			continue
		}
		require.ErrorIsf(t, err, ErrOverlap, "dst at %d", at)
		requireUntouched(t, buf)
	}
}

func TestErrOverlapDout(t *testing.T) {
	const n, c = 12, 3
	y := Labels(make([]int32, n/c))
	buf := filled[float32](3 * n)
	for at := 0; at <= 2*n; at++ {
		for k := range buf {
			buf[k] = untouched
		}
		err := Grad(buf[at:at+n], make([]float32, n), y, buf[n:2*n], Default())
		if at == 0 || at == 2*n {
			require.NoErrorf(t, err, "dst at %d", at)
			continue
		}
		require.ErrorIsf(t, err, ErrOverlap, "dst at %d, also if it is exactly dout", at)
		require.ErrorContains(t, err, "dst overlaps dout")
		requireUntouched(t, buf)
	}
	x := make([]float32, n)
	assert.ErrorIs(t, Grad(x, x, y, x, Default()), ErrOverlap, "in place, but dout is there too")
	dst := make([]float32, n)
	assert.NoError(t, Grad(dst, x, y, x, Default()), "inputs may overlap each other")
}

func TestErrOverlapOutputs(t *testing.T) {
	const n, c = 12, 3
	y := Labels(make([]int32, n/c))
	for i := range 3 {
		for k := range i {
			for at := 0; at <= 2*n; at++ {
				buf := filled[float64](3 * n)
				dst := [3][]float64{filled[float64](n), filled[float64](n), filled[float64](n)}
				dst[i], dst[k] = buf[n:2*n], buf[at:at+n]
				_, err := Fused(Out[float64]{Loss: dst[0], Grad: dst[1], Hess: dst[2]}, make([]float64, n), y, Default())
				if at == 0 || at == 2*n {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, ErrOverlap)
				requireUntouched(t, append(dst[:], buf)...)
			}
		}
	}
	x := filled[float64](n)
	_, err := Fused(Out[float64]{Loss: x, Grad: x}, x, y, Default())
	require.ErrorIs(t, err, ErrOverlap, "each alone may be x")
	requireUntouched(t, x)
}

// The labels are memory too: one buffer is seen as both.
func TestErrOverlapLabels(t *testing.T) {
	forFloats(t, testErrOverlapLabels[float32], testErrOverlapLabels[float64])
}

func testErrOverlapLabels[T Float](t *testing.T) {
	const n = 8 // logits, in one column
	perLogit := int(unsafe.Sizeof(T(0))) / 4
	words := make([]int32, 3*n*perLogit)
	floats := unsafe.Slice((*T)(unsafe.Pointer(&words[0])), 3*n)
	for _, op := range operations[T]() {
		for i, name := range op.outputs {
			for at := 0; at+n <= len(words); at++ {
				clear(words)
				dst := [3][]T{filled[T](n), filled[T](n), filled[T](n)}
				dst[i] = floats[n : 2*n]
				err := op.call(dst, make([]T, n), Labels(words[at:at+n]), Default())
				if at+n <= n*perLogit || at >= 2*n*perLogit {
					require.NoErrorf(t, err, "label at word %d", at)
					continue
				}
				require.ErrorIsf(t, err, ErrOverlap, "label at word %d", at)
				require.ErrorContains(t, err, name+" overlaps label")
				require.Equal(t, make([]int32, len(words)), words)
			}
		}
	}
	for i := range floats {
		floats[i] = 0
	}
	dst := filled[T](n)
	assert.NoError(t, Loss(dst, floats[:n], Labels(words[:n]), Default()), "inputs may overlap each other")
}

// In place, the results have the bits that they have elsewhere.
func TestInPlace(t *testing.T) {
	const rows, c = 700, 25
	x, y := batch[float32](rows, c)
	for i := range 3 {
		want := make([]float32, len(x))
		var out, in Out[float32]
		dst, inPlace := []*[]float32{&out.Loss, &out.Grad, &out.Hess}[i], []*[]float32{&in.Loss, &in.Grad, &in.Hess}[i]
		*dst = want
		wantSum, err := Fused(out, x, y, Default())
		require.NoError(t, err)
		*inPlace = slices.Clone(x)
		sum, err := Fused(in, *inPlace, y, Default())
		require.NoError(t, err)
		requireSameBits(t, want, *inPlace)
		require.Equal(t, wantSum, sum)
	}
	want, got := make([]float32, len(x)), slices.Clone(x)
	require.NoError(t, Sigmoid(want, x))
	require.NoError(t, Sigmoid(got, got))
	requireSameBits(t, want, got)
}

// Of several mistakes, parameters come first, then shapes, overlaps and labels.
func TestErrorOrder(t *testing.T) {
	bad := Params{Gamma: -1}
	x := filled[float32](9)
	y := Labels([]int32{99, 99})
	assert.ErrorIs(t, Loss(x[1:7], x[:8], y, bad), ErrParam)
	assert.ErrorIs(t, Loss(x[1:7], x[:8], y, Default()), ErrShape)
	assert.ErrorIs(t, Loss(x[1:9], x[:8], y, Default()), ErrOverlap)
	assert.ErrorIs(t, Loss(x[:8], x[:8], y, Default()), ErrLabel)
	requireUntouched(t, x)
}

// Every text of an error, word for word: users read them, and nothing else says what is wrong. An error that is in the source
// and not here fails the test.
func TestErrorTexts(t *testing.T) {
	x, label, p := make([]float32, 6), []int32{0, 1, 2}, Default()
	sum := func(x []float32, y Target, p Params) error { _, err := Sum(x, y, p); return err }
	rows := func(n int, y Target) error { return Rows(make([]float32, n), x, y, p) }
	score := func(gamma, alpha float64) Partial {
		part, err := Score(x, Labels(label), Params{Gamma: gamma, Alpha: alpha})
		require.NoError(t, err)
		return part
	}
	merge := func(a, b Partial) error { return a.Merge(b) }
	minus, zero := -1.0, 0.0
	twoGammas := Params{Gamma: 2, NegGamma: &zero}
	many := score(2, 0.25)
	many.rows = math.MaxInt64
	encoded, err := score(2, 0.25).MarshalBinary()
	require.NoError(t, err)
	empty, err := Partial{}.MarshalBinary()
	require.NoError(t, err)
	// decode changes an encoding, and makes its checksum right again.
	decode := func(change func(b []byte) []byte) error {
		b := change(append([]byte(nil), encoded[:len(encoded)-4]...))
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
		return new(Partial).UnmarshalBinary(b)
	}
	put := func(at int, with ...byte) error {
		return decode(func(b []byte) []byte { copy(b[at:], with); return b })
	}

	texts := map[string]error{
		"focal: Sum: Gamma = -1, want it finite and ≥ 0: parameter out of range":                                                sum(x, Labels(label), Params{Gamma: -1}),
		"focal: Sum: Alpha = 2, want it in [0, 1], or NoAlpha: parameter out of range":                                          sum(x, Labels(label), Params{Alpha: 2}),
		"focal: Sum: Norm = -2, want it finite and ≥ 0: parameter out of range":                                                 sum(x, Labels(label), Params{Norm: -2}),
		"focal: Sum: Norm = -1, want it finite and ≥ 0 (-1 is what Foreground returns without Classes): parameter out of range": sum(x, Labels(label), Params{Norm: float64(ZeroBased(label).Foreground())}),
		"focal: Parallel: f is nil, want a function such as Sigmoid: parameter out of range":                                    Parallel[float32](x, x, nil, 1),
		"focal: Sum: NegGamma = -1, want it finite and ≥ 0, or nil: parameter out of range":                                     sum(x, Labels(label), Params{NegGamma: &minus}),
		"focal: Sum: Norm = 1e-30 makes a weight larger than 2^30, want a larger Norm: parameter out of range":                  sum(x, Labels(label), Params{Norm: 1e-30, Alpha: 0.5}),

		"focal: Loss: len(dst) = 5, want len(x) = 6: shape mismatch":                                       Loss(x[:5], x, Labels(label), p),
		"focal: Sum: len(x) = 6, want 0, since len(label) = 0: shape mismatch":                             sum(x, Labels(label[:0]), p),
		"focal: Sum: len(x) = 5, want a positive multiple of len(label) = 3: shape mismatch":               sum(x[:5], Labels(label), p),
		"focal: Sum: len(t) = 5, want len(x) = 6: shape mismatch":                                          sum(x, Dense(x[:5]), p),
		"focal: Sum: len(label) = 3, want a multiple of Planes' size = 2: shape mismatch":                  sum(x, Labels(label).Planes(2), p),
		"focal: Sum: len(x) = 6, want a multiple of Planes' size = 4: shape mismatch":                      sum(x, Dense(x).Planes(4), p),
		"focal: Sum: len(x) = 6, want a multiple of C = 4: shape mismatch":                                 sum(x, Dense(x).Classes(4), p),
		"focal: Sum: len(x) = 6, which is C = 2, want 3 as Classes says: shape mismatch":                   sum(x, Labels(label).Classes(3), p),
		"focal: Sum: WeighRows: w has the length 2, want 3, one for each row: shape mismatch":              sum(x, WeighRows(Labels(label), x[:2]), p),
		"focal: Sum: WeighRows: len(w) = 4, want a number of rows that divides len(x) = 6: shape mismatch": sum(x, WeighRows(Dense(x), x[:4]), p),
		"focal: Sum: WeighClasses: pos has the length 3, want 2, one for each class: shape mismatch":       sum(x, WeighClasses(Labels(label), nil, x[:3]), p),
		"focal: Sum: WeighClasses: neg is empty, want a number for each class, or nil: shape mismatch":     sum(x, WeighClasses(Dense(x), x[:0], nil), p),
		"focal: Sum: WeighElements: w has the length 3, want 6, one for each logit: shape mismatch":        sum(x, WeighElements(Labels(label), x[:3]), p),
		"focal: Sum: Scored: score has the length 2, want 3, one for each row: shape mismatch":             sum(x, Scored(Labels(label), x[:2], Varifocal), p),
		"focal: Rows: len(dst) = 2, want len(label) = 3: shape mismatch":                                   rows(2, Labels(label)),
		"focal: Rows: len(dst) = 4, want a number of rows that divides len(x) = 6: shape mismatch":         rows(4, Dense(x)),
		"focal: Rows: len(dst) = 2, want len(x) = 0: shape mismatch":                                       Rows(x[:2], nil, Dense([]float32{}), p),
		"focal: Rows: len(dst) = 3, want 2, the rows of C = 3 logits that len(x) = 6 has: shape mismatch":  rows(3, Dense(x).Classes(3)),
		"focal: Rows: len(dst) = 3, want a multiple of Planes' size = 2: shape mismatch":                   rows(3, Dense(x).Planes(2)),
		"focal: -1×2 logits: a negative number: shape mismatch":                                            Labels(label).Fits(-1, 2),
		"focal: 3×0 logits: no columns: shape mismatch":                                                    Labels(label).Fits(3, 0),
		"focal: 4×2 logits: len(label) = 3, want 4: shape mismatch":                                        Labels(label).Fits(4, 2),
		"focal: 2×3 logits: want a number of columns that the size of Planes = 2 divides: shape mismatch":  Labels(label).Planes(2).Fits(2, 3),
		"focal: 3×2 logits: which is C = 2, want 3 as Classes says: shape mismatch":                        Labels(label).Classes(3).Fits(3, 2),
		"focal: 9223372036854775807×3 logits: len(t) = 6, want 9223372036854775807·3: shape mismatch":      Dense(x).Fits(math.MaxInt, 3),

		"focal: Sum: y is the zero Target, want one made by Labels, ZeroBased or Dense: invalid target":                                            sum(x, Target{}, p),
		"focal: the zero Target, want one made by Labels, ZeroBased or Dense: invalid target":                                                      Target{}.Fits(3, 2),
		"focal: Planes(0), want 1 or more: invalid target":                                                                                         Labels(label).Planes(0).Fits(3, 2),
		"focal: Classes(0), want 1 or more: invalid target":                                                                                        Labels(label).Classes(0).Fits(3, 2),
		"focal: Sum: Planes(-1), want 1 or more: invalid target":                                                                                   sum(x, Labels(label).Planes(-1), p),
		"focal: Sum: Classes(0), want 1 or more: invalid target":                                                                                   sum(x, Labels(label).Classes(0), p),
		"focal: Sum: y is Dense of float64, want it of float32, as the logits are: invalid target":                                                 sum(x, Dense(make([]float64, 6)), p),
		"focal: Sum: t[1] = 1.5, want it in [0, 1]: invalid target":                                                                                sum(x, Dense([]float32{0, 1.5, 0, 0, 0, 0}), p),
		"focal: Sum: t[1] = 0.5 is soft and NegGamma differs from Gamma, want a target of 0 or 1, or NegGamma nil: invalid target":                 sum(x, Dense([]float32{0, 0.5, 0, 0, 0, 0}), twoGammas),
		"focal: Sum: Scored: NegGamma differs from Gamma, want it nil: invalid target":                                                             sum(x, Scored(Labels(label), x[:3], Varifocal), twoGammas),
		"focal: Sum: Scored: y is made by Dense, want Labels or ZeroBased: invalid target":                                                         sum(x, Scored(Dense(x), x, Varifocal), p),
		"focal: Sum: Scored: q = 3, want Varifocal, Aligned or QualityFocal: invalid target":                                                       sum(x, Scored(Labels(label), x[:3], 3), p),
		"focal: Sum: Scored: score[1] = 1.5, want it in [0, 1], as the row has a class: invalid target":                                            sum(x, Scored(Labels(label), []float32{9, 1.5, 0}, Varifocal), p),
		"focal: Sum: WeighRows: w is of float64, want it of float32, as the logits are: invalid target":                                            sum(x, WeighRows(Labels(label), make([]float64, 3)), p),
		"focal: Sum: WeighElements: w[4] = -1, want it finite and ≥ 0: invalid target":                                                             sum(x, WeighElements(Labels(label), []float32{1, 1, 1, 1, -1, 1}), p),
		"focal: Sum: WeighClasses: neg[1] = 1e+10, want it and its product with the other weights, up to 0.75, to be 2^30 or less: invalid target": sum(x, WeighClasses(Labels(label), []float32{1, 1e10}, nil), p),
		"focal: Sum: label[2] = 3, want 0..C with C = 2, or -1 if ignored: label out of range":                                                     sum(x, Labels([]int32{0, 1, 3}), p),
		"focal: Sum: ZeroBased label[1] = 3, want 0..C, where C = 2 is background, or -1 if ignored: label out of range":                           sum(x, ZeroBased([]int{0, 3, 1}), p),
		"focal: Loss: dst overlaps x, which begins 4 bytes after dst: overlapping slices":                                                          Loss(x[:4], x[1:5], Labels(label[:2]), p),
		"focal: Loss: dst overlaps x, which begins 4 bytes before dst: overlapping slices":                                                         Loss(x[1:5], x[:4], Labels(label[:2]), p),
		"focal: Loss: dst overlaps w of WeighElements, which begins at the same byte: overlapping slices":                                          Loss(x, make([]float32, 6), WeighElements(Labels(label), x), p),

		"focal: Merge: two losses, {Gamma: 2, Alpha: 0.25} and {Gamma: 1, Alpha: NoAlpha}, want parts of one: parameter out of range": merge(score(2, 0.25), score(1, NoAlpha)),
		"focal: Merge: the sum of the counts, or of the losses, is too large: invalid partial sum":                                    merge(many, many),
		"focal: UnmarshalBinary: 3 bytes, want at least 76: invalid partial sum":                                                      new(Partial).UnmarshalBinary(encoded[:3]),

		"focal: UnmarshalBinary: it begins with \"FOCALsum\", want \"focalsum\": invalid partial sum":                   put(0, []byte("FOCAL")...),
		"focal: UnmarshalBinary: version 3, want 1 or 2: invalid partial sum":                                           put(8, 3),
		"focal: UnmarshalBinary: version 2, want 1, as there is one gamma and there are no scores: invalid partial sum": decode(func(b []byte) []byte { return asVersion2(b, 2, 0) }),
		"focal: UnmarshalBinary: 84 bytes, want 148 with 9 words: invalid partial sum":                                  put(14, 9),
		"focal: UnmarshalBinary: checksum 480ff778, want 04030201: invalid partial sum":                                 new(Partial).UnmarshalBinary(append(empty[:len(empty)-4:len(empty)-4], 1, 2, 3, 4)),
		"focal: UnmarshalBinary: words 200 to 201 of 34: invalid partial sum":                                           put(12, 200),
		"focal: UnmarshalBinary: a word of 0 at an end of the sum: invalid partial sum":                                 decode(func(b []byte) []byte { clear(b[72:]); return b }),
		"focal: UnmarshalBinary: 3 rows, 4 of them foreground and 0 ignored: invalid partial sum":                       put(40, 4),
		"focal: UnmarshalBinary: no rows, but a sum or parameters: invalid partial sum":                                 decode(func(b []byte) []byte { clear(b[32:72]); return b }),
		"focal: UnmarshalBinary: there is no such loss: {Gamma: -0, Alpha: 0.25}: invalid partial sum":                  put(23, 0x80),
	}
	for want, err := range texts {
		if strconv.IntSize == 32 && strings.Contains(want, "9223372036854775807·3") {
			continue // there a product of two ints always fits
		}
		assert.EqualError(t, err, want, want)
	}

	verb := regexp.MustCompile(`%[+.0-9]*[a-z]`)
	for format, where := range errorFormats(t) {
		pattern := verb.ReplaceAllString(regexp.QuoteMeta(format), ".*")
		pattern = regexp.MustCompile(`%\\\+[a-z]`).ReplaceAllString(pattern, ".*")
		found := false
		for text := range texts {
			found = found || regexp.MustCompile(pattern).MatchString(text)
		}
		assert.True(t, found, "%s: %q is in no text above", where, format)
	}
}

// errorFormats returns the formats of the package's errors, and where each stands: of fmt.Errorf, and of functions called fail.
func errorFormats(t *testing.T) map[string]string {
	t.Helper()
	formats := map[string]string{}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fs := token.NewFileSet()
		file, err := parser.ParseFile(fs, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			callee := ""
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				callee = f.Sel.Name
			case *ast.Ident:
				callee = f.Name
			}
			if ok && (callee == "Errorf" || callee == "fail") {
				format, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				formats[format] = fs.Position(call.Pos()).String()
			}
			return true
		})
	}
	require.NotEmpty(t, formats)
	return formats
}

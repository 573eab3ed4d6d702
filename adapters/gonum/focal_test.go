package focalgonum

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"

	"github.com/gofocal/focal"
)

const rows, cols = 37, 5

const untouched = 1234.5

func random[T focal.Float](seed uint64, n int) []T {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]T, n)
	for i := range x {
		x[i] = T(5 * rng.NormFloat64())
	}
	return x
}

func labels() []int32 {
	rng := rand.New(rand.NewPCG(2, 2))
	label := make([]int32, rows)
	for i := range label {
		label[i] = rng.Int32N(cols+2) - 1
	}
	return label
}

// layouts puts elements into matrices of every layout: without gaps, with gaps, and with a last row that is short.
func layouts[T focal.Float](x []T) map[string]matrix[T] {
	pad := func(stride int, short bool) matrix[T] {
		n := rows * stride
		if short {
			n = (rows-1)*stride + cols
		}
		data := make([]T, n)
		for i := range data {
			data[i] = untouched
		}
		m := matrix[T]{rows, cols, stride, data, true, nil}
		for i := range rows {
			copy(m.row(i), x[i*cols:])
		}
		return m
	}
	return map[string]matrix[T]{
		"gapless":       pad(cols, false),
		"gaps":          pad(cols+3, false),
		"gaps, at last": pad(cols+1, true),
	}
}

func requireSame[T focal.Float](t *testing.T, want []T, m matrix[T], msg string) {
	t.Helper()
	for i := range rows {
		require.Equal(t, want[i*cols:(i+1)*cols], m.row(i), msg) // all finite, so equal is the same bits
	}
	for i, v := range m.data {
		if i%m.stride >= cols {
			require.Equal(t, T(untouched), v, "%s: wrote between the rows", msg)
		}
	}
}

func denseOf(m matrix[float64]) *mat.Dense {
	var d mat.Dense
	d.SetRawMatrix(blas64.General{Rows: m.rows, Cols: m.cols, Stride: m.stride, Data: m.data})
	return &d
}

func general64(m matrix[float64]) blas64.General {
	return blas64.General{Rows: m.rows, Cols: m.cols, Stride: m.stride, Data: m.data}
}

func general32(m matrix[float32]) blas32.General {
	return blas32.General{Rows: m.rows, Cols: m.cols, Stride: m.stride, Data: m.data}
}

func TestBits(t *testing.T) {
	t.Run("mat.Dense", func(t *testing.T) { testBits(t, denseOf) })
	t.Run("blas64.General", func(t *testing.T) { testBits(t, general64) })
	t.Run("blas32.General", func(t *testing.T) { testBits(t, general32) })
}

func testBits[M Matrix, T focal.Float](t *testing.T, matrixOf func(matrix[T]) M) {
	x, dout, soft := random[T](1, rows*cols), random[T](3, rows*cols), make([]T, rows*cols)
	for i, v := range random[T](4, rows*cols) {
		soft[i] = T(1 / (1 + math.Exp(float64(v))))
	}
	blank := make([]T, rows*cols)
	p := focal.Default()
	p.Norm = 7
	for layout := range layouts(x) {
		dense, err := Dense(matrixOf(layouts(soft)[layout]))
		require.NoError(t, err)
		weighed := focal.WeighRows(focal.WeighClasses(focal.Labels(labels()), nil, soft[:cols]), soft[:rows])
		scored := focal.Scored(focal.ZeroBased(labels()), soft[:rows], focal.Varifocal)
		for _, targets := range [][2]focal.Target{
			{focal.Labels(labels()), focal.Labels(labels())}, {dense, focal.Dense(soft)}, {weighed, weighed}, {scored, scored},
		} {
			y, want := targets[0], targets[1]
			for other := range layouts(x) { // x in one layout, results in another
				mx, mout := layouts(x)[layout], layouts(dout)[other]
				out := func() (matrix[T], M) { m := layouts(blank)[other]; return m, matrixOf(m) }

				wantLoss, wantGrad, wantHess, wantCurv := make([]T, len(x)), make([]T, len(x)), make([]T, len(x)), make([]T, len(x))
				require.NoError(t, focal.Loss(wantLoss, x, want, p))
				m, dst := out()
				require.NoError(t, Loss(dst, matrixOf(mx), y, p))
				requireSame(t, wantLoss, m, layout)

				require.NoError(t, focal.Grad(wantGrad, x, want, dout, p))
				m, dst = out()
				require.NoError(t, Grad(dst, matrixOf(mx), y, matrixOf(mout), p))
				requireSame(t, wantGrad, m, layout)

				wantSum, err := focal.Fused(focal.Out[T]{Grad: wantGrad, Hess: wantHess, Curv: wantCurv}, x, want, p)
				require.NoError(t, err)
				m, dst = out()
				var none M
				require.NoError(t, Grad(dst, matrixOf(mx), y, none, p))
				requireSame(t, wantGrad, m, layout)
				mg, dg := out()
				mh, dh := out()
				mc, dc := out()
				sum, err := Fused(Out[M]{Grad: dg, Hess: dh, Curv: dc}, matrixOf(mx), y, p)
				require.NoError(t, err)
				require.Equal(t, wantSum, sum)
				requireSame(t, wantGrad, mg, layout)
				requireSame(t, wantHess, mh, layout)
				requireSame(t, wantCurv, mc, layout)
				sum, err = Sum(matrixOf(mx), y, p)
				require.NoError(t, err)
				require.Equal(t, wantSum, sum)

				part, err := Score(matrixOf(mx), y, p)
				require.NoError(t, err)
				wantPart, err := focal.Score(x, want, p)
				require.NoError(t, err)
				require.Equal(t, wantPart, part)

				wantRows, column := make([]T, rows), make([]T, 2*rows)
				require.NoError(t, focal.Rows(wantRows, x, want, p))
				require.NoError(t, Rows(matrixOf(matrix[T]{rows, 1, 2, column[1:], true, nil}), matrixOf(mx), y, p))
				for i, v := range wantRows {
					require.Equal(t, [2]T{0, v}, [2]T(column[2*i:]), "%s: row %d", layout, i)
				}

				for _, f := range []struct {
					want func(dst, x []T) error
					got  func(dst, x M) error
				}{{focal.Sigmoid[T], Sigmoid[M]}, {focal.Softplus[T], Softplus[M]}, {focal.LogSigmoid[T], LogSigmoid[M]}} {
					require.NoError(t, f.want(wantHess, x))
					m, dst = out()
					require.NoError(t, f.got(dst, matrixOf(mx)))
					requireSame(t, wantHess, m, layout)
				}
				requireSame(t, x, mx, "x is only read")

				require.NoError(t, Loss(matrixOf(mx), matrixOf(mx), y, p))
				requireSame(t, wantLoss, mx, "in place")
			}
		}
	}
}

// Gonum has no autodiff, but finite differences: of the loss as the paper writes it.
func TestFiniteDifferences(t *testing.T) {
	x, label := random[float64](5, rows*cols), labels()
	composed := func(i int, x float64) float64 {
		w := 0.75
		switch int(label[i/cols]) {
		case -1:
			return 0
		case i%cols + 1:
			x, w = -x, 0.25
		}
		return w * math.Log1p(math.Exp(x)) / math.Pow(1+math.Exp(-x), 2)
	}
	loss, grad := mat.NewDense(rows, cols, nil), mat.NewDense(rows, cols, nil)
	_, err := Fused(Out[*mat.Dense]{Loss: loss, Grad: grad}, mat.NewDense(rows, cols, x), focal.Labels(label), focal.Default())
	require.NoError(t, err)
	for i, v := range x {
		at := func(v float64) float64 { return composed(i, v) }
		require.InDelta(t, at(v), loss.At(i/cols, i%cols), 1e-13)
		slope := fd.Derivative(at, v, &fd.Settings{Formula: fd.Central, Step: 1e-5})
		require.InDelta(t, slope, grad.At(i/cols, i%cols), 1e-9)
	}
}

// A view is the case that strides are there for. What is beside it is another's.
func TestView(t *testing.T) {
	all := mat.NewDense(rows, 2*cols, random[float64](6, rows*2*cols))
	x := all.Slice(0, rows, 0, cols).(*mat.Dense)
	beside := all.Slice(0, rows, cols, 2*cols).(*mat.Dense)
	want := mat.NewDense(rows, cols, nil)
	before := mat.DenseCopyOf(x)
	require.NoError(t, Loss(want, before, focal.Labels(labels()), focal.Default()))

	require.NoError(t, Loss(beside, x, focal.Labels(labels()), focal.Default()))
	require.True(t, mat.Equal(want, beside))
	require.True(t, mat.Equal(before, x))
}

// An empty matrix takes the size of the result, and its own memory if it has some.
func TestEmpty(t *testing.T) {
	x, y, p := mat.NewDense(rows, cols, random[float64](1, rows*cols)), focal.Labels(labels()), focal.Default()
	calls := map[string]struct {
		cols int
		call func(dst *mat.Dense) error
	}{
		"Loss":    {cols, func(dst *mat.Dense) error { return Loss(dst, x, y, p) }},
		"Grad":    {cols, func(dst *mat.Dense) error { return Grad(dst, x, y, x, p) }},
		"Rows":    {1, func(dst *mat.Dense) error { return Rows(dst, x, y, p) }},
		"Sigmoid": {cols, func(dst *mat.Dense) error { return Sigmoid(dst, x) }},
		"Fused": {cols, func(dst *mat.Dense) error {
			_, err := Fused(Out[*mat.Dense]{Hess: dst}, x, y, p)
			return err
		}},
	}
	for name, tt := range calls {
		want := mat.NewDense(rows, tt.cols, nil)
		require.NoError(t, tt.call(want), name)
		var dst mat.Dense
		require.NoError(t, tt.call(&dst), name)
		require.True(t, mat.Equal(want, &dst), name)

		memory := make([]float64, rows*cols+3)
		used := mat.NewDense(1, len(memory), memory)
		used.Reset()
		require.NoError(t, tt.call(used), name)
		require.True(t, mat.Equal(want, used), name)
		require.Same(t, &memory[0], &used.RawMatrix().Data[0], name)
	}

	var dst mat.Dense
	require.ErrorIs(t, Loss(&dst, x, focal.Labels(labels()[1:]), p), focal.ErrShape)
	require.ErrorIs(t, Loss(&dst, x, focal.Labels(append(labels()[1:], 99)), p), focal.ErrLabel)
	require.True(t, dst.IsEmpty())
	_, err := Fused(Out[*mat.Dense]{Loss: &dst, Grad: &dst}, x, y, p)
	require.ErrorIs(t, err, focal.ErrOverlap)
	require.ErrorContains(t, Loss(nil, x, y, p), "dst is nil, want a matrix of 37×5")
	require.ErrorContains(t, Grad(mat.DenseCopyOf(x), x, y, &dst, p), "dout is 0×0, want 37×5")
	require.NoError(t, Loss(&dst, &mat.Dense{}, focal.Labels([]int32(nil)), p))
	require.True(t, dst.IsEmpty())

	// Memory that x still uses is not taken.
	whole := mat.NewDense(rows, 2*cols, random[float64](6, rows*2*cols))
	slice := whole.Slice(0, rows, 0, cols).(*mat.Dense)
	whole.Reset()
	require.ErrorIs(t, Loss(whole, slice, y, p), focal.ErrOverlap)
}

func TestNoCopy(t *testing.T) {
	x, dst := mat.NewDense(rows, cols, random[float64](1, rows*cols)), mat.NewDense(rows, cols, nil)
	y := focal.Labels(labels())
	var err error
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { err = Loss(dst, x, y, focal.Default()) }), 1.0, "the list of outputs")
	require.NoError(t, err)
}

func TestOverlap(t *testing.T) {
	data := make([]float64, 1000)
	m := func(from, r, c, stride int) matrix[float64] {
		return matrix[float64]{r, c, stride, data[from:], true, nil}
	}
	// By definition: every element of one compared with every element of the other.
	shares := func(a, b matrix[float64]) bool {
		used := map[*float64]bool{}
		for i := range a.rows {
			for j := range a.cols {
				used[&a.data[i*a.stride+j]] = true
			}
		}
		for i := range b.rows {
			for j := range b.cols {
				if used[&b.data[i*b.stride+j]] {
					return true
				}
			}
		}
		return false
	}
	for _, r := range []int{1, 2, 4} {
		for _, c := range []int{1, 3} {
			for _, stride := range []int{c, c + 1, 2 * c, 2*c + 3} {
				for from := range 60 {
					a, b := m(20, r, c, stride), m(from, r, c, stride)
					require.Equal(t, shares(a, b), a.overlaps(b), "%d×%d, stride %d, from %d", r, c, stride, from)
					other := m(from, r, c, stride+2)
					if shares(a, other) {
						require.True(t, a.overlaps(other))
					}
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	ok := blas64.General{Rows: 2, Cols: 3, Stride: 4, Data: make([]float64, 7)}
	y, p := focal.Labels([]int32{1, 0}), focal.Default()
	with := func(change func(m *blas64.General)) blas64.General {
		m := ok
		m.Data = make([]float64, 7)
		change(&m)
		return m
	}
	require.NoError(t, Loss(with(func(*blas64.General) {}), ok, y, p))
	const many = math.MaxInt/2 + 1 // rows, whose elements are more than an int counts
	for want, x := range map[string]blas64.General{
		"Sum: x is -1×3": with(func(m *blas64.General) { m.Rows = -1 }),
		"Sum: x has a stride of 2, want at least its 3 columns":                         with(func(m *blas64.General) { m.Stride = 2 }),
		"Sum: x has 6 elements, too few for 2×3 with a stride of 4":                     with(func(m *blas64.General) { m.Data = m.Data[:6] }),
		"Sum: x has 0 elements, too few for 2×3 with a stride of 3":                     {Rows: 2, Cols: 3, Stride: 3},
		"3×1 logits: len(label) = 2, want 3":                                            {Rows: 3, Cols: 1, Stride: 1, Data: make([]float64, 3)},
		fmt.Sprintf("Sum: x has 7 elements, too few for %d×3 with a stride of 4", many): with(func(m *blas64.General) { m.Rows = many }),
	} {
		_, err := Sum(x, y, p)
		require.ErrorIs(t, err, focal.ErrShape, want)
		require.EqualError(t, err, "focal: "+want+": shape mismatch")
	}
	shifted := blas64.General{Rows: 2, Cols: 3, Stride: 3, Data: make([]float64, 7)}
	same := shifted
	same.Data = shifted.Data[1:]
	column := blas64.General{Rows: 2, Cols: 1, Stride: 3, Data: shifted.Data[1:]}
	require.NoError(t, Rows(column, column, y, p))
	dout := with(func(m *blas64.General) {})
	_, twice := Fused(Out[blas64.General]{Loss: same, Grad: same}, ok, y, p)
	_, narrow := Dense(with(func(m *blas64.General) { m.Stride = 1 }))
	tall := blas64.General{Rows: 3, Cols: 2, Stride: 2, Data: make([]float64, 6)}
	for want, tt := range map[string]struct{ err, is error }{
		"focal: Loss: dst is 3×2, want 2×3: shape mismatch":                              {Loss(tall, ok, y, p), focal.ErrShape},
		"focal: Loss: dst is nil, want a matrix of 2×3: shape mismatch":                  {Loss(blas64.General{}, ok, y, p), focal.ErrShape},
		"focal: Rows: dst is 2×3, want 2×1: shape mismatch":                              {Rows(shifted, ok, y, p), focal.ErrShape},
		"focal: Dense: t has a stride of 1, want at least its 3 columns: shape mismatch": {narrow, focal.ErrShape},
		"focal: Loss: dst overlaps x: overlapping slices":                                {Loss(same, shifted, y, p), focal.ErrOverlap},
		"focal: Rows: dst overlaps x: overlapping slices":                                {Rows(column, shifted, y, p), focal.ErrOverlap},
		"focal: Fused: out.Grad overlaps out.Loss: overlapping slices":                   {twice, focal.ErrOverlap},
		"focal: Grad: dst overlaps dout: overlapping slices":                             {Grad(dout, ok, y, dout, p), focal.ErrOverlap},
	} {
		require.ErrorIs(t, tt.err, tt.is, want)
		require.EqualError(t, tt.err, want)
	}
	_, err := Sum(ok, focal.Labels([]int32{1, 4}), p)
	require.ErrorIs(t, err, focal.ErrLabel)

	// Nothing at all is a valid batch.
	sum, err := Sum(&mat.Dense{}, focal.Labels([]int32(nil)), p)
	require.NoError(t, err)
	require.Zero(t, sum)
	_, err = Sum((*mat.Dense)(nil), focal.Labels([]int32(nil)), p)
	require.NoError(t, err)
}

// Where labels have planes, a loss belongs to a position.
func TestRowsPlanes(t *testing.T) {
	const images, classes, size = 2, 3, 4
	x, label := random[float64](1, images*classes*size), []int32{0, 1, 2, 3, -1, 1, 0, 2}
	y, p := focal.Labels(label).Planes(size), focal.Default()
	want := make([]float64, len(label))
	require.NoError(t, focal.Rows(want, x, y, p))
	logits := mat.NewDense(images, classes*size, x)
	var dst mat.Dense
	require.NoError(t, Rows(&dst, logits, y, p))
	require.Equal(t, mat.NewDense(images, size, want), &dst)
	require.ErrorContains(t, Rows(mat.NewDense(images, 1, nil), logits, y, p), "dst is 2×1, want 2×4")

	one := mat.NewDense(images, size, append([]float64(nil), x[:images*size]...)) // a single class, in place
	y = focal.Labels([]int32{0, 1, 1, 0, -1, 1, 0, 1}).Planes(size)
	require.NoError(t, focal.Rows(want, x[:images*size], y, p))
	require.NoError(t, Rows(one, one, y, p))
	require.Equal(t, mat.NewDense(images, size, want), one)

	require.ErrorIs(t, Rows(new(mat.Dense), logits, y.Planes(math.MaxInt), p), focal.ErrShape)
}

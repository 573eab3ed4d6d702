package focalspago

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"
	"github.com/nlpodyssey/spago/mat/float"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
)

var _ ag.AutoGradFunction = (*function)(nil)

const rows, cols = 19, 4

func random[T focal.Float](seed uint64, scale float64) []T {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]T, rows*cols)
	for i := range x {
		x[i] = T(scale * rng.NormFloat64())
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

func matrix[T float.DType](data []T, shape ...int) *mat.Dense[T] {
	return mat.NewDense[T](mat.WithBacking(append([]T(nil), data...)), mat.WithShape(shape...), mat.WithGrad(true))
}

func data[T float.DType](m mat.Tensor) []T { return float.SliceValueOf[T](m.Value().Data()) }

func TestBits(t *testing.T) {
	t.Run("float32", testBits[float32])
	t.Run("float64", testBits[float64])
}

func testBits[T interface {
	focal.Float
	float.DType
}](t *testing.T) {
	x, dout := random[T](1, 10), random[T](3, 1)
	x[2], x[3] = T(math.Inf(1)), T(math.Inf(-1))
	soft := make([]T, len(x))
	for i, v := range random[T](4, 2) {
		soft[i] = T(1 / (1 + math.Exp(float64(v))))
	}
	single := make([]int32, len(x))
	for i := range single {
		single[i] = int32(i % 2)
	}
	p := focal.Params{Gamma: 2.5, Alpha: 0.3, Norm: 7}
	for name, tt := range map[string]struct {
		y     focal.Target
		shape []int
	}{
		"labels":      {focal.Labels(labels()), []int{rows, cols}},
		"dense":       {focal.Dense(soft), []int{rows, cols}},
		"weights":     {focal.WeighRows(focal.Labels(labels()), soft[:rows]), []int{rows, cols}},
		"scores":      {focal.Scored(focal.ZeroBased(labels()), soft[:rows], focal.Varifocal), []int{rows, cols}},
		"one class":   {focal.Labels(single), []int{rows * cols, 1}},
		"one example": {focal.Labels([]int32{5}), []int{rows * cols, 1}},
		"one row":     {focal.Labels([]int32{5}), []int{1, rows * cols}},
	} {
		logits, w := matrix(x, tt.shape...), matrix(dout, tt.shape...)
		loss, err := Loss(logits, tt.y, p)
		require.NoError(t, err, name)
		want := make([]T, len(x))
		require.NoError(t, focal.Loss(want, x, tt.y, p))
		require.Equal(t, want, data[T](loss), name)
		require.Equal(t, tt.shape, loss.Shape())

		loss.AccGrad(w)
		require.NoError(t, ag.Backward(loss))
		require.NoError(t, focal.Grad(want, x, tt.y, dout, p))
		require.Equal(t, want, data[T](logits.Grad()), name)
		got, err := Grad(logits, tt.y, w, p)
		require.NoError(t, err)
		require.Equal(t, want, data[T](got), name)

		hess, curv := make([]T, len(x)), make([]T, len(x))
		wantSum, err := focal.Fused(focal.Out[T]{Grad: want, Hess: hess, Curv: curv}, x, tt.y, p)
		require.NoError(t, err)
		got, err = Hess(logits, tt.y, p)
		require.NoError(t, err)
		require.Equal(t, hess, data[T](got), name)
		got, err = Curv(logits, tt.y, p)
		require.NoError(t, err)
		require.Equal(t, curv, data[T](got), name)
		sum, got, err := Fused(logits, tt.y, p)
		require.NoError(t, err)
		require.Equal(t, wantSum, sum)
		require.Equal(t, want, data[T](got), name)
		require.Equal(t, tt.shape, got.Shape())
		got, err = Grad(logits, tt.y, nil, p)
		require.NoError(t, err)
		require.Equal(t, want, data[T](got), name)
		wantPart, err := focal.Score(x, tt.y, p)
		require.NoError(t, err)
		part, err := Score(logits, tt.y, p)
		require.NoError(t, err)
		require.Equal(t, wantPart, part)

		logits.ZeroGrad()
		cost, err := Sum(logits, tt.y, p)
		require.NoError(t, err)
		require.Equal(t, []T{T(wantSum)}, data[T](cost))
		require.NoError(t, ag.Backward(cost))
		require.Equal(t, want, data[T](logits.Grad()), name)

		rowCount := tt.shape[0]
		if name == "one example" {
			rowCount = 1
		}
		wantRows, each := make([]T, rowCount), make([]T, len(x))
		require.NoError(t, focal.Rows(wantRows, x, tt.y, p))
		logits.ZeroGrad()
		lossOfRow, err := Rows(logits, tt.y, p)
		require.NoError(t, err)
		require.Equal(t, wantRows, data[T](lossOfRow), name)
		for i := range each {
			each[i] = dout[i/(len(x)/rowCount)]
		}
		require.NoError(t, focal.Grad(want, x, tt.y, each, p))
		lossOfRow.AccGrad(matrix(dout[:rowCount], rowCount))
		require.NoError(t, ag.Backward(lossOfRow))
		require.Equal(t, want, data[T](logits.Grad()), name)
	}

	y, err := Dense(matrix(soft, rows, cols))
	require.NoError(t, err)
	sum, err := Sum(matrix(x, rows, cols), y, p)
	require.NoError(t, err)
	want, err := focal.Sum(x, focal.Dense(soft), p)
	require.NoError(t, err)
	require.Equal(t, []T{T(want)}, data[T](sum))
}

// Their gradients are accurate in both tails, that of the sigmoid where s·(1-s) is 0.
func TestActivations(t *testing.T) {
	for name, tt := range map[string]struct {
		operator func(mat.Tensor) (mat.Tensor, error)
		f        func(dst, x []float32) error
		slope    func(x, e float64) float64 // of e = exp(-|x|)
	}{
		"Sigmoid":    {Sigmoid, focal.Sigmoid[float32], func(_, e float64) float64 { return e / (1 + e) / (1 + e) }},
		"Softplus":   {Softplus, focal.Softplus[float32], func(x, _ float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		"LogSigmoid": {LogSigmoid, focal.LogSigmoid[float32], func(x, _ float64) float64 { return 1 / (1 + math.Exp(x)) }},
	} {
		x := matrix([]float32{-80, -1, 0, 1, 80}, 5)
		y, err := tt.operator(x)
		require.NoError(t, err, name)
		want := make([]float32, 5)
		require.NoError(t, tt.f(want, data[float32](x)))
		require.Equal(t, want, data[float32](y), name)
		require.NoError(t, ag.Backward(ag.ReduceSum(ag.ProdScalar(y, mat.Scalar(float32(3))))))
		for i, v := range data[float32](x) {
			slope := tt.slope(float64(v), math.Exp(-math.Abs(float64(v))))
			require.InEpsilon(t, 3*slope, data[float32](x.Grad())[i], 1e-6, name)
		}
		_, err = tt.operator(nil)
		require.ErrorContains(t, err, "focal: "+name+": x is nil")
	}
}

// The formula of the paper by spaGO's own operators and their gradients: the same to rounding.
func TestComposed(t *testing.T) {
	x, label := random[float64](5, 3), labels()
	wpos, wneg := make([]float64, len(x)), make([]float64, len(x))
	for i := range x {
		switch int(label[i/cols]) {
		case -1:
		case i%cols + 1:
			wpos[i] = 0.25
		default:
			wneg[i] = 0.75
		}
	}
	logits := matrix(x, rows, cols)
	s, q := ag.Sigmoid(logits), ag.Sigmoid(ag.Neg(logits))
	cost := ag.Neg(ag.ReduceSum(ag.Flatten(ag.Add(
		ag.Prod(matrix(wpos, rows, cols), ag.Prod(ag.Square(q), ag.Log(s))),
		ag.Prod(matrix(wneg, rows, cols), ag.Prod(ag.Square(s), ag.Log(q)))))))
	require.NoError(t, ag.Backward(cost))

	ours := matrix(x, rows, cols)
	loss, err := Loss(ours, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	sum := ag.ReduceSum(loss)
	require.NoError(t, ag.Backward(sum))
	require.InEpsilon(t, cost.Item().F64(), sum.Item().F64(), 1e-12)
	require.InDeltaSlice(t, data[float64](logits.Grad()), data[float64](ours.Grad()), 1e-10)
}

// In the middle of a graph: gradients arrive and are passed on.
func TestChain(t *testing.T) {
	x := random[float64](6, 2)
	leaf := matrix(x, rows, cols)
	doubled := ag.Add(leaf, leaf)
	loss, err := Loss(doubled, focal.Labels(labels()), focal.Default())
	require.NoError(t, err)
	require.NoError(t, ag.Backward(ag.ReduceSum(ag.Flatten(ag.Neg(loss)))))
	twice, minus := make([]float64, len(x)), make([]float64, len(x))
	for i, v := range x {
		twice[i], minus[i] = 2*v, -1
	}
	want := make([]float64, len(x))
	require.NoError(t, focal.Grad(want, twice, focal.Labels(labels()), minus, focal.Default()))
	for i := range want {
		want[i] *= 2
	}
	require.Equal(t, want, data[float64](leaf.Grad()))

	frozen := mat.NewDense[float64](mat.WithBacking(x), mat.WithShape(rows, cols))
	loss, err = Loss(frozen, focal.Labels(labels()), focal.Default())
	require.NoError(t, err)
	require.NoError(t, ag.Backward(ag.ReduceSum(loss)))
	require.False(t, frozen.HasGrad())
}

func TestErrors(t *testing.T) {
	logits := matrix(random[float32](1, 1), rows, cols)
	for name, tt := range map[string]struct {
		logits mat.Tensor
		y      focal.Target
		want   error
	}{
		"nil":       {nil, focal.Labels([]int32(nil)), focal.ErrShape},
		"few":       {logits, focal.Labels([]int32{0}), focal.ErrShape},
		"label":     {logits, focal.Labels(append(labels()[1:], 99)), focal.ErrLabel},
		"no target": {logits, focal.Target{}, focal.ErrTarget},
		"type":      {logits, focal.Dense(random[float64](1, 1)), focal.ErrTarget},
	} {
		for _, f := range []func(mat.Tensor, focal.Target, focal.Params) (mat.Tensor, error){Loss, Sum, Rows} {
			got, err := f(tt.logits, tt.y, focal.Default())
			require.ErrorIs(t, err, tt.want, name)
			require.Nil(t, got)
		}
		got, err := Grad(tt.logits, tt.y, nil, focal.Default())
		require.ErrorIs(t, err, tt.want, name)
		require.Nil(t, got)
		got, err = Hess(tt.logits, tt.y, focal.Default())
		require.ErrorIs(t, err, tt.want, name)
		require.Nil(t, got)
		got, err = Curv(tt.logits, tt.y, focal.Default())
		require.ErrorIs(t, err, tt.want, name)
		require.Nil(t, got)
		_, got, err = Fused(tt.logits, tt.y, focal.Default())
		require.ErrorIs(t, err, tt.want, name)
		require.Nil(t, got)
		_, err = Score(tt.logits, tt.y, focal.Default())
		require.ErrorIs(t, err, tt.want, name)
	}
	_, err := Grad(logits, focal.Labels(labels()), matrix([]float32{1}, 1), focal.Default())
	require.ErrorIs(t, err, focal.ErrShape)
	_, err = Dense(nil)
	require.ErrorContains(t, err, "focal: Dense: t is nil")
	_, err = Loss(strange{logits}, focal.Labels(labels()), focal.Default())
	require.ErrorIs(t, err, ErrType)
	require.EqualError(t, err, "focal: Loss: logits is a focalspago.strange, want a mat.Matrix: unsupported type")
	require.NotErrorIs(t, err, focal.ErrShape)
}

// strange is a tensor that is no matrix.
type strange struct{ mat.Tensor }

func (s strange) Value() mat.Tensor { return s }

// Where labels have planes, a loss belongs to a position, and its gradient to that position of each class.
func TestRowsPlanes(t *testing.T) {
	const images, classes, size = 2, 3, 4
	x, dout, label := random[float64](1, 10)[:images*classes*size], random[float64](2, 10)[:images*size], []int32{0, 1, 2, 3, -1, 1, 0, 2}
	y, p := focal.Labels(label).Planes(size), focal.Default()
	want := make([]float64, len(label))
	require.NoError(t, focal.Rows(want, x, y, p))
	logits := matrix(x, images, classes*size)
	got, err := Rows(logits, y, p)
	require.NoError(t, err)
	require.Equal(t, want, data[float64](got))
	require.Equal(t, []int{images, size}, got.Shape())

	each, grad := make([]float64, len(x)), make([]float64, len(x))
	for i := range each {
		each[i] = dout[i/(classes*size)*size+i%size]
	}
	require.NoError(t, focal.Grad(grad, x, y, each, p))
	got.AccGrad(matrix(dout, images, size))
	require.NoError(t, ag.Backward(got))
	require.Equal(t, grad, data[float64](logits.Grad()))

	_, err = Rows(logits, y.Planes(math.MaxInt), p)
	require.ErrorIs(t, err, focal.ErrShape)
}

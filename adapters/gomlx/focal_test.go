package focalgomlx

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
)

const rowCount, cols = 19, 4

func backend(t *testing.T) backends.Backend {
	t.Helper()
	b, err := backends.NewWithConfig("go")
	require.NoError(t, err)
	return b
}

func random[T focal.Float](seed uint64, scale float64) []T {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]T, rowCount*cols)
	for i := range x {
		x[i] = T(scale * rng.NormFloat64())
	}
	return x
}

func labels() []int32 {
	rng := rand.New(rand.NewPCG(2, 2))
	label := make([]int32, rowCount)
	for i := range label {
		label[i] = rng.Int32N(cols+2) - 1
	}
	return label
}

func TestBits(t *testing.T) {
	t.Run("float32", testBits[float32])
	t.Run("float64", testBits[float64])
}

func testBits[T focal.Float](t *testing.T) {
	x, dout := random[T](1, 10), random[T](3, 1)
	x[2], x[3] = T(math.Inf(1)), T(math.Inf(-1))
	soft := make([]T, len(x))
	for i, v := range random[T](4, 2) {
		soft[i] = T(1 / (1 + math.Exp(float64(v))))
	}
	p := focal.Params{Gamma: 2.5, Alpha: 0.3, Norm: 7}
	ofSoft, err := Dense(tensors.FromFlatDataAndDimensions(soft, rowCount, 2, cols/2))
	require.NoError(t, err)
	single := make([]int32, len(x))
	for i := range single {
		single[i] = int32(i % 2)
	}
	scored := focal.Scored(focal.ZeroBased(labels()), soft[:rowCount], focal.Aligned)
	for name, tt := range map[string]struct {
		y, want focal.Target
		shape   []int
	}{
		"labels":    {focal.Labels(labels()), focal.Labels(labels()), []int{rowCount, cols}},
		"three":     {focal.Labels(labels()), focal.Labels(labels()), []int{rowCount, cols / 2, 2}},
		"one class": {focal.Labels(single), focal.Labels(single), []int{rowCount * cols}},
		"dense":     {ofSoft, focal.Dense(soft), []int{rowCount, cols}},
		"weights":   {focal.WeighRows(focal.Labels(labels()), soft[:rowCount]), focal.WeighRows(focal.Labels(labels()), soft[:rowCount]), []int{rowCount, cols}},
		"scores":    {scored, scored, []int{rowCount, cols}},
	} {
		logits := tensors.FromFlatDataAndDimensions(x, tt.shape...)
		same := func(want []T, got *tensors.Tensor, err error) {
			t.Helper()
			require.NoError(t, err, name)
			require.Equal(t, want, tensors.MustCopyFlatData[T](got), name)
		}
		want, hess, curv := make([]T, len(x)), make([]T, len(x)), make([]T, len(x))
		wantSum, err := focal.Fused(focal.Out[T]{Grad: want, Hess: hess, Curv: curv}, x, tt.want, p)
		require.NoError(t, err)
		sum, d, err := Fused(logits, tt.y, p)
		require.Equal(t, wantSum, sum, name)
		same(want, d, err)
		require.Equal(t, tt.shape, d.Shape().Dimensions)
		got, err := Hess(logits, tt.y, p)
		same(hess, got, err)
		got, err = Curv(logits, tt.y, p)
		same(curv, got, err)
		sum, err = Sum(logits, tt.y, p)
		require.NoError(t, err)
		require.Equal(t, wantSum, sum, name)
		got, err = Grad(logits, tt.y, nil, p)
		same(want, got, err)

		// Through the graph and its differentiation: the same bits, infinite logits too, where the surrogate itself is NaN.
		got, err = graph.ExecOnce(backend(t), func(x, d *graph.Node) *graph.Node { return graph.Gradient(Surrogate(x, d), x)[0] }, logits, d)
		same(want, got, err)

		require.NoError(t, focal.Grad(want, x, tt.want, dout, p))
		got, err = Grad(logits, tt.y, tensors.FromFlatDataAndDimensions(dout, tt.shape...), p)
		same(want, got, err)
		require.NoError(t, focal.Loss(want, x, tt.want, p))
		got, err = Loss(logits, tt.y, p)
		same(want, got, err)
		require.NoError(t, focal.Sigmoid(want, x))
		got, err = Sigmoid(logits)
		same(want, got, err)
		require.NoError(t, focal.Softplus(want, x))
		got, err = Softplus(logits)
		same(want, got, err)
		require.NoError(t, focal.LogSigmoid(want, x))
		got, err = LogSigmoid(logits)
		same(want, got, err)
		wantRows := make([]T, tt.shape[0])
		require.NoError(t, focal.Rows(wantRows, x, tt.want, p))
		got, err = Rows(logits, tt.y, p)
		same(wantRows, got, err)
		require.Equal(t, tt.shape[:1], got.Shape().Dimensions)
		wantPart, err := focal.Score(x, tt.want, p)
		require.NoError(t, err)
		part, err := Score(logits, tt.y, p)
		require.NoError(t, err)
		require.Equal(t, wantPart, part)
	}

	// The logits as their own upstream gradient: a tensor is locked once.
	finite := random[T](5, 3)
	want := make([]T, len(x))
	require.NoError(t, focal.Grad(want, finite, focal.Labels(labels()), finite, p))
	logits := tensors.FromFlatDataAndDimensions(finite, rowCount, cols)
	got, err := Grad(logits, focal.Labels(labels()), logits, p)
	require.NoError(t, err)
	require.Equal(t, want, tensors.MustCopyFlatData[T](got))
}

// composed is the formula of the paper by GoMLX's operations, of the sum over all elements with the given weights.
func composed(x, wpos, wneg *graph.Node) *graph.Node {
	p := graph.Sigmoid(x)
	q := graph.OneMinus(p)
	return graph.Neg(graph.ReduceAllSum(graph.Add(graph.Mul(wpos, graph.Mul(graph.Square(q), graph.Log(p))), graph.Mul(wneg, graph.Mul(graph.Square(p), graph.Log(q))))))
}

func weights[T focal.Float](label []int32) (wpos, wneg *tensors.Tensor) {
	pos, neg := make([]T, rowCount*cols), make([]T, rowCount*cols)
	for i := range pos {
		switch int(label[i/cols]) {
		case -1:
		case i%cols + 1:
			pos[i] = 0.25
		default:
			neg[i] = 0.75
		}
	}
	return tensors.FromFlatDataAndDimensions(pos, rowCount, cols), tensors.FromFlatDataAndDimensions(neg, rowCount, cols)
}

func TestComposed(t *testing.T) {
	x, label := random[float64](5, 3), labels()
	logits := tensors.FromFlatDataAndDimensions(x, rowCount, cols)
	wpos, wneg := weights[float64](label)
	want := graph.MustExecOnceN(backend(t), func(x, wpos, wneg *graph.Node) []*graph.Node {
		sum := composed(x, wpos, wneg)
		return []*graph.Node{sum, graph.Gradient(sum, x)[0]}
	}, logits, wpos, wneg)
	sum, d, err := Fused(logits, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	require.InEpsilon(t, tensors.ToScalar[float64](want[0]), sum, 1e-10)
	require.InDeltaSlice(t, tensors.MustCopyFlatData[float64](want[1]), tensors.MustCopyFlatData[float64](d), 1e-10)
}

// Why the formula does not do: a single confident mistake.
func TestComposedBreaks(t *testing.T) {
	x, label := random[float32](5, 3), make([]int32, rowCount)
	x[7] = 30
	logits := tensors.FromFlatDataAndDimensions(x, rowCount, cols)
	wpos, wneg := weights[float32](label)
	broken := graph.MustExecOnceN(backend(t), func(x, wpos, wneg *graph.Node) []*graph.Node {
		sum := composed(x, wpos, wneg)
		return []*graph.Node{sum, graph.Gradient(sum, x)[0]}
	}, logits, wpos, wneg)
	require.True(t, math.IsInf(float64(tensors.ToScalar[float32](broken[0])), 1))
	require.True(t, math.IsNaN(float64(tensors.MustCopyFlatData[float32](broken[1])[7])))

	sum, d, err := Fused(logits, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	require.Greater(t, sum, 0.75*30)
	require.Less(t, sum, 0.75*30+100)
	require.Equal(t, float32(0.75), tensors.MustCopyFlatData[float32](d)[7])
}

func TestErrors(t *testing.T) {
	logits, p := tensors.FromFlatDataAndDimensions(random[float32](1, 1), rowCount, cols), focal.Default()
	integers := tensors.FromFlatDataAndDimensions([]int32{1, 2}, 2, 1)
	for name, tt := range map[string]struct {
		logits *tensors.Tensor
		y      focal.Target
		want   error
		text   string
	}{
		"nil":       {nil, focal.Labels([]int32(nil)), focal.ErrShape, "logits is nil"},
		"integers":  {integers, focal.Labels([]int32{0, 0}), ErrType, "logits is of Int32, want Float32 or Float64: unsupported type"},
		"few":       {logits, focal.Labels([]int32{0}), focal.ErrShape, "len(label) = 1, want 19"},
		"label":     {logits, focal.Labels(append(labels()[1:], 99)), focal.ErrLabel, "99"},
		"no target": {logits, focal.Target{}, focal.ErrTarget, ""},
	} {
		check := func(err error) {
			t.Helper()
			require.ErrorIs(t, err, tt.want, name)
			require.ErrorContains(t, err, tt.text)
			require.NotErrorIs(t, err, map[bool]error{true: focal.ErrShape, false: ErrType}[tt.want == ErrType], "one kind")
		}
		sum, d, err := Fused(tt.logits, tt.y, p)
		check(err)
		require.Zero(t, sum)
		require.Nil(t, d)
		for _, f := range []func(*tensors.Tensor, focal.Target, focal.Params) (*tensors.Tensor, error){Loss, Hess, Curv, Rows} {
			got, err := f(tt.logits, tt.y, p)
			check(err)
			require.Nil(t, got)
		}
		_, err = Sum(tt.logits, tt.y, p)
		check(err)
		_, err = Score(tt.logits, tt.y, p)
		check(err)
		got, err := Grad(tt.logits, tt.y, nil, p)
		check(err)
		require.Nil(t, got)
	}
	y := focal.Labels(labels())
	_, err := Grad(logits, y, integers, p)
	require.ErrorIs(t, err, ErrType)
	require.EqualError(t, err, "focal: Grad: dout is of Int32, want Float32 as the logits: unsupported type")
	_, err = Grad(logits, y, tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2), p)
	require.ErrorIs(t, err, focal.ErrShape)
	require.EqualError(t, err, "focal: Grad: dout is [2], want [19 4] as the logits: shape mismatch")
	_, err = Sigmoid(integers)
	require.ErrorIs(t, err, ErrType)
	_, err = Dense(integers)
	require.ErrorContains(t, err, "focal: Dense: t is of Int32")
	logits.MustFinalizeAll()
	_, err = Loss(logits, y, p)
	require.Error(t, err)

	_, err = graph.ExecOnce(backend(t), Surrogate, tensors.FromFlatDataAndDimensions([]float32{1, 2, 3}, 3), tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2))
	require.Error(t, err)
}

// No rows are a valid batch.
func TestNoRows(t *testing.T) {
	logits := tensors.FromFlatDataAndDimensions([]float32{}, 0, cols)
	sum, d, err := Fused(logits, focal.Labels([]int32{}), focal.Default())
	require.NoError(t, err)
	require.Zero(t, sum)
	require.Equal(t, []int{0, cols}, d.Shape().Dimensions)
}

// Where labels have planes, a loss belongs to a position: the axis of the classes is gone.
func TestRowsPlanes(t *testing.T) {
	x, label := random[float32](1, 10)[:2*3*4], []int32{0, 1, 2, 3, -1, 1, 0, 2}
	y, p := focal.Labels(label).Planes(4), focal.Default()
	want := make([]float32, len(label))
	require.NoError(t, focal.Rows(want, x, y, p))
	for _, shapes := range [][2][]int{{{2, 3, 2, 2}, {2, 2, 2}}, {{2, 3, 4}, {2, 4}}, {{2, 12}, {2, 4}}} {
		got, err := Rows(tensors.FromFlatDataAndDimensions(x, shapes[0]...), y, p)
		require.NoError(t, err)
		require.Equal(t, want, tensors.MustCopyFlatData[float32](got))
		require.Equal(t, shapes[1], got.Shape().Dimensions)
	}
	_, err := Rows(tensors.FromFlatDataAndDimensions(x, 2, 12), y.Planes(math.MaxInt), p)
	require.ErrorIs(t, err, focal.ErrShape)
}

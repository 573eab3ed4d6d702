package focalgomlx

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
)

const rows, cols = 19, 4

func backend(t *testing.T) backends.Backend {
	t.Helper()
	b, err := backends.NewWithConfig("go")
	require.NoError(t, err)
	return b
}

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

func TestBits(t *testing.T) {
	t.Run("float32", testBits[float32])
	t.Run("float64", testBits[float64])
}

func testBits[T focal.Float](t *testing.T) {
	x := random[T](1, 10)
	x[2], x[3] = T(math.Inf(1)), T(math.Inf(-1))
	soft := make([]T, len(x))
	for i, v := range random[T](4, 2) {
		soft[i] = T(1 / (1 + math.Exp(float64(v))))
	}
	p := focal.Params{Gamma: 2.5, Alpha: 0.3, Norm: 7}
	for name, y := range map[string]focal.Target{"labels": focal.Labels(labels()), "dense": focal.Dense(soft)} {
		logits := tensors.FromFlatDataAndDimensions(x, rows, cols)
		sum, d, err := Fused(logits, y, p)
		require.NoError(t, err)
		want := make([]T, len(x))
		wantSum, err := focal.Fused(focal.Out[T]{Grad: want}, x, y, p)
		require.NoError(t, err)
		require.Equal(t, wantSum, sum, name)
		require.Equal(t, want, tensors.MustCopyFlatData[T](d), name)

		// Through the graph and its differentiation: the same bits, infinite logits too, where the surrogate itself is NaN.
		got, err := ExecOnce(backend(t), func(x, d *Node) *Node { return Gradient(Surrogate(x, d), x)[0] }, logits, d)
		require.NoError(t, err)
		require.Equal(t, want, tensors.MustCopyFlatData[T](got), name)
	}
}

// composed is the formula of the paper by GoMLX's operations, of the sum over all elements with the given weights.
func composed(x, wpos, wneg *Node) *Node {
	p := Sigmoid(x)
	q := OneMinus(p)
	return Neg(ReduceAllSum(Add(Mul(wpos, Mul(Square(q), Log(p))), Mul(wneg, Mul(Square(p), Log(q))))))
}

func weights[T focal.Float](label []int32) (wpos, wneg *tensors.Tensor) {
	pos, neg := make([]T, rows*cols), make([]T, rows*cols)
	for i := range pos {
		switch int(label[i/cols]) {
		case -1:
		case i%cols + 1:
			pos[i] = 0.25
		default:
			neg[i] = 0.75
		}
	}
	return tensors.FromFlatDataAndDimensions(pos, rows, cols), tensors.FromFlatDataAndDimensions(neg, rows, cols)
}

func TestComposed(t *testing.T) {
	x, label := random[float64](5, 3), labels()
	logits := tensors.FromFlatDataAndDimensions(x, rows, cols)
	wpos, wneg := weights[float64](label)
	want := MustExecOnceN(backend(t), func(x, wpos, wneg *Node) []*Node {
		sum := composed(x, wpos, wneg)
		return []*Node{sum, Gradient(sum, x)[0]}
	}, logits, wpos, wneg)
	sum, d, err := Fused(logits, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	require.InEpsilon(t, tensors.ToScalar[float64](want[0]), sum, 1e-10)
	require.InDeltaSlice(t, tensors.MustCopyFlatData[float64](want[1]), tensors.MustCopyFlatData[float64](d), 1e-10)
}

// Why the formula does not do: a single confident mistake.
func TestComposedBreaks(t *testing.T) {
	x, label := random[float32](5, 3), make([]int32, rows)
	x[7] = 30
	logits := tensors.FromFlatDataAndDimensions(x, rows, cols)
	wpos, wneg := weights[float32](label)
	broken := MustExecOnceN(backend(t), func(x, wpos, wneg *Node) []*Node {
		sum := composed(x, wpos, wneg)
		return []*Node{sum, Gradient(sum, x)[0]}
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
	logits := tensors.FromFlatDataAndDimensions(random[float32](1, 1), rows, cols)
	for name, tt := range map[string]struct {
		logits *tensors.Tensor
		y      focal.Target
		want   error
	}{
		"nil":       {nil, focal.Labels([]int32(nil)), focal.ErrShape},
		"integers":  {tensors.FromFlatDataAndDimensions([]int32{1, 2}, 2, 1), focal.Labels([]int32{0, 0}), focal.ErrShape},
		"few":       {logits, focal.Labels([]int32{0}), focal.ErrShape},
		"label":     {logits, focal.Labels(append(labels()[1:], 99)), focal.ErrLabel},
		"no target": {logits, focal.Target{}, focal.ErrTarget},
	} {
		sum, d, err := Fused(tt.logits, tt.y, focal.Default())
		require.ErrorIs(t, err, tt.want, name)
		require.Zero(t, sum)
		require.Nil(t, d)
	}
	_, err := ExecOnce(backend(t), Surrogate, logits, tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2))
	require.Error(t, err)
}

package focalgorgonia

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gofocal/focal"
)

const rows, cols = 19, 4

func random[T focal.Float](seed uint64, n int) []T {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]T, n)
	for i := range x {
		x[i] = T(4 * rng.NormFloat64())
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

func matrix(g *G.ExprGraph, name string, backing any, shape ...int) *G.Node {
	v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
	return G.NewTensor(g, v.Dtype(), len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(v))
}

// run runs the graph and returns loss and gradient of a cost that weighs each loss with dout.
func runGraph[T focal.Float](t *testing.T, g *G.ExprGraph, x, loss *G.Node, dout []T) (l, d []T) {
	t.Helper()
	w := matrix(g, "dout", dout, loss.Shape()...)
	cost := G.Must(G.Sum(G.Must(G.HadamardProd(loss, w))))
	grads, err := G.Grad(cost, x)
	require.NoError(t, err)
	var lossValue, gradValue G.Value
	G.Read(loss, &lossValue)
	G.Read(grads[0], &gradValue)
	vm := G.NewTapeMachine(g)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	return lossValue.Data().([]T), gradValue.Data().([]T)
}

func TestBits(t *testing.T) {
	t.Run("float32", testBits[float32])
	t.Run("float64", testBits[float64])
}

func testBits[T focal.Float](t *testing.T) {
	x, dout := random[T](1, rows*cols), random[T](3, rows*cols)
	x[3] = T(math.Inf(-1))
	soft := make([]T, rows*cols)
	for i, v := range random[T](4, rows*cols) {
		soft[i] = T(1 / (1 + math.Exp(float64(v))))
	}
	label, zeroBased := labels(), labels()
	for i := range zeroBased {
		if zeroBased[i] < 0 {
			zeroBased[i] = 255
		}
	}
	single := make([]int32, rows*cols)
	for i := range single {
		single[i] = int32(i % 3 / 2)
	}
	ignoring := func(l []int32) focal.Target { return focal.ZeroBased(l).Ignoring(255) }
	p := focal.Params{Gamma: 2.5, Alpha: 0.3, Norm: 7}
	for name, tt := range map[string]struct {
		y     focal.Target
		shape []int
		node  func(g *G.ExprGraph, x *G.Node) (*G.Node, error)
	}{
		"labels": {focal.Labels(label), []int{rows, cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return Loss(x, matrix(g, "label", label, rows), focal.Labels, p)
		}},
		"zero-based": {ignoring(zeroBased), []int{rows, cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return Loss(x, matrix(g, "label", zeroBased, rows), ignoring, p)
		}},
		"one class": {focal.Labels(single), []int{rows * cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return Loss(x, matrix(g, "label", single, rows*cols), focal.Labels, p)
		}},
		"dense": {focal.Dense(soft), []int{rows, cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return LossDense(x, matrix(g, "target", soft, rows, cols), p)
		}},
		"dense, three axes": {focal.Dense(soft), []int{rows, 2, cols / 2}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return LossDense(x, matrix(g, "target", soft, rows, 2, cols/2), p)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g := G.NewGraph()
			node := matrix(g, "x", x, tt.shape...)
			loss, err := tt.node(g, node)
			require.NoError(t, err)
			gotLoss, gotGrad := runGraph(t, g, node, loss, dout)
			want := make([]T, len(x))
			require.NoError(t, focal.Loss(want, x, tt.y, p))
			require.Equal(t, want, gotLoss)
			require.NoError(t, focal.Grad(want, x, tt.y, dout, p))
			require.Equal(t, want, gotGrad)
		})
	}
}

// Two operations that differ in nothing but what their labels mean stay two.
func TestConventionsApart(t *testing.T) {
	g := G.NewGraph()
	x := matrix(g, "x", random[float64](1, rows*cols), rows, cols)
	label := matrix(g, "label", labels(), rows)
	a := G.Must(Loss(x, label, focal.Labels, focal.Default()))
	b := G.Must(Loss(x, label, focal.ZeroBased, focal.Default()))
	require.NotEqual(t, a.Hashcode(), b.Hashcode())
	require.NotSame(t, a, b)
}

// The formula of the paper by Gorgonia's own operations and their gradients: the same to rounding.
func TestComposed(t *testing.T) {
	x, label, dout := random[float64](5, rows*cols), labels(), random[float64](6, rows*cols)
	keepPos, keepNeg := make([]float64, rows*cols), make([]float64, rows*cols) // the weights
	for i := range x {
		switch int(label[i/cols]) {
		case -1:
		case i%cols + 1:
			keepPos[i] = 0.25
		default:
			keepNeg[i] = 0.75
		}
	}
	g := G.NewGraph()
	node := matrix(g, "x", x, rows, cols)
	one := G.NewConstant(1.0)
	s := G.Must(G.Sigmoid(node))
	q := G.Must(G.Sub(one, s))
	pos := G.Must(G.HadamardProd(G.Must(G.Square(q)), G.Must(G.Log(s))))
	neg := G.Must(G.HadamardProd(G.Must(G.Square(s)), G.Must(G.Log(q))))
	loss := G.Must(G.Neg(G.Must(G.Add(
		G.Must(G.HadamardProd(matrix(g, "wpos", keepPos, rows, cols), pos)),
		G.Must(G.HadamardProd(matrix(g, "wneg", keepNeg, rows, cols), neg))))))
	wantLoss, wantGrad := runGraph(t, g, node, loss, dout)

	g = G.NewGraph()
	node = matrix(g, "x", x, rows, cols)
	loss, err := Loss(node, matrix(g, "label", label, rows), focal.Labels, focal.Default())
	require.NoError(t, err)
	gotLoss, gotGrad := runGraph(t, g, node, loss, dout)
	require.InDeltaSlice(t, wantLoss, gotLoss, 1e-9)
	require.InDeltaSlice(t, wantGrad, gotGrad, 1e-9)
}

// Logits that are a transposed or sliced view in memory.
func TestViews(t *testing.T) {
	label, p := labels(), focal.Default()
	x := random[float64](7, rows*cols)
	across := make([]float64, rows*cols)
	for r := range rows {
		for c := range cols {
			across[c*rows+r] = x[r*cols+c]
		}
	}
	transposed := tensor.New(tensor.WithShape(cols, rows), tensor.WithBacking(across))
	require.NoError(t, transposed.T())
	wide := tensor.New(tensor.WithShape(rows, cols+2), tensor.Of(tensor.Float64))
	for r := range rows {
		for c := range cols {
			require.NoError(t, wide.SetAt(x[r*cols+c], r, c+1))
		}
	}
	sliced, err := wide.Slice(nil, tensor.S(1, cols+1))
	require.NoError(t, err)
	want := make([]float64, len(x))
	require.NoError(t, focal.Loss(want, x, focal.Labels(label), p))
	o := &lossOp{op{labels: focal.Labels, params: p, dims: 2, targetDims: 1}}
	for name, v := range map[string]tensor.Tensor{"transposed": transposed, "sliced": sliced} {
		got, err := o.Do(v, tensor.New(tensor.WithShape(rows), tensor.WithBacking(label)))
		require.NoError(t, err, name)
		require.Equal(t, want, got.Data(), name)
	}
}

func TestErrors(t *testing.T) {
	g := G.NewGraph()
	x := matrix(g, "x", random[float64](1, rows*cols), rows, cols)
	label := matrix(g, "label", labels(), rows)
	_, err := Loss(x, label, nil, focal.Default())
	require.ErrorIs(t, err, focal.ErrTarget)
	_, err = Loss(x, x, focal.Labels, focal.Default())
	require.ErrorContains(t, err, "label is (19, 4) of float64, want a vector of int32")
	_, err = Loss(x, nil, focal.Labels, focal.Default())
	require.ErrorIs(t, err, focal.ErrTarget)
	_, err = Loss(nil, label, focal.Labels, focal.Default())
	require.ErrorIs(t, err, focal.ErrShape)
	_, err = Loss(matrix(g, "x3", random[float64](1, 8), 2, 2, 2), label, focal.Labels, focal.Default())
	require.ErrorContains(t, err, "want a matrix or a vector")
	_, err = LossDense(x, matrix(g, "short", random[float64](1, rows), rows, 1), focal.Default())
	require.ErrorIs(t, err, focal.ErrTarget)
	_, err = LossDense(x, matrix(g, "f32", random[float32](1, rows*cols), rows, cols), focal.Default())
	require.ErrorIs(t, err, focal.ErrTarget)

	// What only the values tell comes when the graph runs.
	for want, l := range map[string][]int32{"label[1] = 9": {0, 9}, "len(label) = 3": {0, 0, 0}} {
		g := G.NewGraph()
		x := matrix(g, "x", random[float64](1, 4), 2, 2)
		G.Must(Loss(x, matrix(g, "label", l, len(l)), focal.Labels, focal.Default()))
		vm := G.NewTapeMachine(g)
		require.ErrorContains(t, vm.RunAll(), want)
		require.NoError(t, vm.Close())
	}
}

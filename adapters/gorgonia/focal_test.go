package focalgorgonia

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gofocal/focal"
)

const rowCount, cols = 19, 4

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
	label := make([]int32, rowCount)
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
	x, dout := random[T](1, rowCount*cols), random[T](3, rowCount*cols)
	x[3] = T(math.Inf(-1))
	soft := make([]T, rowCount*cols)
	for i, v := range random[T](4, rowCount*cols) {
		soft[i] = T(1 / (1 + math.Exp(float64(v))))
	}
	label, zeroBased := labels(), labels()
	for i := range zeroBased {
		if zeroBased[i] < 0 {
			zeroBased[i] = 255
		}
	}
	single := make([]int32, rowCount*cols)
	for i := range single {
		single[i] = int32(i % 3 / 2)
	}
	weighed := func(l []int32) focal.Target { return focal.WeighRows(focal.Labels(l), soft[:rowCount]) }
	ignoring := func(l []int32) focal.Target { return focal.ZeroBased(l).Ignoring(255) }
	p := focal.Params{Gamma: 2.5, Alpha: 0.3, Norm: 7}
	for name, tt := range map[string]struct {
		y     focal.Target
		shape []int
		node  func(g *G.ExprGraph, x *G.Node) (*G.Node, error)
	}{
		"weights": {weighed(label), []int{rowCount, cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return Loss(x, matrix(g, "label", label, rowCount), weighed, p)
		}},
		"labels": {focal.Labels(label), []int{rowCount, cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return Loss(x, matrix(g, "label", label, rowCount), focal.Labels, p)
		}},
		"zero-based": {ignoring(zeroBased), []int{rowCount, cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return Loss(x, matrix(g, "label", zeroBased, rowCount), ignoring, p)
		}},
		"one class": {focal.Labels(single), []int{rowCount * cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return Loss(x, matrix(g, "label", single, rowCount*cols), focal.Labels, p)
		}},
		"dense": {focal.Dense(soft), []int{rowCount, cols}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return LossDense(x, matrix(g, "target", soft, rowCount, cols), p)
		}},
		"dense, three axes": {focal.Dense(soft), []int{rowCount, 2, cols / 2}, func(g *G.ExprGraph, x *G.Node) (*G.Node, error) {
			return LossDense(x, matrix(g, "target", soft, rowCount, 2, cols/2), p)
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
			testValues(t, tensor.New(tensor.WithShape(tt.shape...), tensor.WithBacking(x)),
				tensor.New(tensor.WithShape(tt.shape...), tensor.WithBacking(dout)), x, dout, tt.y, p)
		})
	}
}

func testValues[T focal.Float](t *testing.T, logits, upstream *tensor.Dense, x, dout []T, y focal.Target, p focal.Params) {
	same := func(want []T, got *tensor.Dense, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, want, got.Data())
		require.Equal(t, logits.Shape(), got.Shape())
	}
	want, hess, curv := make([]T, len(x)), make([]T, len(x)), make([]T, len(x))
	wantSum, err := focal.Fused(focal.Out[T]{Grad: want, Hess: hess, Curv: curv}, x, y, p)
	require.NoError(t, err)
	gotSum, got, err := Fused(logits, y, p)
	same(want, got, err)
	require.Equal(t, wantSum, gotSum)
	gotSum, err = Sum(logits, y, p)
	require.NoError(t, err)
	require.Equal(t, wantSum, gotSum)
	got, err = Hess(logits, y, p)
	same(hess, got, err)
	got, err = Curv(logits, y, p)
	same(curv, got, err)
	got, err = Grad(logits, y, nil, p)
	same(want, got, err)
	require.NoError(t, focal.Grad(want, x, y, dout, p))
	got, err = Grad(logits, y, upstream, p)
	same(want, got, err)
	require.NoError(t, focal.Loss(want, x, y, p))
	got, err = Losses(logits, y, p)
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
	wantPart, err := focal.Score(x, y, p)
	require.NoError(t, err)
	part, err := Score(logits, y, p)
	require.NoError(t, err)
	require.Equal(t, wantPart, part)
	wantRows := make([]T, logits.Shape()[0])
	require.NoError(t, focal.Rows(wantRows, x, y, p))
	got, err = Rows(logits, y, p)
	require.NoError(t, err)
	require.Equal(t, wantRows, got.Data())
}

// Two operations that differ in nothing but what their labels mean stay two.
func TestConventionsApart(t *testing.T) {
	g := G.NewGraph()
	x := matrix(g, "x", random[float64](1, rowCount*cols), rowCount, cols)
	label := matrix(g, "label", labels(), rowCount)
	a := G.Must(Loss(x, label, focal.Labels, focal.Default()))
	b := G.Must(Loss(x, label, focal.ZeroBased, focal.Default()))
	require.NotEqual(t, a.Hashcode(), b.Hashcode())
	require.NotSame(t, a, b)
}

// The formula of the paper by Gorgonia's own operations and their gradients: the same to rounding.
func TestComposed(t *testing.T) {
	x, label, dout := random[float64](5, rowCount*cols), labels(), random[float64](6, rowCount*cols)
	keepPos, keepNeg := make([]float64, rowCount*cols), make([]float64, rowCount*cols) // the weights
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
	node := matrix(g, "x", x, rowCount, cols)
	one := G.NewConstant(1.0)
	s := G.Must(G.Sigmoid(node))
	q := G.Must(G.Sub(one, s))
	pos := G.Must(G.HadamardProd(G.Must(G.Square(q)), G.Must(G.Log(s))))
	neg := G.Must(G.HadamardProd(G.Must(G.Square(s)), G.Must(G.Log(q))))
	loss := G.Must(G.Neg(G.Must(G.Add(
		G.Must(G.HadamardProd(matrix(g, "wpos", keepPos, rowCount, cols), pos)),
		G.Must(G.HadamardProd(matrix(g, "wneg", keepNeg, rowCount, cols), neg))))))
	wantLoss, wantGrad := runGraph(t, g, node, loss, dout)

	g = G.NewGraph()
	node = matrix(g, "x", x, rowCount, cols)
	loss, err := Loss(node, matrix(g, "label", label, rowCount), focal.Labels, focal.Default())
	require.NoError(t, err)
	gotLoss, gotGrad := runGraph(t, g, node, loss, dout)
	require.InDeltaSlice(t, wantLoss, gotLoss, 1e-9)
	require.InDeltaSlice(t, wantGrad, gotGrad, 1e-9)
}

// Logits that are a transposed or sliced view in memory.
func TestViews(t *testing.T) {
	label, p := labels(), focal.Default()
	x := random[float64](7, rowCount*cols)
	across := make([]float64, rowCount*cols)
	for r := range rowCount {
		for c := range cols {
			across[c*rowCount+r] = x[r*cols+c]
		}
	}
	transposed := tensor.New(tensor.WithShape(cols, rowCount), tensor.WithBacking(across))
	require.NoError(t, transposed.T())
	wide := tensor.New(tensor.WithShape(rowCount, cols+2), tensor.Of(tensor.Float64))
	for r := range rowCount {
		for c := range cols {
			require.NoError(t, wide.SetAt(x[r*cols+c], r, c+1))
		}
	}
	sliced, err := wide.Slice(nil, tensor.S(1, cols+1))
	require.NoError(t, err)
	columnMajor := func(rows, columns, from int) *tensor.Dense { // x in columns from .. from+cols-1
		d := tensor.New(tensor.WithShape(rows, columns), tensor.AsFortran(make([]float64, rows*columns)))
		for r := range rowCount {
			for c := range cols {
				require.NoError(t, d.SetAt(x[r*cols+c], r, from+c))
			}
		}
		return d
	}
	transposedColumnMajor := tensor.New(tensor.WithShape(cols, rowCount), tensor.AsFortran(slices.Clone(across))) // which it takes row by row
	require.NoError(t, transposedColumnMajor.T())
	slicedColumnMajor, err := columnMajor(rowCount+1, cols+2, 1).Slice(tensor.S(0, rowCount), tensor.S(1, cols+1))
	require.NoError(t, err)
	want := make([]float64, len(x))
	require.NoError(t, focal.Loss(want, x, focal.Labels(label), p))
	o := &lossOp{op{labels: focal.Labels[int32], params: p, dims: 2, targetDims: 1}}
	for name, v := range map[string]tensor.Tensor{"transposed": transposed, "sliced": sliced,
		"column-major": columnMajor(rowCount, cols, 0), "column-major, sliced": slicedColumnMajor,
		"column-major, transposed": transposedColumnMajor} {
		got, err := o.Do(v, tensor.New(tensor.WithShape(rowCount), tensor.WithBacking(label)))
		require.NoError(t, err, name)
		require.Equal(t, want, got.Data(), name)
		got, err = Losses(v, focal.Labels(label), p)
		require.NoError(t, err, name)
		require.Equal(t, want, got.Data(), name)
		got, err = Grad(v, focal.Labels(label), v, p)
		require.NoError(t, err, name)
		wantGrad := make([]float64, len(x))
		require.NoError(t, focal.Grad(wantGrad, x, focal.Labels(label), x, p))
		require.Equal(t, wantGrad, got.Data(), name)
	}
	soft := tensor.New(tensor.WithShape(rowCount, cols), tensor.WithBacking(random[float64](8, rowCount*cols)))
	soft, err = Sigmoid(soft)
	require.NoError(t, err)
	y, err := Dense(soft)
	require.NoError(t, err)
	gotSum, err := Sum(transposed, y, p)
	require.NoError(t, err)
	wantSum, err := focal.Sum(x, focal.Dense(soft.Data().([]float64)), p)
	require.NoError(t, err)
	require.Equal(t, wantSum, gotSum)
}

// A tensor of one element, as a scalar too.
func TestOneElement(t *testing.T) {
	for _, logits := range []*tensor.Dense{
		tensor.New(tensor.FromScalar(1.5)),
		tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float64{1.5})),
	} {
		want, err := focal.Sum([]float64{1.5}, focal.Labels([]int32{1}), focal.Default())
		require.NoError(t, err)
		got, err := Losses(logits, focal.Labels([]int32{1}), focal.Default())
		require.NoError(t, err)
		require.Equal(t, []float64{want}, elements[float64](got))
	}
}

// The errors of the functions on tensors.
func TestValueErrors(t *testing.T) {
	logits, p := tensor.New(tensor.WithShape(rowCount, cols), tensor.WithBacking(random[float32](1, rowCount*cols))), focal.Default()
	integers := tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]int32{1, 2}))
	for name, tt := range map[string]struct {
		logits tensor.Tensor
		y      focal.Target
		want   error
		text   string
	}{
		"nil":       {nil, focal.Labels([]int32{0}), focal.ErrShape, "logits is nil"},
		"integers":  {integers, focal.Labels([]int32{0, 0}), ErrType, "logits is of int32, want float32 or float64"},
		"sparse":    {&tensor.CS{}, focal.Labels([]int32{0, 0}), ErrType, "focal: logits is a *tensor.CS, want a *tensor.Dense: unsupported type"},
		"few":       {logits, focal.Labels([]int32{0}), focal.ErrShape, "len(label) = 1, want 19"},
		"label":     {logits, focal.Labels(append(labels()[1:], 99)), focal.ErrLabel, "99"},
		"no target": {logits, focal.Target{}, focal.ErrTarget, ""},
	} {
		check := func(got *tensor.Dense, err error) {
			t.Helper()
			require.ErrorIs(t, err, tt.want, name)
			require.ErrorContains(t, err, tt.text)
			require.Nil(t, got)
		}
		check(Losses(tt.logits, tt.y, p))
		check(Grad(tt.logits, tt.y, nil, p))
		check(Hess(tt.logits, tt.y, p))
		check(Curv(tt.logits, tt.y, p))
		check(Rows(tt.logits, tt.y, p))
		_, got, err := Fused(tt.logits, tt.y, p)
		check(got, err)
		_, err = Sum(tt.logits, tt.y, p)
		check(nil, err)
		_, err = Score(tt.logits, tt.y, p)
		check(nil, err)
	}
	_, err := Grad(logits, focal.Labels(labels()), integers, p)
	require.ErrorIs(t, err, ErrType)
	require.EqualError(t, err, "focal: Grad: dout is of int32, want float32 as the logits: unsupported type")
	_, err = Grad(logits, focal.Labels(labels()), tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{1})), p)
	require.ErrorIs(t, err, focal.ErrShape)
	require.EqualError(t, err, "focal: Grad: dout is (1), want (19, 4) as the logits: shape mismatch")
	_, err = Sigmoid(integers)
	require.ErrorContains(t, err, "focal: Sigmoid: x is of int32")
	_, err = Dense(integers)
	require.ErrorContains(t, err, "focal: Dense: t is of int32")

	// Memory that Go cannot read, as that of a GPU, can be no view.
	remote, err := tensor.New(tensor.WithShape(4, 4), tensor.Of(tensor.Float32), tensor.WithEngine(unreadable{})).Slice(nil, tensor.S(1, 3))
	require.NoError(t, err)
	_, err = Sigmoid(remote)
	require.ErrorContains(t, err, "focal: x cannot be copied: ")
}

// unreadable is an engine whose memory Go cannot read.
type unreadable struct{ tensor.StdEng }

func (unreadable) AllocAccessible() bool { return false }

func TestErrors(t *testing.T) {
	g := G.NewGraph()
	x := matrix(g, "x", random[float64](1, rowCount*cols), rowCount, cols)
	label := matrix(g, "label", labels(), rowCount)
	integers := matrix(g, "integers", []int{1, 2}, 2, 1)
	loss := func(logits, label *G.Node, labels func([]int32) focal.Target) error {
		_, err := Loss(logits, label, labels, focal.Default())
		return err
	}
	lossDense := func(logits, target *G.Node) error {
		_, err := LossDense(logits, target, focal.Default())
		return err
	}
	// An operation that is called as Gorgonia does not call it.
	node := G.Must(Loss(x, label, focal.Labels, focal.Default())).Op()
	_, noInputs := node.Do()
	_, noNodes := node.(G.SDOp).SymDiff(nil, nil, nil)
	_, noShape := node.InferShape(unshaped{})
	_, noGradInputs := (&gradOp{}).Do()
	for _, tt := range []struct {
		err, is error
		text    string // before that of is
	}{
		{loss(x, label, nil), focal.ErrTarget, "focal: Loss: labels is nil, want focal.Labels or focal.ZeroBased"},
		{loss(x, x, focal.Labels), focal.ErrTarget, "focal: Loss: label is (19, 4) of float64, want a vector of int32"},
		{loss(x, nil, focal.Labels), focal.ErrTarget, "focal: Loss: label is nil, want a vector of int32"},
		{loss(nil, label, focal.Labels), focal.ErrShape, "focal: logits is nil, want a matrix or a vector"},
		{loss(matrix(g, "x3", random[float64](1, 8), 2, 2, 2), label, focal.Labels), focal.ErrShape, "focal: logits is (2, 2, 2) of float64, want a matrix or a vector"},
		{loss(integers, label, focal.Labels), ErrType, "focal: logits is (2, 1) of int, want float32 or float64"},
		{lossDense(x, nil), focal.ErrTarget, "focal: LossDense: target is nil, want it as the logits, (19, 4) of float64"},
		{lossDense(x, matrix(g, "short", random[float64](1, rowCount), rowCount, 1)), focal.ErrTarget, "focal: LossDense: target is (19, 1) of float64, want it as the logits, (19, 4) of float64"},
		{lossDense(x, matrix(g, "f32", random[float32](1, rowCount*cols), rowCount, cols)), focal.ErrTarget, "focal: LossDense: target is (19, 4) of float32, want it as the logits, (19, 4) of float64"},
		{noInputs, focal.ErrShape, "focal: 0 inputs, want 2"},
		{noNodes, focal.ErrShape, "focal: 0 inputs, want 2"},
		{noGradInputs, focal.ErrShape, "focal: 0 inputs, want 3"},
		{noShape, focal.ErrShape, "focal: the shape of the logits is a focalgorgonia.unshaped"},
	} {
		require.ErrorIs(t, tt.err, tt.is, tt.text)
		require.EqualError(t, tt.err, tt.text+": "+tt.is.Error())
	}

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

// unshaped says the size of an axis, and has no shape.
type unshaped struct{}

func (unshaped) DimSize(int) (int, error) { return 1, nil }

// Where labels have planes, a loss belongs to a position: the axis of the classes is gone.
func TestRowsPlanes(t *testing.T) {
	x, label := random[float32](1, 2*3*4), []int32{0, 1, 2, 3, -1, 1, 0, 2}
	y, p := focal.Labels(label).Planes(4), focal.Default()
	want := make([]float32, len(label))
	require.NoError(t, focal.Rows(want, x, y, p))
	for _, shapes := range [][2]tensor.Shape{{{2, 3, 2, 2}, {2, 2, 2}}, {{2, 3, 4}, {2, 4}}, {{2, 12}, {2, 4}}} {
		got, err := Rows(tensor.New(tensor.WithShape(shapes[0]...), tensor.WithBacking(x)), y, p)
		require.NoError(t, err)
		require.Equal(t, want, got.Data())
		require.Equal(t, shapes[1], got.Shape())
	}
	_, err := Rows(tensor.New(tensor.WithShape(2, 12), tensor.WithBacking(x)), y.Planes(math.MaxInt), p)
	require.ErrorIs(t, err, focal.ErrShape)
}

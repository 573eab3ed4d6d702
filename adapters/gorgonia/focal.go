// Package focalgorgonia is the sigmoid focal loss for Gorgonia, by package focal.
//
//	import focalgorgonia "github.com/gofocal/focal/adapters/gorgonia"
//
// [Loss] and [LossDense] are operations of a graph with symbolic gradients: two nodes instead of the dozen that the formula
// takes. The other functions work on tensors, outside of graphs. They take tensors of float32 or float64 and return new ones.
// The results have the bits of package focal.
//
// The graph is one that a [gorgonia.TapeMachine] runs. A LispMachine differentiates by a means that Gorgonia keeps to
// its own operations.
//
// # On a current Go
//
// Gorgonia v0.9.18 and tensor v0.9.24, the last releases, ask for a version of go4.org/unsafe/assume-no-moving-gc that stops
// every program at its start on a current Go, with a panic that says that its version "hasn't been updated to assert that
// it's safe against the go1.26 runtime". The requirement of this module raises it to one that asks the runtime instead:
// whoever imports this package needs to do nothing. A program without it runs
//
//	go get go4.org/unsafe/assume-no-moving-gc@latest
package focalgorgonia

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	_ "go4.org/unsafe/assume-no-moving-gc" // raises the version, see above
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gofocal/focal"
)

// ErrType: a tensor is not dense, or neither of float32 nor of float64, or two are of different types. The text names the
// tensor and its type. The other errors are those of package focal.
var ErrType = errors.New("unsupported type")

// Loss returns the node of the focal losses, which has the shape and the type of the logits, a matrix with a row for each
// label, or a vector if there is one class. The label node is a vector of [tensor.Int32], usually an input of the graph;
// labels says what they mean, and is [focal.Labels], [focal.ZeroBased] or a function that returns one of them with
// another ignored value, weights or scores. Gradients flow to the logits; the label node has none.
//
// Sum the node for a cost. Params are part of the graph: a divisor that changes with the batch, its number of
// foreground rows, is better left to a scalar node that the cost is divided by.
//
// What is wrong with labels and logits is reported when the graph runs, with the errors of package focal.
func Loss(logits, label *gorgonia.Node, labels func([]int32) focal.Target, p focal.Params) (*gorgonia.Node, error) {
	if labels == nil {
		return nil, fmt.Errorf("focal: Loss: labels is nil, want focal.Labels or focal.ZeroBased: %w", focal.ErrTarget)
	}
	if label == nil || label.Dtype() != tensor.Int32 || label.Dims() != 1 {
		return nil, fmt.Errorf("focal: Loss: label is %v, want a vector of int32: %w", describe(label), focal.ErrTarget)
	}
	return apply(op{labels: labels, params: p}, logits, label)
}

// LossDense returns the node of the focal losses of logits of any shape. The target node has a value in [0, 1] for each of
// them, as [focal.Dense] takes it; it has no gradient.
func LossDense(logits, target *gorgonia.Node, p focal.Params) (*gorgonia.Node, error) {
	if target == nil || logits == nil || !target.Shape().Eq(logits.Shape()) || target.Dtype() != logits.Dtype() {
		return nil, fmt.Errorf("focal: LossDense: target is %v, want it as the logits, %v: %w", describe(target), describe(logits), focal.ErrTarget)
	}
	return apply(op{params: p}, logits, target)
}

// apply returns the node of the operation on the given ones, which say its dimensions.
func apply(o op, logits, target *gorgonia.Node) (*gorgonia.Node, error) {
	if logits == nil || logits.IsScalar() {
		return nil, fmt.Errorf("focal: logits is %v, want a matrix or a vector: %w", describe(logits), focal.ErrShape)
	}
	if logits.Dtype() != tensor.Float32 && logits.Dtype() != tensor.Float64 {
		return nil, fmt.Errorf("focal: logits is %v, want float32 or float64: %w", describe(logits), ErrType)
	}
	if o.labels != nil && logits.Dims() > 2 {
		return nil, fmt.Errorf("focal: logits is %v, want a matrix or a vector: %w", describe(logits), focal.ErrShape)
	}
	o.id = lastID.Add(1)
	o.dims, o.targetDims = logits.Dims(), target.Dims()
	return gorgonia.ApplyOp(&lossOp{o}, logits, target)
}

func describe(n *gorgonia.Node) string {
	if n == nil {
		return "nil"
	}
	return fmt.Sprintf("%v of %v", n.Shape(), n.Dtype())
}

// lastID makes every operation one of its own: Gorgonia merges nodes whose operations have the same hash, but two
// functions, as which labels are given, cannot be compared.
var lastID atomic.Uint64

// op is what the operation and its gradient have in common. It has no nodes: it outlives the graph's construction.
type op struct {
	labels           func([]int32) focal.Target
	params           focal.Params
	dims, targetDims int
	id               uint64
}

func (o *op) ReturnsPtr() bool     { return false }
func (o *op) CallsExtern() bool    { return false }
func (o *op) OverwritesInput() int { return -1 }

func (o *op) InferShape(inputs ...gorgonia.DimSizer) (tensor.Shape, error) {
	shape, ok := inputs[0].(tensor.Shape)
	if !ok {
		return nil, fmt.Errorf("focal: the shape of the logits is a %T: %w", inputs[0], focal.ErrShape)
	}
	return shape.Clone(), nil
}

// types returns the types of logits and target.
func (o *op) types() (logits, target hm.Type) {
	a := hm.TypeVariable('a')
	logits = gorgonia.TensorType{Dims: o.dims, Of: a}
	if o.labels != nil {
		return logits, gorgonia.TensorType{Dims: o.targetDims, Of: tensor.Int32}
	}
	return logits, logits
}

// do calls f for the elements of all the tensors, of which the first is the output.
func (o *op) do(prealloc gorgonia.Value, inputs []gorgonia.Value) (gorgonia.Value, error) {
	logits, err := denseOf(inputs[0], "logits")
	if err != nil {
		return nil, err
	}
	target, err := denseOf(inputs[1], "target")
	if err != nil {
		return nil, err
	}
	var dout *tensor.Dense
	if len(inputs) > 2 {
		if dout, err = denseOf(inputs[2], "gradient"); err != nil {
			return nil, err
		}
	}
	out, ok := prealloc.(*tensor.Dense)
	if !ok || !contiguous(out) || !out.Shape().Eq(logits.Shape()) || out.Dtype() != logits.Dtype() {
		out = tensor.New(tensor.WithShape(logits.Shape().Clone()...), tensor.Of(logits.Dtype()))
	}
	if logits.Dtype() == tensor.Float32 {
		err = run[float32](o, out, logits, target, dout)
	} else {
		err = run[float64](o, out, logits, target, dout)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func run[T focal.Float](o *op, out, logits, target, dout *tensor.Dense) error {
	x := elements[T](logits)
	var y focal.Target
	if o.labels != nil {
		y = o.labels(elements[int32](target))
		if err := y.Fits(dimensions(logits)); err != nil {
			return err
		}
	} else {
		y = focal.Dense(elements[T](target))
	}
	if dout == nil {
		return focal.Loss(elements[T](out), x, y, o.params)
	}
	return focal.Grad(elements[T](out), x, y, elements[T](dout), o.params)
}

// lossOp is the loss.
type lossOp struct{ op }

func (o *lossOp) Arity() int { return 2 }

func (o *lossOp) Type() hm.Type {
	logits, target := o.types()
	return hm.NewFnType(logits, target, logits)
}

func (o *lossOp) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return o.UsePreallocDo(nil, inputs...)
}

// UsePreallocDo is Do with the memory for the result.
func (o *lossOp) UsePreallocDo(prealloc gorgonia.Value, inputs ...gorgonia.Value) (gorgonia.Value, error) {
	if len(inputs) != 2 {
		return nil, fmt.Errorf("focal: %d inputs, want 2: %w", len(inputs), focal.ErrShape)
	}
	return o.do(prealloc, inputs)
}

// DiffWRT makes the lossOp a [gorgonia.SDOp], with SymDiff.
func (o *lossOp) DiffWRT(int) []bool { return []bool{true, false} }

func (o *lossOp) SymDiff(inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	if len(inputs) != 2 {
		return nil, fmt.Errorf("focal: %d inputs, want 2: %w", len(inputs), focal.ErrShape)
	}
	n, err := gorgonia.ApplyOp(&gradOp{o.op}, inputs[0], inputs[1], grad)
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{n, nil}, nil
}

func (o *lossOp) WriteHash(h hash.Hash) { fmt.Fprint(h, o) }
func (o *lossOp) Hashcode() uint32      { return hashOf(o) }
func (o *lossOp) String() string        { return fmt.Sprintf("FocalLoss#%d", o.id) }

// gradOp is its gradient.
type gradOp struct{ op }

func (o *gradOp) Arity() int { return 3 }

func (o *gradOp) Type() hm.Type {
	logits, target := o.types()
	return hm.NewFnType(logits, target, logits, logits)
}

func (o *gradOp) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return o.UsePreallocDo(nil, inputs...)
}

// UsePreallocDo is Do with the memory for the result.
func (o *gradOp) UsePreallocDo(prealloc gorgonia.Value, inputs ...gorgonia.Value) (gorgonia.Value, error) {
	if len(inputs) != 3 {
		return nil, fmt.Errorf("focal: %d inputs, want 3: %w", len(inputs), focal.ErrShape)
	}
	return o.do(prealloc, inputs)
}

func (o *gradOp) WriteHash(h hash.Hash) { fmt.Fprint(h, o) }
func (o *gradOp) Hashcode() uint32      { return hashOf(o) }
func (o *gradOp) String() string        { return fmt.Sprintf("FocalLossGrad#%d", o.id) }

func hashOf(o gorgonia.Op) uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

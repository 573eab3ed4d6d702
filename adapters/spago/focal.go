// Package focalspago is the sigmoid focal loss as an operator of spaGO, with its gradient, by package focal: the results
// are those of package focal, bit for bit.
//
// spaGO has focal losses of its own, in package losses: they are the softmax variant, of one example, whose classes exclude
// each other. This one is that of the paper: each class is a binary classifier, all of them may be absent, and a matrix
// has an example in each row.
package focalspago

import (
	"fmt"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"

	"github.com/gofocal/focal"
)

// Loss returns the operator of the losses, which has the shape and the type of the logits: a matrix with a row for each
// label and a column for each class, or a vector for a single label. Give it to [ag.ReduceSum] for a cost, and that to
// [ag.Backward].
//
// In spaGO v1.1.0 the gradient that ReduceSum sends to a matrix is a vector. It is taken here for what it is meant to be; but
// what comes between, [ag.Neg] for one, does not take it: put an [ag.Flatten] before ReduceSum then.
//
// spaGO ends the process at an operator's first error. Therefore the losses are computed before there is an operator, and
// what is wrong with the arguments is an error here. The target is read again by the backward pass: until then its labels
// must stay as they are.
func Loss(logits mat.Tensor, y focal.Target, p focal.Params) (mat.Tensor, error) {
	if logits == nil {
		return nil, fmt.Errorf("focal: Loss: logits is nil: %w", focal.ErrShape)
	}
	x, ok := logits.Value().(mat.Matrix)
	if !ok {
		return nil, fmt.Errorf("focal: Loss: logits are a %T, want a mat.Matrix: %w", logits.Value(), focal.ErrShape)
	}
	shape := x.Shape()
	if err := y.Fits(shape[0], shape[1]); err != nil && (shape[1] != 1 || y.Fits(1, shape[0]) != nil) {
		return nil, fmt.Errorf("focal: Loss: %w", err)
	}
	f := &function{logits: logits, loss: x.ZerosLike(), y: y, p: p}
	var err error
	if x.Data().BitSize() == 32 {
		err = focal.Loss(f.loss.Data().F32(), x.Data().F32(), y, p)
	} else {
		err = focal.Loss(f.loss.Data().F64(), x.Data().F64(), y, p)
	}
	if err != nil {
		return nil, err
	}
	return ag.NewOperator(f).Run(), nil
}

// function is an [ag.AutoGradFunction].
type function struct {
	logits mat.Tensor
	loss   mat.Matrix
	y      focal.Target
	p      focal.Params
}

func (f *function) Operands() []mat.Tensor { return []mat.Tensor{f.logits} }

func (f *function) Forward() (mat.Tensor, error) { return f.loss, nil }

func (f *function) Backward(gy mat.Tensor) error {
	if !f.logits.RequiresGrad() {
		return nil
	}
	x := f.logits.Value().(mat.Matrix)
	gx := x.ZerosLike()
	var err error
	if x.Data().BitSize() == 32 {
		err = focal.Grad(gx.Data().F32(), x.Data().F32(), f.y, gy.Data().F32(), f.p)
	} else {
		err = focal.Grad(gx.Data().F64(), x.Data().F64(), f.y, gy.Data().F64(), f.p)
	}
	if err != nil {
		return err
	}
	f.logits.AccGrad(gx)
	return nil
}

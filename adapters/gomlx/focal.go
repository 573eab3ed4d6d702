// Package focalgomlx trains GoMLX models by the sigmoid focal loss of package focal.
//
// A graph of GoMLX runs in a backend, and no backend calls back into Go: the loss cannot be a node. It need not be one,
// since training needs nothing of the loss but its gradient with respect to the logits. So a step has three parts:
//
//  1. A graph computes the logits.
//  2. [Fused] computes loss and gradient, in Go.
//  3. A graph with the gradient d as an input computes the logits once more and differentiates [Surrogate], whose gradient
//     with respect to the logits is d, and so, by the chain rule, that of the loss with respect to the parameters.
//
// The logits cross from the backend to Go and the gradient crosses back; in the backend written in Go, package simplego,
// that is a copy. The forward pass is computed twice.
//
// What one gets for it is the gradient of package focal, bit for bit. The formula made of GoMLX's own operations,
// -(1-p)^γ·log p with p = Sigmoid(x), has a loss of +Inf and a gradient of NaN where a negative has a logit of 30: there
// 1-p is 0 in float32.
package focalgomlx

import (
	"fmt"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/gofocal/focal"
)

// Surrogate returns a scalar node whose gradient with respect to the logits is d, by which the gradient of any function
// computed outside the graph enters it. Its value means nothing. Like GoMLX's own functions it panics if the shapes
// differ; inside a graph function that becomes the error of its execution.
func Surrogate(logits, d *graph.Node) *graph.Node {
	return graph.ReduceAllSum(graph.Mul(logits, graph.StopGradient(d)))
}

// Fused returns the sum of the losses of logits of shape [N, C], or [N] for one class, and its gradient as a tensor of the
// same shape, as [focal.Fused] does. A target made by [focal.Dense] fits logits of any shape. The type is float32 or float64.
func Fused(logits *tensors.Tensor, y focal.Target, p focal.Params) (sum float64, grad *tensors.Tensor, err error) {
	if logits == nil {
		return 0, nil, fmt.Errorf("focal: Fused: logits is nil: %w", focal.ErrShape)
	}
	switch logits.DType() {
	case dtypes.Float32:
		return fused[float32](logits, y, p)
	case dtypes.Float64:
		return fused[float64](logits, y, p)
	}
	return 0, nil, fmt.Errorf("focal: Fused: logits are of %v, want float32 or float64: %w", logits.DType(), focal.ErrShape)
}

func fused[T focal.Float](logits *tensors.Tensor, y focal.Target, p focal.Params) (sum float64, grad *tensors.Tensor, err error) {
	shape := logits.Shape()
	rows, cols := 1, 1
	for i, d := range shape.Dimensions {
		if i == 0 {
			rows = d
		} else {
			cols *= d
		}
	}
	if err := y.Fits(rows, cols); err != nil {
		return 0, nil, fmt.Errorf("focal: Fused: %w", err)
	}
	grad = tensors.FromShape(shape)
	var failed error // in package focal; the others are in GoMLX
	err = tensors.ConstFlatData(logits, func(x []T) {
		err = tensors.MutableFlatData(grad, func(d []T) {
			sum, failed = focal.Fused(focal.Out[T]{Grad: d}, x, y, p)
		})
		if failed == nil {
			failed = err
		}
	})
	if failed != nil {
		err = failed
	}
	if err != nil {
		return 0, nil, err
	}
	return sum, grad, nil
}

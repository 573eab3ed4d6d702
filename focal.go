// Package focal computes the sigmoid focal loss, its gradient and its Hessian over slices of float32 or float64, fast, accurately,
// and with the same bits on every machine.
//
// It is RetinaNet's loss (Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection", 2017, arXiv:1708.02002), the
// operator sigmoid_focal_loss of torchvision, Paddle and Caffe2. A training step needs one call:
//
//	y := focal.Labels(label)         // 1..C is the class, 0 background, -1 ignored
//	p := focal.Default()             // gamma 2, alpha 0.25
//	p.Norm = float64(y.Foreground()) // the usual divisor
//	loss, err := focal.Fused(focal.Out[float32]{Grad: grad}, x, y, p)
//
// Results go to the slice that is the first argument. With one worker nothing is allocated. Mistakes in the arguments are errors,
// never panics.
//
// # Mathematics
//
// The logits x are a row-major matrix [N, C]: a row for each sample (an anchor, a window), a column for each class. The background is
// not a column. No rows and no logits are a valid, empty batch. Each element is a binary classifier of its own. With
// p = σ(x) = 1/(1+exp(-x)) and n = [Params].Norm,
//
//	positive    alpha/n · (1-p)^gamma · -log(p)            the element in the column of its row's class
//	negative    (1-alpha)/n · p^gamma · -log(1-p)          every other element
//	ignored     0                                          every element of an ignored row
//
// Both weights are 1/n if Alpha is [NoAlpha]. The gradient is ∂loss/∂x and the Hessian ∂²loss/∂x²: an element depends on its own logit
// alone, so the Hessian matrix is diagonal.
//
// # Soft targets
//
// With [Dense] each element has a target t in [0, 1] of its own. With q = 1-p
//
//	a = (alpha·t + (1-alpha)·(1-t)) / n     m = p·(1-t) + q·t     E = -t·log(p) - (1-t)·log(q)     δ = 1 - 2t
//
//	loss        a · m^gamma · E
//	gradient    a · m^gamma · (p - t + gamma·δ·(pq/m)·E)
//	Hessian     a · m^gamma · (pq + gamma·δ·(pq/m)·(2·(p-t) + E·((gamma-1)·δ·pq/m + q - p)))
//
// This is torchvision's sigmoid_focal_loss. At t = 0 and 1 the results have the bits of labels.
//
// # Accuracy
//
// Errors are bounded in units in the last place (ULP) of the exact result, over all logits, in both tails, down to the subnormals. The
// bounds are in https://github.com/gofocal/focal/blob/main/docs/accuracy.md, and tests hold them. Those of the Hessian, whose terms
// cancel, are in ULP of the sum of its terms' magnitudes.
//
// Every result has the same bits with AVX-512, AVX2, NEON and in pure Go, on every GOARCH, wherever an element stands and whatever the
// number of workers. [Path] tells which path is in use.
//
// # Sums
//
// [Sum] and [Fused] return the sum of all losses as a float64. Its order is defined by the elements' indices, so it has the same
// bits on every path and with any number of workers. It is within 2^-40 (float32 logits) or 2^-50 (float64), relative, of the exact
// sum of the losses as they are written. One NaN makes it NaN.
//
// # Errors
//
// All arguments are checked before anything is written: after an error every output holds what it held before. Errors match [ErrShape],
// [ErrLabel], [ErrTarget], [ErrParam], [ErrOverlap] and [ErrPartial] under [errors.Is]. Their texts name the argument, the index and the
// value.
//
// Calls are safe for concurrent use unless two of them use the same memory and one writes it.
//
// https://github.com/gofocal/focal/blob/main/docs/semantics.md has the rest: limits at infinities, ignored elements and weights of 0, where
// Paddle's kernels deviate, and how to force a path.
package focal

import "github.com/gofocal/focal/internal/abi"

// Loss writes the focal loss of each logit to dst. It is Paddle's sigmoid_focal_loss:
//
//	positive: dst[i] = alpha/n · (1-p)^gamma · -log(p)          p = 1/(1+exp(-x[i]))
//	negative: dst[i] = (1-alpha)/n · p^gamma · -log(1-p)
//	ignored:  dst[i] = 0
//
// (Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.) The logits x are row-major [N, C] with
// N rows in y; dst has the length of x. The losses are in nats. For targets made by [Dense] see Soft targets in the package
// documentation.
//
// Loss reads x and y and writes every element of dst. The slice dst may be exactly x; any other overlap of dst with x
// or with a slice of y is [ErrOverlap]. The other errors are [ErrParam], [ErrShape], [ErrTarget] and [ErrLabel]; on an
// error dst is untouched. For the accuracy see Accuracy in the package documentation.
func Loss[T Float](dst, x []T, y Target, p Params) error {
	var j job[T]
	j.call("Loss", x, &y)
	j.loss = given(dst)
	_, err := j.do(&p)
	return err
}

// Grad writes the gradient of the loss to dst, by the chain rule: dst[i] = dout[i] · ∂loss[i]/∂x[i], where dout is the
// gradient with respect to what [Loss] returns. It is Paddle's sigmoid_focal_loss_grad. A nil dout is all ones, and
// dst then the gradient of [Sum]. With p = 1/(1+exp(-x[i])),
//
//	positive: ∂loss/∂x = -alpha/n · (1-p)^gamma · (1-p - gamma·p·log(p))
//	negative: ∂loss/∂x = (1-alpha)/n · p^gamma · (p - gamma·(1-p)·log(1-p))
//	ignored:  dst[i] = 0, whatever dout[i] is; the same if the weight is 0, unless x[i] is NaN
//
// (Lin et al. 2017, arXiv:1708.02002, appendix B.) The logits x are row-major [N, C] with N rows in y; dst, and dout
// unless it is nil, have the length of x. For targets made by [Dense] see Soft targets in the package documentation.
//
// Grad reads x, y and dout and writes every element of dst. The slice dst may be exactly x; any other overlap of dst
// with x, with dout (even if it is exactly dout) or with a slice of y is [ErrOverlap]. The other errors are [ErrParam],
// [ErrShape], [ErrTarget] and [ErrLabel]; on an error dst is untouched. For the accuracy see Accuracy in the package
// documentation.
func Grad[T Float](dst, x []T, y Target, dout []T, p Params) error {
	var j job[T]
	j.call("Grad", x, &y)
	j.dout = dout
	j.grad = given(dst)
	_, err := j.do(&p)
	return err
}

// Sum returns the sum of what [Loss] would write, in nats, and writes nothing. Paddle's users compute it as
// reduce_sum(sigmoid_focal_loss(...)). An empty batch has the sum 0.
//
// The sum is formed in float64, in an order that depends neither on the machine nor on the number of workers; see Sums
// in the package documentation, also for its accuracy. The errors are [ErrParam], [ErrShape], [ErrTarget] and
// [ErrLabel], with a sum of 0.
func Sum[T Float](x []T, y Target, p Params) (float64, error) {
	var j job[T]
	j.call("Sum", x, &y)
	j.sum = true
	return j.do(&p)
}

// Out is what [Fused] writes. Each slice has the length of x; a nil slice is not computed.
type Out[T Float] struct {
	Loss []T // the losses, as Loss writes them
	Grad []T // ∂loss/∂x, as Grad writes it when dout is nil
	Hess []T // ∂²loss/∂x²; negative in places, as focal loss is not convex. With Params.Frozen it is Curv
	Curv []T // the Gauss-Newton part of it, ≥ 0: the second derivative if the modulating factor were a constant
}

// Fused writes the slices of out that are not nil, in one pass over the logits, and returns the sum of the losses, as [Sum]
// does, whether or not the losses are written. Every output has the bits that it has without the others.
//
// Losses and gradients are those of [Loss] and [Grad]. With u = x, w = (1-alpha)/n for a negative, u = -x, w = alpha/n
// for a positive, and s = 1/(1+exp(-u)), L = log(1+exp(u)), the second derivative is
//
//	∂²loss/∂x² = w · s^gamma · (1-s) · (s·(1+2·gamma) + gamma·L·(gamma·(1-s) - s))
//	out.Curv   = w · s^gamma · (1-s) · s
//
// and 0 for an ignored element. Those of soft targets are in the package documentation, in which out.Curv is a·m^gamma·pq. The
// logits x are row-major [N, C] with N rows in y.
//
// Fused reads x and y and writes every element of the slices in out that are not nil. One of them may be exactly x;
// any other overlap of an output with x, with a slice of y or with another output is [ErrOverlap]. The other errors are
// [ErrParam], [ErrShape], [ErrTarget] and [ErrLabel]; on an error the outputs are untouched and the sum is 0. For the
// accuracy see Accuracy in the package documentation.
func Fused[T Float](out Out[T], x []T, y Target, p Params) (sum float64, err error) {
	var j job[T]
	j.call("Fused", x, &y)
	j.sum = true
	j.loss, j.grad, j.hess, j.curv = out.Loss, out.Grad, out.Hess, out.Curv
	return j.do(&p)
}

// job is one call of a public function: its arguments, and what comes of them.
type job[T Float] struct {
	op   string // the function's name, for errors
	x    []T
	y    Target
	dout []T

	outputs[T]
	sum bool // the sum of the losses is wanted

	c         int // classes
	params    parameters[T]
	operation abi.Operation
	options   bool   // the target has more than labels or targets, see Target.optional
	weighted  bool   // some of it is weights
	zeros     bool   // the weight of an element may be 0
	inverse   uint64 // of c, see setInverse; 0 if there is none

	taken tickets
	sums  []accumulator // of the blocks, if several goroutines make them
	total accumulator
}

// call sets what all calls have. (A composite literal, or one assignment of all, would be made elsewhere, and copied.)
func (j *job[T]) call(op string, x []T, y *Target) {
	j.op, j.x = op, x
	j.y = *y
}

// do checks all arguments, does the work, and returns the sum of the losses if it is wanted, otherwise 0.
func (j *job[T]) do(p *Params) (float64, error) {
	if err := j.prepare(p); err != nil {
		return 0, err
	}
	j.run(blockCount(len(j.x)), nil)
	return j.total.result(), nil
}

// prepare checks all arguments, parameters, shapes, overlaps, targets in this order, and works out what depends on them.
func (j *job[T]) prepare(p *Params) (err error) {
	j.options = j.y.optional()
	if err = j.params.set(j.op, p, &j.y); err != nil {
		return err
	}
	if err = j.setColumns(); err != nil {
		return err
	}
	if err = j.checkOutputs(); err != nil {
		return err
	}
	if j.y.kind == labelTarget {
		err = j.y.checkLabels(j.op, j.c)
	} else {
		err = j.checkTargets()
	}
	if err != nil {
		return err
	}
	if j.params.twoGammas {
		if err = j.checkGammas(); err != nil {
			return err
		}
	}
	if j.options {
		if err = j.checkScores(); err != nil {
			return err
		}
		if err = j.checkWeights(); err != nil {
			return err
		}
	}
	j.operation = j.operationOf()
	return nil
}

// operationOf returns the operation that writes all outputs.
func (j *job[T]) operationOf() abi.Operation {
	switch {
	case j.grad == nil && j.hess == nil && j.curv == nil:
		return abi.Loss
	case j.params.frozen:
		return abi.Frozen
	case j.hess == nil && j.curv == nil:
		return abi.Grad
	}
	return abi.Hess
}

// checkOutputs returns an error if an output, or dout, has not the length that x says, or shares memory that it must not.
func (j *job[T]) checkOutputs() error {
	if j.dout != nil && len(j.dout) != len(j.x) {
		return errLen(j.op, "dout", len(j.dout), len(j.x))
	}
	if j.perRow != nil {
		if err := j.checkRows(); err != nil {
			return err
		}
	}
	inputs := j.y.inputs()[:]
	if !j.options {
		inputs = inputs[:scoreInput] // the first of those that need not be given
	}
	outputs := j.outputs.all()
	for i := range outputs {
		if outputs[i] == nil {
			continue
		}
		if len(outputs[i]) != len(j.x) && i < rowOutput {
			return errLen(j.op, j.outputName(i), len(outputs[i]), len(j.x))
		}
		out := memoryOf(outputs[i])
		if x := memoryOf(j.x); out != x && out.overlaps(x) {
			return errOverlap(j.op, j.outputName(i), out, "x", x)
		}
		if dout := memoryOf(j.dout); out.overlaps(dout) {
			return errOverlap(j.op, j.outputName(i), out, "dout", dout)
		}
		for k := range inputs {
			if input := inputs[k].memory(); out.overlaps(input) {
				return errOverlap(j.op, j.outputName(i), out, inputNames[k].of, input)
			}
		}
		for k := range i {
			if earlier := memoryOf(outputs[k]); out.overlaps(earlier) {
				return errOverlap(j.op, j.outputName(i), out, j.outputName(k), earlier)
			}
		}
	}
	return nil
}

// Package focal computes the sigmoid focal loss, its gradient and its second derivative over slices of float32 or
// float64, fast, accurately, and with the same bits on every machine.
//
// It is the operator sigmoid_focal_loss of Paddle and of Caffe2 (Lin, Goyal, Girshick, He, Dollár, "Focal Loss for
// Dense Object Detection", 2017, arXiv:1708.02002). Results go to the slice that is the first argument; with one
// worker nothing is allocated; mistakes in the arguments are errors, never panics.
//
// # Mathematics
//
// The logits x are a row-major matrix [N, C]: N = len(label) rows, one for each sample (an anchor, a window), and
// C = len(x)/N columns, one for each class, at least one; the background is not a column. No rows and no logits are a valid
// batch, an empty one. Each element is a binary classifier of its own. With p = σ(x) = 1/(1+exp(-x)),
//
//	positive    alpha/n · (1-p)^gamma · -log(p)            the element in the column of its row's class
//	negative    (1-alpha)/n · p^gamma · -log(1-p)          every other element
//	ignored     0                                          every element of an ignored row
//
// where n is [Params].Norm, and both weights are 1/n if Alpha is [NoAlpha]. The gradient is ∂loss/∂x, the second
// derivative ∂²loss/∂x²: an element depends on its own logit alone, so that the Hessian matrix is diagonal.
//
// # Soft targets
//
// With [Dense] each element has a target t in [0, 1] of its own, and with q = 1-p
//
//	a = (alpha·t + (1-alpha)·(1-t)) / n     m = p·(1-t) + q·t     E = -t·log(p) - (1-t)·log(q)     δ = 1 - 2t
//
//	loss     a · m^gamma · E
//	∂/∂x     a · m^gamma · (p - t + gamma·δ·(pq/m)·E)
//	∂²/∂x²   a · m^gamma · (pq + gamma·δ·(pq/m)·(2·(p-t) + E·((gamma-1)·δ·pq/m + q - p)))
//
// which is torchvision's sigmoid_focal_loss (its p_t is 1-m) and has the values above at t = 0 and 1. The derivation is in
// docs/accuracy.md. No power of 0 is divided by 0: the gradient stays finite and right at gamma < 1 too, where m → 0. For
// 0 < t < 1 the loss at x = ±Inf is +Inf, the gradient a·(1-t)^(gamma+1) at +Inf and -a·t^(gamma+1) at -Inf, and the second
// derivative 0.
//
// # Semantics
//
// What Paddle's kernels do otherwise than its documentation says is computed here as the mathematics has it:
//
//	                          Paddle                             here
//	positive, x < -87         the loss stops growing             grows like -x
//	positive, x > 17 (f32)    the loss is 0                      as small as it is, down to the subnormals
//	negative, x < -37         the loss is 0                      as small as it is, down to the subnormals
//	x = ±Inf                  NaN                                the limit: loss 0 or +Inf, gradient 0 or ± the weight,
//	                                                             second derivative 0
//	x = NaN                   NaN                                NaN, in that element alone
//	ignored row               0                                  0, even where x is NaN or ±Inf
//	a weight of 0             0, or NaN                          0, even where x is ±Inf; NaN where x is
//	label < -1 or > C         a row of negatives                 ErrLabel
//	fg_num < 1                1                                  0 is 1; fractions are taken as given
//	alpha, gamma in float64   rounded to float32                 float64
//	N·C ≥ 2^31                overflows                          works
//
// (Above gamma = 10^19 the second derivative of float64 at the infinity where the loss is +Inf is not 0, but as far from it as
// the weight times gamma·10^-342.)
//
// # The same bits everywhere
//
// Every result has the same bits with AVX-512, AVX2, NEON and in pure Go, on every GOARCH. Each path
// executes the same IEEE 754 operations in the same order. Nor does an element depend on where in the slice it stands,
// on the slice's length or alignment, or on the number of workers. (A NaN is a NaN: its payload is not promised. Without
// floating-point hardware, as with GOARM=5, float64 results are as right as Go's addition in software: golang.org/issue/79964.)
//
// [Path] tells which path is in use. A lower one can be forced, for tests and measurements, with
// GODEBUG=cpu.avx512f=off and with GODEBUG=cpu.avx512f=off,cpu.avx2=off; the build tag purego leaves all assembly out.
//
// # Accuracy
//
// In units in the last place (ULP) of the exact result, over all logits including both tails: loss 4, gradient 5,
// [Sigmoid] 2. The second derivative changes its sign: it is within 8 ULP of the sum of the magnitudes of its terms.
// This is for gamma ≤ 5; above, the bounds grow by 0.2 ULP for each unit of gamma. It is for the weights as rounded to
// the type of the logits: that rounding may add 1 ULP. Results below the normal range are within as many units of the
// smallest subnormal; with a weight above 1, those below the weight times 2^-126 (float64: 2^-1022) count as below the
// normal range, and their unit is the smallest subnormal times the weight. What [Grad] makes of dout is the product of dout and
// ∂loss/∂x as it was rounded, and is rounded once more: a large dout magnifies the error of a derivative below the normal range.
//
// For soft targets, 0 < t < 1, the bounds are loss 8, gradient 9 and second derivative 9; above gamma = 5 they grow by 0.8 ULP
// for each unit of gamma. They are those of the loss, and of the sums of the magnitudes of the terms of the derivatives.
// Where a or a·m^gamma is below the normal range, the loss may also be off by as many smallest subnormals as |x|, at
// gamma = 2 by half as many more. The
// gradient is 0 where p - t and gamma·δ·(pq/m)·E cancel: at p = t if gamma is 0 or t = 1/2,
// otherwise where p is nearer to 0 or 1 than t is. Elements with t = 0 or 1 have the bounds and the bits of labels.
//
// # Sums
//
// [Sum] and [Fused] return the sum of all losses as a float64. It is defined by the elements' indices, not by the
// hardware: losses are added in fixed lanes, lanes in blocks of fixed length, and blocks in the order of their indices.
// So it too has the same bits on every path and with any number of workers. It is within 2^-40 (float32 logits) or
// 2^-50 (float64), relative, of the exact sum of the losses as they are written. One NaN makes it NaN.
//
// # Parts
//
// [Score] returns the sum of the losses of some rows without any rounding, as a [Partial], which can be stored, sent and
// merged with others. Their sum has the same bits however the rows of a data set are divided, and in whatever order the
// parts are merged; it is divided by its Norm at the end. [Rows] returns the loss of each row.
//
// # Workers
//
// [Params].Workers is how many goroutines share the work: contiguous blocks of elements, handed out in order. All of
// them have ended when the call returns. Calls are safe for concurrent use as long as no two of them use the same
// memory and one of them writes it.
//
// # Errors
//
// All arguments are checked before anything is written: if a call returns an error, its outputs hold what they held
// before. Errors match [ErrShape], [ErrLabel], [ErrTarget], [ErrParam], [ErrOverlap] and [ErrPartial] under [errors.Is], and their
// texts name the argument, the index and the value. Where several mistakes are made, the parameters are reported
// first, then what is wrong with shapes and types, overlaps, and the values of labels or targets.
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
// or with the labels or targets is [ErrOverlap]. The other errors are [ErrParam], [ErrShape], [ErrTarget] and [ErrLabel]; on an
// error dst is untouched. For the accuracy see Accuracy in the package documentation.
func Loss[T Float](dst, x []T, y Target, p Params) error {
	j := job[T]{op: "Loss", x: x, y: y, loss: output[T]{"dst", dst}}
	_, err := j.do(p)
	return err
}

// Grad writes the gradient of the loss to dst, by the chain rule: dst[i] = dout[i] · ∂loss[i]/∂x[i], where dout is the
// gradient with respect to what [Loss] returns. It is Paddle's sigmoid_focal_loss_grad. A nil dout is all ones, and
// dst then the gradient of [Sum]. With p = 1/(1+exp(-x[i])),
//
//	positive: ∂loss/∂x = -alpha/n · (1-p)^gamma · (1-p - gamma·p·log(p))
//	negative: ∂loss/∂x = (1-alpha)/n · p^gamma · (p - gamma·(1-p)·log(1-p))
//	ignored:  dst[i] = 0, whatever dout[i] is; so too where the weight is 0, unless x[i] is NaN
//
// (Lin et al. 2017, arXiv:1708.02002, appendix B.) The logits x are row-major [N, C] with N rows in y; dst, and dout
// unless it is nil, have the length of x. For targets made by [Dense] see Soft targets in the package documentation.
//
// Grad reads x, y and dout and writes every element of dst. The slice dst may be exactly x; any other overlap of dst
// with x, with dout (even if it is exactly dout) or with the labels or targets is [ErrOverlap]. The other errors are [ErrParam],
// [ErrShape], [ErrTarget] and [ErrLabel]; on an error dst is untouched. For the accuracy see Accuracy in the package
// documentation.
func Grad[T Float](dst, x []T, y Target, dout []T, p Params) error {
	j := job[T]{op: "Grad", x: x, y: y, dout: dout, grad: output[T]{"dst", dst}}
	_, err := j.do(p)
	return err
}

// Sum returns the sum of what [Loss] would write, in nats, and writes nothing. Paddle's users compute it as
// reduce_sum(sigmoid_focal_loss(...)). An empty batch has the sum 0.
//
// The sum is formed in float64, in an order that depends neither on the machine nor on the number of workers; see Sums
// in the package documentation, also for its accuracy. The errors are [ErrParam], [ErrShape], [ErrTarget] and
// [ErrLabel], with a sum of 0.
func Sum[T Float](x []T, y Target, p Params) (float64, error) {
	j := job[T]{op: "Sum", x: x, y: y, sum: true}
	return j.do(p)
}

// Out says what [Fused] shall write, and where. Each slice has the length of x; nil is not wanted.
type Out[T Float] struct {
	Loss []T // the losses, as Loss writes them
	Grad []T // ∂loss/∂x, as Grad writes it when dout is nil
	Hess []T // ∂²loss/∂x²; negative in places, since focal loss is not convex
	Curv []T // the Gauss-Newton part of it, ≥ 0: the second derivative if the modulating factor were a constant
}

// Fused writes all that is wanted in out in one pass over the logits, and returns the sum of the losses, as [Sum]
// does, whether or not the losses are written. Every output has the bits that it has without the others.
//
// Losses and gradients are those of [Loss] and [Grad]. With u = x, w = (1-alpha)/n for a negative, u = -x, w = alpha/n
// for a positive, and s = 1/(1+exp(-u)), L = log(1+exp(u)), the second derivative is
//
//	∂²loss/∂x² = w · s^gamma · (1-s) · (s·(1+2·gamma) + gamma·L·(gamma·(1-s) - s))
//
// and 0 if it is ignored; that of soft targets is in the package documentation. The logits x are row-major [N, C] with N
// rows in y.
//
// Fused reads x and y and writes every element of the slices in out that are not nil. One of them may be exactly x;
// any other overlap of an output with x, with the labels or targets or with another output is [ErrOverlap]. The other errors are
// [ErrParam], [ErrShape], [ErrTarget] and [ErrLabel]; on an error the outputs are untouched and the sum is 0. For the
// accuracy see Accuracy in the package documentation.
func Fused[T Float](out Out[T], x []T, y Target, p Params) (sum float64, err error) {
	j := job[T]{op: "Fused", x: x, y: y, sum: true}
	if out.Loss != nil {
		j.loss = output[T]{"out.Loss", out.Loss}
	}
	if out.Grad != nil {
		j.grad = output[T]{"out.Grad", out.Grad}
	}
	if out.Hess != nil {
		j.hess = output[T]{"out.Hess", out.Hess}
	}
	if out.Curv != nil {
		j.curv = output[T]{"out.Curv", out.Curv}
	}
	return j.do(p)
}

// Sigmoid writes the logistic function of each logit to dst, the probabilities that the losses are computed from:
// dst[i] = 1/(1+exp(-x[i])). It is exact in the limits: 0 at -Inf, 1 at +Inf; and NaN at NaN.
//
// Sigmoid reads x, of any shape, and writes every element of dst, which has the same length. The slice dst may be
// exactly x; any other overlap is [ErrOverlap], different lengths are [ErrShape]; on an error dst is untouched. For the
// accuracy see Accuracy in the package documentation.
func Sigmoid[T Float](dst, x []T) error {
	out := output[T]{"dst", dst}
	if err := out.checkLen("Sigmoid", len(x)); err != nil {
		return err
	}
	if err := out.checkOverlap("Sigmoid", "x", x, true); err != nil {
		return err
	}
	whole := len(x) - len(x)%groupOf[T]()
	for start := 0; start < whole; start += blockLen { // assembly cannot be preempted
		callSigmoid(&dst[start], &x[start], min(blockLen, whole-start))
	}
	if whole < len(x) {
		var end [maxGroup]T
		copy(end[:], x[whole:])
		callSigmoid(&end[0], &end[0], groupOf[T]())
		copy(dst[whole:], end[:])
	}
	return nil
}

// job is one call of a public function: its arguments, and what comes of them.
type job[T Float] struct {
	op   string // the function's name, for errors
	x    []T
	y    Target
	dout []T

	loss, grad, hess, curv output[T]
	perRow                 output[T] // of Rows
	sum                    bool      // the sum of the losses is wanted
	exactly                bool      // and not rounded

	c         int // classes
	params    parameters[T]
	operation abi.Operation
	weighted  bool // the target has weights
	zeros     bool // the weight of an element may be 0

	taken tickets
	sums  []accumulator // of the blocks, if several goroutines make them
	total accumulator
	exact exactTotal
}

// do checks all arguments, does the work, and returns the sum of the losses if it is wanted, otherwise 0.
func (j *job[T]) do(p Params) (float64, error) {
	if err := j.prepare(p); err != nil {
		return 0, err
	}
	j.run(blockCount(len(j.x)))
	return j.total.result(), nil
}

// prepare checks all arguments, parameters, shapes, overlaps, labels in this order, and works out what depends on them.
func (j *job[T]) prepare(p Params) (err error) {
	if j.params, err = newParameters[T](j.op, p); err != nil {
		return err
	}
	if j.c, err = checkShape[T](&j.y, j.op, len(j.x)); err != nil {
		return err
	}
	if err = j.checkOutputs(); err != nil {
		return err
	}
	if err = checkValues[T](&j.y, j.op, j.c); err != nil {
		return err
	}
	j.operation = j.operationOf()
	return nil
}

// operationOf returns the operation that writes all outputs.
func (j *job[T]) operationOf() abi.Operation {
	switch {
	case j.params.frozen && (j.grad.wanted() || j.hess.wanted() || j.curv.wanted()):
		return abi.Frozen
	case j.hess.wanted() || j.curv.wanted():
		return abi.Hess
	case j.grad.wanted():
		return abi.Grad
	}
	return abi.Loss
}

// checkOutputs returns an error if an output, or dout, has not the length that x says, or shares memory that it must not.
func (j *job[T]) checkOutputs() error {
	outputs := [...]*output[T]{&j.loss, &j.grad, &j.hess, &j.curv, &j.perRow}
	for _, out := range outputs[:4] {
		if err := out.checkLen(j.op, len(j.x)); err != nil {
			return err
		}
	}
	if j.dout != nil {
		dout := output[T]{"dout", j.dout}
		if err := dout.checkLen(j.op, len(j.x)); err != nil {
			return err
		}
	}
	if err := j.checkRows(); err != nil {
		return err
	}
	for i, out := range outputs {
		if !out.wanted() {
			continue
		}
		if err := out.checkOverlap(j.op, "x", j.x, true); err != nil {
			return err
		}
		if err := checkDisjoint(j.op, out, "dout", j.dout); err != nil {
			return err
		}
		if err := checkDisjoint(j.op, out, "label", j.y.label.bytes()); err != nil {
			return err
		}
		if err := checkDisjoint(j.op, out, "t", denseOf[T](&j.y)); err != nil {
			return err
		}
		for _, earlier := range outputs[:i] {
			if err := checkDisjoint(j.op, out, earlier.name, earlier.data); err != nil {
				return err
			}
		}
	}
	return nil
}

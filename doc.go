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

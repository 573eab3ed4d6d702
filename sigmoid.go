package focal

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Sigmoid writes the logistic function of each logit to dst, the probabilities that the losses are computed from:
// dst[i] = 1/(1+exp(-x[i])). It is 0 at -Inf, 1 at +Inf and NaN at NaN.
//
// Sigmoid reads x, of any shape, and writes every element of dst, which has the same length. The slice dst may be exactly x; any
// other overlap is [ErrOverlap], different lengths are [ErrShape]; on an error dst is untouched. The result is within 2 ULP, down
// to the subnormals. [Parallel] spreads it over several goroutines.
func Sigmoid[T Float](dst, x []T) error { return activate("Sigmoid", sigmoid, dst, x) }

// Softplus writes log(1+exp(x[i])) to dst[i], in nats: the cross-entropy of a negative. It is 0 at -Inf, +Inf at +Inf and NaN at
// NaN.
//
// What is read, written and an error is as of [Sigmoid]. The result is within 3 ULP, down to the subnormals.
func Softplus[T Float](dst, x []T) error { return activate("Softplus", softplus, dst, x) }

// LogSigmoid writes log(σ(x[i])) = -log(1+exp(-x[i])) to dst[i], in nats: the log-likelihood of a positive. It is -Inf at -Inf, 0 at
// +Inf and NaN at NaN.
//
// What is read, written and an error is as of [Sigmoid]. The result is within 3 ULP, down to the subnormals.
func LogSigmoid[T Float](dst, x []T) error { return activate("LogSigmoid", logSigmoid, dst, x) }

// Parallel applies f to x with several goroutines: f is [Sigmoid], [Softplus] or [LogSigmoid], or another function that writes to
// dst[i] what depends on x[i] alone.
//
//	err := focal.Parallel(dst, x, focal.Sigmoid, -1)
//
// Workers is what it is in [Params]: 0 or 1 is the caller's goroutine alone, n > 1 up to n, and a negative number up to
// runtime.GOMAXPROCS. The result does not depend on it. All goroutines have ended when Parallel returns.
//
// Each call of f gets the same part of dst and of x. The slice dst may be exactly x; any other overlap is [ErrOverlap], different
// lengths are [ErrShape], a nil f is [ErrParam]; on these dst is untouched. An error of f is returned, that of the first part if
// there are several.
func Parallel[T Float](dst, x []T, f func(dst, x []T) error, workers int) error {
	if f == nil {
		return fmt.Errorf("focal: Parallel: f is nil, want a function such as Sigmoid: %w", ErrParam)
	}
	if err := checkElementwise("Parallel", dst, x); err != nil {
		return err
	}
	blocks := blockCount(len(x))
	n := goroutines(workers, blocks)
	if n == 1 {
		return f(dst, x)
	}
	return parallel(dst, x, f, blocks, n)
}

// parallel has what goes to the heap.
func parallel[T Float](dst, x []T, f func(dst, x []T) error, blocks, workers int) error {
	shared := new(atomic.Int64)
	type failure struct {
		block int
		err   error
	}
	failures := make([]failure, workers)
	work := func(worker int) {
		taken := tickets{shared: shared}
		for b := int(taken.take()); b < blocks; b = int(taken.take()) {
			start, end := blockRange(b, len(x))
			if err := f(dst[start:end], x[start:end]); err != nil {
				failures[worker] = failure{b, err}
				return
			}
		}
	}
	var others sync.WaitGroup
	for i := 1; i < workers; i++ {
		others.Add(1)
		go func() {
			defer others.Done()
			work(i)
		}()
	}
	work(0)
	others.Wait()
	first := failure{block: blocks}
	for _, fail := range failures {
		if fail.err != nil && fail.block < first.block {
			first = fail
		}
	}
	return first.err
}

// An activation is a function of each logit alone.
type activation uint8

const (
	sigmoid activation = iota
	softplus
	logSigmoid
)

// activate writes the activation of each logit.
func activate[T Float](op string, f activation, dst, x []T) error {
	if err := checkElementwise(op, dst, x); err != nil {
		return err
	}
	most := pieceLen - pieceLen%groupOf[T]() // assembly cannot be preempted, and a mask has no more bits
	for start := 0; start < len(x); start += most {
		end := start + min(most, len(x)-start)
		activatePiece(f, dst[start:end], x[start:end])
	}
	return nil
}

// checkElementwise returns an error unless dst has the length of x, and is x or does not overlap it.
func checkElementwise[T Float](op string, dst, x []T) error {
	if len(dst) != len(x) {
		return errLen(op, "dst", len(dst), len(x))
	}
	if to, from := memoryOf(dst), memoryOf(x); to != from && to.overlaps(from) {
		return errOverlap(op, "dst", to, "x", from)
	}
	return nil
}

// everywhere is a mask of a piece in which all bits are set.
var everywhere = func() (m bitmask) {
	m.setAll(pieceLen)
	return m
}()

// activatePiece writes the activation of at most pieceLen logits. Whole groups go to dst at once, the ragged end by way of a group.
func activatePiece[T Float](f activation, dst, x []T) {
	if f == logSigmoid {
		copy(dst, x)
		flip(dst, &everywhere, 0)
		activatePiece(softplus, dst, dst)
		flip(dst, &everywhere, 0)
		return
	}
	group := groupOf[T]()
	whole := len(x) - len(x)%group
	if whole > 0 {
		callActivation(f, &dst[0], &x[0], whole)
	}
	if whole < len(x) {
		var end [maxGroup]T
		copy(end[:], x[whole:])
		callActivation(f, &end[0], &end[0], group)
		copy(dst[whole:], end[:])
	}
}

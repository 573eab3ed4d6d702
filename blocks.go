package focal

import (
	"sync"
	"sync/atomic"
)

// job is one call of a public function: its arguments, and what run derives from them.
type job[T Float] struct {
	op   string // the function's name, for errors
	x    []T
	y    Target
	dout []T

	loss, grad, hess output[T]
	sum              bool // the sum of the losses is wanted

	c    int // classes: the length of a row
	plan plan[T]
}

// run checks all arguments, does the work, and returns the sum of the losses if it is wanted, otherwise 0.
func (j *job[T]) run(p Params) (float64, error) {
	if err := j.check(p); err != nil {
		return 0, err
	}
	blocks := blockCount(len(j.x))
	if blocks == 0 {
		return 0, nil
	}
	j.plan = newPlan[T](p)
	if workers := p.goroutines(blocks); workers > 1 {
		return runParallel(*j, blocks, workers), nil
	}
	return j.runSerial(blocks), nil
}

// check returns the first error in the arguments: parameters, shapes, overlaps, labels. It sets c.
func (j *job[T]) check(p Params) (err error) {
	if err = p.check(j.op); err != nil {
		return err
	}
	if err = checkWeights[T](j.op, p); err != nil {
		return err
	}
	if err = j.checkShapes(); err != nil {
		return err
	}
	if err = j.checkOverlaps(); err != nil {
		return err
	}
	return checkValues[T](&j.y, j.op, j.c)
}

func (j *job[T]) checkShapes() (err error) {
	if j.c, err = checkShape[T](&j.y, j.op, len(j.x)); err != nil {
		return err
	}
	for _, out := range j.outputs() {
		if err = out.checkLen(j.op, len(j.x)); err != nil {
			return err
		}
	}
	if j.dout == nil {
		return nil
	}
	dout := output[T]{"dout", j.dout}
	return dout.checkLen(j.op, len(j.x))
}

func (j *job[T]) checkOverlaps() (err error) {
	outputs := j.outputs()
	for i, out := range outputs {
		if !out.wanted() {
			continue
		}
		if err = out.checkOverlap(j.op, "x", j.x, true); err != nil {
			return err
		}
		if err = checkDisjoint(j.op, out, "dout", j.dout); err != nil {
			return err
		}
		if err = checkDisjoint(j.op, out, "label", j.y.label); err != nil {
			return err
		}
		if err = checkDisjoint(j.op, out, "t", denseOf[T](&j.y)); err != nil {
			return err
		}
		for k := range outputs[:i] {
			if err = checkDisjoint(j.op, out, outputs[k].name, outputs[k].data); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *job[T]) outputs() [3]*output[T] { return [3]*output[T]{&j.loss, &j.grad, &j.hess} }

// masks is the memory that a goroutine needs beside the slices, on its stack.
type masks struct {
	pos, keep bitmask
}

// runSerial does all blocks in order. It allocates nothing.
func (j *job[T]) runSerial(blocks int) float64 {
	var m masks
	var total accumulator
	for b := range blocks {
		total.addSum(j.runBlock(b, &m))
	}
	return total.result()
}

// runParallel does what runSerial does, with the given number of goroutines. The blocks' sums are added at the end, in the order
// of runSerial, so that the total has the same bits. The job is passed by value because it goes to the heap here, and
// shall not in runSerial.
func runParallel[T Float](j job[T], blocks, workers int) float64 {
	var sums []accumulator
	if j.sum {
		sums = make([]accumulator, blocks)
	}
	share(workers, func(_ int, taken tickets) {
		var m masks
		for b := taken.take(); b < int64(blocks); b = taken.take() {
			sum := j.runBlock(int(b), &m)
			if j.sum {
				sums[b] = sum
			}
		}
	})
	var total accumulator
	for _, sum := range sums {
		total.addSum(sum)
	}
	return total.result()
}

// share calls work in the given number of goroutines, the caller's among them, and returns when all have returned.
func share(workers int, work func(worker int, taken tickets)) {
	taken := tickets{shared: new(atomic.Int64)}
	var others sync.WaitGroup
	others.Add(workers - 1)
	for i := range workers - 1 {
		go func() {
			defer others.Done()
			work(i+1, taken)
		}()
	}
	work(0, taken)
	others.Wait()
}

// tickets are the numbers 0, 1, …, for one goroutine, or for several that share a counter. (One on the stack would do for
// both, but where words have 32 bits it goes to the heap.)
type tickets struct {
	shared *atomic.Int64 // nil: there is one goroutine
	next   int64
}

func (t *tickets) take() int64 {
	if t.shared != nil {
		return t.shared.Add(1) - 1
	}
	t.next++
	return t.next - 1
}

// runBlock calls the kernel for one block and returns the sum of its losses, if it is wanted.
func (j *job[T]) runBlock(b int, m *masks) accumulator {
	start, n := blockRange(b, len(j.x))
	k := block[T]{
		N:    n,
		X:    &j.x[start],
		Loss: j.loss.at(start),
		Grad: j.grad.at(start),
		Hess: j.hess.at(start),
		Pos:  &m.pos,
		Plan: j.plan,
	}
	if j.dout != nil {
		k.Dout = &j.dout[start]
	}

	if j.maskElements(&k, m, start) {
		k.Keep = &m.keep
	}

	if !j.sum {
		runBlock(&k)
		return accumulator{}
	}
	var sums laneSums
	k.Sums = &sums
	runBlock(&k)
	return totalOf(&sums)
}

// maskElements tells the kernel what the elements of its block are, and reports whether the mask keep is made, since some
// of them are ignored.
func (j *job[T]) maskElements(k *block[T], m *masks, start int) (ignored bool) {
	var soft []T // targets of the block, if one of them is neither 0 nor 1
	if j.y.kind == labelTarget {
		row, col := start/j.c, start%j.c
		ignored = labelMasks(&m.pos, &m.keep, k.N, j.y.label[row:], col, j.c, j.y.offset, j.y.ignore)
	} else if t := denseOf[T](&j.y)[start : start+k.N]; !hardMask(&m.pos, t) {
		soft = t
		k.Target = &t[0]
	}
	noPos, noNeg := k.Plan.WPos == 0, k.Plan.WNeg == 0
	if !noPos && !noNeg {
		return ignored
	}
	if !ignored {
		setAll(&m.keep, k.N)
	}
	x := j.x[start : start+k.N]
	if soft != nil {
		dropWeightlessDense(&m.keep, x, soft, noPos, noNeg)
	} else {
		dropWeightless(&m.pos, &m.keep, x, noPos, noNeg)
	}
	return true
}

// blockCount returns how many blocks the given number of elements has.
func blockCount(elements int) int {
	blocks := elements / blockLen
	if elements%blockLen != 0 {
		blocks++
	}
	return blocks
}

// blockRange returns where block b of the given number of elements starts, and how many elements it has. All blocks
// but the last have blockLen.
func blockRange(b, elements int) (start, n int) {
	start = b * blockLen
	return start, min(blockLen, elements-start)
}

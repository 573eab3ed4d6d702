package focal

import (
	"math"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
)

// How elements are computed: in pieces, and each of them in three steps.
//
//   - Patch: the few elements that differ from all others, such as positives among negatives, are gathered from x and
//     computed together, before x may be overwritten.
//   - Stream: everything is computed as if it were one of the others, and what has been patched is put in its place.
//   - Sum: whoever has called next takes the losses while they are in the cache.
//
// Where more than a few are positives (rows of few columns) u and the weights are written out, element by element, and the
// patch is for soft targets; where most targets are soft it is for those of 0 and 1. An element has the same bits either way.

const (
	// pieceLen is how many elements are sorted into negatives and others at a time.
	pieceLen = 4096

	// patchShare is the share of a piece, one element in so many, up to which patching is the fastest way: measured.
	patchShare = 16
	patchMost  = pieceLen / patchShare

	// chunkBytes is what a chunk's logits take: few enough for them and the results to stay in the first-level cache.
	chunkBytes = 8 << 10
)

// scratch is the memory that a goroutine works with. It is read only where it has been written: see withScratch.
type scratch[T Float] struct {
	piece

	pos, keep, soft bitmask               // of the piece's elements
	index           [patchMost + 8]uint16 // what is patched, in ascending order

	// What is patched, and the results of it. Losses take the place of u.
	patch struct {
		u, aside, grad, hess, curv [patchMost + maxGroup]T // aside: targets, or weights
	}
	// The ragged end of a chunk.
	end struct {
		u, target, w, grad, hess, curv [maxGroup]T
	}
	// Losses that nobody wants, and weights; and what else a kernel writes in vain.
	loss, spare room
}

// room is memory for a chunk's elements: of float64, or twice as many of float32.
type room [chunkBytes/8 + 2*maxGroup]float64

func elements[T Float](r *room) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(r)), unsafe.Sizeof(*r)/unsafe.Sizeof(T(0)))
}

// A piece is some elements of a call on their way.
type piece struct {
	start, n   int // which elements
	until      int // the end of all that begin was called for
	done       int // so many of the piece's
	way        way
	patched    int  // so many are patched
	applied    int  // so many of these are in their places
	weightless bool // what is patched has no weight
	ignored    bool // keep tells which elements
}

// A way is how a piece is computed: most of it, and what is patched.
type way uint8

const (
	asNegatives  way = iota // positives are patched
	asWeightless            // negatives have no weight; positives are patched
	asBits                  // pos tells positives from negatives; soft targets are patched
	asTargets               // all by the kernel for targets; those of 0 and 1 are patched
)

// begin sets out to compute the elements start..end-1.
func (s *scratch[T]) begin(start, end int) {
	s.piece = piece{start: start, until: end}
}

// next computes a chunk of elements, the next ones since begin, and returns their losses, or nil if there are none left. All
// chunks but the last have a multiple of laneCount.
func (s *scratch[T]) next(j *job[T]) []T {
	p := &s.piece
	if p.done == p.n {
		p.start += p.n
		if p.start == p.until {
			return nil
		}
		p.n, p.done = min(pieceLen, p.until-p.start), 0
		s.sort(j)
		if p.patched > 0 {
			s.gather(j)
		}
	}
	group := groupOf[T]()
	most := chunkBytes / int(unsafe.Sizeof(T(0)))
	if p.way == asBits {
		most /= 2 // the other half is for weights
	}
	n := min((most+group-1)/group*group, p.n-p.done)
	from := p.start + p.done
	x := j.x[from : from+n]
	losses, spare := elements[T](&s.loss), elements[T](&s.spare)
	r := places[T]{losses[:n], j.grad.slice(from, n), j.hess.slice(from, n), nil}
	if j.loss.wanted() {
		r.loss = j.loss.slice(from, n)
	}

	if p.way == asWeightless {
		weightless(&r, x)
	} else {
		a := abi.Args[T]{
			U: &x[0], Weight: j.params.neg, Plan: &j.params.plan,
			Loss: &r.loss[0], Grad: first(r.grad, spare), Hess: first(r.hess, spare), Curv: &spare[0],
		}
		kernel := j.kernel(j.params.family)
		switch p.way {
		case asBits:
			w := losses[len(losses)/2:]
			expand(losses, w, x, &s.pos, s.keepOrNil(), p.done, j.params.neg, j.params.pos)
			a.U, a.W = &losses[0], &w[0]
		case asTargets:
			kernel = j.kernel(j.params.softFamily)
			a.Target, a.WeightPos = &denseOf[T](&j.y)[from], j.params.pos
		}
		s.evaluate(kernel, &a, n, group)
		if p.way == asBits && r.grad != nil {
			flip(r.grad, &s.pos, p.done)
		}
	}
	var dout []T
	if j.dout != nil {
		dout = j.dout[from : from+n]
		if p.way != asWeightless {
			multiply(r.grad, dout)
		}
	}
	if p.applied < p.patched {
		s.apply(&r, dout, n)
	}
	if p.ignored && (p.way != asBits || j.dout != nil) {
		s.zero(&r, n)
	}
	p.done += n
	return r.loss
}

// kernel returns the kernel of a family.
func (j *job[T]) kernel(f abi.Family) abi.Kernel {
	if f == abi.Zero && j.operation == abi.Frozen {
		return abi.KernelOf(abi.Hess, f) // there is nothing to freeze
	}
	return abi.KernelOf(j.operation, f)
}

// results are where the results of some elements go. All but the losses are nil if they are not wanted.
type places[T Float] struct {
	loss, grad, hess, curv []T
}

// first returns the address of the first element of v, or that of spare if v is nil.
func first[T Float](v, spare []T) *T {
	if v == nil {
		return &spare[0]
	}
	return &v[0]
}

func (s *scratch[T]) keepOrNil() *bitmask {
	if s.ignored {
		return &s.keep
	}
	return nil
}

// evaluate calls a kernel for n elements. Whole groups go to their places at once, the ragged end by way of scratch.
func (s *scratch[T]) evaluate(k abi.Kernel, a *abi.Args[T], n, group int) {
	whole := n - n%group
	if whole > 0 {
		a.N = whole
		callKernel(k, a)
	}
	if whole == n {
		return
	}
	n -= whole
	e := &s.end
	b := *a
	b.N = group
	b.U, b.Loss, b.Grad, b.Hess, b.Curv = &e.u[0], &e.u[0], &e.grad[0], &e.hess[0], &e.curv[0]
	pad(e.u[:group], a.U, whole, n)
	if a.Target != nil {
		b.Target = &e.target[0]
		pad(e.target[:group], a.Target, whole, n)
	}
	if a.W != nil {
		b.W = &e.w[0]
		pad(e.w[:group], a.W, whole, n)
	}
	callKernel(k, &b)
	copy(part(a.Loss, whole, n), e.u[:n])
	if k.Operation() != abi.Loss {
		copy(part(a.Grad, whole, n), e.grad[:n])
	}
	if k.Operation() == abi.Hess {
		copy(part(a.Hess, whole, n), e.hess[:n])
	}
}

// pad copies elements from..from+n-1 of src to dst and makes the rest of dst 0.
func pad[T Float](dst []T, src *T, from, n int) {
	clear(dst[copy(dst, part(src, from, n)):])
}

// part returns the elements from..from+n-1 of an array.
func part[T Float](p *T, from, n int) []T {
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(p), from*int(unsafe.Sizeof(*p)))), n)
}

// sort decides how the piece's elements are computed.
func (s *scratch[T]) sort(j *job[T]) {
	s.piece = piece{start: s.start, n: s.n, until: s.until}
	most := s.n / patchShare
	if j.y.kind == labelTarget {
		label, col := s.labels(j), s.start%j.c
		if j.c > abi.NarrowRow {
			s.patched, s.ignored = labelList(s.index[:], &s.keep, s.n, label, col, j.c, j.y.offset, j.y.ignore)
		} else {
			clear(s.soft[:words(s.n)])
			s.ignored = labelBits(&s.pos, &s.keep, s.n, label, col, j.c, j.y.offset, j.y.ignore)
			others := s.pos.count(s.n)
			if s.ignored {
				others += (s.n - s.keep.count(s.n)) / j.c // one by one too
			}
			if others > most {
				s.way = asBits
			} else {
				s.patched = s.pos.list(s.index[:], s.n)
			}
		}
	} else {
		s.sortTargets(denseOf[T](&j.y)[s.start:s.start+s.n], most)
	}
	if j.params.pos == 0 || j.params.neg == 0 {
		s.dropWeightless(j)
	}
}

// labels returns the labels of the piece's rows, the first and the last of which may be in it in part.
func (s *scratch[T]) labels(j *job[T]) []int32 {
	// Nothing is in the chunks' memory yet, and a row has an element in the piece at least.
	room := (*[pieceLen]int32)(unsafe.Pointer(&s.loss))
	first, last := s.start/j.c, (s.start+s.n-1)/j.c
	label, _ := j.y.label.asInt32(room[:], first, last-first+1)
	return label
}

var _ [2*unsafe.Sizeof(room{}) - 4*pieceLen]struct{} // the labels fit in loss and spare

// sortTargets decides it for targets. It may make the piece shorter.
func (s *scratch[T]) sortTargets(t []T, most int) {
	if !targetBits(&s.pos, &s.soft, t) {
		if s.pos.count(s.n) > most {
			s.way = asBits
			clear(s.soft[:words(s.n)])
		} else {
			s.patched = s.pos.list(s.index[:], s.n)
		}
		return
	}
	softs := s.soft.count(s.n)
	if min(softs, s.n-softs) > patchMost {
		s.n = 2 * patchMost // there is room for half of them
		softs = s.soft.count(s.n)
	}
	s.way = asBits
	others := &s.soft
	if softs > s.n/2 {
		s.way = asTargets
		for i := range words(s.n) {
			s.keep[i] = ^s.soft[i]
		}
		others = &s.keep
	}
	s.patched = others.list(s.index[:], s.n)
}

// dropWeightless sees to it that no kernel is called with a weight of 0, which would make NaN of an infinite loss: what has
// none counts as ignored. Where the logit is NaN the element stays as it is, so that the NaN shows in the result.
func (s *scratch[T]) dropWeightless(j *job[T]) {
	switch {
	case j.params.pos == 0 && j.params.neg == 0:
		s.way, s.patched = asWeightless, 0
		return
	case s.way == asNegatives:
		if j.params.neg == 0 {
			s.way = asWeightless
		}
		s.weightless = j.params.pos == 0
		return
	}
	if !s.ignored {
		s.ignored = true
		s.keep.setAll(s.n)
	}
	x := j.x[s.start : s.start+s.n]
	nans := hasNaN(x)
	for i := range words(s.n) {
		drop := s.pos[i]
		if j.params.neg == 0 {
			drop = ^(s.pos[i] | s.soft[i])
		}
		if nans {
			for k, v := range x[64*i : min(64*i+64, s.n)] {
				if v != v {
					drop &^= 1 << k
				}
			}
		}
		s.keep[i] &^= drop
		s.pos[i] &= s.keep[i]
	}
}

// gather computes the elements that are patched.
func (s *scratch[T]) gather(j *job[T]) {
	x := j.x[s.start : s.start+s.n]
	p, index := &s.patch, s.index[:s.patched]
	a := abi.Args[T]{
		U: &p.u[0], Weight: j.params.pos, Plan: &j.params.plan,
		Loss: &p.u[0], Grad: &p.grad[0], Hess: &p.hess[0], Curv: &p.curv[0],
	}
	kernel := j.kernel(j.params.family)
	switch s.way {
	case asBits:
		t := denseOf[T](&j.y)[s.start : s.start+s.n]
		for k, i := range index {
			p.u[k], p.aside[k] = x[i], t[i]
		}
		kernel, a.Target, a.Weight, a.WeightPos = j.kernel(j.params.softFamily), &p.aside[0], j.params.neg, j.params.pos
	case asTargets:
		for k, i := range index {
			p.u[k], p.aside[k] = x[i], j.params.neg
			if s.pos.has(int(i)) {
				p.u[k], p.aside[k] = -x[i], j.params.pos
			}
		}
		a.W = &p.aside[0]
	default:
		for k, i := range index {
			p.u[k] = -x[i]
		}
	}
	if s.weightless {
		u := p.u[:s.patched]
		weightless(&places[T]{u, p.grad[:s.patched], p.hess[:s.patched], nil}, u)
		return
	}
	group := groupOf[T]()
	a.N = (s.patched + group - 1) / group * group
	clear(p.u[s.patched:a.N])
	if s.way == asBits || s.way == asTargets {
		clear(p.aside[s.patched:a.N])
	}
	callKernel(kernel, &a)
}

// apply puts the results of what is patched in the places of the chunk's n elements, gradients times dout unless it is nil.
func (s *scratch[T]) apply(r *places[T], dout []T, n int) {
	from := s.applied
	for s.applied < s.patched && int(s.index[s.applied]) < s.done+n {
		s.applied++
	}
	index := s.index[from:s.applied]
	for k, i := range index {
		r.loss[int(i)-s.done] = s.patch.u[from+k]
	}
	if r.grad != nil {
		for k, i := range index {
			at, g := int(i)-s.done, s.patch.grad[from+k]
			if s.way != asBits && (s.way != asTargets || s.pos.has(int(i))) && !s.weightless {
				g = -g
			}
			if dout != nil && !s.weightless {
				g = product(g, dout[at])
			}
			r.grad[at] = g
		}
	}
	if r.hess != nil {
		for k, i := range index {
			r.hess[int(i)-s.done] = s.patch.hess[from+k]
		}
	}
}

// zero makes zeros of the results of those of the chunk's n elements that are ignored.
func (s *scratch[T]) zero(r *places[T], n int) {
	for from := s.done; ; {
		start, end := s.keep.nextClear(from, s.done+n)
		if start == end {
			return
		}
		from = end
		start, end = start-s.done, end-s.done
		clear(r.loss[start:end])
		if r.grad != nil {
			clear(r.grad[start:end])
		}
		if r.hess != nil {
			clear(r.hess[start:end])
		}
	}
}

// weightless writes the results of elements without a weight: 0, and NaN where the logit is. One of them may be x itself.
func weightless[T Float](r *places[T], x []T) {
	nans := hasNaN(x)
	for _, dst := range [...][]T{r.loss, r.grad, r.hess} {
		if dst != nil && !nans {
			clear(dst)
		}
	}
	if !nans {
		return
	}
	for i, v := range x {
		if v == v {
			v = 0
		} else {
			v = nan[T]()
		}
		r.loss[i] = v
		if r.grad != nil {
			r.grad[i] = v
		}
		if r.hess != nil {
			r.hess[i] = v
		}
	}
}

// hasNaN reports whether one of the elements is NaN, with integers and without a branch for each.
func hasNaN[T Float](x []T) bool {
	if isFloat32[T]() {
		above := uint32(0)
		for i := range x {
			above |= *(*uint32)(unsafe.Pointer(&x[i]))&^(1<<31) + (1<<23 - 1) // its first bit: it is above infinity
		}
		return above>>31 != 0
	}
	above := uint64(0)
	for i := range x {
		above |= *(*uint64)(unsafe.Pointer(&x[i]))&^(1<<63) + (1<<52 - 1)
	}
	return above>>63 != 0
}

// nan returns the quiet NaN without a sign.
func nan[T Float]() T { return T(math.NaN()) }

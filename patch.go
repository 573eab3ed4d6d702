package focal

import (
	"github.com/gofocal/focal/internal/abi"
)

// The patch of blocks.go: elements that are gathered from a piece, computed together, and put in their places.

// gather computes the elements that are patched.
func (s *scratch[T]) gather(j *job[T]) {
	x := j.x[s.start : s.start+s.n]
	side, group := j.params.positives(), groupOf[T]()
	l, m := &s.labelled, &s.targeted
	whole := (l.end + group - 1) / group * group
	switch {
	case l.end == 0:
	case j.params.pos == 0 && !j.weighted && !j.y.score.given() && s.way != asTargets && j.dout == nil:
		s.gatherWeightless(x, s.index[:l.end])
	default:
		var a abi.Args[T]
		a.Weight, a.Plan = j.params.pos, &side.plan
		u, index := s.patch.u[:whole], s.index[:l.end]
		clear(u[l.end:])
		if j.weighted || j.y.score.given() || s.way == asTargets || j.params.pos == 0 {
			a.W = &s.patch.w[0]
			s.gatherWeighted(j, u, s.patch.w[:whole], index, x)
		} else {
			negated(u, x, index)
		}
		s.patchKernel(j.kernel(side.family), &a, 0, whole)
	}
	if m.first == m.end {
		return
	}
	m.at = whole - m.first
	index := s.index[m.first:m.end]
	n := (len(index) + group - 1) / group * group
	u := s.patch.u[whole : whole+n]
	t, w := halves[T](&s.a)
	a := abi.Args[T]{Target: &t[0], Weight: j.params.neg, WeightPos: j.params.pos, Plan: &side.plan}
	if j.weighted || j.y.score.given() {
		wPos, _ := halves[T](&s.b)
		a.W, a.WPos = &w[0], &wPos[0]
		s.gatherTargets(j, u, t[:n], w[:n], wPos[:n], index, x)
	} else {
		clear(u[len(index):])
		clear(t[len(index):n])
		targets := denseOf[T](&j.y)[s.start : s.start+s.n]
		for k, i := range index {
			u[k], t[k] = x[i&indexBits], targets[i&indexBits]
		}
	}
	if j.y.score.given() && j.y.quality == QualityFocal {
		s.qualityFocal(j, whole, t[:len(index)], w)
		return
	}
	s.patchKernel(j.kernel(side.softFamily), &a, whole, n)
}

// gatherWeightless makes the results of positives that have no weight: 0, and NaN where the logit is.
func (s *scratch[T]) gatherWeightless(x []T, index []uint16) {
	p := &s.patch
	for k, i := range index {
		v := T(0)
		if at := x[i&indexBits]; at != at {
			v = nan[T]()
		}
		index[k] = i | indexAsItIs // a gradient of 0 keeps its sign
		p.u[k], p.grad[k], p.hess[k], p.curv[k] = v, v, v, v
	}
}

// patchKernel calls a kernel for n of the elements that are patched.
func (s *scratch[T]) patchKernel(k abi.Kernel, a *abi.Args[T], from, n int) {
	p := &s.patch
	var b abi.Args[T] // a copy: through a pointer the compiler would see them go to the heap
	b.Target, b.W, b.WPos, b.Weight, b.WeightPos, b.Plan = a.Target, a.W, a.WPos, a.Weight, a.WeightPos, a.Plan
	b.N, b.U, b.Loss, b.Grad, b.Hess, b.Curv = n, &p.u[from], &p.u[from], &p.grad[from], &p.hess[from], &p.curv[from]
	callKernel(k, &b)
}

// gatherWeighted fetches the logits and weights of elements for the labels' kernels.
func (s *scratch[T]) gatherWeighted(j *job[T], u, w []T, index []uint16, x []T) {
	clear(w[len(index):])
	w = w[:len(index)]
	negated(u, x, index)
	if j.y.score.given() {
		fill(w, j.params.one)
	} else {
		fill(w, j.params.pos)
	}
	s.weighList(w, j, posSide, index)
	if s.way == asTargets || j.y.score.given() { // some are negatives
		neg := w
		if s.way == asTargets {
			neg, _ = halves[T](&s.b)
			fill(neg[:len(index)], j.params.neg)
			s.weighList(neg, j, negSide, index)
		}
		for k, i := range index {
			if i&indexAsItIs != 0 {
				u[k], w[k] = -u[k], neg[k]
			}
		}
	}
	if j.weighted && !j.zeros && j.params.pos > 0 && j.params.neg > 0 {
		return
	}
	for k, v := range w {
		if v == 0 {
			u[k] = s.noWeight(&index[k], u[k])
		}
	}
}

// gatherTargets fetches the logits, targets and weights of elements for the targets' kernels.
func (s *scratch[T]) gatherTargets(j *job[T], u, t, w, wPos []T, index []uint16, x []T) {
	for _, v := range [...][]T{u, t, w, wPos} {
		clear(v[len(index):])
	}
	for k, i := range index {
		u[k] = x[i&indexBits]
	}
	if scores := sliceOf[T](&j.y.score); scores != nil {
		base := j.params.one
		for k, i := range index {
			row, _ := j.rowCol(s.start + int(i&indexBits))
			t[k] = scores[row]
			if j.y.quality == Varifocal {
				base = T(float64(t[k]) / j.params.norm)
			}
			w[k] = base
		}
		s.weighList(w, j, posSide, index)
		copy(wPos, w[:len(index)])
	} else {
		targets := denseOf[T](&j.y)[s.start:]
		for k, i := range index {
			t[k], w[k], wPos[k] = targets[i&indexBits], j.params.neg, j.params.pos
		}
		s.weighList(w, j, negSide, index)
		s.weighList(wPos, j, posSide, index)
	}
	for k := range index {
		if w[k] == 0 && wPos[k] == 0 {
			u[k] = s.noWeight(&index[k], u[k])
		}
	}
}

// noWeight marks an element of weight 0, and returns a logit that shows in the loss whether the element's is NaN.
func (s *scratch[T]) noWeight(index *uint16, x T) T {
	s.zeros = true
	*index |= indexNoWeight
	if x != x {
		return x
	}
	return 0
}

// apply puts the results of what is patched in their places of a chunk, gradients times dout unless it is nil.
func (s *scratch[T]) apply(j *job[T], l *patched, r *places[T], dout []T) {
	p, done, from := &s.patch, s.done, l.applied
	at := from + l.at
	index := s.index[from:l.end]
	index = index[:scatterSome(r.loss, index, p.u[at:], done)]
	l.applied = from + len(index)
	scatter(r.curv, index, p.curv[at:], done)
	if j.params.frozen {
		scatter(r.hess, index, p.curv[at:], done)
	} else {
		scatter(r.hess, index, p.hess[at:], done)
	}
	if r.grad != nil {
		grad := p.grad[at:][:len(index)]
		for k, i := range index {
			g := grad[k]
			if i&indexAsItIs == 0 {
				g = -g
			}
			to := int(i&indexBits) - done
			if dout != nil {
				g = product(g, dout[to])
			}
			r.grad[to] = g
		}
	}
	if !s.zeros {
		return
	}
	for k, i := range index {
		if i&indexNoWeight != 0 {
			v := p.u[at+k]
			if v == v {
				v = 0
			}
			for _, dst := range r.all() {
				if dst != nil {
					dst[int(i&indexBits)-done] = v
				}
			}
		}
	}
}

// Two short loops, which have their variables on the stack if they are inlined.

// negated gathers elements of x, with the other sign.
//
//go:noinline
func negated[T Float](dst, x []T, index []uint16) {
	dst = dst[:len(index)]
	for k, i := range index {
		dst[k] = -x[i&indexBits]
	}
}

// scatterSome puts values in their places of dst up to one that is in another chunk, and returns how many.
//
//go:noinline
func scatterSome[T Float](dst []T, index []uint16, value []T, done int) int {
	value = value[:len(index)]
	for k, i := range index {
		to := int(i&indexBits) - done
		if uint(to) >= uint(len(dst)) {
			return k
		}
		dst[to] = value[k]
	}
	return len(index)
}

// scatter puts values in the places of dst, unless it is nil.
func scatter[T Float](dst []T, index []uint16, value []T, done int) {
	if dst == nil {
		return
	}
	value = value[:len(index)]
	for k, i := range index {
		dst[int(i&indexBits)-done] = value[k]
	}
}

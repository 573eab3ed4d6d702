package focal

import (
	"math"
	"math/bits"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/race"
)

// The weight of an element is ((base·class)·row)·element, rounded after each product; base is that of positives or negatives. What
// is not given counts as 1, and changes no bit.

// weighList multiplies weights of some of the piece's elements by those of their classes, rows and themselves, of one side. The loops
// are short ones: there are few elements, and in one for all there would not be enough registers.
func (s *scratch[T]) weighList(w []T, j *job[T], of weightSide, index []uint16) {
	_, classes := j.sideWeights(of)
	rows, elements := sliceOf[T](&j.y.row), sliceOf[T](&j.y.element)
	w = w[:len(index)]
	switch {
	case classes == nil && rows == nil:
	case j.inverse == 0:
		for k, i := range index {
			row, col := j.rowCol(s.start + int(i&indexBits))
			if classes != nil {
				w[k] = T(w[k] * classes[col])
			}
			if rows != nil {
				w[k] = T(w[k] * rows[row])
			}
		}
	default:
		row, col := j.rowCol(s.start)
		if classes != nil {
			for k, i := range index {
				e := uint64(col + int(i&indexBits))
				w[k] = T(w[k] * classes[e-quotient32(e, j.inverse)*uint64(j.c)])
			}
		}
		if rows != nil {
			rows = rows[row:]
			for k, i := range index {
				w[k] = T(w[k] * rows[quotient32(uint64(col+int(i&indexBits)), j.inverse)])
			}
		}
	}
	if elements != nil {
		elements = elements[s.start:]
		for k, i := range index {
			w[k] = T(w[k] * elements[i&indexBits])
		}
	}
}

// setInverse works out a number by which elements are divided by C, unless C is not suited, or rows have planes.
func (j *job[T]) setInverse() {
	if c := uint64(j.c); j.y.planes <= 1 && c > 1 && c < 1<<31 {
		j.inverse = ^uint64(0)/c + 1
	}
}

// quotient32 divides n < 2^32 by the number of which it is given the inverse: the upper half of their product is exact.
func quotient32(n, inverse uint64) uint64 {
	upper, _ := bits.Mul64(n, inverse)
	return upper
}

// classWeight returns base times the weight of a class.
func (j *job[T]) classWeight(class *numbers, base T, col int) T {
	if classes := sliceOf[T](class); classes != nil {
		return T(base * classes[col])
	}
	return base
}

// bases returns what weights of rows and elements multiply: those of a column's negatives and positives.
func (j *job[T]) bases(col int) (neg, pos T) {
	return j.classWeight(&j.y.neg, j.params.neg, col), j.classWeight(&j.y.pos, j.params.pos, col)
}

// A weightSide is what the weights of classes, and those that they are multiplied with, are of.
type weightSide uint8

const (
	noSide     weightSide = iota
	negSide               // negatives
	posSide               // positives
	negClasses            // the same without weights of rows
	posClasses
	rowsOnly // weights of rows alone, with a base of 1
)

// sideWeights returns the base and the weights of classes.
func (j *job[T]) sideWeights(of weightSide) (base T, classes []T) {
	switch of {
	case negSide, negClasses:
		return j.params.neg, sliceOf[T](&j.y.neg)
	case posSide, posClasses:
		return j.params.pos, sliceOf[T](&j.y.pos)
	}
	return 1, nil
}

// classesAlone reports whether weights of classes are all that there are.
func (j *job[T]) classesAlone() bool { return !j.y.row.given() && !j.y.element.given() }

// weigh returns the weights of n elements from the given one on, as if all were on the same side. They are in room, which is longer
// than a chunk, or where they are already.
func (s *scratch[T]) weigh(room []T, j *job[T], of weightSide, from, n int) []T {
	base, classes := j.sideWeights(of)
	rows, element := sliceOf[T](&j.y.row), sliceOf[T](&j.y.element)
	dst := room[:n]
	switch {
	case classes == nil && rows == nil:
		switch {
		case element == nil:
			fill(dst, base)
		case base == 1:
			return element[from : from+n]
		default:
			scale(dst, element[from:from+n], base)
		}
		return dst
	case j.y.planes > 1:
		s.weighPlanes(dst, j, classes, rows, base, from)
	case j.c == 1:
		if classes != nil {
			base = T(base * classes[0])
		}
		if rows != nil {
			scale(dst, rows[from:from+n], base)
		} else {
			fill(dst, base)
		}
	default:
		var has *int
		if s.way == asNegatives && j.classesAlone() {
			has = &s.repeated[0]
		}
		dst = s.weighRows(room, j, of, from, n, has)
	}
	if element != nil {
		multiply(dst, element[from:from+n])
	}
	return dst
}

// weighPlanes writes weights of classes and rows where logits are [N, C, planes].
func (s *scratch[T]) weighPlanes(dst []T, j *job[T], classes, rows []T, base T, from int) {
	for size := j.y.planes; len(dst) > 0; {
		row, col := j.rowCol(from)
		n := min(size-from%size, len(dst))
		weight := base
		if classes != nil {
			weight = T(base * classes[col])
		}
		if rows != nil {
			scale(dst[:n], rows[row:row+n], weight)
		} else {
			fill(dst[:n], weight)
		}
		dst, from = dst[n:], from+n
	}
}

// patternMost is up to how many columns the weights of a row are made once for many rows.
const patternMost = 256

// rowsFit returns how many elements a chunk may have, of most, so that the weights of all rows that it touches fit into a room. They are
// whole groups, and whole rounds of a sum's lanes, of which pure Go has one element in a group.
func (j *job[T]) rowsFit(most, room, group int) int {
	group = max(group, laneCount)
	if fit := (room - 2*j.c - laneCount) / group * group; j.c > 1 && j.c <= patternMost && fit >= most/2 {
		return min(most, fit)
	}
	return most
}

// weighRows returns weights of classes and rows, of n elements from the given one on. They are in room. If has is not nil, it says how
// many rows of weights of classes room has already.
func (s *scratch[T]) weighRows(room []T, j *job[T], of weightSide, from, n int, has *int) []T {
	base, classes := j.sideWeights(of)
	rows, c := sliceOf[T](&j.y.row), j.c
	if of == negClasses || of == posClasses {
		rows = nil
	}
	row, col := j.rowCol(from)
	touched := (col + n + c - 1) / c
	if c > patternMost || touched < 3 || touched*c+laneCount > len(room) {
		if has != nil {
			*has = 0 // the room has other weights now
		}
		for dst := room[:n]; len(dst) > 0; row, col = row+1, 0 {
			n := min(c-col, len(dst))
			part := dst[:n]
			if classes != nil {
				scale(part, classes[col:col+n], base)
			} else {
				fill(part, base)
			}
			if rows != nil {
				scale(part, part, rows[row])
			}
			dst = dst[n:]
		}
		return room[:n]
	}
	switch {
	case rows != nil:
		scaleRows(room, s.patternOf(j, of), c, rows[row:row+touched])
	case has == nil:
		repeat(room[:touched*c], s.patternOf(j, of)[:c])
	case *has < touched: // otherwise those that a chunk before has left there will do
		*has = touched
		repeat(room[:touched*c], s.patternOf(j, of)[:c])
	}
	return room[col : col+n]
}

// patternOf returns base times the weights of classes, of C ≤ patternMost.
func (s *scratch[T]) patternOf(j *job[T], of weightSide) []T {
	pattern := s.pattern[:]
	if s.patternSide != of {
		s.patternSide = of
		if base, classes := j.sideWeights(of); classes != nil {
			scale(pattern[:j.c], classes, base)
		} else {
			fill(pattern[:j.c], base)
		}
		clear(pattern[j.c:][:laneCount]) // vectors read that too, and multiply subnormal numbers slowly
	}
	return pattern
}

// repeat writes a row over and over.
func repeat[T Float](dst, row []T) {
	for done := copy(dst, row); done < len(dst); {
		done += copy(dst[done:], dst[:done])
	}
}

// weighBits turns the weights of positives and negatives, as expand has made them, into those of a chunk's elements, from the
// given one on.
func (s *scratch[T]) weighBits(w []T, j *job[T], from int) {
	y, n := &j.y, len(w)
	if j.c != 1 && (y.neg.given() || y.pos.given()) {
		neg, pos := halves[T](&s.c)
		s.rowEntries = 0
		if y.planes > 1 {
			s.weighPlanes(neg[:n], j, sliceOf[T](&y.neg), nil, j.params.neg, from)
			s.weighPlanes(pos[:n], j, sliceOf[T](&y.pos), nil, j.params.pos, from)
		} else {
			s.repeated[0] = min(s.repeated[0], len(neg)/j.c) // more are where positives come
			neg = s.weighRows(neg, j, negClasses, from, n, &s.repeated[0])
			pos = s.weighRows(pos, j, posClasses, from, n, &s.repeated[1])
		}
		copy(w, neg)
		blend(w, pos[:n], &s.pos, s.done)
	}
	if rows := sliceOf[T](&y.row); rows != nil {
		pattern, _ := halves[T](&s.b)
		switch {
		case y.planes > 1:
			s.weighPlanes(pattern[:n], j, nil, rows, 1, from)
			multiply(w, pattern[:n])
		case j.c == 1:
			multiply(w, rows[from:from+n])
		default:
			multiply(w, s.weighRows(pattern, j, rowsOnly, from, n, nil))
		}
	}
	if element := sliceOf[T](&y.element); element != nil {
		multiply(w, element[from:from+n])
	}
}

// liveOf returns the mask of a chunk's elements that have a weight, or whose logit is NaN, which must show in the results. It is
// nil if these are all.
func (s *scratch[T]) liveOf(w, wPos, x []T) *bitmask {
	n := len(x)
	targetBits(&s.live, &s.other, w)
	for i := range words(n) {
		s.live[i] |= s.other[i]
	}
	if wPos != nil {
		var ones bitmask
		targetBits(&ones, &s.other, wPos)
		for i := range words(n) {
			s.live[i] |= ones[i] | s.other[i]
		}
	}
	if s.live.count(n) == n {
		return nil
	}
	if hasNaN(x) {
		for i, v := range x {
			if v != v {
				s.live.set(i)
			}
		}
	}
	return &s.live
}

// fill sets all elements.
func fill[T Float](dst []T, v T) {
	done := min(laneCount, len(dst))
	for i := range dst[:done] {
		dst[i] = v
	}
	for done < len(dst) {
		done += copy(dst[done:], dst[:done])
	}
}

// scale writes src times a factor; dst may be src.
func scale[T Float](dst, src []T, by T) {
	whole := len(dst) &^ (laneCount - 1)
	if whole > 0 && callWeigh(&dst[0], &src[0], whole, &by, 1) {
		dst, src = dst[whole:], src[whole:]
	}
	for i := range dst {
		dst[i] = T(src[i] * by)
	}
}

// scaleRows writes a row of c elements times a factor, for each factor. There is room behind dst and row for laneCount elements.
func scaleRows[T Float](dst, row []T, c int, by []T) {
	if len(by) > 0 && callWeigh(&dst[0], &row[0], c, &by[0], len(by)) {
		return
	}
	for _, v := range by {
		for k := range c {
			dst[k] = T(row[k] * v)
		}
		dst = dst[c:]
	}
}

// callWeigh calls the function of the path, if there is one.
func callWeigh[T Float](dst, src *T, n int, by *T, rows int) bool {
	if path == pathGeneric {
		return false
	}
	if race.Enabled {
		race.Read(by, rows)
		if rows == 1 {
			race.Read(src, n)
		}
	}
	if isFloat32[T]() {
		return weighF32(path, asFloat32(dst), asFloat32(src), n, asFloat32(by), rows)
	}
	return weighF64(path, asFloat64(dst), asFloat64(src), n, asFloat64(by), rows)
}

// blend writes the elements of other whose bits, from shift on, are set to dst.
func blend[T Float](dst, other []T, which *bitmask, shift int) {
	from := 0
	if whole := len(dst) &^ (laneCount - 1); whole > 0 && path != pathGeneric {
		done := false
		if isFloat32[T]() {
			done = blendF32(path, asFloat32(&dst[0]), asFloat32(&other[0]), bitsAt(which, shift), whole)
		} else {
			done = blendF64(path, asFloat64(&dst[0]), asFloat64(&other[0]), bitsAt(which, shift), whole)
		}
		if done {
			from = whole
		}
	}
	for i := from; i < len(dst); i++ {
		if which.has(shift + i) {
			dst[i] = other[i]
		}
	}
}

// dropWeightless has all elements of a piece computed as if they were on the side that has a weight, and counts those of the other
// side as ignored, of which an infinite loss would make NaN. Where the logit is NaN the element stays, so that the NaN shows.
func (s *scratch[T]) dropWeightless(j *job[T]) {
	if !s.ignored {
		s.ignored = true
		s.keep.setAll(s.n)
	}
	s.way = asNegatives
	if j.params.neg == 0 {
		s.way = asPositives
	}
	x := j.x[s.start : s.start+s.n]
	nans := hasNaN(x)
	for i := range words(s.n) {
		drop := s.pos[i]
		if s.way == asPositives {
			drop = ^s.pos[i]
		}
		if j.y.kind == denseTarget {
			drop &^= s.soft[i] // they are patched
		}
		if nans {
			for k, v := range x[64*i : min(64*i+64, s.n)] {
				if v != v {
					drop &^= 1 << k
				}
			}
		}
		s.keep[i] &^= drop
	}
}

// weightless writes the results of elements without a weight: 0, and NaN where the logit is. One of them may be x itself.
func weightless[T Float](r *places[T], x []T) {
	nans := hasNaN(x)
	if !nans {
		for _, dst := range r.all() {
			clear(dst)
		}
		return
	}
	for i, v := range x {
		if v == v {
			v = 0
		} else {
			v = nan[T]()
		}
		for _, dst := range r.all() {
			if dst != nil {
				dst[i] = v
			}
		}
	}
}

// hasNaN reports whether one of the elements is NaN.
func hasNaN[T Float](x []T) bool {
	if inf := T(math.Inf(1)); allWithin(x, inf, inf, inf) { // -Inf makes a NaN too
		return false
	}
	var sums laneSums // of finite numbers they are finite, unless these are huge
	addToLanes(&sums, x)
	total := 0.0
	for _, v := range sums.Hi {
		total += v
	}
	if isFinite(total) {
		return false
	}
	for _, v := range x {
		if v != v {
			return true
		}
	}
	return false
}

// qualityFocal computes the positives of quality focal loss whose scores t are between 0 and 1. They are few, and computed in
// float64, in Go alone. With d = p - t and E = BCE(x, t),
//
//	loss   w·|d|^β·E
//	grad   w·sgn(d)·|d|^(β-1)·(d² + β·pq·E)
//	hess   w·|d|^(β-2)·pq·((2β+1)·d² + β·E·((β-1)·pq + d·(q-p)))
//	curv   w·|d|^β·pq, with the factor frozen, and then grad is w·|d|^β·d
func (s *scratch[T]) qualityFocal(j *job[T], from int, ts, ws []T) {
	p, pl := &s.patch, newPlan[float64](j.params.gamma)
	frozen := j.operation == abi.Frozen
	for k, t := range ts {
		loss, grad, hess, curv := qualityElement(float64(p.u[from+k]), float64(t), float64(ws[k]), &pl, frozen)
		p.u[from+k], p.grad[from+k], p.hess[from+k], p.curv[from+k] = T(loss), T(grad), T(hess), T(curv)
	}
}

// qualityElement computes an element whose t is neither 0 nor 1. Every product that is added to something is an fma, or converted.
// Where p and t are equal the factor is 0, the loss has its minimum, and the derivatives are what they tend to.
func qualityElement(x, t, w float64, pl *plan[float64], frozen bool) (loss, grad, hess, curv float64) {
	c := constants64
	negative := toBits(x)&c.signBit != 0
	A, ap, _, _ := c.exp(x, c.magicFar, c.far)
	eUp, e, _, m := c.log(A, ap)

	// p and q are the larger and the smaller of σ(x) and σ(-x), or the other way round
	other := 1 - t
	large := 1 / (1 + e)
	small := float64(e * large)
	d, share := small-t, t
	towards := (1 - e) * large // q - p
	if !negative {
		d, share = other-small, other
		towards = -towards
	}
	far := math.Abs(x)
	log1p := (A + m) * c.ln2Down
	E := math.FMA(share, far, log1p)
	near := math.FMA(share, smaller(c.maxSoftplus, far), log1p) // where it is multiplied with pq
	pq := float64(eUp*large) * large                            // scaled up, as it may be tiny
	letIn := float64(0 * smaller(c.maxSoftplus, far))           // a NaN
	infinite := E - c.largest                                   // if E is, and then the loss is, however small the factor

	a, beta := math.Abs(d), pl.Gamma
	var factor, slope, bend float64 // w·|d|^β, and that over d and over d²
	switch {
	case beta == 0:
		curv = math.FMA(float64(w*pq), c.down, letIn)
		return larger(w*E, infinite), math.FMA(w, d, letIn), curv, curv
	case beta == 2:
		slope, bend = w*d, w
		factor = slope * d
	case a < 0x1p-1022:
		hess = letIn
		switch {
		case frozen || beta == 1 || beta > 2 || math.IsInf(x, 0):
		case beta > 1:
			hess += math.Inf(1)
		default:
			hess -= math.Inf(1)
		}
		return larger(letIn, infinite), letIn, hess, letIn
	default:
		k, y, h := c.logM(float64(a*c.up), 0)
		_, factor = c.pow(pl, w, k, -y, h, true)
		slope = factor / d
		bend = slope / d
	}
	loss = larger(factor*E, infinite)
	curv = math.FMA(float64(factor*pq), c.down, letIn)
	if frozen {
		return loss, math.FMA(factor, d, letIn), curv, curv
	}
	grad = float64(slope*math.FMA(float64(beta*pq), near, float64(float64(d*c.up)*d))) * c.down
	inner := math.FMA(d, towards, float64(float64((beta-1)*pq)*c.down))
	hess = float64(float64(bend*pq)*math.FMA(pl.HessOne, float64(d*d), float64(float64(beta*near)*inner))) * c.down
	return loss, grad, hess, curv
}

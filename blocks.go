package focal

import (
	"math"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/race"
)

// How elements are computed: in pieces, and each of them in three steps.
//
//   - Patch: the few elements that differ from all others, such as positives among negatives, are gathered from x and
//     computed together, before x may be overwritten.
//   - Stream: everything is computed as if it were one of the others, and what has been patched is put in its place.
//   - Sum: whoever has called next takes the losses while they are in the cache.
//
// Where more than a few are positives (rows of few columns) u and the weights are written out, element by element, and the
// patch is for soft targets; where most targets are soft it is for those of 0 and 1; where there are many of either sort, all are
// computed as both. An element has the same bits every way.

const (
	// pieceLen is how many elements are sorted into negatives and others at a time.
	pieceLen = 4096

	// patchMost is how many of them can be patched: a piece with more is made shorter, or goes another way.
	patchMost = 256

	// listColumns is the number of columns from which on positives are listed at once, rather than by way of bits; measured.
	listColumns = 8

	// chunkBytes is what a chunk's logits take: few enough for them and the results to stay in the first-level cache.
	chunkBytes = 8 << 10
)

// Up to patchShare, one element of a piece in so many, patching is the fastest way, of at least patchLeast elements; measured. Up to
// fewMost elements, all that a plain job has are computed without a choice of ways. From rowsLeast on, a table of narrow rows pays. They
// are variables for tests, which go either way.
var patchShare, patchLeast, fewMost, rowsLeast = 18, 256, patchMost + maxGroup, 2048

// scratch is the memory that a goroutine works with. It is read only where it has been written: see withScratch. What vectors go
// through comes first and has a multiple of 64 bytes, so none of them lies in two cache lines.
type scratch[T Float] struct {
	a, b, c room

	// The ragged end of a chunk.
	end struct {
		u, target, w, wPos, grad, hess, curv [maxGroup]T
	}
	// What is patched, and the results of it. Losses take the place of u.
	patch struct {
		grad, hess, curv, u, w [patchMost + 2*maxGroup]T
	}
	pos, keep, soft, hard, live, other bitmask // of the piece's elements; live and other of a chunk's

	piece

	pattern     [patternMost + laneCount]T // see patternOf
	patternSide weightSide

	// What chunks leave in c for those that follow: rows of weights of classes, so many of negatives from its beginning on and of positives
	// from its half on, or a rowTable with so many entries.
	repeated   [2]int
	rowEntries int

	index [pieceLen/listColumns + 2*laneCount]uint16 // of what is patched: first those for the labels' kernels, then those for the targets'
}

// room is memory for a chunk's elements: of float64, or twice as many of float32; or for two chunks of half the length.
type room [chunkBytes/8 + 2*maxGroup]float64

func elements[T Float](r *room) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(r)), unsafe.Sizeof(*r)/unsafe.Sizeof(T(0)))
}

func halves[T Float](r *room) (a, b []T) {
	all := elements[T](r)
	return all[:len(all)/2], all[len(all)/2:]
}

// emptied returns c, in which nothing is left from now on.
func (s *scratch[T]) emptied() *room {
	s.repeated, s.rowEntries = [2]int{}, 0
	return &s.c
}

// A piece is some elements of a call on their way.
type piece struct {
	start, n int // which elements
	until    int // the end of all that begin was called for
	done     int // so many of the piece's
	way      way
	labelled patched // by the labels' kernels
	targeted patched // by the targets'
	ignored  bool    // keep tells which elements
	zeros    bool    // something that is patched has no weight
}

// patched are some of the elements that are patched.
type patched struct {
	first, end int // which elements of index
	applied    int // up to this one the results are in their places
	at         int // so much more than in index is their number in patch
}

// The upper bits of an index tell what the element is, if it is not just a positive.
const (
	indexBits     = pieceLen - 1
	indexAsItIs   = 1 << 15 // u is x, not -x
	indexNoWeight = 1 << 14 // the weight is 0
)

// A way is how a piece is computed: most of it, and what is patched.
type way uint8

const (
	asNegatives  way = iota // positives are patched, and soft targets
	asWeightless            // negatives have no weight; positives are patched
	asPositives             // negatives have no weight, and are zeros afterwards; soft targets are patched
	asBits                  // pos tells positives from negatives; soft targets are patched
	asRows                  // the labels of narrow rows tell it, vector by vector
	asTargets               // all by the kernel for targets; those of 0 and 1 are patched
	asBoth                  // all as bits and all as targets; soft tells which result is taken
)

// begin sets out to compute the elements start..end-1.
func (s *scratch[T]) begin(start, end int) {
	s.start, s.n, s.done, s.until = start, 0, 0, end
}

// more reports whether there are elements left of those that begin was called for.
func (s *scratch[T]) more() bool { return s.start+s.done < s.until }

// next computes a chunk of elements, the next ones since begin, and returns their losses. There are more. All chunks but the last have a
// multiple of laneCount.
func (s *scratch[T]) next(j *job[T]) []T {
	if s.done < s.n {
		return s.chunk(j)
	}
	s.start += s.n
	if s.until <= fewMost && s.until == len(j.x) && j.plain() {
		return s.few(j)
	}
	s.sort(j)
	if s.targeted.end > 0 { // which is the end of both
		s.gather(j)
	}
	return s.chunk(j)
}

// plain reports whether all that a job's elements differ in is their labels.
func (j *job[T]) plain() bool {
	return j.y.kind == labelTarget && j.y.planes <= 1 && !j.options && j.dout == nil && !j.params.twoGammas && !j.params.frozen &&
		j.params.pos > 0 && j.params.neg > 0
}

// chunk computes the next elements of the piece, and returns their losses.
func (s *scratch[T]) chunk(j *job[T]) []T {
	p := &s.piece
	group := groupOf[T]()
	most, room := chunkBytes/int(unsafe.Sizeof(T(0))), int(unsafe.Sizeof(s.a)/unsafe.Sizeof(T(0)))
	if p.way == asBits || p.way == asRows || p.way == asBoth || j.weighted && p.way == asTargets {
		most, room = most/2, room/2 // the other half is for weights
	}
	if j.weighted {
		most = j.rowsFit(most, room, group)
	}
	n := p.n - p.done
	if n > most {
		n = min((most+group-1)/group*group, n)
	}
	from := p.start + p.done
	x := j.x[from : from+n]
	r := places[T]{loss: sliced(j.loss, from, n)}
	if j.operation != abi.Loss {
		r.grad, r.hess, r.curv = sliced(j.grad, from, n), sliced(j.hess, from, n), sliced(j.curv, from, n)
	}
	if r.loss == nil {
		r.loss = elements[T](&s.a)[:n]
	}
	var dout []T
	if j.dout != nil {
		dout = j.dout[from : from+n]
	}
	if p.way == asWeightless {
		weightless(&r, x)
	} else {
		s.stream(j, &r, x, dout, group)
	}
	if p.labelled.applied < p.labelled.end {
		s.apply(j, &p.labelled, &r, dout)
	}
	if p.targeted.applied < p.targeted.end {
		s.apply(j, &p.targeted, &r, dout)
	}
	if p.ignored && (p.way != asBits || dout != nil || j.weighted) {
		s.zero(j, &r)
	}
	p.done += n
	return r.loss
}

// few does what next does for all elements of a plain job, which are fewMost at most, in less time: as bits, without a choice of the way.
// Whole groups go to their places at once, others by way of scratch.
func (s *scratch[T]) few(j *job[T]) []T {
	n, p := len(j.x), &s.patch
	s.n, s.done = n, n
	label := sliceOf[int32](&j.y.label)
	if label == nil {
		label = s.labels(j, 0, j.y.label.len)
	}
	var keep *bitmask
	if labelBits(&s.pos, &s.keep, n, label, 0, j.c, j.y.offset, j.y.ignore) {
		keep = &s.keep
	}
	var a abi.Args[T] // set one by one: a composite literal is made elsewhere, and the copy of what has just been written is slow
	a.N, a.U, a.W, a.Plan = roundUp[T](n), &p.u[0], &p.w[0], &j.params.plan
	a.Loss, a.Grad, a.Hess, a.Curv = a.U, &p.grad[0], &p.hess[0], &p.curv[0]
	direct, derived := n == a.N, j.operation != abi.Loss
	if direct {
		a.Loss = first(j.loss, a.U)
		if derived {
			a.Grad, a.Hess, a.Curv = first(j.grad, a.Grad), first(j.hess, a.Hess), first(j.curv, a.Curv)
		}
	} else {
		clear(p.u[n:a.N])
		clear(p.w[n:a.N])
	}
	expand(a.U, a.W, &j.x[0], n, &s.pos, keep, 0, j.params.neg, j.params.pos)
	callKernel(j.kernel(j.params.family), &a)
	if derived {
		flip(part(a.Grad, 0, n), &s.pos, 0)
	}
	if direct {
		return part(a.Loss, 0, n)
	}
	copy(j.loss, p.u[:n])
	if derived {
		copy(j.grad, p.grad[:n])
		copy(j.hess, p.hess[:n])
		copy(j.curv, p.curv[:n])
	}
	return p.u[:n]
}

// places are where the results of some elements go. All but the losses are nil if they are not wanted.
type places[T Float] struct {
	loss, grad, hess, curv []T
}

// all returns the places in an array.
func (r *places[T]) all() *[4][]T { return (*[4][]T)(unsafe.Pointer(r)) }

// has reports whether one of them is x.
func (r *places[T]) has(x []T) bool {
	for _, v := range r.all() {
		if v != nil && &v[0] == &x[0] {
			return true
		}
	}
	return false
}

// sliced returns n elements of v from the given one on, or nil if v is nil.
func sliced[T Float](v []T, from, n int) []T {
	if v == nil {
		return nil
	}
	return v[from : from+n]
}

// first returns the address of the first element of v, or spare if v is nil.
func first[T Float](v []T, spare *T) *T {
	if v == nil {
		return spare
	}
	return &v[0]
}

// stream computes all elements of a chunk the way of the piece.
func (s *scratch[T]) stream(j *job[T], r *places[T], x, dout []T, group int) {
	p, n, from := &s.piece, len(x), s.start+s.done
	spare := (*T)(unsafe.Pointer(&s.b))
	var a abi.Args[T]
	a.U, a.Weight, a.Plan = &x[0], j.params.neg, &j.params.plan
	a.Loss, a.Grad, a.Hess, a.Curv = &r.loss[0], first(r.grad, spare), first(r.hess, spare), first(r.curv, spare)
	family := j.params.family
	u, w := halves[T](&s.a)
	var wPos []T
	var live *bitmask
	var soft places[T]
	switch p.way {
	case asBoth:
		soft = s.softOf(j, x, group) // before x may be overwritten; what is not wanted of it is the hard targets' to write to
		a.Grad, a.Hess, a.Curv = first(r.grad, &soft.grad[0]), first(r.hess, &soft.hess[0]), first(r.curv, &soft.curv[0])
		fallthrough
	case asBits:
		a.U, a.W = &u[0], &w[0]
		var keep *bitmask
		if p.ignored {
			keep = &s.keep
		}
		neg, pos := j.params.neg, j.params.pos
		if j.c == 1 {
			neg, pos = j.bases(0)
		}
		expand(&u[0], &w[0], &x[0], n, &s.pos, keep, p.done, neg, pos)
		if j.weighted {
			s.weighBits(w[:n], j, from)
		}
	case asRows:
		_, u = halves[T](&s.a)
		_, w = halves[T](&s.c) // behind the table
		s.repeated = [2]int{}
		a.U, a.W = &u[0], &w[0]
		s.expandRows(j, u[:n], w[:n], x, sliceOf[T](&j.y.row), from)
		if element := sliceOf[T](&j.y.element); element != nil {
			multiply(w[:n], element[from:from+n])
		}
	case asPositives:
		u = elements[T](s.emptied())[:n]
		scale(u, x, -1)
		a.U, a.Weight = &u[0], j.params.pos
	case asTargets:
		family = j.params.softFamily
		a.Target, a.WeightPos = &denseOf[T](&j.y)[from], j.params.pos
		if p.ignored {
			a.Target = &s.cleanTargets(j, from, n)[0]
		}
		if j.weighted {
			_, wPos = halves[T](&s.b)
			wPos = s.weigh(wPos, j, posSide, from, n)
			a.WPos = &wPos[0]
		}
	}
	if j.weighted && p.way != asBits && p.way != asRows {
		if p.way == asNegatives {
			w = elements[T](&s.c)
			if s.rowEntries, s.repeated[1] = 0, 0; !j.classesAlone() {
				s.repeated[0] = 0
			}
		}
		w = s.weigh(w, j, negSide, from, n)
		a.W = &w[0]
	}
	if j.weighted && (j.zeros || j.params.neg == 0 || j.params.pos == 0) {
		live = s.liveOf(w[:n], wPos, x)
	}
	if j.params.frozen && r.curv == nil {
		a.Curv = a.Hess // they are the same
	}
	s.evaluate(j.kernel(family), &a, n, group, p.way == asBits || p.way == asRows)
	if j.params.frozen && r.hess != nil && r.curv != nil {
		copy(r.hess, r.curv)
	}
	if r.grad != nil {
		switch p.way {
		case asBits, asBoth:
			flip(r.grad, &s.pos, p.done)
		case asRows:
			if j.y.allKept && !r.has(x) {
				flipAs(r.grad, u[:n], x)
			} else { // x is no longer there, or u is 0
				s.expandRows(j, r.grad, w[:n], r.grad, nil, from)
			}
		case asPositives:
			scale(r.grad, r.grad, -1)
		}
	}
	if p.way == asBoth {
		s.takeSoft(j, r, &soft)
	}
	if dout != nil {
		multiply(r.grad, dout)
	}
	if live != nil {
		for _, dst := range r.all() {
			if dst != nil {
				mask(dst, live, 0)
			}
		}
	}
}

// canExpandRows reports whether a piece of rows without planes, in which nothing must be patched, can be computed by rows: unless bits
// are wanted later on.
func (s *scratch[T]) canExpandRows(j *job[T]) bool {
	return isFloat32[T]() && hasLabelKernels() && j.c <= abi.NarrowRow && len(j.x) >= rowsLeast && s.start%laneCount == 0 &&
		j.params.pos > 0 && j.params.neg > 0 && (j.dout == nil || j.y.allKept)
}

// expandRows makes a kernel's arguments of a chunk's elements, the first of which is the given one of all: u = -x and w = pos where the
// label says so, otherwise x and neg; both are 0 in ignored rows. w is multiplied by the weights of rows, unless these are nil. Of
// gradients as x it makes those with respect to the logits, as u.
func (s *scratch[T]) expandRows(j *job[T], u, w, x, rows []T, from int) {
	vector := 8
	if path == pathAVX512 {
		vector = 16
	}
	table, some := (*rowTable)(unsafe.Pointer(&s.c)), j.weighted || !j.y.allKept
	if s.rowEntries == 0 {
		entries := 8
		if len(j.x) < 2*rowsLeast {
			entries = 1
		}
		s.rowEntries = table.set(j.c, vector, entries, j.y.offset, j.y.ignore)
		if some {
			var neg, pos [abi.NarrowRow]float32
			for col := range j.c {
				n, p := j.bases(col)
				neg[col], pos[col] = float32(n), float32(p)
			}
			table.setWeights(s.rowEntries, neg[:j.c], pos[:j.c])
		}
	}
	row, col := from/j.c, from%j.c
	touched := (col+len(x)-1)/j.c + 1
	label := s.rowLabels(j, row, touched)
	if rows != nil {
		rows = rows[row:]
	}
	if race.Enabled {
		race.Read(&label[0], touched)
		race.Read(&x[0], len(x))
		if rows != nil {
			race.Read(&rows[0], touched)
		}
	}
	var lastLabels [2 * laneCount]int32 // of the last windows
	var lastRows [2 * laneCount]T
	for whole := len(x) &^ (laneCount - 1); whole > 0; {
		n := whole
		if safe := ((len(label)-vector+1)*j.c - col) &^ (laneCount - 1); safe < n { // beyond, windows have an end outside
			n = max(safe, 0)
		}
		if n == 0 {
			copy(lastLabels[:], label)
			label = lastLabels[:]
			if rows != nil {
				copy(lastRows[:], rows)
				rows = lastRows[:]
			}
			continue
		}
		var weights *float32
		if rows != nil {
			weights = asFloat32(&rows[0])
		}
		expandRowsF32(path, asFloat32(&u[0]), asFloat32(&w[0]), asFloat32(&x[0]), &label[0], weights, &table[0], from/laneCount%s.rowEntries, s.rowEntries, n,
			j.y.ignore, some, float32(j.params.neg), float32(j.params.pos))
		u, w, x, whole, from = u[n:], w[n:], x[n:], whole-n, from+n
		row = (col + n) / j.c
		label = label[row:]
		if rows != nil {
			rows = rows[row:]
		}
		col = (col + n) % j.c
	}
	for i, v := range x {
		row, col := (col+i)/j.c, (col+i)%j.c
		neg, pos := j.bases(col)
		switch l := label[row]; {
		case l == j.y.ignore:
			u[i], w[i] = 0, 0
		case int(l)-int(j.y.offset) == col:
			u[i], w[i] = -v, pos
		default:
			u[i], w[i] = v, neg
		}
		if rows != nil {
			w[i] = T(w[i] * rows[row])
		}
	}
}

// rowLabels returns the labels of some rows, and of others behind them, as windows have an end outside.
func (s *scratch[T]) rowLabels(j *job[T], from, n int) []int32 {
	if label := sliceOf[int32](&j.y.label); label != nil {
		return label[from:]
	}
	_, half := halves[T](&s.b) // the other one may be for results that nobody wants
	n = min(n+laneCount, j.y.label.len-from)
	return j.y.label.asInt32(unsafe.Slice((*int32)(unsafe.Pointer(&half[0])), n), from, n)
}

// softOf computes all elements of a chunk by the kernel for targets, into scratch.
func (s *scratch[T]) softOf(j *job[T], x []T, group int) places[T] {
	loss, grad := halves[T](&s.b)
	hess, curv := halves[T](s.emptied())
	a := abi.Args[T]{
		U: &x[0], Target: &denseOf[T](&j.y)[s.start+s.done], Weight: j.params.neg, WeightPos: j.params.pos, Plan: &j.params.plan,
		Loss: &loss[0], Grad: &grad[0], Hess: &hess[0], Curv: &curv[0],
	}
	s.evaluate(j.kernel(j.params.softFamily), &a, len(x), group, false)
	n := len(x)
	return places[T]{loss[:n], grad[:n], hess[:n], curv[:n]}
}

// takeSoft puts the results of a chunk's soft targets in their places.
func (s *scratch[T]) takeSoft(j *job[T], r, soft *places[T]) {
	if j.params.frozen {
		soft.hess = soft.curv
	}
	from := soft.all()
	for k, dst := range r.all() {
		if dst != nil {
			blend(dst, from[k], &s.soft, s.done)
		}
	}
}

// kernel returns the kernel of a family.
func (j *job[T]) kernel(f abi.Family) abi.Kernel {
	if f == abi.Zero && j.operation == abi.Frozen {
		return abi.KernelOf(abi.Hess, f) // there is nothing to freeze
	}
	return abi.KernelOf(j.operation, f)
}

// evaluate calls a kernel for n elements. Whole groups go to their places at once, the ragged end by way of scratch. If room is set,
// u and w are scratch themselves, with room for a group behind the elements.
func (s *scratch[T]) evaluate(k abi.Kernel, a *abi.Args[T], n, group int, room bool) {
	whole := 0
	if n >= group {
		whole = n - n%group
		a.N = whole
		callKernel(k, a)
		if n -= whole; n == 0 {
			return
		}
	}
	e := &s.end
	var b abi.Args[T]
	b.N, b.Weight, b.WeightPos, b.Plan = group, a.Weight, a.WeightPos, a.Plan
	b.Loss, b.Grad, b.Hess, b.Curv = &e.u[0], &e.grad[0], &e.hess[0], &e.curv[0]
	if room {
		u, w := part(a.U, whole, group), part(a.W, whole, group)
		clear(u[n:])
		clear(w[n:])
		b.U, b.W = &u[0], &w[0]
	} else {
		b.U = pad(e.u[:group], a.U, whole, n)
		b.Target = pad(e.target[:group], a.Target, whole, n)
		b.W = pad(e.w[:group], a.W, whole, n)
		b.WPos = pad(e.wPos[:group], a.WPos, whole, n)
	}
	callKernel(k, &b)
	copy(part(a.Loss, whole, n), e.u[:n])
	op := k.Operation()
	if op == abi.Loss {
		return
	}
	copy(part(a.Grad, whole, n), e.grad[:n])
	if op == abi.Hess {
		copy(part(a.Hess, whole, n), e.hess[:n])
	}
	if op == abi.Hess || op == abi.Frozen {
		copy(part(a.Curv, whole, n), e.curv[:n])
	}
}

// pad copies elements from..from+n-1 of src to dst, makes the rest of dst 0, and returns its address; if src is nil, it returns nil.
func pad[T Float](dst []T, src *T, from, n int) *T {
	if src == nil {
		return nil
	}
	clear(dst[copy(dst, part(src, from, n)):])
	return &dst[0]
}

// part returns the elements from..from+n-1 of an array.
func part[E any](p *E, from, n int) []E {
	return unsafe.Slice((*E)(unsafe.Add(unsafe.Pointer(p), from*int(unsafe.Sizeof(*p)))), n)
}

// sort decides how the elements of the next piece are computed, and how many they are.
func (s *scratch[T]) sort(j *job[T]) {
	s.piece = piece{start: s.start, n: min(pieceLen, s.until-s.start), until: s.until}
	if j.y.kind == labelTarget {
		s.sortLabels(j)
	} else {
		s.sortTargets(j)
	}
	switch {
	case j.params.pos == 0 && j.params.neg == 0 && !j.y.score.given():
		s.way = asWeightless
		s.patchAlso(0, 0)
	case s.way == asNegatives && j.params.neg == 0:
		s.way = asWeightless
	}
	if s.way == asBits && !j.weighted && (j.params.pos == 0 || j.params.neg == 0) {
		s.dropWeightless(j)
	}
}

// sortLabels decides it for labels.
func (s *scratch[T]) sortLabels(j *job[T]) {
	y, count := &j.y, 0
	must := y.score.given() || j.params.twoGammas // be patched
	row, col, rows := 0, 0, y.label.len
	if s.n < len(j.x) {
		row, col = s.start/j.c, s.start%j.c
		rows = (col+s.n-1)/j.c + 1
	}
	byRows := y.planes <= 1 && !must && s.canExpandRows(j)
	if byRows && j.c < listColumns {
		s.way = asRows
		return
	}
	var label []int32
	if y.planes <= 1 {
		label = s.labels(j, row, rows)
	}
	listed := label != nil && j.c >= listColumns
	if listed {
		count, s.ignored = labelList(s.index[:], &s.keep, s.n, label, col, j.c, y.offset, y.ignore)
		most := s.patchable()
		if byRows && y.row.given() {
			most /= 2 // the row of what is patched must be found; measured
		}
		switch {
		case j.c > abi.NarrowRow || count <= most:
		case byRows:
			s.way, s.ignored = asRows, false
			return
		case must && count > patchMost:
			s.n = int(s.index[patchMost]) &^ (laneCount - 1)
			for count = patchMost; int(s.index[count-1]) >= s.n; {
				count--
			}
		default:
			listed = must
		}
	}
	if !listed {
		if label == nil {
			s.ignored = s.planeBits(j)
		} else {
			s.ignored = labelBits(&s.pos, &s.keep, s.n, label, col, j.c, y.offset, y.ignore)
		}
		count = s.pos.count(s.n)
		if count > s.patchable() && !must {
			s.way = asBits
			return
		}
		if count > patchMost {
			s.n = s.pos.fewer(s.n, patchMost)
		}
		count = s.pos.list(s.index[:], s.n)
	}
	s.patchAlso(count, count)
	if y.score.given() {
		s.sortScores(j)
	}
}

// patchAlso has the first elements of index patched, up to the given ones for either sort of kernels.
func (s *scratch[T]) patchAlso(labelled, all int) {
	s.labelled = patched{end: labelled}
	s.targeted = patched{first: labelled, end: all, applied: labelled}
}

// patchable returns up to how many elements are better patched.
func (s *scratch[T]) patchable() int {
	if s.n < patchLeast {
		return 0
	}
	return min(s.n/patchShare, patchMost)
}

// sortScores sorts the positives by their scores.
func (s *scratch[T]) sortScores(j *job[T]) {
	var between [patchMost + 16]uint16
	scores, ends, soft := sliceOf[T](&j.y.score), 0, 0
	for _, i := range s.index[:s.targeted.end] {
		row, _ := j.rowCol(s.start + int(i))
		switch v := scores[row]; {
		case v == 0 && j.y.quality == Varifocal: // a negative
		case v == 0:
			s.index[ends] = i | indexAsItIs
			ends++
		case v == 1:
			s.index[ends] = i
			ends++
		default:
			between[soft] = i | indexAsItIs
			soft++
		}
	}
	copy(s.index[ends:], between[:soft])
	s.patchAlso(ends, ends+soft)
}

// sortTargets decides it for dense targets.
func (s *scratch[T]) sortTargets(j *job[T]) {
	t := denseOf[T](&j.y)[s.start : s.start+s.n]
	if !targetBits(&s.pos, &s.soft, t) {
		clear(s.soft[:words(s.n)])
	}
	if j.y.ignoring || j.y.ignoreNaN {
		s.ignored = s.ignoreTargets(&j.y, t)
	}
	count := s.pos.count(s.n)
	softs, hards := s.countTargets()
	if min(softs, hards) > 4*(s.n/patchShare)/3 && !s.ignored && !j.weighted && !j.params.twoGammas && j.params.neg > 0 && j.params.pos > 0 {
		s.way = asBoth // twice a kernel costs no more than to patch so many
		return
	}
	if min(softs, hards) > patchMost { // there is room for so many
		if softs < hards {
			s.n = s.soft.fewer(s.n, patchMost)
		} else {
			s.n = s.hard.fewer(s.n, patchMost)
		}
		softs, hards = s.countTargets()
		count = s.pos.count(s.n)
	}
	if softs > hards {
		s.way = asTargets
		count = s.hard.list(s.index[:], s.n)
		for k, i := range s.index[:count] {
			if !s.pos.has(int(i)) {
				s.index[k] |= indexAsItIs
			}
		}
		s.patchAlso(count, count)
		return
	}
	switch {
	case j.params.twoGammas:
		if count > patchMost {
			s.n = s.pos.fewer(s.n, patchMost)
		}
		count = s.pos.list(s.index[:], s.n)
	case count > min(s.patchable(), patchMost-softs):
		s.way, count = asBits, 0
	default:
		count = s.pos.list(s.index[:], s.n)
	}
	soft := s.index[count:]
	soft = soft[:s.soft.list(soft, s.n)]
	for k := range soft {
		soft[k] |= indexAsItIs
	}
	s.patchAlso(count, count+len(soft))
}

// countTargets returns how many of the piece's targets are between 0 and 1, and how many are 0 or 1. It makes the mask of the
// latter.
func (s *scratch[T]) countTargets() (softs, hards int) {
	for i := range words(s.n) {
		s.hard[i] = ^s.soft[i]
		if s.ignored {
			s.hard[i] &= s.keep[i]
		}
	}
	return s.soft.count(s.n), s.hard.count(s.n)
}

// ignoreTargets clears the bits of ignored elements in all masks, and reports whether there are any.
func (s *scratch[T]) ignoreTargets(y *Target, t []T) (ignored bool) {
	if !ignoredBits(&s.hard, y, t, &s.pos, &s.soft) {
		return false
	}
	for i := range words(s.n) {
		s.keep[i] = ^s.hard[i]
		s.pos[i] &^= s.hard[i]
		s.soft[i] &^= s.hard[i]
	}
	return true
}

// cleanTargets returns the targets of a chunk with others in the places of ignored ones, which no kernel must see.
func (s *scratch[T]) cleanTargets(j *job[T], from, n int) []T {
	t, _ := halves[T](s.emptied())
	t = t[:n]
	copy(t, denseOf[T](&j.y)[from:])
	for at := s.done; ; {
		start, end := s.keep.nextClear(at, s.done+n)
		if start == end {
			return t
		}
		at = end
		for i := start; i < end; i++ {
			t[i-s.done] = 0.5
		}
	}
}

// labels returns n labels from the given one on, at most pieceLen.
func (s *scratch[T]) labels(j *job[T], from, n int) []int32 {
	if label := sliceOf[int32](&j.y.label); label != nil {
		return label[from : from+n]
	}
	room := (*[pieceLen]int32)(unsafe.Pointer(&s.a)) // nothing is in the chunks' memory yet
	return j.y.label.asInt32(room[:], from, n)
}

var _ [2*unsafe.Sizeof(room{}) - 4*pieceLen]struct{} // the labels fit in a and b

// planeBits makes the masks of labels of planes, and reports whether any element is ignored.
func (s *scratch[T]) planeBits(j *job[T]) (ignored bool) {
	y, size := &j.y, j.y.planes
	clear(s.pos[:words(s.n)+1])
	for at := 0; at < s.n; {
		plane, first := (s.start+at)/size, (s.start+at)%size
		n := min(size-first, s.n-at)
		class := int32(plane % j.c)
		label := s.labels(j, plane/j.c*size+first, n)
		if labelBits(&s.soft, &s.hard, n, label, 0, 1, y.offset+class, y.ignore) {
			if !ignored {
				ignored = true
				s.keep.setAll(s.n)
			}
			s.keep.clearWhere(&s.hard, at, n)
		}
		s.pos.setWhere(&s.soft, at, n)
		at += n
	}
	return ignored
}

// rowCol returns the row and the column of an element.
func (j *job[T]) rowCol(i int) (row, col int) {
	if size := j.y.planes; size > 1 {
		plane := i / size
		return plane/j.c*size + i%size, plane % j.c
	}
	if uint64(i)|uint64(j.c) < 1<<32 { // many processors divide 32 bits in a third of the time
		row = int(uint32(i) / uint32(j.c))
	} else {
		row = i / j.c
	}
	return row, i - row*j.c
}

// zero makes zeros of the results of those of the chunk's elements that are ignored.
func (s *scratch[T]) zero(j *job[T], r *places[T]) {
	if j.c <= abi.NarrowRow || j.y.kind != labelTarget || j.y.planes > 1 {
		for _, dst := range r.all() {
			if dst != nil {
				mask(dst, &s.keep, s.done)
			}
		}
		return
	}
	for from := s.done; ; {
		start, end := s.keep.nextClear(from, s.done+len(r.loss))
		if start == end {
			return
		}
		from = end
		for _, dst := range r.all() {
			if dst != nil {
				clear(dst[start-s.done : end-s.done])
			}
		}
	}
}

// nan returns the quiet NaN without a sign.
func nan[T Float]() T { return T(math.NaN()) }

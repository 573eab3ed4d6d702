package focal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/effort"
)

// saying is a batch and all that is said of it.
type saying[T Float] struct {
	x, dout []T
	y       Target
	p       parameters[T]
	c       int
	wanted  [4]bool
	text    string
}

// job returns the job of it. The outputs are new, or one of them is the logits.
func (s *saying[T]) job(inPlace int) *job[T] {
	x := slices.Clone(s.x)
	j := &job[T]{op: "test", x: x, y: s.y, dout: s.dout, c: s.c, params: s.p, sum: true}
	for k, wanted := range s.wanted {
		if wanted {
			j.places.all()[k] = make([]T, len(x))
			if k == inPlace {
				j.places.all()[k] = x
			}
		}
	}
	j.operation, j.options = j.operationOf(), j.y.optional()
	j.setInverse()
	if err := j.y.checkLabels("test", j.c); j.y.kind == labelTarget && err != nil {
		panic(err)
	}
	weight := weightRange{least: float64(min(s.p.neg, s.p.pos))}
	for _, w := range []*numbers{&s.y.row, &s.y.neg, &s.y.pos, &s.y.element} {
		if w.given() {
			j.weighted = true
			weight.multiply(float64(slices.Min(sliceOf[T](w))), 1, smallestNormal[T]())
		}
	}
	j.zeros = j.weighted && weight.least < smallestNormal[T]() // as checkWeights has it: products of three can be 0
	return j
}

// element evaluates an element by itself, by the reference: loss, gradient, Hessian and curvature.
func (s *saying[T]) element(i int) (out [4]T) {
	y, p, size := &s.y, &s.p, max(1, s.y.planes)
	row, col := i/(s.c*size)*size+i%size, i/size%s.c
	target, score := T(0), false
	if y.kind == labelTarget {
		label := y.label.integer(row)
		if label == int64(y.ignore) {
			return out
		}
		if label-int64(y.offset) == int64(col) {
			target = 1
			if y.score.given() {
				target, score = sliceOf[T](&y.score)[row], true
			}
		}
	} else {
		target = denseOf[T](y)[i]
		if y.ignoring && target == T(y.ignore) || y.ignoreNaN && target != target {
			return out
		}
	}
	negative := score && target == 0 && y.quality == Varifocal
	score = score && !negative
	side := &p.side
	if target > 0 || score {
		side = p.positives()
	}
	weight := func(base T, class *numbers) T {
		for k, w := range []*numbers{class, &y.row, &y.element} {
			if w.given() {
				base = T(base * sliceOf[T](w)[[]int{col, row, i}[k]])
			}
		}
		return base
	}
	wNeg, wPos := weight(p.neg, &y.neg), weight(p.pos, &y.pos)
	if score {
		base := p.one
		if y.quality == Varifocal {
			base = T(float64(target) / p.norm)
		}
		wPos = weight(base, &y.pos)
		wNeg = wPos
	}
	x, dout := s.x[i], T(1)
	if s.dout != nil {
		dout = s.dout[i]
	}
	if w := []T{wNeg, wPos}; target == 0 && wNeg == 0 || target == 1 && wPos == 0 || slices.Max(w) == 0 {
		if x != x {
			return [4]T{x, x, x, x}
		}
		return out
	}
	operation := abi.Hess
	if p.frozen {
		operation = abi.Frozen
	}
	a := abi.Args[T]{N: 1, U: &x, Target: &target, Weight: wNeg, WeightPos: wPos, Plan: &side.plan,
		Loss: &out[0], Grad: &out[1], Hess: &out[2], Curv: &out[3]}
	family := side.family
	switch {
	case target == 1:
		x, a.Weight = -x, wPos
	case target > 0:
		family = side.softFamily
	}
	if family == abi.Zero {
		operation = abi.Hess
	}
	if score && y.quality == QualityFocal && target > 0 && target < 1 {
		pl := newPlan[float64](p.gamma)
		l, g, h, c := qualityElement(float64(x), float64(target), float64(wPos), &pl, p.frozen)
		out = [4]T{T(l), T(g), T(h), T(c)}
	} else {
		genericKernel(abi.KernelOf(operation, family), &a)
	}
	if p.frozen {
		out[2] = out[3]
	}
	if target == 1 {
		out[1] = -out[1]
	}
	if s.dout != nil {
		out[1] = product(out[1], dout)
	}
	return out
}

// say returns something random.
func say[T Float](rng *rand.Rand) *saying[T] {
	pick := func(v ...int) int { return v[rng.IntN(len(v))] }
	often := func() bool { return rng.IntN(3) > 0 }
	seldom := func() bool { return rng.IntN(4) == 0 }
	s := &saying[T]{c: pick(1, 1, 2, 3, 7, 10, 15, 16, 20, 33, 80, 300, 2100, 1+rng.IntN(16), 1+rng.IntN(300))}
	size := pick(1, 1, 1, 2, 5, 16, 63, 64, 300, 5000)
	rows := (pick(1, 1+rng.IntN(40), 300, 300, 1024, 4096, 9000)/s.c/size + 1) * size
	n := rows * s.c
	s.x = mixedLogits[T](rng, n)
	if seldom() {
		s.x = make([]T, n)
		for i := range s.x {
			s.x[i] = T(3 * rng.NormFloat64())
		}
	}
	gammas := []float64{0, 0.5, 1, 2, 2, 2, 2.3, 5}
	gamma := gammas[rng.IntN(len(gammas))]
	alpha := []float64{0.25, 0.25, 0.25, 0, 1, NoAlpha}[rng.IntN(6)]
	if err := s.p.set("test", &Params{Gamma: gamma, Alpha: alpha, Norm: []float64{0, 1, 3, 7.5, 3, 3, 1e60}[rng.IntN(7)]}, &Target{}); err != nil {
		panic(err)
	}
	s.p.frozen, s.p.workers = seldom(), pick(1, 1, 3)

	foreground := []float64{0, 0.02, 0.5, 1}[rng.IntN(4)]
	switch rng.IntN(4) {
	case 0, 1: // labels
		label := make([]int32, rows)
		for i := range label {
			if rng.Float64() < foreground {
				label[i] = 1 + rng.Int32N(int32(s.c))
			}
		}
		if seldom() {
			for i := range label {
				if seldom() {
					label[i] = -1
				}
			}
		}
		s.y = Labels(label)
		if !often() {
			s.y = labelsOfAnyType(rng, label, s.c)
		}
		s.y.planes = size
		switch {
		case seldom():
			s.y.quality = Quality(rng.IntN(3))
			score := make([]T, rows)
			for i := range score {
				score[i] = T(pick(0, 1, 1, 1, 1)) * T(1-math.Pow(rng.Float64(), 3))
				if seldom() {
					score[i] = T(pick(0, 1))
				}
			}
			s.y.score, s.p.one = numbersOf(score), T(1/s.p.norm)
			if s.y.quality != QualityFocal {
				s.p.twoGammas = true
				s.p.posSide.set(0)
			}
		case seldom():
			s.p.twoGammas = true
			s.p.posSide.set(gammas[rng.IntN(len(gammas))])
		}
	default:
		target := make([]T, n)
		soft := []float64{0, 0.01, 0.03, 0.1, 0.5, 0.95, 1}[rng.IntN(7)]
		for i := range target {
			switch {
			case rng.Float64() < soft:
				target[i] = T(1-rng.Float64()) * 0.999
			case rng.Float64() < foreground:
				target[i] = 1
			}
		}
		s.y = Dense(target)
		if seldom() {
			s.y.ignoring, s.y.ignore = true, int32(pick(-100, -1, 0, 1, 255))
			for i := range target {
				if seldom() {
					target[i] = T(s.y.ignore)
				}
			}
		}
		if seldom() {
			s.y.ignoreNaN = true
			for i := range target {
				if seldom() {
					target[i] = T(math.NaN())
				}
			}
		}
		if soft == 0 && seldom() {
			s.p.twoGammas = true
			s.p.posSide.set(gammas[rng.IntN(len(gammas))])
		}
	}
	weights := func(n int) numbers {
		zero := seldom()
		w := randomWeights[T](rng, n)
		for i := range w {
			if zero && rng.IntN(3) == 0 {
				w[i] = 0
			}
		}
		return numbersOf(w)
	}
	if seldom() {
		s.y.row = weights(rows)
	}
	if seldom() {
		s.y.neg = weights(s.c)
	}
	if seldom() {
		s.y.pos = weights(s.c)
	}
	if seldom() {
		s.y.element = weights(n)
	}
	for k := range s.wanted {
		s.wanted[k] = often()
	}
	if s.wanted[1] && seldom() {
		s.dout = mixedDout[T](rng, n)
	}
	s.text = fmt.Sprintf("%d×%d×%d gamma %v alpha %v kind %d planes %d weights %v %v %v %v score %v quality %d two %v frozen %v ignoring %v %d %v",
		rows, s.c, size, gamma, alpha, s.y.kind, s.y.planes, s.y.row.given(), s.y.neg.given(), s.y.pos.given(), s.y.element.given(),
		s.y.score.given(), s.y.quality, s.p.twoGammas, s.p.frozen, s.y.ignoring, s.y.ignore, s.y.ignoreNaN)
	return s
}

// labelsOfAnyType returns Labels of the same labels, of up to c, in a type that holds them.
func labelsOfAnyType(rng *rand.Rand, label []int32, c int) Target {
	types := []func([]int32) Target{labelsAs[int64], labelsAs[int16]}
	if c <= math.MaxInt8 {
		types = append(types, labelsAs[int8])
	}
	if !slices.Contains(label, -1) {
		if types = append(types, labelsAs[uint16], labelsAs[uint64]); c <= math.MaxUint8 {
			types = append(types, labelsAs[uint8])
		}
	}
	return types[rng.IntN(len(types))](label)
}

func labelsAs[L Integer](label []int32) Target {
	v := make([]L, len(label))
	for i, l := range label {
		v[i] = L(l)
	}
	return Labels(v)
}

// Whatever is said of a batch, whichever way its elements are computed, by however many goroutines: each has the bits that it has
// by itself.
func TestBlocksElements(t *testing.T) {
	forFloats(t, testBlocksElements[float32], testBlocksElements[float64])
}

func testBlocksElements[T Float](t *testing.T) {
	count := 40
	switch {
	case effort.Least():
		count = 5
	case testing.Short():
		count = 20
	case effort.Full():
		count = 150
	}
	for seed := range uint64(count) {
		rng := rand.New(rand.NewPCG(seed, 17))
		s := say[T](rng)
		want := make([][4]T, len(s.x))
		losses := make([]T, len(s.x))
		for i := range want {
			want[i] = s.element(i)
			losses[i] = want[i][0]
		}
		sum := plainSum(losses)
		for _, share := range []int{1 << 30, patchShare, 1} { // never patched, as measured, whenever there is room
			for _, p := range availablePaths() {
				j := s.job(rng.IntN(6))
				j.params.workers = rng.IntN(4)
				withPath(p, func() { withPatchShare(share, func() { j.run(blockCount(len(j.x)), nil) }) })
				for k, out := range j.places.all() {
					for i, v := range out {
						if !sameBits(want[i][k], v) {
							require.Failf(t, "bits differ", "seed %d, %v, share %d, %s: output %d of element %d is %v, want %v; x %v",
								seed, p, share, s.text, k, i, v, want[i][k], s.x[i])
						}
					}
				}
				s.checkRows(t, p, share, losses)
				require.True(t, sameBits(sum, j.total.result()), "seed %d, %v: %s: sum %v, want %v", seed, p, s.text, j.total.result(), sum)
			}
		}
	}
}

// checkRows holds what Rows writes against the losses.
func (s *saying[T]) checkRows(t *testing.T, p kernelPath, share int, losses []T) {
	size := max(1, s.y.planes)
	j := s.job(-1)
	j.places, j.dout, j.operation, j.sum = places[T]{}, nil, abi.Loss, false
	j.perRow = make([]T, len(s.x)/s.c)
	withPath(p, func() { withPatchShare(share, func() { j.run(j.rowUnits(), nil) }) })
	for row, got := range j.perRow {
		var sum accumulator
		for c := range s.c {
			sum.add(float64(losses[row/size*size*s.c+c*size+row%size]))
		}
		require.True(t, sameBits(T(sum.result()), got), "%v: %s: row %d is %v, want %v", p, s.text, row, got, sum.result())
	}
}

// plainSum returns the sum of losses as it is defined.
func plainSum[T Float](losses []T) float64 {
	var total accumulator
	for block := range slices.Chunk(losses, blockLen) {
		var lanes laneSums
		for i, v := range block {
			addToLane(&lanes, i%laneCount, v)
		}
		total.addSum(totalOf[T](&lanes))
	}
	return total.result()
}

// withPatchShare calls f with another share of patched elements, in pieces of any length. With that of the package, few elements are
// computed as few.
func withPatchShare(share int, f func()) {
	defer func(share, least, few, rows int) {
		patchShare, patchLeast, fewMost, rowsLeast = share, least, few, rows
	}(patchShare, patchLeast, fewMost, rowsLeast)
	if share != patchShare {
		fewMost, rowsLeast = 0, 0
	}
	patchShare, patchLeast = share, 0
	f()
}

func TestGoroutines(t *testing.T) {
	const procs = 3
	former := runtime.GOMAXPROCS(procs)
	defer runtime.GOMAXPROCS(former)
	for _, tt := range []struct{ workers, blocks, want int }{
		{0, 10, 1}, {1, 10, 1}, {2, 10, 2}, {10, 10, 10}, {11, 10, 10}, {math.MaxInt, 10, 10}, {8, 1, 1},
		{-1, 1 << 20, procs}, {math.MinInt, 1 << 20, procs}, {-1, 1, 1},
	} {
		assert.Equalf(t, tt.want, goroutines(tt.workers, tt.blocks), "%+v", tt)
	}
	assert.Equal(t, procs, runtime.GOMAXPROCS(0), "it is asked, not set")
}

// Blocks cover all elements once, in order, however many there are: the sizes that memory does not hold are tested
// by arithmetic.
func TestBlocks(t *testing.T) {
	sizes := []int{0, 1, blockLen - 1, blockLen, blockLen + 1, 10*blockLen - 1, 10 * blockLen, math.MaxInt, math.MaxInt - blockLen}
	if strconv.IntSize == 64 {
		for _, shift := range []int{31, 32, 33, 40, 62} {
			n := 1 << (shift % strconv.IntSize)
			sizes = append(sizes, n-1, n, n+1)
		}
	}
	for _, size := range sizes {
		blocks := blockCount(size)
		check := func(b int) {
			start, end := blockRange(b, size)
			n := end - start
			require.Equal(t, b, start/blockLen)
			require.Zero(t, start%blockLen)
			if b < blocks-1 {
				require.Equal(t, blockLen, n)
				next, _ := blockRange(b+1, size)
				require.Equal(t, start+n, next)
				return
			}
			require.Equal(t, size-start, n)
			require.Positive(t, n)
			require.LessOrEqual(t, n, blockLen)
		}
		for b := range min(blocks, 20) {
			check(b)
			check(blocks - 1 - b)
		}
		if size == 0 {
			require.Zero(t, blocks)
		}
	}
}

// accumulator keeps what a plain sum in float64 loses.
func TestAccumulator(t *testing.T) {
	var a accumulator
	a.add(1 << 53)
	for range 1000 {
		a.add(1)
	}
	assert.Equal(t, float64(1<<53+1000), a.result())

	a = accumulator{}
	for range 10 {
		a.add(0.1) // the float64 nearest to 0.1 is above it by 5.6e-18
	}
	assert.Equal(t, 1.0, a.result())

	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{math.Inf(1), 1, 2}, math.Inf(1)},
		{[]float64{1, math.Inf(1), math.Inf(1)}, math.Inf(1)},
		{[]float64{math.MaxFloat64, math.MaxFloat64, 1}, math.Inf(1)},
		{[]float64{math.Inf(1), math.NaN()}, math.NaN()},
		{[]float64{math.Float64frombits(0xfff8000000000123), 1}, math.NaN()},
		{[]float64{5e-324, 5e-324}, 1e-323},
	} {
		a = accumulator{}
		for _, v := range tt.values {
			a.add(v)
		}
		assert.Equal(t, math.Float64bits(tt.want), math.Float64bits(a.result()), "%v", tt.values)
	}
}

// The lanes of an infinite sum leave Inf-Inf in lo, which must not make a NaN of it.
func TestLaneSumsInfinite(t *testing.T) {
	s := laneSums{}
	s.Hi[3], s.Lo[3] = math.Inf(1), math.NaN()
	var a accumulator
	a.addSum(totalOf[float64](&s))
	a.addSum(accumulator{hi: 1, lo: 1e-20})
	assert.Equal(t, math.Inf(1), a.result())

	s = laneSums{}
	s.Hi[0], s.Hi[15], s.Lo[2] = 1<<53, 1, 0.5
	s.Lo[3] = 0.5
	assert.Equal(t, accumulator{hi: 1 << 53, lo: 2}, totalOf[float64](&s))
}

// What helps the kernels does the same on all paths.
func TestBlocksHelpers(t *testing.T) {
	forFloats(t, testBlocksHelpers[float32], testBlocksHelpers[float64])
}

func testBlocksHelpers[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	for range 300 {
		n, c := 1+rng.IntN(300), 1+rng.IntN(90)
		pos, keep := randomMasks(rng, rng.Float64(), rng.Float64())
		values, others, by := mixedLogits[T](rng, n+c), mixedLogits[T](rng, n+c+laneCount), randomWeights[T](rng, n/c+1)
		label := make([]int32, n/c+2)
		for i := range label {
			label[i] = rng.Int32N(int32(c)+2) - 1
		}
		col, shift := rng.IntN(c), rng.IntN(5)*laneCount
		type result struct {
			masked, blended, scaled, rows []T
			within                        bool
			index                         []uint16
			ignored                       bool
		}
		do := func() (r result) {
			r.masked, r.blended, r.scaled = slices.Clone(values), slices.Clone(values), slices.Clone(values)
			occupyRegisters[T](rng)
			mask(r.masked[:n], keep, shift)
			blend(r.blended[:n], others[:n], pos, shift)
			scale(r.scaled[:n], values[:n], by[0])
			r.rows = make([]T, len(by)*c+laneCount)
			scaleRows(r.rows, others, c, by)
			r.rows = r.rows[:len(by)*c]
			r.within = firstOutside(others[:n], 0.25, 5) < 0 == allWithin(others[:n], 0, 0.25, 5)
			var index [pieceLen + 2*laneCount]uint16
			var kept bitmask
			occupyRegisters[T](rng)
			count, ignored := labelList(index[:], &kept, n, label, col, c, 1, -1)
			r.index, r.ignored = slices.Clone(index[:count]), ignored
			for i := range n {
				if ignored && !kept.has(i) {
					r.index = append(r.index, uint16(i))
				}
			}
			return r
		}
		var want result
		withPath(pathGeneric, func() { want = do() })
		for i := range n {
			if keep.has(shift + i) {
				require.True(t, sameBits(values[i], want.masked[i]))
			} else {
				require.Zero(t, math.Float64bits(float64(want.masked[i])))
			}
		}
		for _, p := range availablePaths() {
			withPath(p, func() {
				got := do()
				requireSameBits(t, want.masked, got.masked)
				requireSameBits(t, want.blended, got.blended)
				requireSameBits(t, want.scaled, got.scaled)
				requireSameBits(t, want.rows, got.rows)
				require.Equal(t, want.index, got.index, "%v: %d×%d", p, n, c)
				require.Equal(t, want.ignored, got.ignored)
				if hasLabelKernels() {
					require.True(t, got.within, p)
				}
			})
		}
	}
}

// Narrow rows become a kernel's arguments by their labels, wherever a chunk begins in them.
func TestExpandRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(63, 64))
	for _, p := range availablePaths() {
		withPath(p, func() {
			if !hasLabelKernels() {
				return
			}
			for k := range 600 {
				c := 1 + k%abi.NarrowRow
				start, n := laneCount*rng.IntN(3*c), 1+rng.IntN(200)
				label := make([]int32, (start+n-1)/c+1+rng.IntN(2)*rng.IntN(40))
				y := []Target{Labels(label), ZeroBased(label), Labels(label).Ignoring(int32(rng.IntN(c + 1))), Labels(label).Ignoring(255)}[rng.IntN(4)]
				for i := range label {
					if label[i] = rng.Int32N(int32(c) + 1); k%2 == 0 && rng.IntN(3) == 0 {
						label[i] = y.ignore
					}
				}
				j := &job[float32]{x: mixedLogits[float32](rng, len(label)*c), y: y, c: c}
				j.params.neg, j.params.pos = 0.75, 0.25
				require.NoError(t, j.y.checkLabels("test", c))
				require.Equal(t, !slices.Contains(label, y.ignore), j.y.allKept || uint32(y.ignore) <= uint32(c) && !slices.Contains(label, y.ignore))
				if rng.IntN(3) == 0 { // of another type
					wide := make([]int64, len(label))
					for i, v := range label {
						wide[i] = int64(v)
					}
					j.y.label = numbersOf(wide)
				}
				var rows, neg, pos []float32
				if rng.IntN(2) == 0 {
					rows = randomWeights[float32](rng, len(label))
				}
				if rng.IntN(2) == 0 {
					neg, pos = randomWeights[float32](rng, c), randomWeights[float32](rng, c)
					j.y.neg, j.y.pos = numbersOf(neg), numbersOf(pos)
				}
				j.weighted = rows != nil || neg != nil
				var s scratch[float32]
				u, w := make([]float32, n), make([]float32, n)
				s.expandRows(j, u, w, j.x[start:start+n], rows, start)
				for i := range n {
					at := start + i
					wantU, wantW, classes := j.x[at], j.params.neg, neg
					switch l := label[at/c]; {
					case l == y.ignore:
						wantU, wantW = 0, 0
					case l-y.offset == int32(at%c):
						wantU, wantW, classes = -wantU, j.params.pos, pos
					}
					if classes != nil {
						wantW *= classes[at%c]
					}
					if rows != nil {
						wantW *= rows[at/c]
					}
					require.True(t, sameBits(wantU, u[i]) && wantW == w[i], "%v: C = %d, element %d of %d from %d on: u = %v, w = %v, want %v, %v",
						p, c, i, n, start, u[i], w[i], wantU, wantW)
				}
			}
		})
	}
}

// fewer takes as many elements as it may: whole words, with no more bits than that.
func TestFewer(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	for range 200 {
		m, _ := randomMasks(rng, rng.Float64(), 1)
		n := 64 + rng.IntN(pieceLen-64)
		all := m.count(n)
		if all < 65 {
			continue
		}
		most := 64 + rng.IntN(all-64)
		got := m.fewer(n, most)
		require.Zero(t, got%64)
		require.LessOrEqual(t, m.count(got), most)
		require.Greater(t, m.count(min(got+64, n)), most)
	}
}

// Soft targets have a weight where hard ones of one side have none.
func TestBlocksSoftBesideWeightless(t *testing.T) {
	for _, alpha := range []float64{0, 1} {
		x, target, dst := make([]float32, 512), make([]float32, 512), make([]float32, 512)
		for i := range target {
			target[i] = float32(i % 2)
		}
		target[100] = 0.5
		require.NoError(t, Loss(dst, x, Dense(target), Params{Gamma: 2, Alpha: alpha}))
		for i, v := range dst {
			want := i == 100 || target[i] == float32(alpha)
			require.Equal(t, want, v > 0, "alpha %v, element %d", alpha, i)
		}
	}
}

// Weights of classes are written once for all chunks of negatives; pieces that go other ways use the same memory. What a piece has must
// not depend on those before it.
func TestBlocksWeightsOfClasses(t *testing.T) {
	forFloats(t, testBlocksWeightsOfClasses[float32], testBlocksWeightsOfClasses[float64])
}

func testBlocksWeightsOfClasses[T Float](t *testing.T) {
	const c, pieces = 32, 12
	rng := rand.New(rand.NewPCG(71, 72))
	x, target := mixedLogits[T](rng, pieces*pieceLen), make([]T, pieces*pieceLen)
	for i := range target {
		switch share := rng.Float64(); i / pieceLen % 4 {
		case 1: // as bits
			target[i] = T(rng.IntN(2))
		case 3: // as targets, some of which are ignored
			if target[i] = T(share); share < 0.1 {
				target[i] = 7
			}
		default: // as negatives
			if share < 0.01 {
				target[i] = 1
			}
		}
	}
	neg, pos := randomWeights[T](rng, c), randomWeights[T](rng, c)
	for _, p := range availablePaths() {
		withPath(p, func() {
			whole, parts := make([]T, len(x)), make([]T, len(x))
			target := func(from, to int) Target { return WeighClasses(Dense(target[from:to]).Ignoring(7), neg, pos) }
			require.NoError(t, Grad(whole, x, target(0, len(x)), nil, Default()))
			for from := 0; from < len(x); from += pieceLen {
				to := from + pieceLen
				require.NoError(t, Grad(parts[from:to], x[from:to], target(from, to), nil, Default()))
			}
			requireSameBits(t, parts, whole)
		})
	}
}

// Chunks write the weights of classes where others have left theirs, or a table of narrow rows, for all that follow. Weights of elements,
// which give the same bits, are never left anywhere.
func TestBlocksWeightsOfManyClasses(t *testing.T) {
	forFloats(t, testBlocksWeightsOfManyClasses[float32], testBlocksWeightsOfManyClasses[float64])
}

func testBlocksWeightsOfManyClasses[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(75, 76))
	for c := 2; c <= patternMost+2; c++ {
		if effort.Least() && c > 2 && c%37 != 0 {
			continue
		}
		rows := 2*blockLen/c + 3
		if c <= abi.NarrowRow {
			rows *= 5 // until a unit of rows begins with a vector again
		}
		x, label, class, element := mixedLogits[T](rng, rows*c), make([]int32, rows), randomWeights[T](rng, c), make([]T, rows*c)
		repeat(element, class)
		if c <= abi.NarrowRow {
			for i := range label {
				if i*c/pieceLen%4 > 0 { // too many positives to be patched
					label[i] = 1 + rng.Int32N(int32(c))
				}
			}
		}
		byClass, byElement := WeighClasses(Labels(label), class, class), WeighElements(Labels(label), element)
		got, want := make([]T, len(x)), make([]T, len(x))
		require.NoError(t, Loss(got, x, byClass, Default()))
		require.NoError(t, Loss(want, x, byElement, Default()))
		requireSameBits(t, got, want)
		require.NoError(t, Rows(got[:rows], x, byClass, Default()))
		require.NoError(t, Rows(want[:rows], x, byElement, Default()))
		requireSameBits(t, got[:rows], want[:rows])
	}
}

// Vectors multiply what is behind a row's pattern. Were that left as it is found, it might be subnormal, and take twenty times as long.
func TestPatternEnd(t *testing.T) {
	forFloats(t, testPatternEnd[float32], testPatternEnd[float64])
}

func testPatternEnd[T Float](t *testing.T) {
	for _, c := range []int{2, 3, patternMost} {
		var s scratch[T]
		for i := range s.pattern {
			s.pattern[i] = fromBits[T](1)
		}
		j := &job[T]{c: c}
		j.params.neg = 1
		for i, v := range s.patternOf(j, negSide) {
			switch {
			case i < c:
				require.EqualValues(t, 1, v)
			case i < c+laneCount:
				require.Zero(t, v)
			}
		}
	}
}

// Weights of rows and of elements use the memory of the table by which narrow rows are expanded.
func TestBlocksWeightsOfNarrowRows(t *testing.T) {
	forFloats(t, testBlocksWeightsOfNarrowRows[float32], testBlocksWeightsOfNarrowRows[float64])
}

func testBlocksWeightsOfNarrowRows[T Float](t *testing.T) {
	classes, pieces := []int{1, 2, 3, 5, 8, 10, 13, 15}, 18 // Rows begins a piece of them at a multiple of laneCount twice, and at others in between
	if effort.Least() {
		classes, pieces = []int{3, 10}, 4
	}
	for _, c := range classes {
		rng := rand.New(rand.NewPCG(75, uint64(c)))
		label := make([]int32, pieces*pieceLen/c)
		for i := range label {
			if rare := i*c/pieceLen%3 == 0; !rare || rng.IntN(20) == 0 { // rare ones are patched from 8 columns on
				label[i] = rng.Int32N(int32(c + 1))
			}
		}
		x := mixedLogits[T](rng, len(label)*c)
		weights := func(n int) []T {
			w := make([]T, n)
			for i := range w {
				w[i] = T(float64(rng.IntN(10)) * rng.Float64())
			}
			return w
		}
		rows, element, neg, pos := weights(len(label)), weights(len(x)), weights(c), weights(c)
		for name, y := range map[string]Target{
			"rows":         WeighRows(Labels(label), rows),
			"classes":      WeighClasses(Labels(label), neg, pos),
			"elements":     WeighElements(Labels(label), element),
			"ignored, all": WeighElements(WeighRows(WeighClasses(Labels(label).Ignoring(1), neg, pos), rows), element),
		} {
			var want, wantGrad, wantRows []T
			for _, p := range slices.Backward(availablePaths()) { // the reference is the last
				loss, grad, perRow := make([]T, len(x)), slices.Clone(x), make([]T, len(label))
				withPath(p, func() {
					require.NoError(t, Rows(perRow, x, y, Default()))
					_, err := Fused(Out[T]{Loss: loss, Grad: grad}, grad, y, Default())
					require.NoError(t, err)
				})
				if want == nil {
					want, wantGrad, wantRows = loss, grad, perRow
				}
				requireSameBits(t, wantRows, perRow)
				for i := range x {
					if !sameBits(want[i], loss[i]) || !sameBits(wantGrad[i], grad[i]) {
						require.Failf(t, "bits differ", "%v: C = %d, weights of %s: element %d is %v, %v, want %v, %v",
							p, c, name, i, loss[i], grad[i], want[i], wantGrad[i])
					}
				}
			}
		}
	}
}

// Where each row has a score between 0 and 1, as many elements are patched as can be.
func TestBlocksAllScored(t *testing.T) {
	forFloats(t, testBlocksAllScored[float32], testBlocksAllScored[float64])
}

func testBlocksAllScored[T Float](t *testing.T) {
	const rows = 3 * patchMost
	rng := rand.New(rand.NewPCG(77, 78))
	for _, c := range []int{1, 2, listColumns, 20} {
		x, label, score := mixedLogits[T](rng, rows*c), make([]int32, rows), make([]T, rows)
		for i := range label {
			label[i], score[i] = int32(1+i%c), T(0.01+0.98*rng.Float64())
		}
		for _, quality := range []Quality{Varifocal, Aligned, QualityFocal} {
			whole, parts := make([]T, len(x)), make([]T, len(x))
			require.NoError(t, Grad(whole, x, Scored(Labels(label), score, quality), nil, Default()))
			for i := range rows {
				from, to := i*c, (i+1)*c
				y := Scored(Labels(label[i:i+1]), score[i:i+1], quality)
				require.NoError(t, Grad(parts[from:to], x[from:to], y, nil, Default()))
			}
			requireSameBits(t, parts, whole)
		}
	}
}

// Rows and columns are right however many elements there are.
func TestRowCol(t *testing.T) {
	rng := rand.New(rand.NewPCG(79, 80))
	for range 10000 {
		i, c := rng.Int()>>rng.IntN(strconv.IntSize-1), 1+rng.Int()>>(1+rng.IntN(strconv.IntSize-2))
		row, col := (&job[float32]{c: c}).rowCol(i)
		require.Equal(t, [...]int{i / c, i % c}, [...]int{row, col}, "element %d of rows of %d", i, c)
	}
}

// Chunks that are shorter for weights of rows do not move the lanes of a sum, whatever a path's group is.
func TestRowsFit(t *testing.T) {
	for c := 1; c <= patternMost+1; c++ {
		for _, group := range []int{1, laneCount, maxGroup} {
			for _, most := range []int{512, 1024, 2048} {
				j := job[float32]{c: c}
				fit := j.rowsFit(most, most+2*maxGroup, group)
				require.Zero(t, fit%laneCount, "C = %d, groups of %d", c, group)
				require.LessOrEqual(t, fit, most)
			}
		}
	}
}

// A product with the inverse is the quotient.
func TestQuotient32(t *testing.T) {
	rng := rand.New(rand.NewPCG(73, 74))
	for range 10000 {
		j := job[float32]{c: 2 + rng.IntN(1<<(1+rng.IntN(30)))}
		j.setInverse()
		n := uint64(rng.Uint32() >> rng.IntN(32))
		for _, n := range []uint64{n, n / uint64(j.c) * uint64(j.c), max(n/uint64(j.c)*uint64(j.c), 1) - 1, 1<<32 - 1} {
			require.Equal(t, n/uint64(j.c), quotient32(n, j.inverse), "%d/%d", n, j.c)
		}
	}
}

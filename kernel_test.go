package focal

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/effort"
)

// Every kernel of every path returns the bits of the reference. The kernels stand in one table, which all tests go
// through: one that is added to the package cannot be left out of a test.

// A testKernel is one kernel of one path.
type testKernel[T Float] struct {
	name    string // operation, element, path: lossSquareF32AVX2
	path    kernelPath
	outputs int  // how many of loss, gradient and Hessian it can write; 0 is the sigmoid, written to Loss
	square  bool // γ = 2 only
	soft    bool // takes a target for each element
	run     func(b *block[T])
	compare func(b *block[T]) // the reference
}

var (
	kernelNames = [kernelIDs]string{lossSquare: "lossSquare", lossPower: "lossPower", gradSquare: "gradSquare",
		gradPower: "gradPower", hessSquare: "hessSquare", hessPower: "hessPower",
		softLossSquare: "softLossSquare", softLossPower: "softLossPower", softGradSquare: "softGradSquare",
		softGradPower: "softGradPower", softHessSquare: "softHessSquare", softHessPower: "softHessPower"}
	pathNames = [...]string{pathGeneric: "Generic", pathNEON: "NEON", pathAVX2: "AVX2", pathAVX512: "AVX512"}
)

// kernelTable returns all kernels of an element type that this machine can run, the reference apart.
func kernelTable[T Float]() (table []testKernel[T]) {
	double := isFloat64[T]()
	element := "F32"
	if double {
		element = "F64"
	}
	for _, p := range availablePaths() {
		if p == pathGeneric {
			continue
		}
		for id := range kernelIDs {
			global := id
			if double {
				global += kernelIDs
			}
			table = append(table, testKernel[T]{
				name: kernelNames[id] + element + pathNames[p], path: p,
				outputs: 1 + int(id%softLossSquare)/2, square: id%2 == 0, soft: id >= softLossSquare,
				run: func(b *block[T]) {
					if !assemblyBlock(p, global, unsafe.Pointer(b)) {
						panic("no kernel was called")
					}
				},
				compare: genericBlock[T],
			})
		}
		table = append(table, testKernel[T]{
			name: "sigmoid" + element + pathNames[p], path: p,
			run: func(b *block[T]) {
				if !assemblySigmoid(p, double, unsafe.Pointer(b.Loss), unsafe.Pointer(b.X), b.N) {
					panic("no kernel was called")
				}
			},
			compare: func(b *block[T]) { genericSigmoid(b.Loss, b.X, b.N) },
		})
	}
	return table
}

// forKernels runs a test for every row of the table. If there is none, there is nothing to compare.
func forKernels(t *testing.T, f32 func(*testing.T, testKernel[float32]), f64 func(*testing.T, testKernel[float64])) {
	for _, k := range kernelTable[float32]() {
		t.Run(k.name, func(t *testing.T) { f32(t, k) })
	}
	for _, k := range kernelTable[float64]() {
		t.Run(k.name, func(t *testing.T) { f64(t, k) })
	}
}

// gammas are those that a kernel is tested with. The power kernels can do 2 as well.
func (k *testKernel[T]) gammas() []float64 {
	if k.square {
		return []float64{2}
	}
	if k.outputs == 0 {
		return []float64{0} // it has none
	}
	return []float64{0, 0.5, 1, 2, 2.3, 5, 100, 1e6, 1e300}
}

// targets returns what the kernel takes beside the logits: values from 0 to 1, mostly where something goes wrong. It is nil
// if the kernel takes none.
func (k *testKernel[T]) targets(rng *rand.Rand, n int) []T {
	if !k.soft {
		return nil
	}
	return mixedTargets[T](rng, n)
}

// plan returns what the kernel is told about the parameters.
func (k *testKernel[T]) plan(p Params) plan[T] {
	pl := newPlan[T](p)
	pl.Square = k.square
	return pl
}

// wanted are the combinations of outputs that the kernel is called for, as bits: 1 is the loss, 2 the gradient, 4 the
// Hessian. The last of those that it can write is always wanted, except that a sum may be all.
func (k *testKernel[T]) wanted() []int {
	switch k.outputs {
	case 1:
		return []int{0, 1}
	case 2:
		return []int{2, 3}
	case 3:
		return []int{4, 5, 6, 7}
	}
	return []int{1} // sigmoid
}

// A kernelCall is a call of a kernel, but for where in memory it takes place.
type kernelCall[T Float] struct {
	x, dout   []T      // dout nil: all ones
	target    []T      // nil: pos tells
	pos, keep *bitmask // keep nil: nothing is ignored
	plan      plan[T]
	wanted    int
	sums      *laneSums // to be added to; nil: not wanted
}

func (c kernelCall[T]) String() string {
	return fmt.Sprintf("n=%d plan=%+v wanted=%03b dout=%v keep=%v sums=%v", len(c.x), c.plan, c.wanted, c.dout != nil, c.keep != nil, c.sums != nil)
}

// A placement says where the slices are: how many elements behind a multiple of 64 bytes.
type placement struct {
	x, dout int // target as dout
	out     [3]int
	inPlace int // the output that is x itself; 0: none
}

// A frame is memory around a slice, which shows whether anything beside it is written.
type frame[T Float] struct {
	mem      []T
	from, to int
}

const (
	frameMargin  = 64 // elements: no kernel processes more at a time
	frameOffsets = 64 // bytes
)

// place returns room for n elements at an offset. All memory around it, and in it, has the canary's value.
func (f *frame[T]) place(n, offset int) []T {
	var zero T
	align := frameOffsets / int(unsafe.Sizeof(zero))
	size := n + 2*frameMargin + 2*align
	if cap(f.mem) < size {
		f.mem = make([]T, size)
	}
	f.mem = f.mem[:size]
	canary := canaryOf[T]()
	for i := range f.mem {
		f.mem[i] = canary
	}
	base := 0
	for uintptr(unsafe.Pointer(&f.mem[base]))%frameOffsets != 0 {
		base++
	}
	f.from = base + frameMargin + offset
	f.to = f.from + n
	return f.mem[f.from:f.to:f.to]
}

// canaryOf returns a value that no kernel writes.
func canaryOf[T Float]() T { return fromBits[T](0x7ff5_5aa5_7ff5_5aa5) }

// firstDifference returns the first index where bits differ between the frame and canaries around want: negative
// before the slice, len(want) and above behind it.
func (f *frame[T]) firstDifference(want []T) (index int, differ bool) {
	canary := toBits(canaryOf[T]())
	for i, v := range f.mem {
		w := canary
		if i >= f.from && i < f.to {
			w = toBits(want[i-f.from])
		}
		if toBits(v) != w {
			return i - f.from, true
		}
	}
	return 0, false
}

// A stage has room for calls.
type stage[T Float] struct {
	x, dout, target frame[T]
	out             [3]frame[T]
}

// block places a call in memory.
func (s *stage[T]) block(c *kernelCall[T], at placement, sums *laneSums) *block[T] {
	n := len(c.x)
	first := func(v []T) *T { return unsafe.SliceData(v[:0]) }
	b := &block[T]{N: n, Pos: c.pos, Keep: c.keep, Sums: sums, Plan: c.plan}
	x := s.x.place(n, at.x)
	copy(x, c.x)
	b.X = first(x)
	if c.dout != nil {
		dout := s.dout.place(n, at.dout)
		copy(dout, c.dout)
		b.Dout = first(dout)
	}
	if c.target != nil {
		target := s.target.place(n, at.dout)
		copy(target, c.target)
		b.Target = first(target)
	}
	for k, p := range []**T{&b.Loss, &b.Grad, &b.Hess} {
		if c.wanted>>k&1 == 0 {
			continue
		}
		if *p = b.X; at.inPlace != 1<<k {
			*p = first(s.out[k].place(n, at.out[k]))
		}
	}
	return b
}

// A kernelResult is what a call leaves behind.
type kernelResult[T Float] struct {
	out  [3][]T // nil: not wanted
	sums laneSums
}

// reference returns what the call shall leave behind.
func (k *testKernel[T]) reference(c *kernelCall[T]) (r kernelResult[T]) {
	n := len(c.x)
	b := &block[T]{N: n, X: unsafe.SliceData(c.x), Dout: unsafe.SliceData(c.dout), Target: unsafe.SliceData(c.target), Pos: c.pos, Keep: c.keep, Plan: c.plan}
	if c.sums != nil {
		r.sums = *c.sums
		b.Sums = &r.sums
	}
	for k, p := range []**T{&b.Loss, &b.Grad, &b.Hess} {
		if c.wanted>>k&1 != 0 {
			r.out[k] = make([]T, n)
			*p = unsafe.SliceData(r.out[k])
		}
	}
	k.compare(b)
	return r
}

// check runs the kernel and requires that it leaves behind what is wanted, and nothing else anywhere.
func (k *testKernel[T]) check(t *testing.T, s *stage[T], c *kernelCall[T], at placement, want *kernelResult[T]) {
	t.Helper()
	var sums *laneSums
	if c.sums != nil {
		copied := *c.sums
		sums = &copied
	}
	b := s.block(c, at, sums)
	before := *b
	k.run(b)
	if *b != before {
		t.Fatalf("%v %+v: the block itself is changed", c, at)
	}

	fail := func(what string, i int, got, want T) {
		t.Helper()
		at := fmt.Sprintf("%v %+v: %s[%d] is %v (%#x), want %v (%#x)", c, at, what, i, got, toBits(got), want, toBits(want))
		if i < 0 || i >= len(c.x) {
			t.Fatalf("%s: written outside of the slice", at)
		}
		t.Fatalf("%s; x %v (%#x) pos %v", at, c.x[i], toBits(c.x[i]), c.pos[i/64]>>(i%64)&1)
	}
	compare := func(what string, f *frame[T], want []T) {
		t.Helper()
		if i, differ := f.firstDifference(want); differ {
			w := canaryOf[T]()
			if i >= 0 && i < len(want) {
				w = want[i]
			}
			fail(what, i, f.mem[f.from+i], w)
		}
	}
	names := [...]string{"loss", "grad", "hess"}
	xAfter := c.x
	for o, w := range want.out {
		switch {
		case w == nil:
		case at.inPlace == 1<<o:
			xAfter = w
		default:
			compare(names[o], &s.out[o], w)
		}
	}
	compare("x", &s.x, xAfter)
	if c.dout != nil {
		compare("dout", &s.dout, c.dout)
	}
	if sums != nil && !sameSums(&want.sums, sums) {
		t.Fatalf("%v %+v: sums are %v, want %v", c, at, *sums, want.sums)
	}
}

// sameSums compares bits, except that a NaN is a NaN.
func sameSums(a, b *laneSums) bool {
	for i := range a.Hi {
		if !sameBits(a.Hi[i], b.Hi[i]) || !sameBits(a.Lo[i], b.Lo[i]) {
			return false
		}
	}
	return true
}

// randomMasks returns masks with the given shares of positives and of kept elements, beyond the block's length too. No
// ignored element is a positive.
func randomMasks(rng *rand.Rand, positive, kept float64) (pos, keep *bitmask) {
	pos, keep = new(bitmask), new(bitmask)
	for i := range len(pos) * 64 {
		if rng.Float64() < kept {
			keep[i/64] |= 1 << (i % 64)
			if rng.Float64() < positive {
				pos[i/64] |= 1 << (i % 64)
			}
		}
	}
	return pos, keep
}

func randomSums[T Float](rng *rand.Rand) *laneSums {
	s := new(laneSums)
	for i := range s.Hi {
		s.Hi[i] = rng.ExpFloat64()
		if isFloat64[T]() {
			s.Lo[i] = math.Ldexp(rng.NormFloat64(), -53)
		}
	}
	return s
}

// mixedLogits returns mostly what a model gives, and every kind of special value among it.
func mixedLogits[T Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		switch rng.IntN(16) {
		case 0:
			x[i] = specialValues[T]()[rng.IntN(len(specialValues[T]()))]
		case 1:
			x[i] = fromBits[T](rng.Uint64())
		case 2:
			x[i] = T(1000 * rng.NormFloat64())
		case 3:
			x[i] = T(100 * rng.NormFloat64())
		default:
			x[i] = T(8 * rng.NormFloat64())
		}
	}
	return x
}

// mixedTargets returns targets in [0, 1]: hard ones, close to them, close to a half, and anything between.
func mixedTargets[T Float](rng *rand.Rand, n int) []T {
	t := make([]T, n)
	for i := range t {
		switch rng.IntN(8) {
		case 0, 1:
			t[i] = T(rng.IntN(2))
		case 2:
			t[i] = T(math.Exp(-800 * rng.Float64())) // 0 too
		case 3:
			t[i] = 1 - T(math.Exp2(-60*rng.Float64()))
		case 4:
			t[i] = T(0.5 + 0.5*math.Copysign(math.Exp2(-60*rng.Float64()), rng.Float64()-0.5))
		case 5:
			t[i] = []T{0, T(math.Copysign(0, -1)), 0.5, 1, fromBits[T](1), T(math.Nextafter(1, 0))}[rng.IntN(6)]
		default:
			t[i] = T(rng.Float64())
		}
	}
	return t
}

// mixedDout returns upstream gradients, special ones among them.
func mixedDout[T Float](rng *rand.Rand, n int) []T {
	d := make([]T, n)
	for i := range d {
		d[i] = T(rng.NormFloat64())
		if rng.IntN(8) == 0 {
			d[i] = specialValues[T]()[rng.IntN(len(specialValues[T]()))]
		}
	}
	return d
}

// specialValues are those that the format of T singles out, with both signs.
func specialValues[T Float]() []T {
	if isFloat64[T]() {
		return any(special64).([]T)
	}
	return any(special32).([]T)
}

var (
	special32 = specials[float32](23, 0xff)
	special64 = specials[float64](52, 0x7ff)
)

func specials[T Float](mantissaBits int, maxExponent uint64) (v []T) {
	inf, quiet := maxExponent<<mantissaBits, uint64(1)<<(mantissaBits-1)
	one := toBits(T(1))
	for _, b := range []uint64{
		0, 1, 2, 3, quiet, 1<<mantissaBits - 1, // subnormal
		1 << mantissaBits, 1<<mantissaBits + 1, 2 << mantissaBits, // the least normal numbers
		one - 1, one, one + 1, inf - 1, inf,
		inf + 1, inf + 0x2345, inf + quiet - 1, // signalling NaNs
		inf + quiet, inf + quiet + 1, inf + quiet + 0x12345, inf + 2*quiet - 1, // quiet ones
	} {
		v = append(v, fromBits[T](b), fromBits[T](b|toBits(T(math.Copysign(0, -1)))))
	}
	return v
}

// adversarialLogits are the values around which a kernel takes another turn: entries of the tables, bounds, ends of
// ranges, each with its neighbours.
func adversarialLogits[T Float](ulps int) (x []T) {
	l := constantsOf[T]().Layout
	around := func(v float64) {
		b := toBits(T(v))
		for d := -ulps; d <= ulps; d++ {
			u := fromBits[T](b + uint64(d))
			x = append(x, u, -u)
		}
	}
	x = append(x, specialValues[T]()...)
	// Multiples of ln2/8 are where e is in the table, those half-way between are where the entry changes.
	for k := 1; float64(k)*math.Ln2/16 < l.ClampTiny+2; k++ {
		if k < 1000 || k%5 == 0 {
			around(float64(k) * math.Ln2 / 16)
		}
	}
	// The entry for 1/(1+e) changes near here.
	for i := range 7 {
		around(-math.Log((float64(i) + 0.5) / 7))
	}
	for _, v := range []float64{
		l.Clamp, l.ClampTiny, l.MaxSoftplus, -l.PowMin * math.Ln2 / 8, -l.PowMin, // bounds
		87.33654, 88.72284, 103.97208, 104, 131, 708.3964, 709.7827, 744.4401, 745.1332, 796, // ends of the range of exp
		16.6355, 17.3287, 36.7368, 37.4299, // where 1+e is 1
	} {
		around(v)
		around(v / 2)
		around(v / 3)
	}
	for e := -2*l.MantissaBits - 6; e < 2*l.MantissaBits; e++ {
		around(math.Ldexp(1, e))
	}
	return x
}

// gammaLogits are random, and many of them where s^γ neither vanishes nor is 1.
func gammaLogits[T Float](rng *rand.Rand, gamma float64, n int) (x []T) {
	l := constantsOf[T]().Layout
	for range n {
		switch rng.IntN(5) {
		case 0:
			x = append(x, fromBits[T](rng.Uint64()))
		case 1: // s^γ ≈ exp(γ·u)
			x = append(x, T(1.2*l.PowMin*math.Ln2/8/(1+gamma)*rng.Float64()))
		case 2: // s^γ ≈ exp(-γ·exp(-u))
			x = append(x, T(math.Log1p(gamma)+4*rng.NormFloat64()))
		case 3:
			x = append(x, T(l.ClampTiny*rng.NormFloat64()))
		default:
			x = append(x, T(8*rng.NormFloat64()))
		}
	}
	for i := range x {
		if rng.IntN(2) == 0 {
			x[i] = -x[i]
		}
	}
	return x
}

// weightParams are weights of all magnitudes. A weight of 0 reaches no kernel; see ignoreWeightless.
func weightParams[T Float](gamma float64) []Params {
	least, greatest := 140.0, 46.0
	if isFloat64[T]() {
		least, greatest = 1060, 510
	}
	return []Params{
		{Gamma: gamma, Alpha: 0.25, Norm: 37},
		{Gamma: gamma, Alpha: NoAlpha, Norm: 1},
		{Gamma: gamma, Alpha: 0.25, Norm: math.Exp2(least)},      // subnormal
		{Gamma: gamma, Alpha: 0.75, Norm: math.Exp2(-greatest)},  // beyond this it is an error
		{Gamma: gamma, Alpha: 1e-30, Norm: math.Exp2(least - 8)}, // different ones
	}
}

func TestKernelsValues(t *testing.T) {
	forKernels(t, testKernelsValues[float32], testKernelsValues[float64])
}

func testKernelsValues[T Float](t *testing.T, k testKernel[T]) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	var s stage[T]
	fixed := adversarialLogits[T](1)
	if k.square || k.outputs == 0 {
		fixed = adversarialLogits[T](4)
	}
	random := blockLen
	if !effort.Full() {
		rng.Shuffle(len(fixed), func(i, j int) { fixed[i], fixed[j] = fixed[j], fixed[i] })
		fixed, random = fixed[:blockLen/2], blockLen/4
	}
	check := func(x []T, p Params) {
		t.Helper()
		for len(x) > 0 {
			n := min(blockLen, len(x))
			pos, keep := randomMasks(rng, 0.5, 0.9)
			c := kernelCall[T]{x: x[:n], pos: pos, plan: k.plan(p), wanted: k.wanted()[len(k.wanted())-1], sums: &laneSums{}}
			c.keep, c.dout, c.target = keep, mixedDout[T](rng, n), k.targets(rng, n)
			want := k.reference(&c)
			k.check(t, &s, &c, placement{}, &want)
			if k.outputs == 0 {
				x = x[n:]
				continue
			}

			c.keep, c.dout = nil, nil
			for i := range pos {
				pos[i] = ^pos[i]
			}
			want = k.reference(&c)
			k.check(t, &s, &c, placement{}, &want)
			x = x[n:]
		}
	}
	for i, gamma := range k.gammas() {
		params := weightParams[T](gamma)
		if i%4 == 0 || gamma == 2 { // where a table's entry changes does not depend on γ
			check(fixed, params[0])
		}
		for j, p := range params {
			if j > 0 && j%4 != i%4 && !k.square {
				continue // not all for each γ
			}
			check(gammaLogits[T](rng, gamma, random), p)
		}
	}
}

func TestKernelsSweep(t *testing.T) {
	for _, k := range kernelTable[float32]() {
		t.Run(k.name, func(t *testing.T) { testKernelsSweep(t, k) })
	}
}

func testKernelsSweep(t *testing.T, k testKernel[float32]) {
	t.Parallel()
	var s stage[float32]
	pos := new(bitmask)
	for i := range pos {
		pos[i] = 0xaaaa_aaaa_aaaa_aaaa
	}
	rng := rand.New(rand.NewPCG(13, 14))
	gammas := k.gammas()
	if len(gammas) > 1 {
		gammas = []float64{2.3}
	}
	step := uint64(131101)
	if effort.Full() {
		step = 32771
	}
	for _, gamma := range gammas {
		sweep32(step, func(u []float32) {
			for len(u) > 0 {
				n := min(blockLen, len(u))
				c := kernelCall[float32]{x: u[:n], pos: pos, plan: k.plan(Params{Gamma: gamma, Alpha: 0.25, Norm: 3}),
					target: k.targets(rng, n), wanted: k.wanted()[len(k.wanted())-1]}
				want := k.reference(&c)
				k.check(t, &s, &c, placement{}, &want)
				u = u[n:]
			}
		})
	}
}

// Every length and every alignment of all slices, with nothing written beside them.
func TestKernelsLengths(t *testing.T) {
	forKernels(t, testKernelsLengths[float32], testKernelsLengths[float64])
}

func testKernelsLengths[T Float](t *testing.T, k testKernel[T]) {
	t.Parallel()
	const most = 300
	rng := rand.New(rand.NewPCG(5, 6))
	var s stage[T]
	var zero T
	offsets := frameOffsets / int(unsafe.Sizeof(zero))
	x, dout, sums := mixedLogits[T](rng, most), mixedDout[T](rng, most), randomSums[T](rng)
	pos, keep := randomMasks(rng, 0.5, 0.8)
	target := k.targets(rng, most)
	gammas, wanted := k.gammas(), k.wanted()
	for n := range most + 1 {
		c := kernelCall[T]{
			x: x[:n], dout: dout[:n], pos: pos, keep: keep, sums: sums, wanted: wanted[n%len(wanted)],
			plan: k.plan(Params{Gamma: gammas[n/2%len(gammas)], Alpha: 0.25, Norm: 7}),
		}
		if k.soft {
			c.target = target[:n]
		}
		if n/4%2 == 0 {
			c.keep = nil
		}
		if n/8%2 == 0 {
			c.dout = nil
		}
		if k.outputs == 0 {
			c.sums = nil
		}
		want := k.reference(&c)
		for offset := range offsets {
			if !effort.Full() && offset%5 != n%5 || effort.Least() && (offset != n%offsets || n > 70 && n%31 != 0) {
				continue
			}
			at := placement{x: offset, dout: (offset + 3*n) % offsets}
			for o := range at.out {
				at.out[o] = (offset*(o+2) + n + 5*o) % offsets
			}
			k.check(t, &s, &c, at, &want)
		}
	}
}

// Every combination of what is wanted and given, and in place.
func TestKernelsCombinations(t *testing.T) {
	forKernels(t, testKernelsCombinations[float32], testKernelsCombinations[float64])
}

func testKernelsCombinations[T Float](t *testing.T, k testKernel[T]) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	var s stage[T]
	for _, n := range []int{1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 48, 64, 65, 100, 129, 300} {
		x, dout, target := mixedLogits[T](rng, n), mixedDout[T](rng, n), k.targets(rng, n)
		for combination := range 1 << 3 {
			with := func(bit int) bool { return combination>>bit&1 != 0 }
			if k.outputs == 0 && combination != 0 {
				continue
			}
			for _, kept := range []float64{0, 0.5, 1} { // all ignored, half of them, none
				pos, keep := randomMasks(rng, 0.5, kept)
				for i, gamma := range k.gammas() {
					if len(k.gammas()) > 1 && (i+n+combination)%4 != 0 {
						continue
					}
					for _, wanted := range k.wanted() {
						c := kernelCall[T]{x: x, pos: pos, target: target, wanted: wanted, plan: k.plan(Params{Gamma: gamma, Alpha: 0.25, Norm: 3})}
						if with(0) {
							c.keep = keep
						}
						if with(1) {
							c.sums = randomSums[T](rng)
						}
						if with(2) {
							c.dout = dout
						}
						want := k.reference(&c)
						k.check(t, &s, &c, placement{}, &want)
						for _, out := range []int{1, 2, 4} {
							if wanted&out != 0 {
								k.check(t, &s, &c, placement{x: 1, inPlace: out}, &want)
							}
						}
					}
				}
			}
		}
	}
}

// The tests above see what they shall see.
func TestKernelsTable(t *testing.T) {
	rows := 2 * (int(kernelIDs) + 1) * (len(availablePaths()) - 1)
	require.Equal(t, rows, len(kernelTable[float32]())+len(kernelTable[float64]()))
	names := map[string]bool{}
	for _, k := range kernelTable[float32]() {
		names[k.name] = true
	}
	for _, k := range kernelTable[float64]() {
		names[k.name] = true
		if k.outputs == 0 {
			continue
		}
		for _, wanted := range k.wanted() { // the row and the dispatch agree
			var s stage[float64]
			var pos bitmask
			c := kernelCall[float64]{x: make([]float64, 3), pos: &pos, wanted: wanted, plan: k.plan(Params{Gamma: k.gammas()[0]}),
				target: k.targets(rand.New(rand.NewPCG(15, 16)), 3)}
			id := kernelOf(s.block(&c, placement{}, nil))
			require.Equal(t, k.name, kernelNames[id-kernelIDs]+"F64"+pathNames[k.path])
		}
	}
	require.Len(t, names, rows)
}

// Polynomials of all lengths: the present ones are long ones of an odd number of coefficients, and short ones.
func TestPolynomial(t *testing.T) {
	coefficients := []float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8}
	for n := 2; n <= len(coefficients); n++ {
		want := 0.0 // exact
		for i := n - 1; i >= 0; i-- {
			want = want*2 + coefficients[i]
		}
		c := coefficients[:n]
		require.Equal(t, want, polynomial(c, 2, 4), "n = %d", n)
		require.Equal(t, want, short(c, 2), "n = %d", n)
		require.Equal(t, want, long(c, 2, 4), "n = %d", n)
	}
}

func TestFrame(t *testing.T) {
	var f frame[float32]
	for offset := range 16 {
		v := f.place(10, offset)
		require.Equal(t, uintptr(4*offset), uintptr(unsafe.Pointer(&v[0]))%64)
		for i := range v {
			v[i] = float32(i)
		}
		want := append([]float32(nil), v...)
		_, differ := f.firstDifference(want)
		require.False(t, differ)
		for _, at := range []int{-frameMargin, -1, 0, 9, 10, 9 + frameMargin} {
			v := f.place(10, offset)
			copy(v, want)
			f.mem[f.from+at] = -1
			i, differ := f.firstDifference(want)
			require.True(t, differ)
			require.Equal(t, at, i)
		}
	}
}

// The path in use is the best that there is.
func TestPathExpected(t *testing.T) {
	require.Equal(t, bestPath(), path, "a test has left another path behind")
	require.Equal(t, path, availablePaths()[0])
	if expected := map[string]string{"amd64": " generic avx2 avx512 ", "arm64": " generic neon "}[runtime.GOARCH]; expected != "" {
		require.Contains(t, expected, " "+Path()+" ")
	} else {
		require.Equal(t, "generic", Path())
	}
}

// Each path has all kernels, and the public functions get to them: what runBlock falls back to is the reference alone.
func TestPathKernels(t *testing.T) { forFloats(t, testPathKernels[float32], testPathKernels[float64]) }

func testPathKernels[T Float](t *testing.T) {
	x := T(0)
	for _, p := range availablePaths() {
		withPath(p, func() {
			require.Equal(t, p.String(), Path())
			require.Equal(t, strings.HasPrefix(Path(), "avx"), hasLabelKernels())
			var first kernelID
			if isFloat64[T]() {
				first = kernelIDs
			}
			for id := range kernelIDs {
				loss := T(-1)
				b := block[T]{N: 1, X: &x, Loss: &loss, Pos: new(bitmask), Plan: newPlan[T](Params{Gamma: 2, Alpha: NoAlpha})}
				if id >= softLossSquare {
					b.Target = &x
				}
				ran := p != pathGeneric && assemblyBlock(p, first+id, unsafe.Pointer(&b))
				require.Equal(t, p != pathGeneric, ran, "%v %s", p, kernelNames[id])
				if ran {
					require.InDelta(t, math.Ln2/4, float64(loss), 1e-6)
				}
			}
			s := T(-1)
			ran := p != pathGeneric && assemblySigmoid(p, isFloat64[T](), unsafe.Pointer(&s), unsafe.Pointer(&x), 1)
			require.Equal(t, p != pathGeneric, ran)
			if ran {
				require.Equal(t, T(0.5), s)
			}
		})
	}
}

// All paths and numbers of workers give the same results, through the public functions.

// publicBatch is a batch with all kinds of logits and labels, and upstream gradients.
func publicBatch[T Float](rows, c int) (x []T, y Target, dout []T) {
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(c)))
	label := make([]int32, rows)
	for i := range label {
		label[i] = rng.Int32N(int32(c)+2) - 1
	}
	return mixedLogits[T](rng, rows*c), Labels(label), mixedDout[T](rng, rows*c)
}

func TestPathsClasses(t *testing.T) {
	columns := []int{91, 128, 255, 1203}
	for c := 1; c <= 70; c++ {
		columns = append(columns, c)
	}
	var shapes [][2]int
	for i, c := range columns {
		if !effort.Full() && i%8 != 0 {
			continue
		}
		shapes = append(shapes, [2]int{blockLen/c + 2, c})
	}
	testPathsShapes(t, shapes)
}

func TestPathsBorders(t *testing.T) {
	shapes := borderShapes()
	if testing.Short() {
		shapes = shapes[:2]
	}
	for n := range 64 {
		shapes = append(shapes, [2]int{1, n + 1})
	}
	testPathsShapes(t, shapes)
}

func testPathsShapes(t *testing.T, shapes [][2]int) {
	forFloats(t,
		func(t *testing.T) { testPathsShapesOf[float32](t, shapes) },
		func(t *testing.T) { testPathsShapesOf[float64](t, shapes) })
}

func testPathsShapesOf[T Float](t *testing.T, shapes [][2]int) {
	params := []Params{
		{Gamma: 2, Alpha: 0.25, Norm: 17},
		{Gamma: 2.3, Alpha: 0.25, Norm: 17},
		{Gamma: 2, Alpha: NoAlpha},
		{Gamma: 0, Alpha: 0, Norm: 3},
		{Gamma: 2, Alpha: 1, Norm: 1},
	}
	for i, shape := range shapes {
		x, y, dout := publicBatch[T](shape[0], shape[1])
		p := params[i%len(params)]
		var want, got results[T]
		wantSigmoid, gotSigmoid := make([]T, len(x)), make([]T, len(x))
		withPath(pathGeneric, func() {
			want = compute(t, x, y, dout, p)
			require.NoError(t, Sigmoid(wantSigmoid, x))
		})
		for _, path := range availablePaths() {
			withPath(path, func() {
				require.Equal(t, path.String(), Path())
				require.NoError(t, Sigmoid(gotSigmoid, x))
				requireSameBits(t, wantSigmoid, gotSigmoid)
				for _, workers := range []int{1, 2, 3, 8} {
					if path == pathGeneric && workers != 3 || workers != 1+i%3 && i%4 != 0 && i >= 12 {
						continue // not all for each shape
					}
					p.Workers = workers
					got = compute(t, x, y, dout, p)
					requireIdentical(t, want, got)
				}
			})
			if t.Failed() {
				t.Fatalf("path %v, shape %v, %+v", path, shape, p)
			}
		}
	}
}

// requireIdentical compares the bits of NaNs too; those of sums excepted.
func requireIdentical[T Float](t *testing.T, want, got results[T]) {
	t.Helper()
	for k, w := range [][]T{want.loss, want.grad, want.fusedLoss, want.fusedGrad, want.fusedHess} {
		g := [][]T{got.loss, got.grad, got.fusedLoss, got.fusedGrad, got.fusedHess}[k]
		require.Equal(t, len(w), len(g))
		for i := range w {
			if toBits(w[i]) != toBits(g[i]) {
				require.Failf(t, "bits differ", "result %d, element %d: want %v (%#x), got %v (%#x)", k, i, w[i], toBits(w[i]), g[i], toBits(g[i]))
			}
		}
	}
	requireSameBits(t, []float64{want.sum, want.fusedSum}, []float64{got.sum, got.fusedSum})
}

func FuzzPathsFloat32(f *testing.F) { fuzzPaths[float32](f) }

func FuzzPathsFloat64(f *testing.F) { fuzzPaths[float64](f) }

// fuzzPaths compares all kernels with the reference. The logits' bytes are given, and each takes its masks and upstream
// gradient from a few more, over and over.
func fuzzPaths[T Float](f *testing.F) {
	table := kernelTable[T]()
	size := int(unsafe.Sizeof(T(0)))
	encode := func(x []T) (b []byte) {
		for _, v := range x {
			b = append(binary.LittleEndian.AppendUint64(nil, toBits(v))[:size:size], b...)
		}
		return b
	}
	rng := rand.New(rand.NewPCG(9, 10))
	special := specialValues[T]()
	f.Add(encode(special), []byte{0x55, 0xf0}, encode(special[:11]), 2.0, 0.25, 1.0, uint16(0xffff))
	f.Add(encode(mixedLogits[T](rng, 100)), []byte{1, 2, 4, 0xff}, []byte{}, 2.3, -1.0, 100.0, uint16(0))
	f.Add(encode(mixedLogits[T](rng, 33)), []byte{0xcc, 0xff, 1}, encode(special[:1]), 0.0, 0.75, 1e-9, uint16(0x1234))
	f.Add(encode([]T{1, -1, 0}), []byte{2}, encode([]T{3}), 1e300, 1.0, 0.5, uint16(0x55))
	f.Fuzz(func(t *testing.T, logits, masks, upstream []byte, gamma, alpha, norm float64, options uint16) {
		p := Params{Gamma: gamma, Alpha: alpha, Norm: norm}
		if p.check("") != nil || checkWeights[T]("", p) != nil {
			return
		}
		if pos, neg := classWeights[T](p); pos == 0 || neg == 0 {
			return
		}
		decode := func(b []byte) T {
			var word [8]byte
			copy(word[:size], b)
			return fromBits[T](binary.LittleEndian.Uint64(word[:]))
		}
		n := min(len(logits)/size, blockLen)
		c := kernelCall[T]{x: make([]T, n), pos: new(bitmask), keep: new(bitmask)}
		for i := range c.x {
			c.x[i] = decode(logits[i*size:])
		}
		for i := range 8 * len(c.pos) { // bytes of the masks
			pos, keep := byte(0), byte(0xff)
			if len(masks) > 0 {
				pos, keep = masks[i%len(masks)], masks[(i+1)%len(masks)]
			}
			c.pos[i/8] |= uint64(pos&keep) << (8 * (i % 8))
			c.keep[i/8] |= uint64(keep) << (8 * (i % 8))
		}
		if len(upstream) >= size {
			c.dout = make([]T, n)
			for i := range c.dout {
				c.dout[i] = decode(upstream[i%(len(upstream)/size)*size:])
			}
		}
		if options&1 != 0 {
			c.keep = nil
		}
		if options&2 != 0 {
			c.sums = &laneSums{}
		}
		offsets := frameOffsets / size
		at := placement{x: int(options>>2) % offsets, dout: int(options>>4) % offsets}
		for o := range at.out {
			at.out[o] = int(options>>(6+2*o)) % offsets
		}
		var s stage[T]
		target := mixedTargets[T](rand.New(rand.NewPCG(uint64(options), uint64(n))), n)
		for _, k := range table {
			c.target = nil
			if k.soft {
				c.target = target
			}
			if k.square && gamma != 2 {
				p := p
				p.Gamma = 2
				c.plan = k.plan(p)
			} else {
				c.plan = k.plan(p)
			}
			for _, c.wanted = range k.wanted() {
				if k.outputs == 0 {
					c := c
					c.sums = nil
					want := k.reference(&c)
					k.check(t, &s, &c, at, &want)
					continue
				}
				want := k.reference(&c)
				k.check(t, &s, &c, at, &want)
			}
		}
	})
}

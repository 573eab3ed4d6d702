package focal

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/effort"
)

// A testKernel is a kernel of an assembly path.
type testKernel[T Float] struct {
	name   string
	path   kernelPath
	kernel abi.Kernel
}

// comparedPaths returns the paths to compare with the reference: those of this machine, or the best one if it is very slow.
func comparedPaths() []kernelPath {
	if effort.Least() {
		return availablePaths()[:1]
	}
	return availablePaths()
}

// kernelTable returns all kernels of the assembly paths to compare.
func kernelTable[T Float]() (table []testKernel[T]) {
	for _, p := range comparedPaths() {
		for _, k := range abi.Kernels() {
			if p != pathGeneric {
				table = append(table, testKernel[T]{fmt.Sprintf("%v%d%v", k, 8*unsafe.Sizeof(T(0)), p), p, k})
			}
		}
	}
	return table
}

// run calls the kernel, and reports whether there is one.
func (k *testKernel[T]) run(a *abi.Args[T]) bool {
	if isFloat32[T]() {
		return kernelF32(k.path, k.kernel, (*abi.Args[float32])(unsafe.Pointer(a)))
	}
	return kernelF64(k.path, k.kernel, (*abi.Args[float64])(unsafe.Pointer(a)))
}

// group returns the group of the kernel's path. Tests run side by side: none of them may change the path in use.
func (k *testKernel[T]) group() int {
	switch {
	case k.path == pathGeneric:
		return 1
	case isFloat32[T]():
		return groupF32(k.path)
	}
	return groupF64(k.path)
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

// gammas are those that a kernel is tested with. The power kernels can do 0 and 2 as well.
func (k *testKernel[T]) gammas() []float64 {
	switch k.kernel.Family() {
	case abi.Zero:
		return []float64{0}
	case abi.Square, abi.SoftSquare:
		return []float64{2}
	}
	return []float64{0, 1e-3, 0.1, 0.5, 1, 2, 2.3, 5, 100, 5000, 1e6, 1e300}
}

// writes tells which outputs the operation writes: loss, grad, hess, curv.
func (k *testKernel[T]) writes() [4]bool {
	return map[abi.Operation][4]bool{
		abi.Loss: {true}, abi.Grad: {true, true}, abi.Hess: {true, true, true, true}, abi.Frozen: {true, true, false, true},
	}[k.kernel.Operation()]
}

// A kernelCall is a call of a kernel, but for where in memory it takes place.
type kernelCall[T Float] struct {
	u, target         []T
	w, wPos           []T // nil: weight, weightPos for all
	weight, weightPos T
	plan              plan[T]
}

func (c *kernelCall[T]) String() string {
	return fmt.Sprintf("n=%d gamma=%v weights %v, %v; for each element: %v, %v", len(c.u), c.plan.Gamma, c.weight, c.weightPos, c.w != nil, c.wPos != nil)
}

// args returns the arguments; a nil output stands where the test fills in none.
func (c *kernelCall[T]) args(u, target, w, wPos []T, out [4][]T) *abi.Args[T] {
	plan := c.plan
	return &abi.Args[T]{
		N: len(u), U: unsafe.SliceData(u), Target: unsafe.SliceData(target), W: unsafe.SliceData(w), WPos: unsafe.SliceData(wPos),
		Weight: c.weight, WeightPos: c.weightPos,
		Loss: unsafe.SliceData(out[0]), Grad: unsafe.SliceData(out[1]), Hess: unsafe.SliceData(out[2]), Curv: unsafe.SliceData(out[3]),
		Plan: &plan,
	}
}

// reference returns what the call must leave behind.
func (k *testKernel[T]) reference(c *kernelCall[T]) (out [4][]T) {
	for o := range out {
		out[o] = make([]T, len(c.u))
	}
	genericKernel(k.kernel, c.args(c.u, c.target, c.w, c.wPos, out))
	return out
}

// A stage has room for calls.
type stage[T Float] struct {
	in  [4]frame[T]
	out [4]frame[T]
}

// check runs the kernel and requires that it leaves behind what is wanted, and nothing else anywhere. Output inPlace, if it
// is not negative, is u itself.
func (k *testKernel[T]) check(t *testing.T, s *stage[T], c *kernelCall[T], offset, inPlace int, want [4][]T) {
	t.Helper()
	n := len(c.u)
	align := frameOffsets / int(unsafe.Sizeof(T(0)))
	inputs := [4][]T{c.u, c.target, c.w, c.wPos}
	var in, out [4][]T
	for i, v := range inputs {
		if v != nil {
			in[i] = s.in[i].place(n, (offset+i)%align)
			copy(in[i], v)
		}
	}
	for o := range out {
		if out[o] = in[0]; o != inPlace {
			out[o] = s.out[o].place(n, (3*offset+o)%align)
		}
	}
	a := c.args(in[0], in[1], in[2], in[3], out)
	before, plan := *a, *a.Plan
	require.True(t, k.run(a), "there is no such kernel")
	require.Equal(t, before, *a, "the arguments themselves are changed")
	require.Equal(t, plan, *a.Plan, "the plan is changed")

	compare := func(what string, f *frame[T], want []T) {
		t.Helper()
		i, differ := f.firstDifference(want)
		if !differ {
			return
		}
		got := f.mem[f.from+i]
		if i < 0 || i >= n {
			t.Fatalf("%v offset %d in place %d: %s[%d] is written outside of the slice: %v", c, offset, inPlace, what, i, got)
		}
		target := T(0)
		if c.target != nil {
			target = c.target[i]
		}
		t.Fatalf("%v offset %d in place %d: %s[%d] is %v (%#x), want %v (%#x); u %v (%#x) target %v", c, offset, inPlace, what, i,
			got, toBits(got), want[i], toBits(want[i]), c.u[i], toBits(c.u[i]), target)
	}
	untouched := make([]T, n)
	for i := range untouched {
		untouched[i] = canaryOf[T]()
	}
	for o, written := range k.writes() {
		switch name := [...]string{"loss", "grad", "hess", "curv"}[o]; {
		case o == inPlace:
			inputs[0] = want[o]
		case written:
			compare(name, &s.out[o], want[o])
		default:
			compare(name, &s.out[o], untouched)
		}
	}
	for i, v := range inputs {
		if v != nil {
			compare([...]string{"u", "target", "w", "wPos"}[i], &s.in[i], v)
		}
	}
}

// insideTargets returns targets strictly between 0 and 1: those of 0 and 1 are computed by the kernels for labels.
func insideTargets[T Float](rng *rand.Rand, n int) []T {
	t := mixedTargets[T](rng, n)
	for i, v := range t {
		if v == 0 || v == 1 {
			t[i] = []T{0.5, fromBits[T](1), fromBits[T](toBits(T(1)) - 1), T(0.001 + 0.99*rng.Float64())}[rng.IntN(4)]
		}
	}
	return t
}

// randomWeights are of all usual magnitudes. No kernel is given a weight of 0.
func randomWeights[T Float](rng *rand.Rand, n int) []T {
	w := make([]T, n)
	for i := range w {
		w[i] = T(math.Ldexp(0.5+rng.Float64(), rng.IntN(80)-60))
	}
	return w
}

// call returns a call for some logits.
func (k *testKernel[T]) call(rng *rand.Rand, u []T, gamma float64, weights int) *kernelCall[T] {
	c := &kernelCall[T]{u: u, plan: newPlan[T](gamma)}
	c.weight = []T{1, 0.25, T(1e-38), T(3e10)}[weights%4]
	c.weightPos = []T{1, 0.75, T(2e-38), T(7e11)}[weights%4]
	if k.kernel.Family().Soft() {
		c.target = insideTargets[T](rng, len(u))
	}
	if weights >= 4 && weights != 7 {
		c.w = randomWeights[T](rng, len(u))
	}
	if weights >= 4 && weights != 6 {
		c.wPos = randomWeights[T](rng, len(u))
	}
	return c
}

// occupyRegisters leaves numbers in the vector registers, which nothing may take for zeros.
func occupyRegisters[T Float](rng *rand.Rand) {
	if path == pathGeneric {
		return
	}
	k := testKernel[T]{path: path, kernel: abi.Kernels()[rng.IntN(len(abi.Kernels()))]}
	c := k.call(rng, mixedLogits[T](rng, k.group()), k.gammas()[0], 4)
	k.run(c.args(c.u, c.target, c.w, c.wPos, k.reference(c)))
}

// wholeGroups returns x, repeated up to a multiple of the group.
func wholeGroups[T Float](x []T, group int) []T {
	for i := 0; len(x)%group != 0; i++ {
		x = append(x, x[i])
	}
	return x
}

// Each kernel returns the bits of the reference: near everything where it takes another turn, for random logits, and for all
// weights.
func TestKernelsValues(t *testing.T) {
	forKernels(t, testKernelsValues[float32], testKernelsValues[float64])
}

func testKernelsValues[T Float](t *testing.T, k testKernel[T]) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	special, parts := adversarialLogits[T](1), 1
	if effort.Least() { // each kernel gets some of them, all kernels together get all
		parts = 16
	}
	var s stage[T]
	for i, gamma := range k.gammas() {
		var u []T
		for n := (i + int(k.kernel)) % parts; n < len(special); n += parts {
			u = append(u, special[n])
		}
		u = append(append(u, gammaLogits[T](rng, gamma, 2000/parts)...), mixedLogits[T](rng, 1000/parts)...)
		u = wholeGroups(u, k.group())
		for weights := range 5 {
			if (i+weights)%2 != 0 && !effort.Full() && len(k.gammas()) > 1 || effort.Least() && weights != (i+int(k.kernel))%5 {
				continue
			}
			c := k.call(rng, u, gamma, weights)
			k.check(t, &s, c, i, -1, k.reference(c))
		}
	}
}

// Any number of groups, at any address, and each output in place; nothing beside is written.
func TestKernelsLengths(t *testing.T) {
	forKernels(t, testKernelsLengths[float32], testKernelsLengths[float64])
}

func testKernelsLengths[T Float](t *testing.T, k testKernel[T]) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	var s stage[T]
	gammas := k.gammas()
	for groups := 1; groups <= 9; groups++ {
		for weights := range 8 {
			if effort.Least() && weights != (groups+int(k.kernel))%8 {
				continue
			}
			c := k.call(rng, mixedLogits[T](rng, groups*k.group()), gammas[(groups+weights)%len(gammas)], weights)
			want := k.reference(c)
			for inPlace := -1; inPlace < 4; inPlace++ {
				if inPlace < 0 || k.writes()[inPlace] {
					k.check(t, &s, c, groups+weights, inPlace, want)
				}
			}
		}
	}
}

// Each path has all kernels, and the reference's path has none of them.
func TestPathKernels(t *testing.T) { forFloats(t, testPathKernels[float32], testPathKernels[float64]) }

func testPathKernels[T Float](t *testing.T) {
	for _, p := range availablePaths() {
		withPath(p, func() {
			require.Equal(t, p.String(), Path())
			require.Equal(t, strings.HasPrefix(Path(), "avx"), hasLabelKernels())
			group := groupOf[T]()
			require.LessOrEqual(t, group, maxGroup)
			if p == pathGeneric {
				return
			}
			require.Zero(t, group%laneCount)
			x := make([]T, group)
			for _, id := range abi.Kernels() {
				k := testKernel[T]{path: p, kernel: id}
				gammas := k.gammas()
				c := k.call(rand.New(rand.NewPCG(1, 1)), x, gammas[len(gammas)/2], 0)
				out := [4][]T{make([]T, group), make([]T, group), make([]T, group), make([]T, group)}
				require.True(t, k.run(c.args(c.u, c.target, nil, nil, out)), "%v %v", p, id)
				require.Equal(t, k.reference(c)[0], out[0])
			}
			require.False(t, (&testKernel[T]{path: p, kernel: abi.KernelOf(abi.Frozen, abi.Zero)}).run(&abi.Args[T]{}), "it is not in the list")
		})
	}
}

// What stands beside the kernels: each has the bits of its generic form, whatever is left over of whole groups.
func TestOthers(t *testing.T) { forFloats(t, testOthers[float32], testOthers[float64]) }

func testOthers[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	pos, keep := randomMasks(rng, 0.5, 0.8)
	for _, p := range availablePaths() {
		for _, n := range []int{1, 15, 16, 17, 32, 100, 1000, 1024, pieceLen - 64} {
			x, dout := mixedLogits[T](rng, n), mixedDout[T](rng, n)
			losses := make([]T, n)
			for i := range losses {
				losses[i] = T(math.Ldexp(rng.Float64(), rng.IntN(50)))
			}
			sums := *randomSums[T](rng)
			for _, bits := range []*bitmask{nil, keep} {
				for _, shift := range []int{0, 16, 32} {
					type outcome struct {
						sums                        laneSums
						product, flipped, u, w, out frame[T]
					}
					eval := func(p kernelPath) (o outcome) {
						o.sums = sums
						withPath(p, func() {
							addToLanes(&o.sums, losses)
							v := o.product.place(n, 1)
							copy(v, x)
							multiply(v, dout)
							v = o.flipped.place(n, 2)
							copy(v, x)
							flip(v, pos, shift)
							u, w := o.u.place(n, 3), o.w.place(n, 4)
							copy(u, x)
							expand(unsafe.SliceData(u), unsafe.SliceData(w), unsafe.SliceData(u), n, pos, bits, shift, 3, 7) // in place
							v = o.out.place(n, 5)
							expand(unsafe.SliceData(v), unsafe.SliceData(make([]T, n)), unsafe.SliceData(x), n, pos, bits, shift, 3, 7)
						})
						return o
					}
					want, got := eval(pathGeneric), eval(p)
					require.True(t, sameSums(&want.sums, &got.sums), "sum: %v n=%d", p, n)
					for name, f := range map[string][2]*frame[T]{
						"mul": {&want.product, &got.product}, "flip": {&want.flipped, &got.flipped}, "expand u": {&want.u, &got.u},
						"expand w": {&want.w, &got.w}, "expand": {&want.out, &got.out},
					} {
						i, differ := f[1].firstDifference(f[0].mem[f[0].from:f[0].to])
						require.False(t, differ, "%s: %v n=%d shift=%d: element %d", name, p, n, shift, i)
					}
				}
			}
		}
	}
}

func TestSigmoidKernels(t *testing.T) {
	forFloats(t, testSigmoidKernels[float32], testSigmoidKernels[float64])
}

func testSigmoidKernels[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, p := range availablePaths() {
		if p == pathGeneric {
			continue
		}
		group := 0
		withPath(p, func() { group = groupOf[T]() })
		kernel := func(softplus bool, dst, x *T, n int) bool {
			switch {
			case isFloat32[T]() && softplus:
				return softplusF32(p, asFloat32(dst), asFloat32(x), n)
			case isFloat32[T]():
				return sigmoidF32(p, asFloat32(dst), asFloat32(x), n)
			case softplus:
				return softplusF64(p, asFloat64(dst), asFloat64(x), n)
			}
			return sigmoidF64(p, asFloat64(dst), asFloat64(x), n)
		}
		all := wholeGroups(append(adversarialLogits[T](1), mixedLogits[T](rng, 5000)...), group)
		for _, n := range []int{group, 2 * group, 3 * group, 4 * group, 5 * group, len(all)} {
			x := all[len(all)-n:]
			for _, softplus := range []bool{false, true} {
				want := make([]T, n)
				if softplus {
					genericSoftplus(&want[0], &x[0], n)
				} else {
					genericSigmoid(&want[0], &x[0], n)
				}
				var f frame[T]
				for _, inPlace := range []bool{false, true} {
					dst := f.place(n, 1)
					from := &x[0]
					if inPlace {
						copy(dst, x)
						from = &dst[0]
					}
					require.True(t, kernel(softplus, &dst[0], from, n))
					if i, differ := f.firstDifference(want); differ {
						t.Fatalf("%v softplus %v in place %v n=%d: element %d", p, softplus, inPlace, n, i)
					}
				}
			}
		}
	}
}

func FuzzPathsFloat32(f *testing.F) { fuzzPaths[float32](f) }

func FuzzPathsFloat64(f *testing.F) { fuzzPaths[float64](f) }

// fuzzPaths compares all kernels with the reference. The logits' bytes are given.
func fuzzPaths[T Float](f *testing.F) {
	table := kernelTable[T]()
	size := int(unsafe.Sizeof(T(0)))
	encode := func(x []T) (b []byte) {
		for _, v := range x {
			b = append(b, binary.LittleEndian.AppendUint64(nil, toBits(v))[:size]...)
		}
		return b
	}
	rng := rand.New(rand.NewPCG(9, 10))
	f.Add(encode(specialValues[T]()), 2.0, uint16(0xffff))
	f.Add(encode(mixedLogits[T](rng, 100)), 2.3, uint16(0))
	f.Add(encode(mixedLogits[T](rng, 33)), 0.0, uint16(0x1234))
	f.Add(encode([]T{1, -1, 0}), 1e300, uint16(0x55))
	f.Fuzz(func(t *testing.T, logits []byte, gamma float64, options uint16) {
		if (&Params{Gamma: gamma}).check("") != nil || len(logits) < size {
			return
		}
		u := make([]T, min(len(logits)/size, blockLen/2))
		for i := range u {
			var word [8]byte
			copy(word[:size], logits[i*size:])
			u[i] = fromBits[T](binary.LittleEndian.Uint64(word[:]))
		}
		var s stage[T]
		for _, k := range table {
			g := gamma
			if gammas := k.gammas(); len(gammas) == 1 {
				g = gammas[0]
			}
			c := k.call(rand.New(rand.NewPCG(uint64(options), 0)), wholeGroups(slices.Clone(u), k.group()), g, int(options%8))
			inPlace := int(options>>3)%5 - 1
			if inPlace >= 0 && !k.writes()[inPlace] {
				inPlace = -1
			}
			k.check(t, &s, c, int(options>>6)%16, inPlace, k.reference(c))
		}
	})
}

// Every kernel of every path returns the bits of the reference. The kernels stand in one table, which all tests go
// through: one that is added to the package cannot be left out of a test.

// A frame is memory around a slice, which shows whether anything beside it is written.
type frame[T Float] struct {
	mem      []T
	from, to int
}

const (
	canaryMargin = 64 // elements: no kernel processes more at a time
	frameOffsets = 64 // bytes
)

// place returns room for n elements at an offset. All memory around it, and in it, has the canary's value.
func (f *frame[T]) place(n, offset int) []T {
	var zero T
	align := frameOffsets / int(unsafe.Sizeof(zero))
	size := n + 2*canaryMargin + 2*align
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
	f.from = base + canaryMargin + offset
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
		if !isFloat32[T]() {
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
	if !isFloat32[T]() {
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
	for k := 1; float64(k)*math.Ln2/16 < l.FarLogit+2; k++ {
		if k < 1000 || k%5 == 0 {
			around(float64(k) * math.Ln2 / 16)
		}
	}
	// The entry for 1/(1+e) changes near here.
	for i := range 7 {
		around(-math.Log((float64(i) + 0.5) / 7))
	}
	for _, v := range []float64{
		l.NearLogit, l.FarLogit, l.MaxSoftplus, -l.PowMin() * math.Ln2 / 8, -l.PowMin(), // bounds
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
			x = append(x, T(1.2*l.PowMin()*math.Ln2/8/(1+gamma)*rng.Float64()))
		case 2: // s^γ ≈ exp(-γ·exp(-u))
			x = append(x, T(math.Log1p(gamma)+4*rng.NormFloat64()))
		case 3:
			x = append(x, T(l.FarLogit*rng.NormFloat64()))
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

// Polynomials of all lengths.
func TestPolynomial(t *testing.T) {
	coefficients := []float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8}
	for n := 2; n <= len(coefficients); n++ {
		want := 0.0 // exact
		for i := n - 1; i >= 0; i-- {
			want = want*2 + coefficients[i]
		}
		c := coefficients[:n]
		require.Equal(t, want, horner(c, 2), "n = %d", n)
		require.Equal(t, want, evenOdd(c, 2, 4), "n = %d", n)
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
		for _, at := range []int{-canaryMargin, -1, 0, 9, 10, 9 + canaryMargin} {
			v := f.place(10, offset)
			copy(v, want)
			f.mem[f.from+at] = -1
			i, differ := f.firstDifference(want)
			require.True(t, differ)
			require.Equal(t, at, i)
		}
	}
}

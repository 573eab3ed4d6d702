package focal

import (
	"math"
	"unsafe"

	"github.com/gofocal/focal/internal/coef"
)

// This file is the reference: the sequence of IEEE-754 operations that every path executes. With u = x for a negative
// and u = -x for a positive, s = σ(u), q = σ(-u), L = softplus(u), w the weight:
//
//	loss = w·s^γ·L      grad = ±w·s^γ·(s + γ·q·L)      hess = w·s^γ·q·(s·(1+2γ) + γ·L·(γ·q - s))
//
// The steps, for a = |u|:
//
//  1. e = exp(-a) as A·(1+p): a = -(k+f)·ln2/8 with an integer k, |f| ≤ 1/2. A = 2^(k/8) to a few bits, from a table
//     of eight, and p = 2^(g/8) - 1, a polynomial; g is f and what A lacks. Never rounded to one number.
//  2. 1+e by the table step that replaces a division: c ≈ 1/(1+A) to a few bits, from a table of eight;
//     z = c·(1+e) - 1 = S·p + (S + (c-1)) with S = A·c is small and has a single rounding.
//     log1p(e) = -ln c + log1p(z);  1/(1+e) = c·(1-h) and e/(1+e) = S·(1-h)(1+p), with h = z/(1+z).
//  3. So s and q are each a short number, c or S, times 1+v, v small. A and c have so few bits that S and S² are exact:
//     at γ = 2, s^γ = S²·(1+2v+v²), where only the last factor carries rounding errors, and small ones.
//  4. For any other γ, s^γ = 2^(γ·log2 s), log2 s = (k - log2's high part of 1+e) + a small rest: the first is exact.
//
// Step 3 is why the results are within 4 and 5 units in the last place where s² from a rounded s is off by 8 to 10.
//
// Three things hold everywhere, so that the bits are equal on every machine. A product that is added to something is
// an fma. Where it must not be one, the product is converted explicitly, which forbids the compiler to fuse. And no
// operation is given an infinity or a NaN, from which machines make different NaNs: |x| is bounded as an integer; the
// infinity and the NaN of x enter with L alone.

// fma returns a·b + c, rounded once.
func fma[T Float](a, b, c T) T {
	if unsafe.Sizeof(a) == 8 {
		return T(math.FMA(float64(a), float64(b), float64(c)))
	}
	return T(fma32(float64(a), float64(b), float64(c)))
}

// fma32 returns a·b + c for float32 values such that rounding it to float32 is the only rounding that shows.
//
// The product is exact in float64, the sum is not: rounding it again to float32 goes wrong where the first rounding
// ended half-way between two float32, normal or subnormal. All those have 28 zeros at the end. If such a sum is not
// exact, its last bit is set, so that it lies on the side of the exact one (Boldo and Melquiond, "Emulation of FMA and
// correctly rounded sums: proved algorithms using rounding to odd", 2008). The arguments are finite.
func fma32(a, b, c float64) float64 {
	p := float64(a * b)
	s := p + c
	if bits := math.Float64bits(s); bits<<36 == 0 {
		t := s - p
		if e := (p - (s - t)) + (c - t); e != 0 { // what s lacks, exactly
			if (e > 0) != (s > 0) {
				bits -= 2
			}
			return math.Float64frombits(bits + 1)
		}
	}
	return s
}

// toBits and fromBits see a float as an integer of its own size, kept in the low bits of a uint64.
func toBits[T Float](x T) uint64 {
	if unsafe.Sizeof(x) == 4 {
		return uint64(math.Float32bits(float32(x)))
	}
	return math.Float64bits(float64(x))
}

func fromBits[T Float](b uint64) T {
	var x T
	if unsafe.Sizeof(x) == 4 {
		return T(math.Float32frombits(uint32(b)))
	}
	return T(math.Float64frombits(b))
}

// polynomial returns c[0] + c[1]·x + c[2]·x² + …, for xx = x²: a short one by Horner's rule, a long one by even and odd
// powers apart. The float32 ones are short and the float64 ones long.
func polynomial[T Float](c []T, x, xx T) T {
	if len(c) <= coef.ShortPolynomial {
		return T(short(c, float64(x)))
	}
	return T(long(c, float64(x), float64(xx)))
}

// short and long are separate, and name their fma, because the compiler makes a call of each fma in generic code.

func short[T Float](c []T, x float64) float64 {
	q := float64(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		q = float64(float32(fma32(q, x, float64(c[i]))))
	}
	return q
}

func long[T Float](c []T, x, xx float64) float64 {
	n := len(c)
	p, q := float64(c[n-2]), float64(c[n-1])
	for i := n - 3; i > 0; i -= 2 {
		q = math.FMA(q, xx, float64(c[i]))
		p = math.FMA(p, xx, float64(c[i-1]))
	}
	if n%2 == 0 {
		return math.FMA(q, x, p)
	}
	q = math.FMA(q, xx, float64(c[0])) // q has the even powers
	return math.FMA(p, x, q)
}

// constants is a coef.Table and what is derived from it, as the kernels use it.
type constants[T Float] struct {
	coef.Table[T]
	coef.Layout
	shift    uint      // of k into the exponent, three bits short
	expBits  [8]uint64 // Exp, less the entry's index where k is added in
	signBit  uint64
	quietBit uint64 // what makes a NaN a quiet one
	magic    T
	// Where |x| may be so large that exp(-|x|) is not a normal number, A is kept scaled up by 2^TinyShift.
	tiny, huge            T // 2^-TinyShift, 2^TinyShift
	small, large          T // their square roots
	magicTiny             T
	indexScale, indexTiny T
	clamp, clampTiny      uint64
	inf                   T
	fallen                T // just above e·2^TinyShift at clampTiny
	magicIndex, expHuge   T // rounds 7·y - 7 to an integer; the exponent of 2^TinyShift as it stands in the bits
	powMin, maxSoftplus   T
}

func newConstants[T Float](t *coef.Table[T], l coef.Layout) *constants[T] {
	c := &constants[T]{Table: *t, Layout: l, shift: uint(l.MantissaBits - 3)}
	size := 8 * uint(unsafe.Sizeof(c.magic))
	c.signBit = 1 << (size - 1)
	c.quietBit = 1 << (l.MantissaBits - 1)
	for j, e := range t.Exp {
		c.expBits[j] = toBits(e) - uint64(j)<<c.shift
	}
	c.magic, c.magicTiny = T(l.Magic()), T(l.MagicTiny())
	c.tiny, c.huge = T(l.Tiny()), T(l.Huge())
	c.small, c.large = T(l.Small()), T(l.Large())
	c.indexScale = coef.IndexScale
	c.indexTiny = coef.IndexScale * c.tiny
	c.clamp = toBits(T(l.Clamp))
	c.clampTiny = toBits(T(l.ClampTiny))
	c.maxSoftplus = T(l.MaxSoftplus)
	c.inf = T(math.Inf(1))
	c.fallen = T(l.Fallen())
	c.magicIndex = c.magic - coef.IndexScale
	c.expHuge = T(toBits(c.huge) >> l.MantissaBits)
	c.powMin = c.magicTiny + T(l.PowMin)
	return c
}

var (
	constants32 = newConstants(&coef.F32, coef.Layout32)
	constants64 = newConstants(&coef.F64, coef.Layout64)
)

func constantsOf[T Float]() *constants[T] {
	if c, ok := any(constants32).(*constants[T]); ok {
		return c
	}
	return any(constants64).(*constants[T])
}

// newPlan works out what depends on the parameters alone.
func newPlan[T Float](p Params) plan[T] {
	c := constantsOf[T]()
	pl := plan[T]{Square: p.Gamma == 2}
	pl.WPos, pl.WNeg = classWeights[T](p)
	g := min(p.Gamma, c.MaxGamma)
	pl.Gamma = T(g)
	pl.HessOne = fma(2, pl.Gamma, 1)
	// As the exponent of s, γ needs more bits than its type has; as a factor it does not.
	pl.PowHi = T(g)
	pl.PowLo = T(g - float64(pl.PowHi))
	return pl
}

// atLeast returns the larger of two numbers that are not NaN; unlike max, it need not tell -0 from 0, and is faster.
func atLeast[T Float](x, least T) T {
	if x < least {
		return least
	}
	return x
}

// exp2m1 returns 2^(g/8) - 1.
func (c *constants[T]) exp2m1(g T) T { return T(g * polynomial(c.Exp2m1, g, T(g*g))) }

// log1p returns log1p(z), for zz = z².
func (c *constants[T]) log1p(z, zz T) T { return fma(zz, polynomial(c.Log1p, z, zz), z) }

// scale returns Exp[j]·2^floor(k/8) and j = k mod 8, for the integer k in the last bits of t.
func (c *constants[T]) scale(t T) (A T, j uint64) {
	k := toBits(t)
	return fromBits[T](c.expBits[k&7] + k<<(c.shift&63)), k & 7
}

// logistic is what loss, gradient and Hessian of one element share: steps 1 and 2.
type logistic[T Float] struct {
	k, f  T      // |u| = -(k+f)·ln2/8
	i     uint64 // entry of the tables of 1/(1+e)
	z     T      // log1p(e) = Log[i] + z
	c, S  T      // 1/(1+e) = c·(1-h)
	h, t  T      // e/(1+e) = S·(1+t-h)
	tinyS T      // S·2^TinyShift
	A, p  T      // exp(-|u|) = A·(1+p); if tiny, times 2^-TinyShift
}

// A reach is how small e may get.
type reach int

const (
	// e does not fall below the normal range; loss and gradient at γ = 2 do not notice, for s² underflows first.
	normal reach = iota
	tiny         // A is scaled up by 2^TinyShift, S is not
	small        // the same, but S is made of an A that is scaled down: below the normal range it has other bits
)

// logistic evaluates steps 1 and 2 for |u|, given as bits. h and t are for whoever asks for the sigmoid.
func (c *constants[T]) logistic(r *logistic[T], abs uint64, reach reach, sigmoid bool) {
	clamp, mag, index := c.clamp, c.magic, c.indexScale
	if reach != normal {
		clamp, mag, index = c.clampTiny, c.magicTiny, c.indexTiny
	}
	a := fromBits[T](min(abs, clamp))

	// a·8/ln2 = -(k+f)
	t := fma(-a, c.Scale, mag)
	r.k = t - mag
	r.f = fma(-a, c.Scale, -r.k)
	r.f = fma(-a, c.ScaleLo, r.f)

	// e = A·(1+p)
	A, j := c.scale(t)
	p := c.exp2m1(r.f + c.ExpRest[j])
	r.A, r.p = A, p

	// z1 = c·(1+e) - 1
	r.i = toBits(fma(A, index, c.magic)) & 7
	r.c = c.Recip[r.i]
	r.S = T(A * r.c)
	r.tinyS = r.S
	switch reach {
	case tiny:
		r.S = T(r.S * c.tiny)
	case small:
		r.A = T(A * c.tiny)
		r.S = T(r.A * r.c)
	}
	z := fma(r.S, p, r.S+(r.c-1))
	zz := T(z * z)

	// log1p(z1), z1/(1+z1), p·(1-h)
	r.z = c.log1p(z, zz)
	if sigmoid {
		r.h = z / (1 + z)
		r.t = fma(-p, r.h, p)
	}
}

// sigmoid returns σ(u), u of the given sign.
func (r *logistic[T]) sigmoid(negative bool) T {
	S := r.c
	if negative {
		S = r.S
	}
	return fma(S, r.small(negative), S)
}

// small returns v, where σ(u) = S·(1+v) if u is negative and c·(1+v) if not.
func (r *logistic[T]) small(negative bool) T {
	t := T(0)
	if negative {
		t = r.t
	}
	return t - r.h
}

// square returns w·s² for γ = 2: step 3.
func (r *logistic[T]) square(w T, negative bool) T {
	S, v := r.c, r.small(negative)
	if negative {
		S = r.S
	}
	b := T(w * T(S*S))
	return fma(b, fma(v, v, v+v), b)
}

// log8 returns 8·log2 s as hi + lo.
func (r *logistic[T]) log8(c *constants[T], negative bool) (hi, lo T) {
	k, f := T(0), T(0)
	if negative {
		k, f = r.k, r.f
	}
	return k - c.Log8Hi[r.i], f - fma(r.z, c.Scale, c.Log8Lo[r.i])
}

// power returns w·s^γ·2^TinyShift, where 8·log2 s = hi + lo: step 4. While it is scaled up it is a normal number wherever
// the results are not 0.
func (c *constants[T]) power(pl *plan[T], w, hi, lo T) T {
	sum := hi + lo

	// γ·(hi+lo) = k + f
	t := atLeast(fma(pl.PowHi, sum, c.magicTiny), c.powMin)
	k := t - c.magicTiny
	f := fma(pl.PowHi, hi, -k)
	f = fma(pl.PowHi, lo, f)
	f = fma(pl.PowLo, sum, f)
	f = atLeast(f, -1) // where t was bounded; the result is as good as 0

	A, j := c.scale(t)
	b := T(w * A)
	return fma(b, c.exp2m1(f+c.ExpRest[j]), b)
}

// genericBlock is the kernel of loss, gradient, Hessian and sum, in kernel_generic_soft.go for soft targets.
//
// Of all 2^32 float32 logits the worst, at weight 1, are: at γ = 2 a loss off by 3.031 ULP at u = -0x1.3ddf96p+01, a gradient
// by 3.327 at -0x1.4cd72cp+01, a Hessian by 4.088 (of its terms' magnitudes) at -0x1.f102cp+00; at γ = 2.3, 2.928 at
// -0x1.35110cp+02, 4.043 at -0x1.4d7902p+01, 4.900 at -0x1.b54eep+01; at γ = 5, 3.073 at 0x1.ca7b28p-04, 4.206 at
// 0x1.ba282ap-03, 4.804 at -0x1.4ca28ap+01. docs/accuracy.md has other γ, and float64.
func genericBlock[T Float](b *block[T]) {
	if b.Target != nil {
		softBlock(b)
		return
	}
	var (
		c       = constantsOf[T]()
		r       logistic[T]
		o       = outputsOf(b)
		pl      = &b.Plan
		x       = unsafe.Slice(b.X, b.N)
		reach   = normal
		sigmoid = pl.Square || b.Grad != nil || b.Hess != nil
	)
	if !pl.Square || b.Hess != nil {
		reach = tiny
	}
	for i := range x {
		if b.Keep != nil && b.Keep[i/64]>>(i%64)&1 == 0 {
			o.ignore(i)
			continue
		}
		bits := toBits(x[i])
		flip := b.Pos[i/64] >> (i % 64) & 1 * c.signBit
		w := pl.WNeg
		if flip != 0 {
			w = pl.WPos
		}
		ubits := bits ^ flip
		u := fromBits[T](ubits)
		if u != u {
			nan := fromBits[T](ubits | c.quietBit)
			o.store(i, nan, fromBits[T](bits|c.quietBit), nan)
			continue
		}
		negative := ubits&c.signBit != 0
		c.logistic(&r, ubits&^c.signBit, reach, sigmoid)

		// B·unscale is w·s^γ
		var B, unscale T
		if pl.Square {
			B, unscale = r.square(w, negative), 1
		} else {
			hi, lo := r.log8(c, negative)
			B, unscale = c.power(pl, w, hi, lo), c.tiny
		}
		L := c.Log[r.i] + r.z
		L = L + atLeast(u, 0)
		loss := T(T(B*unscale) * L)
		if o.grad == nil && o.hess == nil {
			o.store(i, loss, 0, 0)
			continue
		}

		s := r.sigmoid(negative)
		q := r.sigmoid(!negative)
		gL := T(pl.Gamma * min(L, c.maxSoftplus))
		grad := T(T(B*fma(q, gL, s)) * unscale)
		grad = fromBits[T](toBits(grad) ^ flip)
		if o.hess == nil {
			o.store(i, loss, grad, 0)
			continue
		}

		// q·2^TinyShift: q may be subnormal where its product with the bracket is not
		bigQ := r.tinyS
		if negative {
			bigQ = T(r.c * c.huge)
		}
		bigQ = fma(bigQ, r.small(!negative), bigQ)
		bracket := fma(gL, fma(pl.Gamma, q, -s), T(s*pl.HessOne))
		hess := T(T(B*T(T(bigQ*bracket)*c.tiny)) * unscale)
		o.store(i, loss, grad, hess)
	}
}

// outputs are the wanted results of a block, as slices; those not wanted are nil.
type outputs[T Float] struct {
	loss, grad, hess []T
	dout             []T
	sums             *laneSums
}

func outputsOf[T Float](b *block[T]) outputs[T] {
	slice := func(p *T) []T {
		if p == nil {
			return nil
		}
		return unsafe.Slice(p, b.N)
	}
	return outputs[T]{slice(b.Loss), slice(b.Grad), slice(b.Hess), slice(b.Dout), b.Sums}
}

// store writes what is wanted of element i and adds its loss to its lane.
func (o *outputs[T]) store(i int, loss, grad, hess T) {
	if o.loss != nil {
		o.loss[i] = loss
	}
	if o.grad != nil {
		if o.dout != nil {
			grad = T(grad * o.dout[i])
			if grad != grad { // 0·Inf, or a NaN from outside: machines differ in its bits
				grad = T(math.NaN())
			}
		}
		o.grad[i] = grad
	}
	if o.hess != nil {
		o.hess[i] = hess
	}
	if o.sums != nil {
		addToLane(o.sums, i%laneCount, loss)
	}
}

// addToLane adds a loss to a lane. A block's float32 losses are added in float64 with an error below 2^-43; those of
// float64 need their rounding errors kept.
func addToLane[T Float](s *laneSums, lane int, loss T) {
	sum, err := twoSum(s.Hi[lane], float64(loss))
	s.Hi[lane] = sum
	if unsafe.Sizeof(loss) == 8 {
		s.Lo[lane] += err
	}
}

// ignore stores the zeros of an ignored element.
func (o outputs[T]) ignore(i int) {
	o.dout = nil
	o.store(i, 0, 0, 0)
}

// genericSigmoid is the kernel of the sigmoid. The worst of all float32 is off by 1.018 ULP, at -0x1.929088p+06, where it is
// subnormal.
func genericSigmoid[T Float](dst, x *T, n int) {
	c := constantsOf[T]()
	d := unsafe.Slice(dst, n)
	var r logistic[T]
	for i, x := range unsafe.Slice(x, n) {
		bits := toBits(x)
		if x != x {
			d[i] = fromBits[T](bits | c.quietBit)
			continue
		}
		c.logistic(&r, bits&^c.signBit, tiny, true)
		d[i] = r.sigmoid(bits&c.signBit != 0)
	}
}

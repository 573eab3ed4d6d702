package focal

import (
	"math"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/coef"
)

// This file is the reference: the sequence of IEEE-754 operations that every path executes. With u = x for a negative
// and u = -x for a positive, s = σ(u), q = σ(-u), L = softplus(u), w the weight:
//
//	loss = w·s^γ·L      grad = w·s^γ·(s + γ·q·L)      hess = w·s^γ·q·(s·(1+2γ) + γ·L·(γ·q - s))
//
// The steps:
//
//   - exp: e = exp(-|u|) = A·(1+p). A = 2^K·(1 + j/N) is the sum's own last bits, moved to the exponent; p is small.
//   - log: log2(1+e) = A + m, by a polynomial; m is less than A. L = ln2·(A + m) + max(0, u).
//   - pow: log2 s = [u<0]·log2 e - log2(1+e), as a sum whose largest terms are exact; s^γ = 2^(γ·log2 s).
//   - quotient, at γ = 2 instead of log and pow: c ≈ 1/(1+e) from a table of eight; z = c·(1+e) - 1 is small, and
//     s = S·(1+v), where S = [u<0] ? A·c : c and v = ([u<0]·p - z)/(1+z). A and c have so few bits that S² is exact.
//     L = -ln c + log1p(z) + max(0, u).
//
// [u<0] is a comparison for any γ, which a NaN fails; at γ = 2, and for soft targets, it is the sign.
//
// Where e may be tiny, A and all that is proportional to it are kept scaled up by 2^Shift: A, e, m in the steps below are
// then 2^Shift times what they are above. So is s^γ, until it is multiplied with the weight. Only the last operation of a
// result brings it down, to a subnormal number or 0 where it is one.
//
// Three things hold everywhere, so that the bits are equal on every machine. A product that is added to something is
// an fma. Where it must not be one, the product is converted explicitly, which forbids the compiler to fuse. And no
// operation is given an infinity or a NaN, from which machines make different NaNs: |u| is bounded; the infinity and the
// NaN of u enter with max(0, u) alone.

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

// larger and smaller are the MAX and MIN of x86: of a NaN and a number, and of two zeros, they return the second.

func larger[T Float](a, b T) T {
	if a > b {
		return a
	}
	return b
}

func smaller[T Float](a, b T) T {
	if a < b {
		return a
	}
	return b
}

// choose returns a if negative, otherwise b.
func choose[T Float](negative bool, a, b T) T {
	if negative {
		return a
	}
	return b
}

// polynomial returns c[0] + c[1]·x + c[2]·x² + …, for xx = x²: of float32 by Horner's rule, of float64, which has more
// terms, by even and odd powers apart.
func polynomial[T Float](c []T, x, xx T) T {
	if unsafe.Sizeof(x) == 4 {
		return T(horner(c, float64(x)))
	}
	return T(evenOdd(c, float64(x), float64(xx)))
}

// series returns x·(c[0] + c[1]·x + c[2]·x² + …). If apart, and always with float64, the first term is added last, which is
// one operation more with float32, and more exact.
func series[T Float](c []T, x T, apart bool) T {
	if unsafe.Sizeof(x) == 4 && !apart {
		return T(x * polynomial(c, x, 0))
	}
	xx := T(x * x)
	return fma(x, c[0], T(xx*polynomial(c[1:], x, xx)))
}

// horner and evenOdd are separate, and name their fma, because the compiler makes a call of each fma in generic code.

func horner[T Float](c []T, x float64) float64 {
	q := float64(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		q = float64(float32(fma32(q, x, float64(c[i]))))
	}
	return q
}

func evenOdd[T Float](c []T, x, xx float64) float64 {
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

// constants is a coef.Table and what is derived from it and from the format, as the kernels use it.
type constants[T Float] struct {
	coef.Table[T]
	coef.Layout
	signBit, quietBit uint64 // quietBit is what makes a NaN a quiet one
	nodeMask          uint64
	nodeShift         uint // of the bits of t into the exponent

	magicExp, magicFar, magicPow, powMin, magicIndex T
	near, far                                        T // bounds of |u|
	up, down, halfUp, halfDown                       T // 2^Shift, 2^-Shift and their square roots
	ln2Down                                          T // ln2·2^-Shift
	maxSoftplus                                      T
	magicLog, magicLog0                              T // an integer or'ed to the first is a number larger by that; the second is that of 1
	largest                                          T // number that there is
	large                                            T // bounds the bracket of the Hessian, which is more only where s^γ is 0
}

func newConstants[T Float](t *coef.Table[T], l coef.Layout) *constants[T] {
	c := &constants[T]{Table: *t, Layout: l}
	c.signBit = 1 << (8*uint(unsafe.Sizeof(c.up)) - 1)
	c.quietBit = 1 << (l.MantissaBits - 1)
	c.nodeMask = 1<<l.NodeBits - 1
	c.nodeShift = uint(l.MantissaBits - l.NodeBits)
	c.magicExp, c.magicFar = T(l.MagicExp()), T(l.MagicFar())
	c.magicPow, c.powMin = T(l.MagicPow()), T(l.PowMin())
	c.magicIndex = T(l.MagicIndex())
	c.magicLog, c.magicLog0 = T(l.MagicLog()), T(l.MagicLog()+float64(l.Bias()+l.Shift))
	c.largest = fromBits[T](toBits(T(math.Inf(1))) - 1)
	c.near, c.far = T(l.NearLogit), T(l.FarLogit)
	c.up, c.down = T(l.Up()), T(l.Down())
	c.halfUp, c.halfDown = T(l.HalfUp()), T(l.HalfDown())
	c.ln2Down = T(c.Ln2 * c.down)
	c.maxSoftplus, c.large = T(l.MaxSoftplus), T(l.Large())
	return c
}

var (
	constants32 = newConstants(&coef.F32, coef.Layout32)
	constants64 = newConstants(&coef.F64, coef.Layout64)
)

func constantsOf[T Float]() *constants[T] {
	if isFloat32[T]() {
		return (*constants[T])(unsafe.Pointer(constants32))
	}
	return (*constants[T])(unsafe.Pointer(constants64))
}

// exp returns A and p, exp(-|u|) = A·(1+p), and k and f, log2 exp(-|u|) = k + f. |u| is bounded, and a NaN counts as the bound.
// With magicFar A is scaled up by 2^Shift.
func (c *constants[T]) exp(u, magic, bound T) (A, p, k, f T) {
	a := fromBits[T](toBits(u) &^ c.signBit)
	a = smaller(a, bound)
	t := fma(-a, c.Log2E, magic)
	k = t - magic
	f = fma(-a, c.Log2E, -k)
	f = fma(-a, c.Log2ELo, f)
	A = fromBits[T](toBits(t) << (c.nodeShift & 63))
	x := f + c.Node[toBits(t)&c.nodeMask]
	p = series(c.Exp, x, false)
	return A, p, k, f
}

// log returns e = A + g and m, log2(1+e) = A + m, scaled up by 2^Shift as A is, and small, e as it is.
func (c *constants[T]) log(A, p T) (e, small, g, m T) {
	g = T(A * p)
	e = A + g
	small = T(e * c.down)
	ee := fma(-e, small, e)
	m = fma(ee, polynomial(c.Log, small, T(small*small)), g)
	return e, small, g, m
}

// logS returns log2 s = (k - A) + h, in which k is a multiple of 1/N, A is short and scaled up by 2^Shift, and h is small.
func (c *constants[T]) logS(negative bool, m, k, f T) (_, h T) {
	k = choose(negative, k, 0)
	f = choose(negative, f, 0)
	return k, fma(-m, c.down, f)
}

// pow returns w·2^(γ·log2 s), log2 s = (k - A) + h, as b scaled up by 2^Shift and as B not. For apart see series.
func (c *constants[T]) pow(pl *plan[T], w, k, A, h T, apart bool) (b, B T) {
	tt := fma(-A, c.down, k) + h

	// γ·log2 s = K + r, K an integer
	t := fma(pl.PowHi, tt, c.magicPow)
	t = larger(t, c.powMin)
	K := t - c.magicPow
	r := fma(pl.PowHi, k, -K)
	r = fma(-pl.PowHiDown, A, r)
	r = fma(pl.PowHi, h, r)
	r = fma(pl.PowLo, tt, r)
	r = larger(r, -1) // where t was bounded, and s^γ is 0

	p := series(c.Pow, r, apart)
	b = T(w * fromBits[T](toBits(t)<<(uint(c.MantissaBits)&63)))
	b = fma(b, p, b)
	return b, T(b * c.down)
}

// quotient returns the entry i of the tables, S = A·c for its c, z = c·(1+e) - 1, and v: σ(u) = [u<0] ? S·(1+v) : c·(1+v). A
// is not scaled.
func (c *constants[T]) quotient(negative bool, A, p T) (i uint64, S, z, v T) {
	i = toBits(fma(A, coef.RecipScale, c.magicIndex)) & 7
	r := c.Recip[i]
	S = T(A * r)
	z = fma(S, p, S+(r-1))
	v = (choose(negative, p, 0) - z) / (1 + z)
	return i, S, z, v
}

// array is one of the arrays of abi.Args, or a number that stands for all elements.
type array[T Float] struct {
	at  []T
	all T
}

func arrayOf[T Float](p *T, n int, all T) array[T] {
	if p == nil {
		return array[T]{all: all}
	}
	return array[T]{at: unsafe.Slice(p, n)}
}

func (a *array[T]) get(i int) T {
	if a.at == nil {
		return a.all
	}
	return a.at[i]
}

// written are the outputs of a call, those that its operation has.
type written[T Float] struct{ loss, grad, hess, curv []T }

func writtenOf[T Float](op abi.Operation, a *abi.Args[T]) (o written[T]) {
	o.loss = unsafe.Slice(a.Loss, a.N)
	if op != abi.Loss {
		o.grad = unsafe.Slice(a.Grad, a.N)
	}
	if op == abi.Hess {
		o.hess = unsafe.Slice(a.Hess, a.N)
	}
	if op == abi.Hess || op == abi.Frozen {
		o.curv = unsafe.Slice(a.Curv, a.N)
	}
	return o
}

// genericKernel evaluates a kernel.
func genericKernel[T Float](k abi.Kernel, a *abi.Args[T]) {
	switch k.Family() {
	case abi.Square:
		genericSquare(k.Operation(), a)
	case abi.Zero, abi.Power:
		genericPower(k, a)
	default:
		genericSoft(k, a)
	}
}

// genericSquare is the reference at γ = 2.
func genericSquare[T Float](op abi.Operation, a *abi.Args[T]) {
	c, pl := constantsOf[T](), a.Plan
	weights, us, o := arrayOf(a.W, a.N, a.Weight), unsafe.Slice(a.U, a.N), writtenOf(op, a)
	for i, u := range us {
		w := weights.get(i)
		negative := toBits(u)&c.signBit != 0
		V := larger(0, u)

		// Loss and gradient do not notice that e does not fall below the normal range: s² is 0 before. Of the others, σ(-u)
		// is scaled up.
		var A, far, p T
		if op == abi.Loss || op == abi.Grad {
			A, p, _, _ = c.exp(u, c.magicExp, c.near)
		} else {
			far, p, _, _ = c.exp(u, c.magicFar, c.far)
			A = T(far * c.down)
		}
		j, S, z, v := c.quotient(negative, A, p)

		// L = -ln c + log1p(z) + V
		zz := T(z * z)
		L := (c.LogRecip[j] + V) + fma(zz, polynomial(c.Log1p, z, zz), z)

		// B = w·s², s = S·(1+v), s² = S²·(1 + 2v + v²)
		S = choose(negative, S, c.Recip[j])
		b := T(T(S*S) * w)
		B := fma(b, fma(v, v, v+v), b)
		o.loss[i] = T(B * L)
		if op == abi.Loss {
			continue
		}

		// grad = B·(s + q·2L)
		e := fma(A, p, A)
		s := fma(S, v, S)
		r := 1 - s
		q := choose(negative, r, T(e*s))
		L = smaller(c.maxSoftplus, L)
		L = L + L
		if op == abi.Grad {
			o.grad[i] = T(B * fma(q, L, s))
			continue
		}

		// curv = B·q·s, hess = B·q·(5s + 2L·(2q - s))
		d := fma(2, q, -s) // 2q - s, before s may be NaN: processors differ in the sign of what is left of -NaN
		s = fma(0, L, s)   // the product lets a NaN in
		far = fma(far, p, far)
		Q := choose(negative, T(r*c.up), T(far*s))
		o.curv[i] = T(T(T(B*s)*Q) * c.down)
		if op == abi.Frozen {
			o.grad[i] = T(B * s)
			continue
		}
		o.grad[i] = T(B * fma(q, L, s))
		bracket := fma(L, d, T(pl.HessOne*s))
		o.hess[i] = T(T(T(B*bracket)*Q) * c.down)
	}
}

// passLen is how many elements genericPower computes at a time: measured.
const passLen = 16

// genericPower is the reference for any γ. The family Zero is the same at γ = 0, without what that makes superfluous.
func genericPower[T Float](kernel abi.Kernel, a *abi.Args[T]) {
	c, pl, op, zero := constantsOf[T](), a.Plan, kernel.Operation(), kernel.Family() == abi.Zero
	weights, us, o := arrayOf(a.W, a.N, a.Weight), unsafe.Slice(a.U, a.N), writtenOf(op, a)
	var as, es, smalls, gs, ms, ks, fs, bs, Bs [passLen]T
	for i, u := range us {
		// A processor does not look far enough ahead to compute two elements at once. In passes over a few it does.
		at := i % passLen
		if at == 0 {
			ahead := us[i:min(i+passLen, len(us))]
			for j, u := range ahead {
				A, p, k, f := c.exp(u, c.magicFar, c.far)
				as[j], ks[j], fs[j] = A, k, f
				es[j], smalls[j], gs[j], ms[j] = c.log(A, p)
			}
			for j, u := range ahead {
				w := weights.get(i + j)
				bs[j], Bs[j] = w, w
				if !zero {
					k, h := c.logS(u < 0, ms[j], ks[j], fs[j])
					bs[j], Bs[j] = c.pow(pl, w, k, as[j], h, false)
				}
			}
		}
		A, e, small, g, m, b, B := as[at], es[at], smalls[at], gs[at], ms[at], bs[at], Bs[at]
		negative := u < 0
		V := larger(0, u)

		// loss = B·L, L = ln2·(A + m) + V
		Q := fma(B, A, T(B*m))
		loss := fma(Q, c.ln2Down, T(B*V))
		o.loss[i] = loss
		if op == abi.Loss {
			continue
		}

		// grad = (B·α + γ·ε·B·L)/(1+e), where α/(1+e) = s and ε/(1+e) = q. If u < 0, Q is B·L/ln2.
		d := c.up + e
		near := smaller(c.maxSoftplus, V)
		letIn := T(B * fma(0, near, choose(negative, e, c.up))) // B·α; the product lets a NaN in
		var grad T
		if zero {
			grad = letIn / d
		} else {
			y := choose(negative, B, pl.Gamma)
			y = fma(y, A, T(y*g)) // y·e
			alpha := choose(negative, y, T(B*c.up))
			beta := choose(negative, pl.GammaLn2, y)
			L := choose(negative, Q, smaller(T(B*c.maxSoftplus), loss))
			alpha = fma(choose(negative, pl.GammaLn2Lo, 0), L, alpha)
			grad = fma(beta, L, alpha) / d
		}
		if op == abi.Grad {
			o.grad[i] = grad
			continue
		}

		// curv = B·e/(1+e)²
		one := 1 + small
		low := (1 - one) + small // what that lacks
		dd := fma(one, low+low, T(one*one))
		curv := T(T(T(B*fma(0, near, e))/dd) * c.down)
		o.curv[i] = curv
		if op == abi.Frozen {
			o.grad[i] = letIn / d
			continue
		}
		o.grad[i] = grad
		if zero {
			o.hess[i] = curv // outputs that nobody wants may be in the same place
			continue
		}

		// hess = B·(e·((1+2γ) - γ·L) + (γ·ε)²·L)/(1+e)²
		lambda := A + m
		L := fma(lambda, c.ln2Down, near)
		square := choose(negative, pl.GammaSquareLn2, T(T(T(pl.Gamma*e)*c.down)*T(pl.Gamma*e)))
		bracket := fma(square, choose(negative, lambda, L), T(e*fma(-pl.Gamma, L, pl.HessOne)))
		bracket = smaller(c.large, bracket)
		bracket = T(T(b*pl.HessPow) * T(bracket*pl.HessBracket))
		o.hess[i] = T(T(bracket/dd) * c.down)
	}
}

// genericSoft is the reference for soft targets. With p = σ(x), q = σ(-x), for a target t in (0, 1) and
//
//	a = wPos·t + wNeg·(1-t)     m = p·(1-t) + q·t     E = (1-t)·softplus(x) + t·softplus(-x)     δ = 1 - 2t
//
// the loss is a·m^γ·E, and since m' = pq·δ, E' = p - t, (pq)' = pq·(q-p),
//
//	grad = a·m^γ·(E' + γ·δ·(pq/m)·E)
//	hess = a·m^γ·(pq + γ·δ·(pq/m)·(2·E' + E·((γ-1)·δ·pq/m + q - p)))
//
// Let β be the share of the larger of p and q, which is 1/(1+e): 1-t if x ≥ 0, otherwise t. Let θ = 1-β. Then
//
//	R = β + e·θ     m = R/(1+e)     E = log1p(e) + β·|x|     ±E' = (2β - R)/(1+e)     pq/m = κ/(1+e), κ = e/R
//
// where ± is the sign of x. Nothing cancels in m and in the loss. γ multiplies the error of m, so m is kept as M·(1+low): low
// is what 1-t, e, R, 1+e and the quotient have lost, to a few bits.
//
// A target of 0 or 1 is within the bounds too, but has not the bits of a label.
func genericSoft[T Float](kernel abi.Kernel, a *abi.Args[T]) {
	c, pl, op := constantsOf[T](), a.Plan, kernel.Operation()
	xs, targets, o := unsafe.Slice(a.U, a.N), unsafe.Slice(a.Target, a.N), writtenOf(op, a)
	wNegs, wPoss := arrayOf(a.W, a.N, a.Weight), arrayOf(a.WPos, a.N, a.WeightPos)
	for i, x := range xs {
		t := targets[i]
		sign := toBits(x) & c.signBit
		negative := sign != 0

		// w = wPos·t + wNeg·(1-t), the greater product not rounded
		other := 1 - t
		lost := (1 - other) - t // of 1-t
		wPos, wNeg := wPoss.get(i), wNegs.get(i)
		posPart, negPart := T(wPos*t), T(wNeg*other)
		w := fma(wNeg, lost, smaller(posPart, negPart))
		less := posPart < negPart
		w = fma(choose(less, wNeg, wPos), choose(less, other, t), w)

		beta := choose(negative, t, other)
		theta := choose(negative, other, t)
		far := fromBits[T](toBits(x) &^ c.signBit)
		Y := T(beta * far)

		A, p, _, _ := c.exp(x, c.magicFar, c.far)
		e, small, g, m := c.log(A, p)

		// R + rest, scaled up as e is
		eLow := (A - e) + g
		share := T(beta * c.up)
		product := T(e * theta)
		R := share + product
		rest := smaller(share, product) - (R - larger(share, product))
		rest = rest + fma(eLow, theta, fma(e, theta, -product))
		rest = fma(choose(negative, e, c.up), lost, rest)

		// m = M·(1+low)
		d := 1 + small
		dLow := fma(eLow, c.down, (1-d)+small)
		M := R / d
		inverse := 1 / R
		low := T(fma(-M, dLow, fma(-M, d, R)+rest) * inverse)

		// b = w·m^γ·2^Shift
		var b, B T
		if kernel.Family() == abi.SoftSquare {
			unscaled := T(M * c.down)
			square := T(M * unscaled)
			lack := fma(square, low+low, fma(M, unscaled, -square)) // what m² has besides
			b = fma(w, square, T(w*lack))
			B = T(b * c.down)
		} else {
			k, y, h := c.logM(M, low)
			b, B = c.pow(pl, w, k, -y, h, true)
		}

		// loss = B·E, E = ln2·(A + m) + Y, and Y wins where it is infinite
		Q := fma(B, A, T(B*m))
		o.loss[i] = fma(Q, c.ln2Down, larger(T(B*Y), Y-c.largest))
		if op == abi.Loss {
			continue
		}

		// ±grad = B·(D + γ·κ·E)/(1+e), D = 2β - R, κ = ±δ·e/R; D and κ less what 1+e lacks
		Y = T(beta * smaller(c.maxSoftplus, far)) // beyond, κ is 0, but e has stopped falling
		D := fma(2, share, -R)
		DLess := D - fma(D, dLow, rest)
		if op != abi.Frozen {
			kappa := T(e * inverse)
			kappa = fma(fma(-kappa, rest, fma(-e, dLow, fma(-kappa, R, e))+eLow), inverse, kappa)
			gDelta := fromBits[T](toBits(fma(-(t+t), pl.Gamma, pl.Gamma)) ^ sign)
			gKappa := T(gDelta * kappa)
			grad := fma(gKappa, fma(c.Ln2, Q, T(b*Y)), T(B*DLess)) / (c.up + e)
			o.grad[i] = fromBits[T](toBits(grad) ^ sign)
		}
		if op == abi.Grad {
			continue
		}

		// curv = B·e/(1+e)²
		dd := fma(d, d, T(d*(dLow+dLow)))
		o.curv[i] = T(T(T(B*fma(0, Y, e))/dd) * c.down) // the product lets a NaN in
		if op == abi.Frozen {
			grad := T(B*fma(0, Y, DLess)) / (c.up + e)
			o.grad[i] = fromBits[T](toBits(grad) ^ sign)
			continue
		}

		// hess = B·(e + γ·κ·(2D + E·((γ-1)·κ - (1-e))))/(1+e)². κ may be tiny.
		eHalf := T(e * c.halfUp)
		kappa := T(eHalf * inverse)
		kappa = fma(fma(-kappa, R, eHalf)+fma(-kappa, rest, T(eLow*c.halfUp)), inverse, kappa)
		delta := fromBits[T](toBits(fma(-2, t, 1)) ^ sign)
		kappa = T(delta * kappa)
		gKappa := fma(pl.PowHi, kappa, T(pl.PowLo*kappa))
		factor := fma(pl.GammaMinus1, T(kappa*c.halfDown), small-1)
		D = D - rest
		bracket := fma(T(Y*c.up), factor, fma(T(c.Ln2*(A+m)), factor, D+D))
		bracket = fma(gKappa, T(bracket*c.halfDown), e)
		bracket = smaller(c.large, bracket)
		bracket = T(T(b*pl.HessPow) * T(bracket*pl.HessBracket))
		o.hess[i] = T(T(bracket/dd) * c.down)
	}
}

// logM returns log2 m = k + y + h for m = M·(1+low) ≤ 1: k is an integer and y, scaled up by 2^Shift, M's other bits.
func (c *constants[T]) logM(M, low T) (k, y, h T) {
	bits := toBits(M)
	k = fromBits[T](bits>>(uint(c.MantissaBits)&63)|toBits(c.magicLog)) - c.magicLog0
	y = fromBits[T](bits&(1<<(uint(c.MantissaBits)&63)-1)|toBits(c.up)) - c.up
	small := T(y * c.down)
	yy := fma(-y, small, y)
	m := T(yy * polynomial(c.Log, small, T(small*small)))
	return k, y, fma(m, c.down, T(low*c.Log2E))
}

// genericSigmoid is the kernel of the sigmoid.
func genericSigmoid[T Float](dst, x *T, n int) {
	c := constantsOf[T]()
	to := unsafe.Slice(dst, n)
	for i, u := range unsafe.Slice(x, n) {
		negative := toBits(u)&c.signBit != 0
		V := smaller(c.maxSoftplus, larger(0, u))
		A, p, _, _ := c.exp(u, c.magicFar, c.far)
		j, _, _, v := c.quotient(negative, T(A*c.down), p)
		S := T(choose(negative, A, c.up) * c.Recip[j])
		S = fma(S, v, S)
		to[i] = fma(S, c.down, T(0*V)) // the product lets a NaN in
	}
}

// genericSoftplus is the kernel of softplus.
func genericSoftplus[T Float](dst, x *T, n int) {
	c := constantsOf[T]()
	to := unsafe.Slice(dst, n)
	for i, u := range unsafe.Slice(x, n) {
		A, p, _, _ := c.exp(u, c.magicFar, c.far)
		_, _, _, m := c.log(A, p)
		to[i] = fma(A+m, c.ln2Down, larger(0, u))
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

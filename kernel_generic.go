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
//   - log: λ = log2(1+e) = A + m, by a polynomial. L = ln2·λ + max(0, u).
//   - pow: log2 s = [u<0]·log2 e - λ, as a sum whose largest terms are exact; s^γ = 2^(γ·log2 s).
//   - table, at γ = 2, instead of log and pow: c ≈ 1/(1+e) from a table of eight; z = c·(1+e) - 1 is small, and
//     L = -ln c + log1p(z) + max(0, u), s = S·(1+v), where S = [u<0] ? A·c : c and v = ([u<0]·p - z)/(1+z). A and c have
//     so few bits that S² is exact.
//
// [u<0] looks at the sign, which -0 has.
//
// Where e may be tiny, A and all that is proportional to it are kept scaled up by 2^Shift: A, e, λ in the steps below are
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

// polynomial returns c[0] + c[1]·x + c[2]·x² + …, for xx = x²: a short one by Horner's rule, a long one by even and odd
// powers apart. The float32 ones are short and the float64 ones long.
func polynomial[T Float](c []T, x, xx T) T {
	if len(c) <= coef.Horner {
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

// constants is a coef.Table and what is derived from it and from the format, as the kernels use it.
type constants[T Float] struct {
	coef.Table[T]
	coef.Layout
	signBit, quietBit uint64 // quietBit is what makes a NaN a quiet one
	nodeMask          uint64
	nodeShift         uint // of the bits of t into the exponent

	magicExp, magicFar, magicPow, powMin, magicIndex T
	near, far                                        T // bounds of |u|
	up, down                                         T // 2^Shift, 2^-Shift
	ln2Down                                          T // ln2·2^-Shift
	maxSoftplus                                      T
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
	c.near, c.far = T(l.NearLogit), T(l.FarLogit)
	c.up, c.down = T(l.Up()), T(l.Down())
	c.ln2Down = T(c.Ln2 * c.down)
	c.maxSoftplus = T(l.MaxSoftplus)
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
	g := min(math.Abs(p.Gamma), c.MaxGamma) // Gamma may be -0
	pl := plan[T]{Square: g == 2}
	pl.WPos, pl.WNeg = classWeights[T](p)
	pl.Gamma = T(g)
	pl.HessOne = fma(2, pl.Gamma, 1)
	// As the exponent of s, γ needs more bits than its type has. PowHi has so few that its product with a multiple of 1/N is exact.
	pl.PowHi = fromBits[T](toBits(pl.Gamma) &^ (1<<((c.MantissaBits+1)/2) - 1))
	pl.PowLo = T(g - float64(pl.PowHi))
	pl.PowHiDown = T(pl.PowHi * c.down)
	return pl
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
	p = T(x * polynomial(c.Exp, x, T(x*x)))
	return A, p, k, f
}

// log returns e, λ = log2(1+e) and m = λ - A, all scaled up by 2^Shift as A is, and e as it is.
func (c *constants[T]) log(A, p T) (e, small, lambda, m T) {
	g := T(A * p)
	e = A + g
	small = T(e * c.down)
	ee := fma(-e, small, e)
	m = fma(ee, polynomial(c.Log, small, T(small*small)), g)
	lambda = A + m
	return e, small, lambda, m
}

// pow returns w·s^γ.
func (c *constants[T]) pow(pl *plan[T], negative bool, w, A, m, k, f T) T {
	// log2 s = (k - A) + h, in which k is a multiple of 1/N, A is short, and h is small
	k = choose(negative, k, 0)
	f = choose(negative, f, 0)
	h := fma(-m, c.down, f)
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

	p := T(r * polynomial(c.Pow, r, T(r*r)))
	b := T(w * fromBits[T](toBits(t)<<(uint(c.MantissaBits)&63)))
	b = fma(b, p, b)
	return T(b * c.down)
}

// table returns L, and S and v, σ(u) = S·(1+v), for an A that is not scaled.
func (c *constants[T]) table(negative bool, V, A, p T) (L, S, v T) {
	i := toBits(fma(A, coef.RecipScale, c.magicIndex)) & 7
	r := c.Recip[i]
	S = T(A * r)
	z := S + (r - 1)
	z = fma(S, p, z)
	zz := T(z * z)
	y := fma(zz, polynomial(c.Log1p, z, zz), z)
	L = (c.LogRecip[i] + V) + y
	v = (choose(negative, p, 0) - z) / (1 + z)
	S = choose(negative, S, r)
	return L, S, v
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

// genericKernel evaluates a kernel.
func genericKernel[T Float](k abi.Kernel, a *abi.Args[T]) {
	switch k.Family() {
	case abi.Square:
		genericSquare(k.Operation(), a)
	case abi.Power:
		genericPower(k.Operation(), a)
	}
}

// genericSquare is the reference at γ = 2.
func genericSquare[T Float](op abi.Operation, a *abi.Args[T]) {
	c := constantsOf[T]()
	weights := arrayOf(a.W, a.N, a.Weight)
	us, loss := unsafe.Slice(a.U, a.N), unsafe.Slice(a.Loss, a.N)
	for i, u := range us {
		w := weights.get(i)
		negative := toBits(u)&c.signBit != 0
		V := larger(0, u)

		A, p, _, _ := c.exp(u, c.magicExp, c.near)
		L, S, v := c.table(negative, V, A, p)

		// B = w·s², s² = S²·(1 + 2v + v²)
		b := T(T(S*S) * w)
		B := fma(b, fma(v, v, v+v), b)
		loss[i] = T(B * L)
		if op == abi.Loss {
			continue
		}

		e := fma(A, p, A)
		s := fma(S, v, S)
		q := choose(negative, 1-s, T(e*s))
		L = smaller(c.maxSoftplus, L)
		L = L + L
		unsafe.Slice(a.Grad, a.N)[i] = T(B * fma(q, L, s))
	}
}

// genericPower is the reference for any γ.
func genericPower[T Float](op abi.Operation, a *abi.Args[T]) {
	c, pl := constantsOf[T](), a.Plan
	weights := arrayOf(a.W, a.N, a.Weight)
	us, loss := unsafe.Slice(a.U, a.N), unsafe.Slice(a.Loss, a.N)
	for i, u := range us {
		w := weights.get(i)
		negative := toBits(u)&c.signBit != 0
		V := larger(0, u)

		A, p, k, f := c.exp(u, c.magicFar, c.far)
		e, small, lambda, m := c.log(A, p)
		B := c.pow(pl, negative, w, A, m, k, f)

		// L = ln2·λ + V
		loss[i] = fma(T(B*lambda), c.ln2Down, T(B*V))
		if op == abi.Loss {
			continue
		}

		// grad = B·(α + β·L)/(1+e), α = [u<0] ? e : 1, β = γ·([u<0] ? 1 : e)
		alpha := choose(negative, e, c.up)
		beta := choose(negative, pl.Gamma, T(pl.Gamma*small))
		L := fma(c.Ln2, lambda, T(smaller(c.maxSoftplus, V)*c.up))
		d := c.up + e
		unsafe.Slice(a.Grad, a.N)[i] = T(B*fma(beta, L, alpha)) / d
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

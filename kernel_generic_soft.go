package focal

import (
	"unsafe"

	"github.com/gofocal/focal/internal/coef"
)

// This file is the reference for soft targets: a target t in [0, 1] for each element. With p = σ(x), q = σ(-x), and
//
//	a = wPos·t + wNeg·(1-t)     m = p·(1-t) + q·t     E = (1-t)·softplus(x) + t·softplus(-x)     δ = 1 - 2t
//
// the loss is a·m^γ·E, and since m' = pq·δ, E' = p - t = p·(1-t) - q·t, (pq)' = pq·(q-p),
//
//	grad = a·m^γ·(E' + γ·δ·(pq/m)·E)
//	hess = a·m^γ·(pq + γ·δ·(pq/m)·(2·E' + E·((γ-1)·δ·pq/m + q - p)))
//
// Of σ(x) and σ(-x) let N be the larger, which belongs to |x|, and O the other; β is N's share, 1-t if x ≥ 0, otherwise t,
// and θ = 1-β that of O. Then
//
//	O/N = e = exp(-|x|)     m = N·R,  R = β + e·θ     E = log1p(e) + β·|x|     D = N·β - O·θ = N·(2β - R) = ±E'     d = ±δ
//
// where ± is the sign of x. Nothing cancels in the loss. D and the bracket of hess do change their signs.
//
// Where β is 0 (t is 0 or 1, and x is on the side that fits it) N would drop out: there N and O change places, so that N's
// share is 1, and the sign of x counts as the other one. So a target of 0 or 1 always has β = 1, θ = 0, R = 1, D = N, d = 1,
// exactly, and what is left is the arithmetic of a label: the bits are equal.

// softBlock is the kernel of loss, gradient, Hessian and sum for soft targets.
func softBlock[T Float](b *block[T]) {
	var (
		c      = constantsOf[T]()
		r      logistic[T]
		o      = outputsOf(b)
		pl     = &b.Plan
		x      = unsafe.Slice(b.X, b.N)
		target = unsafe.Slice(b.Target, b.N)
	)
	for i := range x {
		if b.Keep != nil && b.Keep[i/64]>>(i%64)&1 == 0 {
			o.ignore(i)
			continue
		}
		t := target[i]
		other := 1 - t
		a := fma(pl.WPos, t, T(pl.WNeg*other))

		bits := toBits(x[i])
		flip := bits & c.signBit
		abs := bits ^ flip
		beta, theta := other, t
		if flip != 0 {
			beta, theta = t, other
		}
		y := T(0) // β·|x|, but not 0·Inf
		if beta != 0 {
			y = T(beta * fromBits[T](abs))
		}
		swap := beta == 0
		if swap {
			beta, theta = 1, 0
			flip ^= c.signBit
		}
		if x[i] != x[i] {
			nan := abs | c.quietBit
			o.store(i, fromBits[T](nan), fromBits[T](nan), fromBits[T](nan))
			continue
		}
		c.logistic(&r, abs, true, true) // however small t is, e matters beside it
		L := (c.Log[r.i] + r.z) + y

		// a·m^γ is B·R² at γ = 2, otherwise B·2^-TinyShift. bigR is R·2^TinyShift, as e is.
		e := fma(r.A, r.p, r.A)
		var B, R, bigR, loss T
		if pl.Square {
			B, R = r.square(a, swap), fma(T(e*c.tiny), theta, beta)
			bigR = T(R * c.huge)
			B = T(B * R)
			loss = T(B * T(R*L))
		} else {
			bigR = fma(e, theta, T(beta*c.huge))
			R = T(bigR * c.tiny)
			hi, lo := r.log8(c, swap)
			hiR, loR := c.log8(bigR)
			B = c.power(pl, a, hi+hiR, lo+loR)
			// The scale is taken back from the larger factor: E may be huge where m^γ is tiny, but not that of a label.
			if L > 1 && theta != 0 {
				loss = T(B * T(L*c.tiny))
			} else {
				loss = T(T(B*c.tiny) * L)
			}
		}
		if loss != loss { // 0·Inf, at an infinite x: E wins
			loss = c.inf
		}
		if o.grad == nil && o.hess == nil {
			o.store(i, loss, 0, 0)
			continue
		}

		N := r.sigmoid(swap)
		O := r.sigmoid(!swap)
		D := T(N * fma(2, beta, -R))
		signedD := fromBits[T](toBits(D) ^ flip) // E'
		delta := fma(-2, t, 1)
		gL := T(pl.Gamma * min(L, c.maxSoftplus))

		// κ = δ·O/R = δ·pq/m; bigK is κ·2^(TinyShift/2): κ may be subnormal where its products are not
		var bigO, bigK, kappa T
		if !pl.Square || o.hess != nil {
			bigO = r.tinyS
			if swap {
				bigO = T(r.c * c.huge)
			}
			bigO = fma(bigO, r.small(!swap), bigO)
			bigK = T(delta * T(T(bigO*c.large)/bigR))
			if bigO < c.fallen { // e has stopped falling, and t may be smaller still
				bigK = 0
			}
			kappa = T(bigK * c.small)
		}
		var grad T
		if pl.Square { // without a division: R·(E' + κ·γ·L)
			grad = T(B * fma(T(delta*O), gL, T(R*signedD)))
		} else {
			grad = T(T(B*fma(kappa, gL, signedD)) * c.tiny)
		}
		if o.hess == nil {
			o.store(i, loss, grad, 0)
			continue
		}

		// (pq + κ·(2γ·D + γ·L·(γ·κ - (κ - O + N))))·2^TinyShift, for κ and D with the sign that makes δ = 1 of a label; that is
		// O·(N·(1+2γ) + γ·L·(γ·O - N))
		bigK, kappa = fromBits[T](toBits(bigK)^flip), fromBits[T](toBits(kappa)^flip)
		K, inner, pq := T(bigK*c.large), T(pl.Gamma*(D+D)), T(bigO*N)
		if theta == 0 {
			K, inner, pq = bigO, T(N*pl.HessOne), fromBits[T](c.signBit) // -0
		}
		bracket := fma(gL, fma(pl.Gamma, kappa, -((kappa-O)+N)), inner)
		hess := T(fma(K, bracket, pq) * c.tiny)
		if pl.Square {
			hess = T(T(B*R) * hess)
		} else {
			hess = T(T(B*hess) * c.tiny)
		}
		o.store(i, loss, grad, hess)
	}
}

// log8 returns 8·log2(R·2^-TinyShift) as hi + lo, for R > 0 of the normal range: R = 2^k·y, 1 ≤ y < 2, and log2 y by the
// table step that 1+e has had.
func (c *constants[T]) log8(R T) (hi, lo T) {
	bits := toBits(R)
	k := 8 * (T(bits>>c.MantissaBits) - c.expHuge)
	y := fromBits[T](bits&(1<<c.MantissaBits-1) | toBits(T(1)))
	i := toBits(fma(y, coef.IndexScale, c.magicIndex)) & 7
	z := fma(y, c.Recip[i], -1)
	return k + c.Log8Hi[i], fma(c.log1p(z, T(z*z)), c.Scale, c.Log8Lo[i])
}

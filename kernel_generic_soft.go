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

// R is kept in two numbers, rounded and what it lacks, the rest: of the sum and the product, of e = A·(1+p), and of 1-t.
// Otherwise γ would multiply all these errors, some 3 ULP. At γ = 2, R² is R·(R + 2·rest); for any other γ the rest goes into
// the logarithm of R. What 1-t and its product with wNeg lack goes into the other product of the weight a, so that only that and
// the last addition are rounded, or nearly so.

// softBlock is the kernel of loss, gradient, Hessian and sum for soft targets.
func softBlock[T Float](b *block[T]) {
	var (
		c      = constantsOf[T]()
		r      logistic[T]
		o      = outputsOf(b)
		pl     = &b.Plan
		x      = unsafe.Slice(b.X, b.N)
		target = unsafe.Slice(b.Target, b.N)
		reach  = tiny
	)
	if pl.Square {
		reach = small
	}
	for i := range x {
		if b.Keep != nil && b.Keep[i/64]>>(i%64)&1 == 0 {
			o.ignore(i)
			continue
		}
		t := target[i]
		other := 1 - t
		lost := (1 - other) - t // of 1-t, exactly
		negatives := T(pl.WNeg * other)
		a := negatives + fma(pl.WPos, t, fma(pl.WNeg, lost, fma(pl.WNeg, other, -negatives)))

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
			beta, theta = theta, beta // 1 and 0
			flip ^= c.signBit
		}
		if x[i] != x[i] {
			nan := abs | c.quietBit
			o.store(i, fromBits[T](nan), fromBits[T](nan), fromBits[T](nan))
			continue
		}
		c.logistic(&r, abs, reach, true)
		L := (c.Log[r.i] + r.z) + y

		// R + rest, times 2^TinyShift if A is. The rest is what product, sum and 1-t have lost, to a few bits.
		A, unit := r.A, T(1)
		if reach == tiny {
			unit = c.huge
		}
		product := T(A * theta)
		rough := product
		product = fma(rough, r.p, rough)
		of := unit
		if flip != 0 {
			of = A // e, to a few bits
		}
		rest := fma(of, lost, fma(rough, r.p, fma(A, theta, -product)))
		share := T(beta * unit)
		R := share + product
		rest += min(share, product) - (R - max(share, product))

		// a·m^γ is B·R at γ = 2, otherwise B·2^-TinyShift
		var B, bigR, loss T
		if pl.Square {
			B = T(r.square(a, swap) * fma(2, rest, R)) // (R + rest)² is R·(R + 2·rest)
			loss = T(B * T(R*L))
			bigR = T(R * c.huge)
		} else {
			hi, lo := r.log8(c, swap)
			hiR, loR := c.log8(R, rest)
			B = c.power(pl, a, hi+hiR, lo+loR)
			bigR = R + rest
			R = T(bigR * c.tiny)
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

// log8 returns 8·log2((R+rest)·2^-TinyShift) as hi + lo, for R > 0 of the normal range: R = 2^k·y, 1 ≤ y < 2, and log2 y by the
// table step that 1+e has had.
func (c *constants[T]) log8(R, rest T) (hi, lo T) {
	bits := toBits(R)
	power := bits &^ (1<<c.MantissaBits - 1) // 2^k's
	k := 8 * (T(bits>>c.MantissaBits) - c.expHuge)
	y := fromBits[T](bits&(1<<c.MantissaBits-1) | toBits(T(1)))
	i := toBits(fma(y, coef.IndexScale, c.magicIndex)) & 7
	z := fma(y, c.Recip[i], -1)
	z = fma(T(rest*fromBits[T](2*toBits(T(1))-power)), c.Recip[i], z) // rest·2^-k
	return k + c.Log8Hi[i], fma(c.log1p(z, T(z*z)), c.Scale, c.Log8Lo[i])
}

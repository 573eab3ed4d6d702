package focal

import (
	"math"

	"github.com/gofocal/focal/internal/abi"
)

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

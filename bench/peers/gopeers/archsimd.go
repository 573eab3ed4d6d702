//go:build goexperiment.simd && amd64

package main

import (
	"errors"
	"math"
	"simd/archsimd"

	"github.com/gofocal/focal/internal/coef"
)

func init() {
	add("archsimd", viaArchsimd, func(*batch[float64]) (func() error, func(), error) {
		return nil, nil, errors.New("written for float32 alone")
	})
}

// The arithmetic of focal's kernels at γ = 2, the same operations in the same order, as the compiler makes code of it.

type vec = archsimd.Float32x16

// table repeats the eight entries of a table: a permutation looks at four bits of an index.
func table(t [8]float32) vec {
	var v [16]float32
	copy(v[copy(v[:], t[:]):], t[:])
	return archsimd.LoadFloat32x16(&v)
}

func set(x float64) vec { return archsimd.BroadcastFloat32x16(float32(x)) }

// stream evaluates the logits, 16 at a time: their number is a multiple of 16. If label is nil all are positives, or
// none is; otherwise there is one column, and a label for each.
func stream(loss, grad, x []float32, label []int32, allPositive bool) {
	c, layout := &coef.F32, coef.Layout32
	var node [8]float32
	copy(node[:], c.Node)
	var (
		magic, magicIndex = set(layout.MagicExp()), set(layout.MagicIndex())
		near, maxSoftplus = set(layout.NearLogit), set(layout.MaxSoftplus)
		log2e, log2eLo    = set(float64(c.Log2E)), set(float64(c.Log2ELo))
		recipScale        = set(coef.RecipScale)
		nodes             = table(node)
		recip, logs       = table(c.Recip), table(c.LogRecip)
		e0, e1, e2, e3    = set(float64(c.Exp[0])), set(float64(c.Exp[1])), set(float64(c.Exp[2])), set(float64(c.Exp[3]))
		q0, q1, q2, q3    = set(float64(c.Log1p[0])), set(float64(c.Log1p[1])), set(float64(c.Log1p[2])), set(float64(c.Log1p[3]))
		one, zero         = set(1), set(0)
		zeros             = zero.AsInt32x16()
		signBit           = archsimd.BroadcastInt32x16(math.MinInt32)
		absBits           = archsimd.BroadcastInt32x16(math.MaxInt32)
		ones              = archsimd.BroadcastInt32x16(1)
		weightPos, weight = set(alpha), set(1 - alpha)
		flip              = zeros
	)
	weightNeg := weight
	if allPositive {
		flip, weight = signBit, weightPos
	}

	for i := 0; i+16 <= len(x); i += 16 {
		if label != nil {
			positive := archsimd.LoadInt32x16((*[16]int32)(label[i:])).Equal(ones)
			flip = signBit.Masked(positive)
			weight = weightPos.Merge(weightNeg, positive)
		}
		u := archsimd.LoadFloat32x16((*[16]float32)(x[i:])).AsInt32x16().Xor(flip)
		negative := u.Less(zeros)

		// exp(-|u|) = A·(1+p)
		minusA := u.And(absBits).AsFloat32x16().Min(near).AsInt32x16().Or(signBit).AsFloat32x16()
		t := minusA.MulAdd(log2e, magic)
		f := minusA.MulAdd(log2e, magic.Sub(t))
		f = minusA.MulAdd(log2eLo, f)
		A := t.AsInt32x16().ShiftAllLeft(20).AsFloat32x16()
		y := f.Add(nodes.Permute(t.AsUint32x16()))
		p := e3.MulAdd(y, e2).MulAdd(y, e1).MulAdd(y, e0).Mul(y)

		// z = c·(1+e) - 1, s = S·(1+v)
		index := A.MulAdd(recipScale, magicIndex).AsUint32x16()
		r := recip.Permute(index)
		S := A.Mul(r)
		z := S.MulAdd(p, S.Add(r.Sub(one)))
		v := p.Masked(negative).Sub(z).Div(one.Add(z))

		zz := z.Mul(z)
		log1p := q3.MulAdd(z, q2).MulAdd(z, q1).MulAdd(z, q0).MulAdd(zz, z)
		softplus := logs.Permute(index).Add(zero.Max(u.AsFloat32x16())).Add(log1p)
		S = S.Merge(r, negative)
		B := S.Mul(S).Mul(weight)
		B = B.MulAdd(v.MulAdd(v, v.Add(v)), B)
		B.Mul(softplus).Store((*[16]float32)(loss[i:]))
		if grad == nil {
			continue
		}
		s := S.MulAdd(v, S)
		q := one.Sub(s).Merge(A.MulAdd(p, A).Mul(s), negative)
		softplus = softplus.Min(maxSoftplus)
		B.Mul(q.MulAdd(softplus.Add(softplus), s)).AsInt32x16().Xor(flip).AsFloat32x16().Store((*[16]float32)(grad[i:]))
	}
}

func viaArchsimd(b *batch[float32]) (func() error, func(), error) {
	switch {
	case b.threads > 1:
		return nil, nil, errOneThread
	case b.gamma != 2:
		return nil, nil, errors.New("written for γ = 2 alone")
	case !archsimd.X86.AVX512():
		return nil, nil, errors.New("written for AVX-512 alone")
	case len(coef.F32.Exp) != 4 || len(coef.F32.Log1p) != 4 || len(coef.F32.Node) != 8:
		return nil, nil, errors.New("written for polynomials of four terms, and eight nodes")
	}
	return func() error {
		labels := b.label
		if b.cols > 1 {
			labels = nil
		}
		whole := len(b.x) / 16 * 16
		stream(b.loss[:whole], b.grad, b.x[:whole], labels, false)
		if whole < len(b.x) { // what is left, as a vector of its own
			var some few
			n := copy(some.x[:], b.x[whole:])
			var label []int32
			if labels != nil {
				label = make([]int32, 16)
				copy(label, labels[whole:])
			}
			some.eval(label, false, b.grad != nil)
			copy(b.loss[whole:], some.loss[:n])
			if b.grad != nil {
				copy(b.grad[whole:], some.grad[:n])
			}
		}
		if b.cols > 1 {
			patch(b)
		}
		return nil
	}, nil, nil
}

// few is one vector.
type few struct{ x, loss, grad [16]float32 }

func (v *few) eval(label []int32, positive, grad bool) {
	var g []float32
	if grad {
		g = v.grad[:]
	}
	stream(v.loss[:], g, v.x[:], label, positive)
}

// patch evaluates the positives, 16 at a time.
func patch(b *batch[float32]) {
	var some few
	var at [16]int
	n := 0
	flush := func() {
		some.eval(nil, true, b.grad != nil)
		for i := range n {
			b.loss[at[i]] = some.loss[i]
			if b.grad != nil {
				b.grad[at[i]] = some.grad[i]
			}
		}
		n = 0
	}
	for row, label := range b.label {
		if label < 1 {
			continue
		}
		at[n] = row*b.cols + int(label) - 1
		some.x[n] = b.x[at[n]]
		if n++; n == 16 {
			flush()
		}
	}
	if n > 0 {
		flush()
	}
}

package oracle

import (
	"fmt"
	"math"
)

// An error is counted in units in the last place (ULP) of the exact value: the spacing of the floats in the binade that
// holds it. Below the normal range that is the smallest subnormal. Where the terms of a value cancel it is counted in
// units of the sum of their magnitudes, mag. A NaN or an Inf that should not be there is infinitely wrong; an Inf is
// right if the exact value is beyond the largest float.

// Err32 returns the error of got in ULP of mag.
func Err32(got float32, want, mag float64) float64 {
	g := float64(got)
	if !(math.Abs(g) <= math.MaxFloat32 && math.Abs(want) <= math.MaxFloat32) {
		if err, done := specialErr(g, want, math.Abs(want) > math.MaxFloat32); done {
			return err
		}
	}
	e := int(math.Float64bits(mag)>>52&0x7ff) - 1023
	e = min(max(e, -126), 127)
	return math.Abs(g-want) * math.Float64frombits(uint64(1023+23-e)<<52)
}

// Err64 returns the error of got in ULP of mag.
func Err64(got float64, want, mag Real) float64 {
	if want.Hi-want.Hi != 0 || got-got != 0 {
		beyond := math.IsInf(want.Hi, 0) || want.exponent() > 1023 ||
			math.Abs(want.Float64()) == math.MaxFloat64 && want.Hi*want.Lo > 0
		w := want.Hi
		if err, done := specialErr(got, w, beyond); done {
			return err
		}
	}
	unit := min(max(mag.exponent(), -1022), 1023) - 52
	w := want.Exp - unit
	// Both are numbers of units now, and exact; of a got that is far too large the error is +Inf.
	return math.Abs(math.Ldexp(got, -unit) - math.Ldexp(want.Hi, w) - math.Ldexp(want.Lo, w))
}

// exponent returns that of the binade which holds the number.
func (a Real) exponent() int {
	if a.Hi == 0 {
		return -1 << 30
	}
	f, e := math.Frexp(a.Hi)
	if math.Abs(f) == 0.5 && a.Hi*a.Lo < 0 {
		e-- // just below a power of two
	}
	return e - 1 + a.Exp
}

// specialErr decides what subtraction cannot.
func specialErr(got, want float64, beyond bool) (err float64, done bool) {
	switch {
	case math.IsNaN(got) && math.IsNaN(want):
		return 0, true
	case math.IsNaN(got) || math.IsNaN(want):
		return math.Inf(1), true
	case math.IsInf(got, 0) && beyond && math.Signbit(got) == math.Signbit(want):
		return 0, true
	case math.IsInf(got, 0) || math.IsInf(want, 0):
		return math.Inf(1), true
	}
	return 0, false
}

// Errors keeps the largest of many errors, where it was, and the mean.
type Errors struct {
	Worst         float64
	At, Got, Want float64 // of the worst: the logit as u, the result, the exact value
	Sum           float64
	N             uint64
}

// worse reports whether a is a larger error than b. Nothing is larger than a NaN.
func worse(a, b float64) bool { return !(a <= b) && !math.IsNaN(b) }

// Add counts one error.
func (e *Errors) Add(err, at, got, want float64) {
	if e.N == 0 || worse(err, e.Worst) {
		e.Worst, e.At, e.Got, e.Want = err, at, got, want
	}
	e.Sum += err
	e.N++
}

// Add32 does Add(v.Err(q, got, w)), in less time.
func (e *Errors) Add32(v *Values32, q Quantity, at float64, got float32, w float64) {
	want, mag, g := w*v.Value[q], w*v.Mag[q], float64(got)
	exponent := min(max(int(math.Float64bits(mag)>>52), 1023-126), 1023+127)
	err := math.Abs(g-want) * math.Float64frombits(uint64(2*1023+23-exponent)<<52)
	if err <= e.Worst && (q != Loss || want >= v.slackBelow) && e.N > 0 { // an Inf or a NaN is not
		e.Sum += err
		e.N++
		return
	}
	err, want = v.Err(q, got, w)
	e.Add(err, at, g, want)
}

// AddRun32 counts the errors of n equal results at logits from first to last that are evenly spaced, between which the values are linear.
// It returns false, and has counted nothing, if not all of them have the same sign and unit: between them is then another worst.
func (e *Errors) AddRun32(v, vLast *Values32, q Quantity, first, last float64, got float32, w float64, n int) bool {
	g := float64(got)
	above := func(v *Values32) bool { return g > w*v.Value[q] }
	binade := func(v *Values32) uint64 { return math.Float64bits(w*v.Mag[q]) >> 52 }
	if q == Loss && w < 0x1p-126 || above(v) != above(vLast) || binade(v) != binade(vLast) || n < 2 {
		return false
	}
	a, want := v.Err(q, got, w)
	b, wantLast := vLast.Err(q, got, w)
	e.Add(a, first, g, want)
	e.Add(b, last, g, wantLast)
	e.Sum += (a + b) / 2 * float64(n-2)
	e.N += uint64(n - 2)
	return true
}

// Merge counts the errors that other has counted.
func (e *Errors) Merge(other Errors) {
	if e.N == 0 || other.N > 0 && worse(other.Worst, e.Worst) {
		e.Worst, e.At, e.Got, e.Want = other.Worst, other.At, other.Got, other.Want
	}
	e.Sum += other.Sum
	e.N += other.N
}

// Mean returns the mean error.
func (e Errors) Mean() float64 { return e.Sum / float64(e.N) }

func (e Errors) String() string {
	if e.N == 0 {
		return "nothing measured"
	}
	return fmt.Sprintf("worst %.3f mean %.3f ULP of %d, at %v (%x): %v, exact %v",
		e.Worst, e.Mean(), e.N, e.At, e.At, e.Got, e.Want)
}

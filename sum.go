package focal

import "math"

// accumulator is a sum of losses in float64 with the rounding errors of its additions beside it: hi is the plain sum
// and hi+lo, not rounded, the better one. Losses are never negative, so that nothing cancels in hi.
//
// Only additions are used here, so that there is no product that a compiler could fuse with one.
type accumulator struct {
	hi, lo float64
}

// add adds v by Knuth's TwoSum.
func (a *accumulator) add(v float64) {
	sum, err := twoSum(a.hi, v)
	a.hi = sum
	a.lo += err
}

// twoSum returns the rounded sum of a and b, and its rounding error exactly.
func twoSum(a, b float64) (sum, err float64) {
	sum = a + b
	part := sum - a
	return sum, (a - (sum - part)) + (b - part)
}

// addSum adds the sum of a block. Of an infinite or NaN sum only hi means anything.
func (a *accumulator) addSum(b accumulator) {
	a.add(b.hi)
	if isFinite(b.hi) {
		a.add(b.lo)
	}
}

// result returns the sum, rounded once.
func (a *accumulator) result() float64 {
	switch {
	case math.IsNaN(a.hi):
		return math.NaN() // not the payload that the order of operands has brought about
	case math.IsInf(a.hi, 0):
		return a.hi
	}
	return a.hi + a.lo
}

// totalOf returns the sum of a block's lanes, added in their order: first those of hi, then those of lo.
func totalOf(s *laneSums) accumulator {
	var a accumulator
	for _, v := range s.Hi {
		if v != 0 { // a zero changes nothing, and few elements use few lanes
			a.add(v)
		}
	}
	if !isFinite(a.hi) { // then a lane of lo may be Inf-Inf
		return a
	}
	for _, v := range s.Lo {
		if v != 0 {
			a.add(v)
		}
	}
	return a
}

func isFinite(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }

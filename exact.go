package focal

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"unsafe"
)

// superaccumulator is a sum of finite float64 ≥ 0, not rounded: an integer of 34 words, least significant first, that counts
// units of 2^-1074, the smallest subnormal. A float64 has at most 2098 bits in these units; the 78 bits above let 2^78 of
// them be added.
type superaccumulator [exactWords]uint64

const (
	exactWords = 34
	exactUnit  = -1074 // the exponent of the unit
)

// addShifted adds v·2^shift units. What it cannot hold is lost: the callers' sums are below 2^(64·exactWords).
func (s *superaccumulator) addShifted(v uint64, shift uint) {
	i, by := shift/64, shift%64
	var carry uint64
	s[i], carry = bits.Add64(s[i], v<<by, 0)
	s[i+1], carry = bits.Add64(s[i+1], v>>(64-by), carry)
	for i += 2; carry != 0 && i < exactWords; i++ {
		s[i], carry = bits.Add64(s[i], 0, carry)
	}
}

// add adds another sum and reports whether there was room for it. If not, s is not what it was.
func (s *superaccumulator) add(other *superaccumulator) (ok bool) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], other[i], carry)
	}
	return carry == 0
}

// over returns the sum divided by norm, a finite number > 0, rounded once. It is +Inf above the largest float64.
func (s *superaccumulator) over(norm float64) float64 {
	var b [8 * exactWords]byte
	for i, word := range s {
		binary.BigEndian.PutUint64(b[8*(exactWords-1-i):], word)
	}
	num, den := new(big.Int).SetBytes(b[:]), new(big.Int)
	fraction, exponent := math.Frexp(norm)
	den.SetUint64(uint64(fraction * (1 << 53))) // norm = den·2^(exponent-53)
	if shift := exactUnit - (exponent - 53); shift >= 0 {
		num.Lsh(num, uint(shift))
	} else {
		den.Lsh(den, uint(-shift))
	}
	quotient, _ := new(big.Rat).SetFrac(num, den).Float64() // rounds once, to a subnormal too
	return quotient
}

// exactBins collects numbers ≥ 0 of type T by their exponents, so that each needs an addition or two of integers and no
// carries. The exponent field is a bin's index in float32; float64 has eight exponents in a bin.
type exactBins[T Float] struct {
	bin      [256]uint64 // float32: significands without the leading bit; how many there are in the bits from 40 on
	high     [256]uint64 // float64: the bits from 32 on of shifted significands, of which bin has those below
	inf, nan uint64      // how many, none of them in a bin
	n        int         // numbers in the bins
}

// binsHold is how many numbers the bins can hold: 2^16 significands of 23 bits need 39.
const binsHold = 1 << 16

// add adds numbers, at most binsHold. What is in the bins goes to the total first if there is no room for all.
func (b *exactBins[T]) add(x []T, total *exactTotal) {
	if b.n+len(x) > binsHold {
		b.flush(total)
	}
	b.n += len(x)
	if x32, ok := any(x).([]float32); ok {
		b.add32(x32)
		return
	}
	for _, v := range x {
		w := math.Float64bits(float64(v))
		exponent, significand := w>>52&2047, w&(1<<52-1)
		switch exponent {
		case 0:
		case 2047:
			b.count(float64(v))
			continue
		default:
			exponent--
			significand |= 1 << 52
		}
		significand <<= exponent & 7
		b.bin[exponent>>3&255] += significand & (1<<32 - 1)
		b.high[exponent>>3&255] += significand >> 32
	}
}

func (b *exactBins[T]) add32(x []float32) {
	for _, v := range x {
		w := math.Float32bits(v)
		b.bin[w>>23&255] += uint64(w&(1<<23-1)) | 1<<40
	}
	if b.bin[255] != 0 { // infinities and NaNs, which it does not tell apart
		b.bin[255] = 0
		for _, v := range x {
			if v-v != 0 {
				b.count(float64(v))
			}
		}
	}
}

// count counts a number that is infinite or NaN.
func (b *exactBins[T]) count(v float64) {
	if v != v {
		b.nan++
	} else {
		b.inf++
	}
}

// exactTotal is what bins are emptied into: the sum of the finite numbers, and how many others there are.
type exactTotal struct {
	sum      superaccumulator
	inf, nan uint64
}

// add adds another total.
func (t *exactTotal) add(other *exactTotal) {
	t.sum.add(&other.sum)
	t.inf += other.inf
	t.nan += other.nan
}

// flush moves what is in the bins to the total.
func (b *exactBins[T]) flush(total *exactTotal) {
	if unsafe.Sizeof(T(0)) == 4 {
		b.flush32(total)
	} else {
		b.flush64(total)
	}
	total.inf += b.inf
	total.nan += b.nan
	b.inf, b.nan, b.n = 0, 0, 0
}

func (b *exactBins[T]) flush32(total *exactTotal) {
	const subnormal = -149 // the exponent of float32's unit
	for exponent, v := range b.bin {
		if v == 0 {
			continue
		}
		b.bin[exponent] = 0
		count, significands := v>>40, v&(1<<40-1)
		if exponent == 0 {
			total.sum.addShifted(significands, subnormal-exactUnit)
		} else {
			total.sum.addShifted(significands+count<<23, uint(exponent-1+subnormal-exactUnit))
		}
	}
}

func (b *exactBins[T]) flush64(total *exactTotal) {
	for i := range b.bin {
		if b.bin[i]|b.high[i] == 0 {
			continue
		}
		total.sum.addShifted(b.bin[i], uint(8*i))
		total.sum.addShifted(b.high[i], uint(8*i+32))
		b.bin[i], b.high[i] = 0, 0
	}
}

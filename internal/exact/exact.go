// Package exact adds numbers ≥ 0 without rounding.
package exact

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"unsafe"
)

// A Sum is a sum of finite float64 ≥ 0, not rounded: an integer of 34 words, least significant first, that counts
// units of 2^-1074, the smallest subnormal. A float64 has at most 2098 bits in these units; the 78 bits above let 2^78 of
// them be added.
type Sum [Words]uint64

const (
	Words = 34
	Unit  = -1074 // the exponent of the unit
)

// addShifted adds v·2^shift units. What it cannot hold is lost: the callers' sums are below 2^(64·Words).
func (s *Sum) addShifted(v uint64, shift uint) {
	i, by := shift/64, shift%64
	var carry uint64
	s[i], carry = bits.Add64(s[i], v<<by, 0)
	s[i+1], carry = bits.Add64(s[i+1], v>>(64-by), carry)
	for i += 2; carry != 0 && i < Words; i++ {
		s[i], carry = bits.Add64(s[i], 0, carry)
	}
}

// Add adds another sum and reports whether there was room for it. If not, s is not what it was.
func (s *Sum) Add(other *Sum) (ok bool) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], other[i], carry)
	}
	return carry == 0
}

// Big returns the sum, as wide as it has to be.
func (s *Sum) Big() *big.Float {
	const prec = 64 * Words
	sum, word := new(big.Float).SetPrec(prec), new(big.Float).SetPrec(prec)
	for i, v := range s {
		sum.Add(sum, word.SetMantExp(new(big.Float).SetUint64(v), 64*i+Unit))
	}
	return sum
}

// Over returns the sum divided by norm, a finite number > 0, rounded once. It is +Inf above the largest float64.
func (s *Sum) Over(norm float64) float64 {
	var b [8 * Words]byte
	for i, word := range s {
		binary.BigEndian.PutUint64(b[8*(Words-1-i):], word)
	}
	num, den := new(big.Int).SetBytes(b[:]), new(big.Int)
	fraction, exponent := math.Frexp(norm)
	den.SetUint64(uint64(fraction * (1 << 53))) // norm = den·2^(exponent-53)
	if shift := Unit - (exponent - 53); shift >= 0 {
		num.Lsh(num, uint(shift))
	} else {
		den.Lsh(den, uint(-shift))
	}
	quotient, _ := new(big.Rat).SetFrac(num, den).Float64() // rounds once, to a subnormal too
	return quotient
}

// Bins collect numbers ≥ 0 of type T by their exponents, so each needs an addition or two of integers and no
// carries. The exponent field is a bin's index in float32; float64 has eight exponents in a bin.
type Bins[T float32 | float64] struct {
	bin      [256]uint64 // float32: significands without the leading bit; how many there are in the bits from 40 on
	high     [256]uint64 // float64: the bits from 32 on of shifted significands, of which bin has those below
	inf, nan uint64      // how many, none of them in a bin
	n        int         // numbers in the bins
}

// MaxAdd is how many numbers the bins can hold: 2^16 significands of 23 bits need 39.
const MaxAdd = 1 << 16

// Add adds numbers, at most MaxAdd. What is in the bins goes to the total first if there is no room for all.
func (b *Bins[T]) Add(x []T, total *Total) {
	if b.n+len(x) > MaxAdd {
		b.Flush(total)
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

func (b *Bins[T]) add32(x []float32) {
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
func (b *Bins[T]) count(v float64) {
	if v != v {
		b.nan++
	} else {
		b.inf++
	}
}

// Total is what bins are emptied into: the sum of the finite numbers, and how many others there are.
type Total struct {
	Sum      Sum
	Inf, NaN uint64
}

// Add adds another total.
func (t *Total) Add(other *Total) {
	t.Sum.Add(&other.Sum)
	t.Inf += other.Inf
	t.NaN += other.NaN
}

// Flush moves what is in the bins to the total.
func (b *Bins[T]) Flush(total *Total) {
	if unsafe.Sizeof(T(0)) == 4 {
		b.flush32(total)
	} else {
		b.flush64(total)
	}
	total.Inf += b.inf
	total.NaN += b.nan
	b.inf, b.nan, b.n = 0, 0, 0
}

func (b *Bins[T]) flush32(total *Total) {
	const subnormal = -149 // the exponent of float32's unit
	for exponent, v := range b.bin {
		if v == 0 {
			continue
		}
		b.bin[exponent] = 0
		count, significands := v>>40, v&(1<<40-1)
		if exponent == 0 {
			total.Sum.addShifted(significands, subnormal-Unit)
		} else {
			total.Sum.addShifted(significands+count<<23, uint(exponent-1+subnormal-Unit))
		}
	}
}

func (b *Bins[T]) flush64(total *Total) {
	for i := range b.bin {
		if b.bin[i]|b.high[i] == 0 {
			continue
		}
		total.Sum.addShifted(b.bin[i], uint(8*i))
		total.Sum.addShifted(b.high[i], uint(8*i+32))
		b.bin[i], b.high[i] = 0, 0
	}
}

package focal

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/gofocal/focal/internal/race"
)

// Integer is the type of a label: any integer type.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

// numbers is a slice of one of several types, which is not known at compile time.
type numbers struct {
	first unsafe.Pointer
	len   int
	of    numberType
}

// numberType is a type of numbers, as they are in memory: the size of one in bytes, and which of these sorts it is.
type numberType uint8

const (
	unsigned numberType = 1 << 4
	floating numberType = 1 << 5

	noNumbers numberType = 0
	int8s     numberType = 1
	int16s    numberType = 2
	int32s    numberType = 4
	int64s    numberType = 8
	uint8s               = unsigned | int8s
	uint16s              = unsigned | int16s
	uint32s              = unsigned | int32s
	uint64s              = unsigned | int64s
	float32s             = floating | int32s
	float64s             = floating | int64s
)

func (t numberType) String() string {
	sort := "int"
	switch {
	case t == noNumbers:
		return "nothing"
	case t&unsigned != 0:
		sort = "uint"
	case t&floating != 0:
		sort = "float"
	}
	return sort + strconv.Itoa(8*t.size())
}

// size returns how many bytes a number has.
func (t numberType) size() int { return int(t & (unsigned - 1)) }

// typeOf returns the type of E.
func typeOf[E Integer | Float]() numberType {
	var zero E
	t := numberType(unsafe.Sizeof(zero))
	if E(1)/2 != 0 {
		t |= floating
	} else if zero-1 > 0 {
		t |= unsigned
	}
	return t
}

// numbersOf returns v as numbers.
func numbersOf[E Integer | Float](v []E) numbers {
	return numbers{unsafe.Pointer(unsafe.SliceData(v)), len(v), typeOf[E]()}
}

// given reports whether there are numbers, be it none.
func (v *numbers) given() bool { return v.of != noNumbers }

// sliceOf returns v as a slice of E, or nil if it is of another type.
func sliceOf[E Integer | Float](v *numbers) []E {
	if v.of != typeOf[E]() {
		return nil
	}
	return unsafe.Slice((*E)(v.first), v.len)
}

// bytes returns the memory of v.
func (v *numbers) bytes() []byte { return unsafe.Slice((*byte)(v.first), v.len*v.of.size()) }

// integer returns integer i; one above math.MaxInt64 is returned as that.
func (v *numbers) integer(i int) int64 {
	switch v.of {
	case int8s:
		return int64(sliceOf[int8](v)[i])
	case int16s:
		return int64(sliceOf[int16](v)[i])
	case int32s:
		return int64(sliceOf[int32](v)[i])
	case uint8s:
		return int64(sliceOf[uint8](v)[i])
	case uint16s:
		return int64(sliceOf[uint16](v)[i])
	case uint32s:
		return int64(sliceOf[uint32](v)[i])
	case uint64s:
		return int64(min(sliceOf[uint64](v)[i], math.MaxInt64))
	}
	return sliceOf[int64](v)[i]
}

// text returns integer i in decimal.
func (v *numbers) text(i int) string {
	if v.of == uint64s {
		return strconv.FormatUint(sliceOf[uint64](v)[i], 10)
	}
	return strconv.FormatInt(v.integer(i), 10)
}

// asInt32 returns the integers from..from+n-1, and whether they all are in an int32's range; if not, the values are wrong.
// They are in the memory of v if it has them so, otherwise in room, which is long enough.
func (v *numbers) asInt32(room []int32, from, n int) (values []int32, ok bool) {
	first := unsafe.Add(v.first, from*v.of.size())
	switch v.of {
	case int32s, uint32s:
		values = unsafe.Slice((*int32)(first), n)
		return values, v.of == int32s || firstBadLabel(values, math.MaxInt32, 0) < 0
	}
	values, ok = room[:n], true
	done := 0
	if n >= laneCount && hasLabelKernels() {
		if race.Enabled {
			race.Read((*byte)(first), n*v.of.size())
		}
		done, ok = toInt32ByPath(path, &values[0], first, v.of, n)
		ok = ok && (v.of != uint64s || firstBadLabel(values[:done], math.MaxInt32, 0) < 0)
	}
	rest, from := values[done:], from+done
	switch v.of {
	case int8s:
		ok = toInt32(rest, sliceOf[int8](v)[from:]) && ok
	case int16s:
		ok = toInt32(rest, sliceOf[int16](v)[from:]) && ok
	case int64s:
		ok = toInt32(rest, sliceOf[int64](v)[from:]) && ok
	case uint8s:
		ok = toInt32(rest, sliceOf[uint8](v)[from:]) && ok
	case uint16s:
		ok = toInt32(rest, sliceOf[uint16](v)[from:]) && ok
	case uint64s:
		ok = toInt32(rest, sliceOf[uint64](v)[from:]) && ok
	}
	return values, ok
}

// toInt32 converts the first len(dst) integers of src and reports whether dst has the same values.
func toInt32[L Integer](dst []int32, src []L) bool {
	src = src[:len(dst)]
	lost := uint64(0)
	for i, v := range src {
		w := int32(v)
		dst[i] = w
		if unsafe.Sizeof(v) < 4 {
			continue
		}
		lost |= uint64(v) ^ uint64(w)
		if L(0)-1 > 0 { // unsigned: the same 64 bits may be those of a negative number
			lost |= uint64(uint32(w) >> 31)
		}
	}
	return lost == 0
}

// toInt32ByPath makes int32 of the first of n integers of a type, and returns of how many, and whether these all fit; unsigned ones
// count as signed.
func toInt32ByPath(p kernelPath, dst *int32, src unsafe.Pointer, of numberType, n int) (done int, fit bool) {
	whole, _ := wholes(n)
	if whole == 0 {
		return 0, true
	}
	switch of {
	case int8s:
		fit = wholeFromInt8(p, dst, (*int8)(src), whole)
	case int16s:
		fit = wholeFromInt16(p, dst, (*int16)(src), whole)
	case uint8s:
		fit = wholeFromUint8(p, dst, (*uint8)(src), whole)
	case uint16s:
		fit = wholeFromUint16(p, dst, (*uint16)(src), whole)
	default:
		fit = wholeFromInt64(p, dst, (*int64)(src), whole)
	}
	return whole, fit
}

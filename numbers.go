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

func (v *numbers) memory() memory { return memory{v.first, uintptr(v.len * v.of.size())} }

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

// asInt32 returns the last 32 bits of the integers from..from+n-1. They are in the memory of v if it has them so, otherwise in room,
// which is long enough.
func (v *numbers) asInt32(room []int32, from, n int) (values []int32) {
	first := unsafe.Add(v.first, from*v.of.size())
	if v.of.size() == 4 {
		return unsafe.Slice((*int32)(first), n)
	}
	values = room[:n]
	done, _ := v.byPath(values, from, n, 0, 0)
	rest, from, to := values[done:], from+done, from+n
	switch v.of {
	case int8s:
		convert(rest, sliceOf[int8](v)[from:to])
	case int16s:
		convert(rest, sliceOf[int16](v)[from:to])
	case int64s:
		convert(rest, sliceOf[int64](v)[from:to])
	case uint8s:
		convert(rest, sliceOf[uint8](v)[from:to])
	case uint16s:
		convert(rest, sliceOf[uint16](v)[from:to])
	case uint64s:
		convert(rest, sliceOf[uint64](v)[from:to])
	}
	return values
}

func convert[L Integer](dst []int32, src []L) {
	for i, v := range src {
		dst[i] = int32(v)
	}
}

// allUpTo reports whether the integers from..from+n-1 are all in 0..limit or ignore. The limit is at most math.MaxInt32.
func (v *numbers) allUpTo(limit uint32, ignore int32, from, n int) bool {
	if v.of&unsigned != 0 && ignore < 0 {
		ignore = 0 // no integer is negative, and 0 is in the range
	}
	if v.of.size() == 4 {
		return labelsValid((*int32)(unsafe.Add(v.first, from*4)), n, limit, ignore)
	}
	done, ok := v.byPath(nil, from, n, limit, ignore)
	if !ok || done == n {
		return ok
	}
	from, to := from+done, from+n
	switch v.of {
	case int8s:
		return noneAbove(limit, ignore, sliceOf[int8](v)[from:to])
	case int16s:
		return noneAbove(limit, ignore, sliceOf[int16](v)[from:to])
	case uint8s:
		return noneAbove(limit, ignore, sliceOf[uint8](v)[from:to])
	case uint16s:
		return noneAbove(limit, ignore, sliceOf[uint16](v)[from:to])
	case uint64s:
		return noneAbove(limit, ignore, sliceOf[uint64](v)[from:to])
	}
	return noneAbove(limit, ignore, sliceOf[int64](v)[from:to])
}

// noneAbove does what allUpTo does. If the integers are unsigned, ignore ≥ 0.
func noneAbove[L Integer](limit uint32, ignore int32, integers []L) bool {
	most := uint64(0)
	for _, v := range integers {
		w := uint64(v)
		if w == uint64(int64(ignore)) {
			w = 0
		}
		most = max(most, w)
	}
	return most <= uint64(limit)
}

// byPath does what asInt32 does for the first of the integers from..from+n-1, and returns for how many; or, if dst is nil, what allUpTo
// does.
func (v *numbers) byPath(dst []int32, from, n int, limit uint32, ignore int32) (done int, ok bool) {
	whole, _ := wholes(n)
	if whole == 0 || !hasLabelKernels() {
		return 0, true
	}
	first, to := unsafe.Add(v.first, from*v.of.size()), unsafe.SliceData(dst)
	if race.Enabled {
		race.Read((*byte)(first), n*v.of.size())
	}
	switch mask := ^uint32(0); v.of &^ unsigned {
	case int8s:
		if v.of == uint8s {
			mask = math.MaxUint8
		}
		ok = wholeFromInt8(path, to, (*int8)(first), whole, mask, limit, ignore)
	case int16s:
		if v.of == uint16s {
			mask = math.MaxUint16
		}
		ok = wholeFromInt16(path, to, (*int16)(first), whole, mask, limit, ignore)
	default:
		ok = wholeFromInt64(path, to, (*int64)(first), whole, uint64(limit), int64(ignore))
	}
	return whole, ok
}

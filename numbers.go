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

// asInt32 returns the last 32 bits of the integers from..from+n-1, and whether all integers are in 0..limit or ignore. They are in the
// memory of v if it has them so, otherwise in room, which is long enough; if it is nil, there is only the answer. The limit is at most
// math.MaxInt32, or anyLimit.
func (v *numbers) asInt32(room []int32, from, n int, limit uint32, ignore int32) (values []int32, ok bool) {
	if v.of&unsigned != 0 && ignore < 0 {
		ignore = 0 // no integer is negative, and 0 is in the range
	}
	first := unsafe.Add(v.first, from*v.of.size())
	switch v.of {
	case int32s, uint32s:
		values = unsafe.Slice((*int32)(first), n)
		return values, limit == anyLimit || firstBadLabel(values, limit, ignore) < 0
	}
	if room != nil {
		values = room[:n]
	}
	done, ok := 0, true
	if n >= laneCount && hasLabelKernels() {
		if race.Enabled {
			race.Read((*byte)(first), n*v.of.size())
		}
		done, ok = toInt32ByPath(path, unsafe.SliceData(values), first, v.of, n, limit, ignore)
	}
	if done == n {
		return values, ok
	}
	rest, from, to := values, from+done, from+n
	if room != nil {
		rest = values[done:]
	}
	switch v.of {
	case int8s:
		ok = toInt32(rest, sliceOf[int8](v)[from:to], limit, ignore) && ok
	case int16s:
		ok = toInt32(rest, sliceOf[int16](v)[from:to], limit, ignore) && ok
	case int64s:
		ok = toInt32(rest, sliceOf[int64](v)[from:to], limit, ignore) && ok
	case uint8s:
		ok = toInt32(rest, sliceOf[uint8](v)[from:to], limit, ignore) && ok
	case uint16s:
		ok = toInt32(rest, sliceOf[uint16](v)[from:to], limit, ignore) && ok
	case uint64s:
		ok = toInt32(rest, sliceOf[uint64](v)[from:to], limit, ignore) && ok
	}
	return values, ok
}

// anyLimit is for those who do not ask whether the integers are in a range: the answer means nothing.
const anyLimit = math.MaxUint32

// toInt32 does what asInt32 does for the integers of src. If these are unsigned, ignore ≥ 0.
func toInt32[L Integer](dst []int32, src []L, limit uint32, ignore int32) bool {
	most := uint64(0)
	for i, v := range src {
		if dst != nil {
			dst[i] = int32(v)
		}
		w := uint64(v)
		if w == uint64(int64(ignore)) {
			w = 0
		}
		most = max(most, w)
	}
	return most <= uint64(limit)
}

// toInt32ByPath does what asInt32 does for the first of n integers, and returns for how many.
func toInt32ByPath(p kernelPath, dst *int32, src unsafe.Pointer, of numberType, n int, limit uint32, ignore int32) (done int, ok bool) {
	whole, _ := wholes(n)
	switch mask := ^uint32(0); {
	case whole == 0:
		ok = true
	case of == int8s || of == uint8s:
		if of == uint8s {
			mask = math.MaxUint8
		}
		ok = wholeFromInt8(p, dst, (*int8)(src), whole, mask, limit, ignore)
	case of == int16s || of == uint16s:
		if of == uint16s {
			mask = math.MaxUint16
		}
		ok = wholeFromInt16(p, dst, (*int16)(src), whole, mask, limit, ignore)
	default:
		ok = wholeFromInt64(p, dst, (*int64)(src), whole, uint64(limit), int64(ignore))
	}
	return whole, ok
}

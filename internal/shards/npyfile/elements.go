package npyfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/x448/float16"
)

// The types of elements, by NumPy's names. V2, two bytes without a meaning, is what NumPy makes of the bfloat16 of
// ml_dtypes.
var (
	Floats   = []string{"f2", "V2", "f4", "f8"}
	Integers = []string{"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}
	Numbers  = slices.Concat(Floats, Integers)
)

// TypeName returns the name that users know for one of NumPy's.
func TypeName(dtype string) string {
	switch name := names[dtype[0]]; dtype[0] {
	case 'b', 'V':
		return name
	default:
		return fmt.Sprintf("%s%d", name, 8*(dtype[1]-'0'))
	}
}

var names = map[byte]string{'b': "bool", 'V': "bfloat16", 'f': "float", 'i': "int", 'u': "uint"}

// wrongType is the error for elements that are none of the wanted types, with the way to make them so.
func wrongType(descr string, dtypes []string) error {
	want, remedy := "float16, bfloat16, float32 or float64", "float32"
	switch {
	case !slices.Contains(dtypes, "f4"):
		want, remedy = "integers or bool", "int32"
	case slices.Contains(dtypes, "i4"):
		want = "floats, integers or bool"
	}
	return fmt.Errorf("has elements of type %q, want %s; a.astype(numpy.%s) makes them so", descr, want, remedy)
}

// Element is a type of element as it lies in the memory.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// ReadAs fills dst with the next elements, which are as long as E, in the byte order of this machine.
func ReadAs[E Element](r *Reader, dst []E) error {
	data := bytesOf(dst)
	if _, err := io.ReadFull(r.buffer, data); err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%s: ends before its last element", r.Name)
	} else if err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	if r.swap {
		swapBytes(dst)
	}
	return nil
}

// ReadFloats fills dst with the next elements, whichever of [Numbers] they are. What T cannot hold is rounded to nearest:
// float64 in float32, and large integers. All else is exact.
func ReadFloats[T float32 | float64](r *Reader, dst []T) error {
	if r.Dtype[0] == 'f' && int(r.Dtype[1]-'0') == int(unsafe.Sizeof(*new(T))) {
		return ReadAs(r, dst)
	}
	switch r.Dtype {
	case "f2":
		return convert(r, dst, func(v uint16) T { return T(float16.Frombits(v).Float32()) })
	case "V2":
		return convert(r, dst, func(v uint16) T { return T(bfloat16(v)) })
	case "f4":
		return convert(r, dst, func(v float32) T { return T(v) })
	case "f8":
		return convert(r, dst, func(v float64) T { return T(v) })
	case "i1":
		return convert(r, dst, func(v int8) T { return T(v) })
	case "i2":
		return convert(r, dst, func(v int16) T { return T(v) })
	case "i4":
		return convert(r, dst, func(v int32) T { return T(v) })
	case "i8":
		return convert(r, dst, func(v int64) T { return T(v) })
	case "u2":
		return convert(r, dst, func(v uint16) T { return T(v) })
	case "u4":
		return convert(r, dst, func(v uint32) T { return T(v) })
	case "u8":
		return convert(r, dst, func(v uint64) T { return T(v) })
	}
	return convert(r, dst, func(v uint8) T { return T(v) }) // u1, b1
}

// bfloat16 returns the value of the bits, which are the upper half of those of a float32.
func bfloat16(v uint16) float32 { return math.Float32frombits(uint32(v) << 16) }

// convert reads elements of type E, some thousand at a time.
func convert[E Element, T any](r *Reader, dst []T, to func(E) T) error {
	part := make([]E, min(len(dst), 4<<10))
	for ; len(dst) > 0; dst = dst[len(part):] {
		part = part[:min(len(part), len(dst))]
		if err := ReadAs(r, part); err != nil {
			return err
		}
		for i, v := range part {
			dst[i] = to(v)
		}
	}
	return nil
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func bytesOf[E Element](v []E) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(*new(E))))
}

func swapBytes[E Element](v []E) {
	data, size := bytesOf(v), int(unsafe.Sizeof(*new(E)))
	for ; len(data) > 0; data = data[size:] {
		slices.Reverse(data[:size])
	}
}

// What is taken for arrays: how it begins, what it is, and how to get an array.
var prefixes = []struct{ prefix, what, remedy string }{
	{"PK\x03\x04", "a zip archive, such as .npz and PyTorch's files are", saveOne},
	{"PK\x05\x06", "an empty zip archive", saveOne},
	{"\x1f\x8b", "compressed by gzip", "decompress it, or use a pipe: gunzip -c FILE | …"},
	{"\x28\xb5\x2f\xfd", "compressed by zstd", "decompress it, or use a pipe: zstd -dc FILE | …"},
	{"\xfd7zXZ\x00", "compressed by xz", "decompress it, or use a pipe: xz -dc FILE | …"},
	{"BZh", "compressed by bzip2", "decompress it, or use a pipe: bzip2 -dc FILE | …"},
	{"\x80\x02", "a pickle", saveOne}, {"\x80\x03", "a pickle", saveOne}, {"\x80\x04", "a pickle", saveOne}, {"\x80\x05", "a pickle", saveOne},
	{"\x89HDF\r\n\x1a\n", "an HDF5 file", saveOne},
	{"version https://git-lfs.github.com/spec/", "a pointer of Git LFS", "git lfs pull fetches the file"},
	{"/annex/objects/", "a pointer of git-annex", "git annex get fetches the file"},
}

const (
	saveOne       = "save the array alone, with numpy.save"
	longestPrefix = 40
)

// identify tells what a file is that begins so, if that is known.
func identify(start []byte) error {
	for _, p := range prefixes {
		if strings.HasPrefix(string(start), p.prefix) {
			return fmt.Errorf("is %s, want a NumPy array (.npy); %s", p.what, p.remedy)
		}
	}
	return nil
}

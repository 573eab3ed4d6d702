package verify

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
)

// The results of torchvision.ops.sigmoid_focal_loss, kept in testdata/torchvision: an implementation that shares nothing
// with this one. Its 1-p_t is a subtraction, which for |x| ≤ 8 costs it up to 12 bits.

// npy is an array as NumPy writes it to a file: the subset that testdata/torchvision/make.py makes.
type npy[T any] struct {
	shape []int
	data  []T
}

var npyHeader = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n$`)

func readNPY[T float32 | float64 | int32](name string) (a npy[T], err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return a, err
	}
	const magic = "\x93NUMPY\x01\x00"
	if len(b) < len(magic)+2 || string(b[:len(magic)]) != magic {
		return a, fmt.Errorf("%s: not a .npy file of version 1.0", name)
	}
	b = b[len(magic):]
	n := int(binary.LittleEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return a, fmt.Errorf("%s: shorter than its header", name)
	}
	header := npyHeader.FindSubmatch(b[:n])
	if header == nil {
		return a, fmt.Errorf("%s: header %q", name, b[:n])
	}
	var zero T
	want := map[string]string{"float32": "<f4", "float64": "<f8", "int32": "<i4"}[fmt.Sprintf("%T", zero)]
	if got := string(header[1]); got != want {
		return a, fmt.Errorf("%s: elements are %s, want %s", name, got, want)
	}
	size := 1
	for _, s := range strings.FieldsFunc(string(header[2]), func(r rune) bool { return r == ',' || r == ' ' }) {
		d, err := strconv.Atoi(s)
		if err != nil {
			return a, fmt.Errorf("%s: %w", name, err)
		}
		a.shape = append(a.shape, d)
		size *= d
	}
	b = b[n:]
	if len(b) != size*int(unsafe.Sizeof(zero)) {
		return a, fmt.Errorf("%s: %d bytes of data for the shape %v", name, len(b), a.shape)
	}
	a.data = make([]T, size)
	return a, binary.Read(bytes.NewReader(b), binary.LittleEndian, a.data)
}

func mustNPY[T float32 | float64 | int32](t *testing.T, name string) npy[T] {
	t.Helper()
	a, err := readNPY[T](filepath.Join("..", "..", "testdata", "torchvision", name+".npy"))
	require.NoError(t, err)
	return a
}

// at returns the part of the array with the given first indices.
func (a npy[T]) at(index ...int) []T {
	size := len(a.data)
	from := 0
	for i, x := range index {
		size /= a.shape[i]
		from += x * size
	}
	return a.data[from : from+size]
}

func TestTorchvision(t *testing.T) {
	t.Run("float64", func(t *testing.T) { testTorchvision[float64](t, 1e-11, 1e-13) })
	t.Run("float32", func(t *testing.T) { testTorchvision[float32](t, 3e-3, 1e-5) })
}

// testTorchvision allows a relative error, and for the gradients of soft targets, which are differences, one that is
// relative to the largest gradients of their kind, about 1.
func testTorchvision[T focal.Float](t *testing.T, relative, ofSoft float64) {
	typ := fmt.Sprintf("%T", T(0)) + "_"
	gammas, alphas, label := mustNPY[float64](t, "gamma"), mustNPY[float64](t, "alpha"), mustNPY[int32](t, "label")
	x, dout := mustNPY[T](t, typ+"x"), mustNPY[T](t, typ+"dout")
	loss, grad := mustNPY[T](t, typ+"loss"), mustNPY[T](t, typ+"grad")
	sum, sumGrad := mustNPY[T](t, typ+"sum"), mustNPY[T](t, typ+"sumgrad")
	require.Equal(t, []int{2, len(gammas.data), len(alphas.data), len(label.data), len(x.data) / len(label.data)}, loss.shape)

	near := func(got, want []T, difference bool, what string) {
		t.Helper()
		for i := range want {
			g, w := float64(got[i]), float64(want[i])
			allowed := relative * math.Abs(w)
			if difference {
				allowed = ofSoft * max(math.Abs(w), 1)
			}
			require.LessOrEqual(t, math.Abs(g-w), allowed, "%s, element %d: %v, torchvision %v", what, i, g, w)
		}
	}
	for i, kind := range []string{"hard", "soft"} {
		targets := []focal.Target{focal.Dense(mustNPY[T](t, typ+kind).data)}
		if kind == "hard" {
			targets = append(targets, focal.Labels(label.data))
		}
		for g, gamma := range gammas.data {
			for a, alpha := range alphas.data {
				for k, y := range targets {
					p := focal.Params{Gamma: gamma, Alpha: alpha}
					what := fmt.Sprintf("%s targets (%s), gamma %v, alpha %v: ", kind, []string{"dense", "labels"}[k], gamma, alpha)
					dst := make([]T, len(x.data))
					require.NoError(t, focal.Loss(dst, x.data, y, p))
					near(dst, loss.at(i, g, a), false, what+"loss")
					require.NoError(t, focal.Grad(dst, x.data, y, dout.data, p))
					near(dst, grad.at(i, g, a), kind == "soft", what+"gradient")
					total, err := focal.Fused(focal.Out[T]{Grad: dst}, x.data, y, p)
					require.NoError(t, err)
					near([]T{T(total)}, sum.at(i, g, a), false, what+"sum")
					near(dst, sumGrad.at(i, g, a), kind == "soft", what+"gradient of the sum")
				}
			}
		}
	}
}

func TestReadNPY(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.npy")
	header := "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), } \n"
	good := "\x93NUMPY\x01\x00" + string(rune(len(header))) + "\x00" + header + "\x01\x00\x00\x00\xff\xff\xff\xff"
	write := func(s string) { require.NoError(t, os.WriteFile(name, []byte(s), 0o666)) }
	write(good)
	a, err := readNPY[int32](name)
	require.NoError(t, err)
	require.Equal(t, npy[int32]{[]int{2, 1}, []int32{1, -1}}, a)
	require.Equal(t, []int32{-1}, a.at(1))
	_, err = readNPY[float32](name)
	require.ErrorContains(t, err, "want <f4")
	for _, bad := range []string{"", good[:9], good[:30], good[:len(good)-1], good + "\x00", strings.Replace(good, "False", "True ", 1),
		strings.Replace(good, "\x01\x00", "\x02\x00", 1)} {
		write(bad)
		_, err := readNPY[int32](name)
		require.Error(t, err, "%q", bad)
	}
}

package shards

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards/npyfile"
	"github.com/gofocal/focal/internal/shards/npyfile/npytest"
)

// npy writes a file whose elements are given as they lie in it, in either byte order.
func npy(t testing.TB, name, descr, shape string, elements any) {
	t.Helper()
	order := binary.ByteOrder(binary.LittleEndian)
	if descr[0] == '>' {
		order = binary.BigEndian
	}
	require.NoError(t, os.WriteFile(name, npytest.File(t, descr, shape, false, order, elements), 0o666))
}

func as[E, F float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](v []F) []E {
	w := make([]E, len(v))
	for i := range v {
		w[i] = E(v[i])
	}
	return w
}

// Labels of every type of integers, and of bool, mean the same.
func TestLabelTypes(t *testing.T) {
	dir := t.TempDir()
	x := []float32{1, -1, 2, 0, 0.5, -3}
	label := []int32{1, 0, 1, 0, 1, 1}
	npy(t, dir+"/a.npy", "<f4", "(6, 1)", x)
	want, err := focal.Score(x, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	for descr, elements := range map[string]any{
		"|i1": as[int8](label), "<i2": as[int16](label), "<i4": label, "<i8": as[int64](label),
		"|u1": as[uint8](label), "<u2": as[uint16](label), "<u4": as[uint32](label), "<u8": as[uint64](label),
		">i2": as[int16](label), ">i4": label, ">i8": as[int64](label), ">u2": as[uint16](label), ">u4": as[uint32](label), ">u8": as[uint64](label),
		"|b1": as[uint8](label),
	} {
		npy(t, dir+"/a.label.npy", descr, "(6,)", elements)
		part, err := Score(t.Context(), OpenFile, dir+"/a.npy", options)
		require.NoError(t, err, descr)
		require.Equal(t, want, part.Total, descr)
	}
	const outside = ", want 0..C with C = 1, or -1 if ignored: label out of range"
	for want, test := range map[string]struct {
		descr    string
		elements any
	}{
		"label[3] = -128" + outside:                 {"|i1", []int8{0, 1, 0, -128, 0, 0}},
		"label[3] = 255" + outside:                  {"|u1", []uint8{0, 1, 0, 255, 0, 0}},
		"label[5] = 18446744073709551615" + outside: {"<u8", []uint64{0, 1, 0, 0, 0, math.MaxUint64}}, // not -1, which is ignored
		"label[0] = 4294967295" + outside:           {"<u4", []uint32{math.MaxUint32, 1, 0, 0, 0, 0}},
		`has elements of type "<f4", want integers or bool; a.astype(numpy.int32) makes them so`: {"<f4", x},
		`has elements of type "<c8", want integers or bool; a.astype(numpy.int32) makes them so`: {"<c8", [12]float32{}},
		`has pickled Python objects as elements, want numbers`:                                   {"|O", [6]int64{}},
	} {
		npy(t, dir+"/a.label.npy", test.descr, "(6,)", test.elements)
		_, err := Score(t.Context(), OpenFile, dir+"/a.npy", options)
		assert.EqualError(t, err, dir+"/a.label.npy: "+want)
	}
	ignoring := options
	ignoring.Labels.Ignore = 255
	npy(t, dir+"/a.label.npy", "|u1", "(6,)", []uint8{0, 1, 0, 255, 0, 0})
	part, err := Score(t.Context(), OpenFile, dir+"/a.npy", ignoring)
	require.NoError(t, err)
	require.EqualValues(t, 1, part.Total.Ignored())
}

// Logits and targets of other types give what their conversion gives.
func TestFloatTypes(t *testing.T) {
	dir := t.TempDir()
	x := []float32{1, -1, 2, 0, 0.5, -3}
	soft, hard := []float32{0, 1, 0.5, 0, 0.25, 0.75}, []float32{0, 1, 1, 0, 0, 0}
	half := func(v []float32) []uint16 {
		h := make([]uint16, len(v))
		for i := range v {
			h[i] = float16.Fromfloat32(v[i]).Bits()
		}
		return h
	}
	score := func(descr string, elements any, targetDescr string, targets any) (focal.Partial, error) {
		npy(t, dir+"/a.npy", descr, "(3, 2)", elements)
		npy(t, dir+"/a.targets.npy", targetDescr, "(3, 2)", targets)
		part, err := Score(t.Context(), OpenFile, dir+"/a.npy", options)
		if err != nil {
			return focal.Partial{}, err
		}
		return part.Total, nil
	}
	for _, test := range []struct {
		descr   string
		targets any
		want    []float32
	}{
		{"<f2", half(soft), soft}, {">f4", soft, soft}, {"<f8", as[float64](soft), soft},
		{"|b1", as[uint8](hard), hard}, {"|u1", as[uint8](hard), hard}, {"|i1", as[int8](hard), hard}, {"<i2", as[int16](hard), hard},
		{"<i4", as[int32](hard), hard}, {"<i8", as[int64](hard), hard}, {"<u2", as[uint16](hard), hard}, {"<u4", as[uint32](hard), hard}, {"<u8", as[uint64](hard), hard},
	} {
		want, err := focal.Score(x, focal.Dense(test.want), focal.Default())
		require.NoError(t, err)
		want64, err := focal.Score(as[float64](x), focal.Dense(as[float64](test.want)), focal.Default())
		require.NoError(t, err)
		for descr, elements := range map[string]any{"<f2": half(x), ">f2": half(x), "<f4": x, "<f8": as[float64](x)} {
			got, err := score(descr, elements, test.descr, test.targets)
			require.NoError(t, err, "%s %s", descr, test.descr)
			if descr == "<f8" {
				require.Equal(t, want64, got, "%s %s", descr, test.descr)
			} else {
				require.Equal(t, want, got, "%s %s", descr, test.descr)
			}
		}
	}

	// float64 targets are rounded to the type of the logits, after they were checked.
	tenth := []float64{0.1, 0, 0, 1, 0, 1e-60}
	want, err := focal.Score(x, focal.Dense(as[float32](tenth)), focal.Default())
	require.NoError(t, err)
	got, err := score("<f4", x, "<f8", tenth)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.EqualValues(t, 2, got.Foreground(), "what is rounded to 0 is 0")
	for want, bad := range map[string]float64{"is 1.0000000000000002, want it in [0, 1]": math.Nextafter(1, 2), "is -1e-300, want it in": -1e-300, "is NaN": math.NaN()} {
		tenth[5] = bad
		_, err := score("<f4", x, "<f8", tenth)
		require.ErrorIs(t, err, focal.ErrTarget)
		require.ErrorContains(t, err, "a.targets.npy: target [2, 1] "+want)
	}
	_, err = score("<f4", x, "|i1", []int8{0, 0, 0, 2, 0, 0})
	require.ErrorContains(t, err, "a.targets.npy: target [1, 1] is 2, want it in [0, 1]")
	_, err = score("<i4", as[int32](x), "<f4", soft)
	require.ErrorContains(t, err, `a.npy: has elements of type "<i4", want float16, bfloat16, float32 or float64; a.astype(numpy.float32) makes them so`)
}

// Logits [N] are one class.
func TestOneClass(t *testing.T) {
	dir := t.TempDir()
	x := []float32{1, -1, 2}
	npy(t, dir+"/a.npy", "<f4", "(3,)", x)
	for _, test := range []struct {
		file, descr, shape string
		elements           any
		want               focal.Target
	}{
		{"label", "<i4", "(3,)", []int32{1, 0, 1}, focal.Labels([]int32{1, 0, 1})},
		{"label", "<i4", "(3, 1)", []int32{1, 0, 1}, focal.Labels([]int32{1, 0, 1})},
		{"targets", "<f4", "(3,)", []float32{1, 0, 0.5}, focal.Dense([]float32{1, 0, 0.5})},
		{"targets", "<f4", "(3, 1)", []float32{1, 0, 0.5}, focal.Dense([]float32{1, 0, 0.5})},
	} {
		os.Remove(dir + "/a.label.npy")
		npy(t, dir+"/a."+test.file+".npy", test.descr, test.shape, test.elements)
		part, err := Score(t.Context(), OpenFile, dir+"/a.npy", options)
		require.NoError(t, err)
		want, err := focal.Score(x, test.want, focal.Default())
		require.NoError(t, err)
		require.Equal(t, want, part.Total)
		require.EqualValues(t, 3, part.Shards[0].Rows)
		require.Equal(t, 1, part.Shards[0].Classes)
	}
}

// A shape that does not fit says how it can be made to.
func TestShapes(t *testing.T) {
	for _, test := range []struct {
		x, y  []int
		dense bool
		want  string
	}{
		{[]int{2, 3, 4, 5}, []int{2}, false, "x.npy: has the shape (2, 3, 4, 5), want (N, C); if the classes are its last axis, x.reshape(-1, 5) makes it so, and if they are its second, numpy.moveaxis(x, 1, -1).reshape(-1, 3)"},
		{[]int{6, 3}, []int{3}, false, "y.npy: has 3 labels, want 6, one for each row of x.npy; are the logits transposed? numpy.ascontiguousarray(x.T)"},
		{[]int{6, 3}, []int{5}, false, "y.npy: has 5 labels, want 6, one for each row of x.npy"},
		{[]int{6, 3}, []int{2, 3}, false, "y.npy: has the shape (2, 3), want (N,) or (N, 1); label.reshape(-1) makes it so"},
		{[]int{6, 3}, []int{1, 6}, false, "y.npy: has the shape (1, 6), want (N,) or (N, 1); label.reshape(-1) makes it so"},
		{[]int{6, 3}, []int{6, 1, 1}, false, "y.npy: has the shape (6, 1, 1), want (N,) or (N, 1); label.reshape(-1) makes it so"},
		{[]int{6, 3}, []int{6, 3}, false, "y.npy: has the shape (6, 3), that of x.npy, and so they are targets; labels have (N,) or (N, 1)"},
		{[]int{6, 3}, []int{7, 3}, false, "y.npy: has the shape (7, 3), want (N,) or (N, 1), a label for each row of x.npy"},
		{[]int{6, 3}, []int{6}, true, "y.npy: has the shape (6,), want (6, 3), that of x.npy; one for each row are labels"},
		{[]int{6, 3}, []int{2, 3, 3}, true, "y.npy: has the shape (2, 3, 3), want (6, 3), that of x.npy; t.reshape(6, 3) makes it so, if the order is the same"},
		{[]int{6, 3}, []int{6, 4}, true, "y.npy: has the shape (6, 4), want (6, 3), that of x.npy"},
	} {
		_, err := NewData(Inputs{X: &npyfile.Reader{Name: "x.npy", Shape: test.x}, Y: &npyfile.Reader{Name: "y.npy", Shape: test.y}, Dense: test.dense}, Options{})
		require.EqualError(t, err, test.want)
	}
}

// What is taken for an array is called by its name.
func TestIdentify(t *testing.T) {
	dir := t.TempDir()
	for start, want := range map[string]string{
		"PK\x03\x04\x14\x00":        "is a zip archive, such as .npz and PyTorch's files are, want a NumPy array (.npy); save the array alone, with numpy.save",
		"\x1f\x8b\x08\x00":          "is compressed by gzip, want a NumPy array (.npy); decompress it",
		"\x28\xb5\x2f\xfd":          "is compressed by zstd",
		"\xfd7zXZ\x00":              "is compressed by xz",
		"BZh9":                      "is compressed by bzip2",
		"\x80\x04\x95":              "is a pickle, want a NumPy array",
		"\x89HDF\r\n\x1a\n":         "is an HDF5 file",
		"/annex/objects/MD5E-s1--0": "is a pointer of git-annex",
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n": "is a pointer of Git LFS, want a NumPy array (.npy); git lfs pull fetches the file",
		"":            "is no NumPy array (.npy)",
		"shard,row\n": "is no NumPy array (.npy)",
	} {
		require.NoError(t, os.WriteFile(dir+"/a.npy", []byte(start), 0o666))
		_, err := Score(t.Context(), OpenFile, dir+"/a.npy", options)
		require.ErrorContains(t, err, dir+"/a.npy: "+want)
	}
}

// A shard that is replaced or changed while it is read is an error, even if all sizes are as they were: otherwise half of
// it, or its labels, were those of another.
func TestReplacedWhileRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("replaces no file that is open")
	}
	x, label := dataset(200)
	for name, replace := range map[string]func(name string) error{
		"renamed": func(name string) error {
			b, err := os.ReadFile(name)
			if err == nil {
				err = os.WriteFile(name+".new", b, 0o666)
			}
			if err == nil {
				err = os.Rename(name+".new", name)
			}
			return err
		},
		"overwritten": func(name string) error {
			b, err := os.ReadFile(name)
			if err == nil {
				err = os.WriteFile(name, b, 0o666)
			}
			if err == nil { // whatever the resolution of the file system's clock is
				err = os.Chtimes(name, time.Time{}, time.Now().Add(time.Second))
			}
			return err
		},
		"longer":  func(name string) error { return appendTo(name, "x") },
		"removed": os.Remove,
	} {
		for _, which := range []string{".npy", ".label.npy"} {
			t.Run(name+which, func(t *testing.T) {
				shard := writeShards(t, t.TempDir(), x, label, 1)[0]
				file := strings.TrimSuffix(shard, ".npy") + which
				open := func(ctx context.Context, name string) (io.ReadCloser, int64, error) {
					r, size, err := OpenFile(ctx, name)
					if strings.HasSuffix(name, ".label.npy") { // both are open now
						require.NoError(t, replace(file))
					}
					return r, size, err
				}
				_, err := Score(t.Context(), open, shard, options)
				require.ErrorContains(t, err, file+": ")
				if name != "longer" {
					require.ErrorContains(t, err, "was changed or replaced while it was read")
				}
				_, err = Score(t.Context(), OpenFile, shard, options)
				require.Equal(t, name == "removed" || name == "longer", err != nil, "done again it is whatever it is now: %v", err)
			})
		}
	}
}

func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	return err
}

// Blocks are what the whole is, wherever they are cut.
func TestBlocks(t *testing.T) {
	const rows = 2*blockElements/cols + 100
	dir := t.TempDir()
	x, label := dataset(rows)
	write(t, dir+"/a.npy", "f4", x, rows, cols)
	write(t, dir+"/a.label.npy", "i4", label, rows)
	xr, err := npyfile.Open(t.Context(), dir+"/a.npy", npyfile.Floats...)
	require.NoError(t, err)
	defer xr.Close()
	yr, err := npyfile.Open(t.Context(), dir+"/a.label.npy", npyfile.Integers...)
	require.NoError(t, err)
	defer yr.Close()
	d, err := NewData(Inputs{X: xr, Y: yr}, options)
	require.NoError(t, err)
	n, err := Foreground[float32](t.Context(), d)
	require.NoError(t, err)
	require.EqualValues(t, focal.FgNum(label), n)
	var gotX []float32
	var got []int32
	blocks := 0
	require.NoError(t, Blocks(t.Context(), d, func(b Block[float32]) error {
		require.Equal(t, len(got), b.Row)
		gotX, got = append(gotX, b.X...), append(got, b.Label...)
		blocks++
		return nil
	}))
	require.Equal(t, 3, blocks)
	require.Equal(t, label, got)
	require.True(t, slices.EqualFunc(x, gotX, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }))
}

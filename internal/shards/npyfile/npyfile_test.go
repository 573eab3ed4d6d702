package npyfile

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/shards/npyfile/npytest"
)

// All float16 and bfloat16 numbers are the numbers that they are.
func TestShortFloats(t *testing.T) {
	bits := make([]uint16, 1<<16)
	for i := range bits {
		bits[i] = uint16(i)
	}
	name := t.TempDir() + "/x.npy"
	for _, test := range []struct {
		descr                         string
		exponentBits, bias, mantissas int
	}{{"<f2", 5, 15, 10}, {">f2", 5, 15, 10}, {"<V2", 8, 127, 7}} {
		order := map[byte]binary.ByteOrder{'<': binary.LittleEndian, '>': binary.BigEndian}[test.descr[0]]
		require.NoError(t, os.WriteFile(name, npytest.File(t, test.descr, "(65536,)", false, order, bits), 0o666))
		r, err := Open(t.Context(), name, Floats...)
		require.NoError(t, err)
		x := make([]float32, len(bits))
		require.NoError(t, ReadFloats(r, x))
		require.NoError(t, r.AtEnd())
		r.Close()
		for i, v := range x {
			// The definition of the format, in float64.
			exponent, fraction := i>>test.mantissas&(1<<test.exponentBits-1), float64(i&(1<<test.mantissas-1))
			want := math.Ldexp(fraction, 1-test.bias-test.mantissas)
			if exponent > 0 {
				want = math.Ldexp(fraction+math.Ldexp(1, test.mantissas), exponent-test.bias-test.mantissas)
			}
			if exponent == 1<<test.exponentBits-1 {
				if want = math.Inf(1); fraction > 0 {
					require.True(t, v != v, "%s %#04x", test.descr, i)
					continue
				}
			}
			if i >= 1<<15 {
				want = -want
			}
			require.Equal(t, math.Float64bits(want), math.Float64bits(float64(v)), "%s %#04x", test.descr, i)
		}
	}
}

// Headers of any kind give an error, or an array that is as long as the file: never a panic, never much memory.
func FuzzHeader(f *testing.F) {
	for _, shape := range []string{"(3, 2)", "(3,)", "()", "(-1, 2)", "(99999999999999999999,)", "3, 2", "(", "((3, 2))"} {
		f.Add(npytest.File(f, "<f4", shape, false, binary.LittleEndian, make([]float32, 6)))
	}
	whole := npytest.File(f, ">i8", "(2, 1)", true, binary.BigEndian, make([]int64, 2))
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 { // what bit flips and cuts make of a good one
		broken := slices.Clone(whole[:len(whole)-rng.IntN(40)])
		for range 1 + rng.IntN(4) {
			broken[rng.IntN(len(broken))] ^= 1 << rng.IntN(8)
		}
		f.Add(broken)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(dir, "x.npy")
		require.NoError(t, os.WriteFile(name, data, 0o666))
		r, err := Open(context.Background(), name, Numbers...)
		if err != nil {
			assert.Equal(t, 0, strings.Count(err.Error(), "\n"), err)
			return
		}
		defer r.Close()
		elements := 1
		for _, d := range r.Shape {
			elements *= d
		}
		require.Equal(t, len(data), int(r.Start())+elements*int(r.Dtype[1]-'0'))
		if elements < 1<<20 {
			require.NoError(t, ReadFloats(r, make([]float32, elements)))
			require.NoError(t, r.AtEnd())
		}
	})
}

package exact

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/oracle"
)

func forFloats(t *testing.T, f32, f64 func(t *testing.T)) {
	t.Run("type=f32", f32)
	t.Run("type=f64", f64)
}

// float returns the number that has these bits, the low ones if it has 32.
func float[T float32 | float64](b uint64) T {
	if unsafe.Sizeof(T(0)) == 4 {
		return T(math.Float32frombits(uint32(b)))
	}
	return T(math.Float64frombits(b))
}

// borders are the bits of the least normal number and of infinity.
func borders[T float32 | float64]() (normal, infinity uint64) {
	if unsafe.Sizeof(T(0)) == 4 {
		return 1 << 23, 255 << 23
	}
	return 1 << 52, 2047 << 52
}

// nonNegative returns numbers as bins accept them: all exponents, the special ones among them.
func nonNegative[T float32 | float64](rng *rand.Rand, n int, finite bool) []T {
	normal, infinity := borders[T]()
	special := []uint64{0, 1, normal - 1, normal, normal + 1, infinity - 1, infinity, infinity + 1}
	x := make([]T, n)
	for i := range x {
		bits := rng.Uint64() % (infinity + normal) // the last ones are NaNs
		if rng.IntN(4) == 0 {
			bits = special[rng.IntN(len(special))]
		}
		if finite && bits >= infinity {
			bits = normal
		}
		x[i] = float[T](bits)
	}
	return x
}

func TestExactBins(t *testing.T) { forFloats(t, testExactBins[float32], testExactBins[float64]) }

func testExactBins[T float32 | float64](t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	normal, infinity := borders[T]()
	largest, belowTwo := float[T](infinity-1), float[T]((infinity+normal)/2-1)
	for name, x := range map[string][]T{
		"nothing":             nil,
		"zeros":               {0, T(math.Copysign(0, -1))},
		"all exponents":       nonNegative[T](rng, 5000, true),
		"full bins":           slices.Repeat([]T{belowTwo}, MaxAdd+77),
		"full, the largest":   slices.Repeat([]T{largest}, 2*MaxAdd+77),
		"full, subnormals":    slices.Repeat([]T{float[T](normal - 1)}, MaxAdd+1),
		"the least":           slices.Repeat([]T{float[T](1)}, 3),
		"the least, largest":  {float[T](1), largest},
		"carries through all": {float[T](1), largest, largest, float[T](infinity - 2)},
		"around the normal":   {float[T](normal - 1), float[T](normal), float[T](normal + 1)},
	} {
		if testing.Short() && len(x) > MaxAdd && name != "full bins" {
			continue // the exact sums to compare with are slow
		}
		var bins Bins[T]
		var total Total
		for part := x; len(part) > 0; {
			n := min(1+rng.IntN(4096), len(part))
			bins.Add(part[:n], &total)
			part = part[n:]
		}
		bins.Flush(&total)
		require.Zero(t, total.Sum.Big().Cmp(oracle.Sum(x)), name)
		require.Zero(t, total.Inf+total.NaN, name)
		require.Equal(t, Bins[T]{}, bins, name)
	}
}

func TestExactBinsNotFinite(t *testing.T) {
	forFloats(t, testExactBinsNotFinite[float32], testExactBinsNotFinite[float64])
}

func testExactBinsNotFinite[T float32 | float64](t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 2))
	x := nonNegative[T](rng, 5000, false)
	var inf, nan uint64
	var finite []T
	for _, v := range x {
		switch {
		case v != v:
			nan++
		case math.IsInf(float64(v), 0):
			inf++
		default:
			finite = append(finite, v)
		}
	}
	require.NotZero(t, inf)
	require.NotZero(t, nan)
	var bins Bins[T]
	var total Total
	for _, part := range [][]T{x[:1000], x[1000:1001], x[1001:]} {
		bins.Add(part, &total)
	}
	bins.Flush(&total)
	require.Equal(t, inf, total.Inf)
	require.Equal(t, nan, total.NaN)
	require.Zero(t, total.Sum.Big().Cmp(oracle.Sum(finite)))
}

// The quotient is compared with both its neighbours: no other float64 may be nearer to the exact one.
func TestExactOver(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 3))
	norms := []float64{1, 2, 3, 7, 0x1p-1074, 0x1.fffffffffffffp1023, 0x1p-1022, 0x1p1000, 0.1, 1e6 + 1, math.Pi}
	sums := [][]float64{{0}, {0x1p-1074}, {0x1p-1074, 0x1p-1074, 0x1p-1074}, {1}, {1, 0x1p-53}, {1, 0x1p-53, 0x1p-1074}, {1, 0x1p-52, 0x1p-53},
		{0x1.fffffffffffffp1023}, {0x1.fffffffffffffp1023, 0x1p970}, {0x1.fffffffffffffp1023, 0x1p969}, {0x1p-1022, 0x1p-1074},
		slices.Repeat([]float64{0x1.fffffffffffffp1023}, 1000)}
	random := 200
	if testing.Short() {
		random = 20
	}
	for range random {
		sums = append(sums, nonNegative[float64](rng, 1+rng.IntN(20), true))
	}
	const prec = 6000
	for _, x := range sums {
		var bins Bins[float64]
		var total Total
		bins.Add(x, &total)
		bins.Flush(&total)
		for _, norm := range norms {
			got := total.Sum.Over(norm)
			// Compared without a quotient: norm·|got - exact/norm| = |norm·got - exact|.
			exact := oracle.Sum(x)
			off := func(v float64) *big.Float {
				p := new(big.Float).SetPrec(prec).SetFloat64(v)
				p.Mul(p, new(big.Float).SetFloat64(norm))
				return p.Sub(p, exact).Abs(p)
			}
			if math.IsInf(got, 1) {
				half := new(big.Float).SetPrec(prec).SetFloat64(math.MaxFloat64)
				half.Add(half, new(big.Float).SetFloat64(0x1p970)).Mul(half, new(big.Float).SetFloat64(norm))
				require.LessOrEqual(t, half.Cmp(exact), 0, "%v / %v", x, norm)
				continue
			}
			require.False(t, math.Signbit(got), "%v / %v = %v", x, norm, got)
			for _, other := range []float64{math.Nextafter(got, 0), math.Nextafter(got, math.Inf(1))} {
				if other == got || math.IsInf(other, 0) {
					continue
				}
				c := off(got).Cmp(off(other))
				tie := c == 0 && math.Float64bits(got)&1 == 0
				require.True(t, c < 0 || tie, "%v / %v = %v, but %v is nearer", x, norm, got, other)
			}
		}
	}
}

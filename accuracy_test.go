package focal_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/effort"
	"github.com/gofocal/focal/internal/oracle"
	"github.com/gofocal/focal/internal/verify"
)

// The results against the exact values, as near as package oracle promises, and the bits of every path against the
// reference's. gen/exhaustive and gen/search go on for hours where these stop.

var accuracyGammas = []float64{0, 0.5, 1, 1.5, 2, 2.3, 2.5, 3, 4.7105138175753485, 5}

// accuracyParams are unit weights, and weights that are no floating-point numbers.
func accuracyParams(gamma float64) []focal.Params {
	return []focal.Params{
		{Gamma: gamma, Alpha: focal.NoAlpha},
		{Gamma: gamma, Alpha: 0.25},
		{Gamma: gamma, Alpha: 0.25, Norm: 37},
		{Gamma: gamma, Alpha: 0.25, Norm: 2040}, // unlucky
	}
}

// accurate fails unless a report's results are within their bounds and the same on each path.
func accurate(t *testing.T, r *verify.Report, err error) {
	t.Helper()
	require.NoError(t, err)
	for q, e := range r.Errors {
		if e.N > 0 {
			t.Logf("%v: %v", oracle.Quantity(q), e)
		}
	}
	require.NoError(t, r.Err())
}

// divide returns n, or less where tests go through less.
func divide(n int) int {
	switch {
	case effort.Least():
		n /= 1024
	case testing.Short():
		n /= 64
	case !effort.Full():
		n /= 24
	}
	return n
}

// sweep takes one logit in step of all float32, and 32 times as many where all the arithmetic happens; and as many float64.
func sweep(t *testing.T, p focal.Params, step, points int) {
	shortened := uint64(step*points) / uint64(divide(points))
	lo, hi := uint64(math.Float32bits(0x1p-4)), uint64(math.Float32bits(0x1p7))
	for _, s := range []verify.Sweep32{
		{Step: shortened | 1}, // odd, so the low bits vary
		{Step: shortened/32 | 1, From: lo, To: hi},
		{Step: shortened/32 | 1, From: 1<<31 | lo, To: 1<<31 | hi},
	} {
		s.Params = p
		r, err := verify.Float32(context.Background(), s, verify.Options{})
		accurate(t, r, err)
	}
	r, err := verify.Float64(context.Background(), verify.Sweep64{Points: uint64(divide(points)), Seed: 1, Params: p}, verify.Options{})
	accurate(t, r, err)
}

func TestAccuracy(t *testing.T) {
	for _, gamma := range accuracyGammas {
		for i, p := range accuracyParams(gamma) {
			t.Run(fmt.Sprintf("gamma=%v/alpha=%v/norm=%v", p.Gamma, p.Alpha, p.Norm), func(t *testing.T) {
				sweep(t, p, [...]int{16411, 65537, 65537, 65537}[i], 20_000)
			})
		}
	}
}

// Above γ = 5 the bounds grow with γ.
func TestLargeGamma(t *testing.T) {
	for _, gamma := range []float64{10, 33.3, 100, 999.5, 1000} {
		t.Run(fmt.Sprintf("gamma=%v", gamma), func(t *testing.T) {
			sweep(t, focal.Params{Gamma: gamma, Alpha: focal.NoAlpha}, 262_147, 5_000)
		})
	}
}

func TestAccuracySoft(t *testing.T) {
	for _, gamma := range append([]float64{0.1, 10, 100}, accuracyGammas...) {
		for _, p := range accuracyParams(gamma)[:3] {
			t.Run(fmt.Sprintf("gamma=%v/alpha=%v/norm=%v", p.Gamma, p.Alpha, p.Norm), func(t *testing.T) {
				u32, t32 := softPoints[float32](divide(200_000), 24)
				r, err := verify.Points(context.Background(), u32, t32, p, verify.Options{})
				accurate(t, r, err)
				u64, t64 := softPoints[float64](divide(20_000), 53)
				r, err = verify.Points(context.Background(), u64, t64, p, verify.Options{})
				accurate(t, r, err)
			})
		}
	}
}

// softPoints draws logits and targets. A target may be as near to 1 as the type's bits allow.
func softPoints[T focal.Float](n, bits int) (x, target []T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for range n {
		v := 8 * rng.NormFloat64()
		switch rng.IntN(8) {
		case 0:
			v = math.Copysign(math.Exp2(-60+70*rng.Float64()), v)
		case 1:
			v *= 10
		}
		near := math.Exp2(-float64(bits) * rng.Float64())
		t := rng.Float64()
		switch rng.IntN(8) {
		case 0:
			t = near * near // towards 0
		case 1:
			t = 1 - near/2
		case 2:
			t = 0.5 + near*(rng.Float64()-0.5)
		case 3:
			t = []float64{0, 1, 0.5, 0.1, 1e-6, 0x1p-14, 0.75}[rng.IntN(7)]
		}
		x, target = append(x, T(v)), append(target, T(t))
	}
	return x, target
}

// Weights, two gammas, scores.
func TestAccuracyFeatures(t *testing.T) {
	for _, feature := range verify.Features {
		t.Run(string(feature), func(t *testing.T) {
			r, err := verify.WithFeature[float32](context.Background(), feature, divide(40_000), 1, verify.Options{})
			accurate(t, r, err)
			r, err = verify.WithFeature[float64](context.Background(), feature, divide(40_000), 1, verify.Options{})
			accurate(t, r, err)
		})
	}
}

// Soft targets and scores against what MPFR made of the losses' definitions alone, their derivatives included.
func TestAccuracyTargets(t *testing.T) {
	points, err := oracle.ReadTargets(oracle.TargetsFile)
	require.NoError(t, err)
	t.Run("float32", func(t *testing.T) { testAccuracyTargets[float32](t, points) })
	t.Run("float64", func(t *testing.T) { testAccuracyTargets[float64](t, points) })
}

func testAccuracyTargets[T focal.Float](t *testing.T, points []oracle.TargetPoint) {
	qualities := map[oracle.Kind]focal.Quality{
		oracle.Varifocal: focal.Varifocal, oracle.Aligned: focal.Aligned, oracle.QualityFocal: focal.QualityFocal,
	}
	var worst [oracle.Quantities]oracle.Errors
	compared := 0
	for _, point := range points {
		x, target := []T{T(point.X)}, []T{T(point.T)}
		exact, parts := oracle.TargetAt[T](&point)
		if float64(x[0]) != point.X || float64(target[0]) != point.T || parts > 0x1p40 {
			continue
		}
		compared++
		y, bounds := focal.Dense(target), oracle.PromisedSoft(point.Gamma)
		if quality, ok := qualities[point.Kind]; ok {
			y = focal.Scored(focal.Labels([]int32{1}), target, quality)
			if quality == focal.QualityFocal {
				bounds = oracle.PromisedQuality()
			}
		}
		out := focal.Out[T]{Loss: make([]T, 1), Grad: make([]T, 1), Hess: make([]T, 1)}
		_, err := focal.Fused(out, x, y, focal.Params{Gamma: point.Gamma, Alpha: point.Alpha})
		require.NoError(t, err)
		for q, got := range []T{out.Loss[0], out.Grad[0], out.Hess[0]} {
			err, want := exact.Err(oracle.Quantity(q), got, 1, 1)
			worst[q].Add(err, point.X, float64(got), want)
			require.LessOrEqual(t, err, bounds[q], "%v of %+v: %v, want %v", oracle.Quantity(q), point, got, want)
		}
	}
	require.Greater(t, compared, len(points)/3)
	for q, e := range worst[:oracle.Hess+1] {
		t.Logf("%v: %v", oracle.Quantity(q), e)
	}
}

func TestAccuracyHardest(t *testing.T) {
	radius := verify.HardRadius
	if effort.Least() {
		radius = 8
	}
	reports, err := verify.Hardest(context.Background(), radius, verify.Options{})
	require.NoError(t, err)
	for _, r := range reports {
		t.Logf("%+v", r.Params)
		accurate(t, r, nil)
	}
}

// A search over logit, target, γ, α and norm together, from the worst that are known on. gen/search has its long form.
func TestAccuracySummits(t *testing.T) {
	for _, c := range verify.Climbs {
		c.Seed, c.Attempts = 1, divide(40_000)
		if effort.Full() {
			c.Attempts *= 5 // a minute of all
		}
		single, err := verify.Summits[float32](context.Background(), c)
		require.NoError(t, err)
		c.Attempts /= 16 // its exact values take longer
		double, err := verify.Summits[float64](context.Background(), c)
		require.NoError(t, err)
		for q := range single {
			for i, s := range []verify.Summit{single[q], double[q]} {
				if s.Bound > 0 {
					t.Logf("%v, float%d: %v", oracle.Quantity(q), 32<<i, s)
					require.LessOrEqual(t, s.Err, s.Bound, "%v, float%d: %v", oracle.Quantity(q), 32<<i, s)
				}
			}
		}
	}
}

func TestCorners(t *testing.T) {
	r, err := verify.Corners(verify.Options{})
	accurate(t, r, err)
}

// However large γ, nothing is NaN, and a finite exact value is finite.
func TestHugeGamma(t *testing.T) {
	t.Run("float32", testHugeGamma[float32])
	t.Run("float64", testHugeGamma[float64])
}

func testHugeGamma[T focal.Float](t *testing.T) {
	x, step := []T{T(math.Inf(-1)), 0, T(math.Copysign(0, -1)), T(math.Inf(1))}, 0.37
	if effort.Least() {
		step = 3.7
	}
	for u := -800.0; u < 800; u += step {
		x = append(x, T(u))
	}
	n := len(x)
	out := focal.Out[T]{Loss: make([]T, n), Grad: make([]T, n), Hess: make([]T, n)}
	for _, gamma := range []float64{1e6, 1e10, 1e12, 1e18, 1e36, 1e70, math.MaxFloat64} {
		for _, norm := range []float64{1, 1e9, 1e-9} {
			for label := range int32(2) {
				y := make([]int32, n)
				for i := range y {
					y[i] = label
				}
				_, err := focal.Fused(out, x, focal.Labels(y), focal.Params{Gamma: gamma, Alpha: focal.NoAlpha, Norm: norm})
				require.NoError(t, err)
				for i, v := range x {
					at := fmt.Sprintf("γ=%v norm=%v x=%v label %d", gamma, norm, v, label)
					most := (1 + max(0, float64(v)*float64(1-2*label))) / norm * (1 + 1e-6)
					require.True(t, out.Loss[i] >= 0 && float64(out.Loss[i]) <= most, "loss %v, %s", out.Loss[i], at)
					require.True(t, out.Grad[i]-out.Grad[i] == 0 && out.Hess[i]-out.Hess[i] == 0, "%v, %v, %s", out.Grad[i], out.Hess[i], at)
				}
			}
		}
	}
}

func TestSumAccuracy(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testSumAccuracy[float32](t, oracle.SumRelative32) })
	t.Run("float64", func(t *testing.T) { testSumAccuracy[float64](t, oracle.SumRelative64) })
}

func testSumAccuracy[T focal.Float](t *testing.T, bound float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := map[string]func() T{
		"normal": func() T { return T(3 * rng.NormFloat64()) },
		"tiny":   func() T { return T(-40 + rng.NormFloat64()) }, // the losses differ by orders of magnitude
		"wide":   func() T { return T(math.Ldexp(rng.NormFloat64(), rng.IntN(100))) },
		// One great loss, whose last place is more than the bound allows the many small ones to lose.
		"spike": func() T {
			if rng.IntN(5000) == 0 {
				return T(1e6 * rng.Float64())
			}
			return T(rng.NormFloat64())
		},
	}
	var w float64
	for name, draw := range draw {
		for _, shape := range [][2]int{{1, 1}, {1, 80}, {7, 3}, {8191, 1}, {8193, 1}, {1000, 80}, {200003, 1}} {
			n, c := shape[0], shape[1]
			if !effort.Full() && n*c > 2*abi.BlockLen && (name != "spike" || effort.Least()) {
				continue // exact sums take long
			}
			x, label := make([]T, n*c), make([]int32, n)
			for i := range x {
				x[i] = draw()
			}
			for i := range label {
				label[i] = rng.Int32N(int32(c)+2) - 1
			}
			for _, gamma := range []float64{0, 2, 2.3} {
				p := focal.Params{Gamma: gamma, Alpha: 0.25, Norm: 3}
				loss := make([]T, len(x))
				require.NoError(t, focal.Loss(loss, x, focal.Labels(label), p))
				sum, err := focal.Sum(x, focal.Labels(label), p)
				require.NoError(t, err)

				exact := oracle.Sum(loss)
				diff, _ := new(big.Float).Sub(new(big.Float).SetFloat64(sum), exact).Float64()
				want, _ := exact.Float64()
				require.LessOrEqual(t, math.Abs(diff), bound*want, "%s n=%d c=%d γ=%v: %v, exact %v", name, n, c, gamma, sum, want)
				if want > 0 {
					w = max(w, math.Abs(diff)/want)
				}

				fused, err := focal.Fused(focal.Out[T]{}, x, focal.Labels(label), p)
				require.NoError(t, err)
				require.Equal(t, sum, fused)
			}
		}
	}
	t.Logf("worst relative error 2^%.1f", math.Log2(w))
}

// What a sum is at its limits: losses are logits here, or 0.
func TestSumLimits(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	const largest = math.MaxFloat64
	p := focal.Params{Alpha: focal.NoAlpha}
	sum := func(at map[int]float64) (float64, float64) {
		x := make([]float64, 3*abi.BlockLen+5)
		for i := range x {
			x[i] = -inf
		}
		for i, v := range at {
			x[i] = v
		}
		y := focal.Labels(make([]int32, len(x)))
		sum, err := focal.Sum(x, y, p)
		require.NoError(t, err)
		exact, err := focal.Score(x, y, p)
		require.NoError(t, err)
		return sum, exact.Loss(1)
	}
	for _, path := range control.Paths() {
		restore := control.SetPath(path)
		for _, c := range []struct {
			at          map[int]float64
			want, exact float64
		}{
			{map[int]float64{7: inf, 9: 1}, inf, inf},
			{map[int]float64{7: inf, 23: inf, 10_000: inf}, inf, inf},
			{map[int]float64{7: nan, 9: 1}, nan, nan},
			{map[int]float64{7: nan, 23: inf}, nan, nan},
			{map[int]float64{7: nan, 20_000: inf}, nan, nan},
			{map[int]float64{7: largest, 20_000: largest}, inf, inf},
			{map[int]float64{7: largest, 23: 0x1p969}, largest, largest}, // what is added is less than half a unit
			{map[int]float64{7: largest / 2, 20_000: largest / 2}, largest, largest},
			// A rounding in a lane takes this sum beyond the largest number. The documentation says where that may happen.
			{map[int]float64{7: 0x1p1023, 23: 0x1p1022 + 0x1.8p971, 39: 0x1p1022 - 0x1.4p972}, inf, largest},
		} {
			got, exact := sum(c.at)
			require.True(t, got == c.want || got != got && c.want != c.want, "%v: %v: %v", path, c.at, got)
			require.True(t, exact == c.exact || exact != exact && c.exact != c.exact, "%v: %v: exactly %v", path, c.at, exact)
		}
		// Below, no order of additions overflows.
		const n = 3*abi.BlockLen + 5
		rng := rand.New(rand.NewPCG(5, 6))
		for range 10 {
			at, left := map[int]float64{}, float64(largest*(1-n*0x1p-53))
			for left > 0x1p900 {
				v := min(left, largest*rng.Float64()/4)
				if i := rng.IntN(n/16)*16 + 5; at[i] == 0 {
					at[i], left = v, left-v
				}
			}
			got, exact := sum(at)
			require.InEpsilon(t, exact, got, oracle.SumRelative64)
		}
		restore()
	}
}

// FuzzValues holds single elements against the exact values, as labels and as a soft target.
func FuzzValues(f *testing.F) {
	for _, u := range []float64{0, -2.556, 0.21, 17, -87.3, 104, 710} {
		f.Add(u, 2.0, 0.5, -1.0, 1.0)
		f.Add(u, 0.7, 0.9999, 0.25, 37.0)
	}
	f.Fuzz(func(t *testing.T, u, gamma, target, alpha, norm float64) {
		gamma, target, norm = math.Abs(gamma), math.Abs(target), math.Abs(norm)
		if alpha = math.Abs(alpha); alpha > 1 {
			alpha = focal.NoAlpha
		}
		if !(gamma <= 100 && target <= 1 && alpha <= 1 && norm >= 0x1p-30 && norm <= 0x1p126) || u-u != 0 {
			t.Skip()
		}
		p := focal.Params{Gamma: gamma, Alpha: alpha, Norm: norm}
		ctx, o := context.Background(), verify.Options{}
		for _, soft := range []bool{false, true} {
			t32, t64 := []float32{float32(target)}, []float64{target}
			if !soft {
				t32, t64 = nil, nil
			}
			if v := float32(u); v-v == 0 {
				r, err := verify.Points(ctx, []float32{v}, t32, p, o)
				accurate(t, r, err)
			}
			r, err := verify.Points(ctx, []float64{u}, t64, p, o)
			accurate(t, r, err)
		}
	})
}

// The same bits everywhere: this test passes on every path and every GOARCH, with the same constant.
func TestGoldenHash(t *testing.T) {
	paths := control.Paths()
	if effort.Least() {
		paths = paths[:1]
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			defer control.SetPath(path)()
			require.Equal(t, path, focal.Path())
			hash, err := verify.Hash()
			require.NoError(t, err)
			require.Equal(t, verify.GoldenHash, hash)
		})
	}
}

// -0 counts as 0, and a target of 1 has the same bits beside a soft one as alone.
func TestGammaMinusZero(t *testing.T) {
	x := []float32{-1.5, -1.5, 20, 3}
	var want []float32
	for _, target := range [][]float32{{0, 1, 1, 0}, {0, 1, 1, 0.3}} {
		for _, gamma := range []float64{0, math.Copysign(0, -1)} {
			out := focal.Out[float32]{Loss: make([]float32, 4), Grad: make([]float32, 4), Hess: make([]float32, 4)}
			_, err := focal.Fused(out, x, focal.Dense(target), focal.Params{Gamma: gamma, Alpha: 0.25})
			require.NoError(t, err)
			got := slices.Concat(out.Loss[:3], out.Grad[:3], out.Hess[:3])
			if want == nil {
				want = got
			}
			require.Equal(t, want, got)
		}
	}
	_, err := focal.Sum([]float32{1}, focal.Labels([]int32{1}), focal.Params{Gamma: -5e-324})
	require.ErrorIs(t, err, focal.ErrParam)
}

func TestSetPath(t *testing.T) {
	former := focal.Path()
	for _, path := range control.Paths() {
		restore := control.SetPath(path)
		require.Equal(t, path, focal.Path())
		restore()
		require.Equal(t, former, focal.Path())
	}
	require.Panics(t, func() { control.SetPath("mmx") })
	require.Equal(t, former, focal.Path())
}

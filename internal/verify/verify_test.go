package verify

import (
	"context"
	"testing"
	"time"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/effort"
	"github.com/stretchr/testify/require"
)

var gammas = []float64{0, 0.5, 1, 2, 2.3, 5}

// The sweep over all patterns (gen/exhaustive), with longer steps.
func TestFloat32(t *testing.T) {
	step := uint64(65537)
	if effort.Full() {
		step = 4099
	}
	for _, gamma := range gammas {
		start := time.Now()
		r, err := Float32(context.Background(), Sweep32{Step: step, Params: focal.Params{Gamma: gamma, Alpha: focal.NoAlpha}}, Options{})
		require.NoError(t, err)
		for _, q := range Quantities {
			t.Logf("γ = %v, %v: %v", gamma, q, r.Errors[q])
		}
		t.Log(time.Since(start))
		require.NoError(t, r.Err())
		require.Equal(t, (Patterns+step-1)/step, r.Logits)
	}
}

// Ten million points are gen/search's.
func TestFloat64(t *testing.T) {
	points := uint64(10_000)
	if effort.Full() {
		points = 100_000
	}
	for _, gamma := range gammas {
		s := Sweep64{Points: points, Seed: 1, Params: focal.Params{Gamma: gamma, Alpha: focal.NoAlpha}}
		r, err := Float64(context.Background(), s, Options{})
		require.NoError(t, err)
		log(t, r)
		require.NoError(t, r.Err())
		require.Equal(t, points, r.Logits)
	}
}

// Soft targets, and hard ones that are given as such.
func TestTargets(t *testing.T) {
	step, points := uint64(1048573), uint64(1000)
	if effort.Full() {
		step, points = 32771, 10_000
	}
	for i, gamma := range gammas {
		for j, target := range []float64{0, 1, 0.5, 0.1, 1e-6, 1 - 1e-6} {
			if (i+j)%2 == 1 && gamma != 2 {
				continue // not all for each exponent
			}
			p := focal.Params{Gamma: gamma, Alpha: focal.NoAlpha}
			r, err := Float32(context.Background(), Sweep32{Step: step, Params: p, Target: &target}, Options{WithoutSigmoid: true})
			require.NoError(t, err)
			t.Logf("t = %v", target)
			log(t, r)
			require.NoError(t, r.Err())
			require.Equal(t, (Patterns+step-1)/step, r.Logits)
			r, err = Float64(context.Background(), Sweep64{Points: points, Seed: 2, Params: p, Target: &target}, Options{WithoutSigmoid: true})
			require.NoError(t, err)
			log(t, r)
			require.NoError(t, r.Err())
			require.Equal(t, points, r.Logits)
		}
	}
}

// Weights that are no floating-point numbers, against the exact ones.
func TestWeights(t *testing.T) {
	for _, gamma := range []float64{2, 2.3} {
		p := focal.Params{Gamma: gamma, Alpha: 0.25, Norm: 2040}
		r, err := Float32(context.Background(), Sweep32{Step: 65537, Params: p}, Options{})
		require.NoError(t, err)
		log(t, r)
		require.NoError(t, r.Err())
		r, err = Float64(context.Background(), Sweep64{Points: 10000, Params: p}, Options{})
		require.NoError(t, err)
		log(t, r)
		require.NoError(t, r.Err())
	}
}

func TestHardest(t *testing.T) {
	reports, err := Hardest(context.Background(), Options{})
	require.NoError(t, err)
	require.Len(t, reports, len(hard32)+len(hard64))
	for _, r := range reports {
		log(t, r)
		require.NoError(t, r.Err())
	}
}

func TestCorners(t *testing.T) {
	r, err := Corners(Options{})
	require.NoError(t, err)
	require.NoError(t, r.Err())
}

func log(t *testing.T, r *Report) {
	t.Helper()
	for _, q := range Quantities {
		t.Logf("γ = %v, %v: %v", r.Params.Gamma, q, r.Errors[q])
	}
}

// The long form is gen/search's.
func TestSummits(t *testing.T) {
	attempts := 40_000
	if testing.Short() {
		attempts /= 20
	}
	for _, c := range []Climb{{Gamma: [2]float64{0, 5}}, {Gamma: [2]float64{0, 5}, Soft: true}, {Gamma: [2]float64{5, 100}}, {Gamma: [2]float64{5, 100}, Soft: true}} {
		c.Seed, c.Attempts = 1, attempts
		single, err := Summits[float32](context.Background(), c)
		require.NoError(t, err)
		c.Attempts /= 16 // its exact values take longer
		double, err := Summits[float64](context.Background(), c)
		require.NoError(t, err)
		for q := range single {
			for i, s := range []Summit{single[q], double[q]} {
				t.Logf("%v, float%d: %v", Quantity(q), 32<<i, s)
				require.LessOrEqual(t, s.Err, s.Bound, "%v, float%d: %v", Quantity(q), 32<<i, s)
				require.Greater(t, s.Err, 0.25*s.Bound, "the search finds nothing")
			}
		}
	}
}

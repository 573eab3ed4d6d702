package verify

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/oracle"
)

// What package focal promises is held by its own tests, with this package. Here it is seen that nothing is overlooked.

func TestSweepCounts(t *testing.T) {
	const step = 1<<20 + 1
	p := focal.Params{Gamma: 2, Alpha: focal.NoAlpha}
	r, err := Float32(context.Background(), Sweep32{Step: step, Params: p}, Options{})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.EqualValues(t, (Patterns+step-1)/step, r.Logits)
	finite := r.Errors[oracle.Loss].N
	require.InDelta(t, float64(r.Logits)*255/256, float64(finite), 100) // one exponent of 256 has no finite number
	require.Equal(t, finite, r.Errors[oracle.Sigmoid].N)

	target := 0.1
	p.Alpha = 0.25
	r, err = Float64(context.Background(), Sweep64{Points: 1000, Params: p, Target: &target}, Options{})
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.EqualValues(t, 1000, r.Logits)
	require.EqualValues(t, 2000, r.Errors[oracle.Hess].N)
	require.Zero(t, r.Errors[oracle.Sigmoid].N)
	require.Equal(t, oracle.PromisedSoft(2), r.Bounds)

	_, err = Points(context.Background(), make([]float32, 2), make([]float32, 3), p, Options{})
	require.EqualError(t, err, "verify: another number of targets than of logits")
	_, err = Points(context.Background(), make([]float32, 2), nil, p, Options{Paths: []string{"mmx"}})
	require.EqualError(t, err, fmt.Sprintf("verify: this machine or build has no path \"mmx\", but %q", control.Paths()))
	for _, s := range []Sweep32{{From: Patterns + 1}, {To: Patterns + 1}, {From: 2, To: 1}} {
		_, err = Float32(context.Background(), s, Options{})
		require.EqualError(t, err, "verify: a sweep of patterns that are none", "%+v", s)
	}
}

// A reference that is wrong in its last bits, or by its sign, and paths that have other bits are found.
func TestFaultsAreFound(t *testing.T) {
	forBoth := func(soft bool) {
		c := newChunk[float32](8, soft, soft)
		c.u = append(c.u, -100, -3, -0.5, 0, 0.25, 2, 7, float32(math.NaN()))
		for range c.u {
			c.t = append(c.t, 0.125)
		}
		p := focal.Params{Gamma: 2, Alpha: 0.25, Norm: 3}
		require.NoError(t, c.reference(p, true))
		require.NoError(t, c.compare(Reference, p))
		good := Report{Paths: []string{"test"}, Logits: 8, Bounds: bounds(p, soft)}
		good.Merge(&c.report)
		require.NoError(t, good.Err())

		for q := range good.Errors {
			if good.Errors[q].N == 0 {
				continue
			}
			for label, want := range c.want {
				if label == 1 && (oracle.Quantity(q) == oracle.Sigmoid || oracle.Quantity(q) == oracle.Softplus) {
					continue
				}
				for _, wrong := range []func(v float32) float32{
					func(v float32) float32 { return neighbour(v, 4000) },
					func(v float32) float32 { return -v },
					func(float32) float32 { return float32(math.NaN()) },
				} {
					v := want[q][5]
					want[q][5] = wrong(v)
					c.report = Report{Bounds: good.Bounds, Logits: 8}
					c.measure(p)
					require.ErrorContains(t, c.report.Err(), oracle.Quantity(q).String())
					require.NoError(t, c.compare(Reference, p))
					require.Positive(t, c.report.Differing, "%v", oracle.Quantity(q))
					require.ErrorContains(t, c.report.Err(), "differ from the reference")
					want[q][5] = v
				}
			}
		}
	}
	forBoth(false)
	forBoth(true)
	require.ErrorContains(t, new(Report).Err(), "nothing was compared")
}

// A climb gets near the bounds, or it would say nothing about them.
func TestSummitsClimb(t *testing.T) {
	s, err := Summits[float32](context.Background(), Climb{Gamma: [2]float64{0, 5}, Seed: 1, Attempts: 10_000})
	require.NoError(t, err)
	for _, q := range []oracle.Quantity{oracle.Loss, oracle.Grad, oracle.Hess} {
		require.Greater(t, s[q].Err, 0.6*s[q].Bound, "%v", q)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Summits[float32](ctx, Climb{Gamma: [2]float64{0, 5}})
	require.ErrorIs(t, err, context.Canceled)
}

// A sparse sweep finds the errors that a thorough one finds.
func TestSparse(t *testing.T) {
	weighted, plain := focal.Params{Gamma: 2.3, Alpha: 0.3, Norm: 3}, focal.Params{Gamma: 2.3, Alpha: focal.NoAlpha, Norm: 1}
	const n = 1 << 11
	sweeps := []Sweep32{{From: 0x3f000000, To: 0x3f000000 + chunkLen + n, Params: plain}} // one chunk is not compared
	for _, from := range []uint64{0x2f000000 /* 2^-33 */, 0x31000000 /* 2^-29 */, 0x3f7ffc00, 0x437ffc00 /* 256 */, 0x50000000, 0x7f7ffc00 /* Inf */} {
		sweeps = append(sweeps, Sweep32{From: from, To: from + n, Params: plain}, Sweep32{From: 1<<31 | from, To: (1<<31 | from) + n, Params: weighted})
	}
	for _, s := range sweeps {
		want, err := Float32(context.Background(), s, Options{})
		require.NoError(t, err)
		got, err := Float32(context.Background(), s, Options{Sparse: true})
		require.NoError(t, err)
		require.NoError(t, got.Err())
		require.Equal(t, want.Logits, got.Logits)
		require.Equal(t, want.Paths, got.Paths)
		for q, w := range want.Errors {
			g := got.Errors[q]
			require.Equal(t, w.N, g.N)
			require.InDelta(t, w.Worst, g.Worst, 1e-5, "%#x, %v", s.From, oracle.Quantity(q))
			require.InDelta(t, w.Mean(), g.Mean(), 1e-5, "%#x, %v", s.From, oracle.Quantity(q))
		}
	}
}

// What is wrong with an element of which something is said is found.
func TestFeatureFaults(t *testing.T) {
	for _, feature := range Features {
		b := newBatch[float32](feature, 2.3, 300, rand.New(rand.NewPCG(1, 2)))
		var r Report
		require.NoError(t, b.evaluate(&r))
		require.NoError(t, r.Err(), feature)
		for q := oracle.Loss; q <= oracle.Frozen; q++ {
			require.GreaterOrEqual(t, r.Errors[q].N, uint64(290), feature)
			require.Positive(t, r.Errors[q].Worst, feature)
		}

		// The same values for other weights or exponents are wrong.
		for _, change := range []func(p *focal.Params){
			func(p *focal.Params) { p.Norm *= 1 + 1e-5 },
			func(p *focal.Params) { p.Gamma += 1e-4 },
			func(p *focal.Params) { p.NegGamma = new(float64) },
		} {
			other := *b
			change(&other.p)
			r = Report{}
			err := other.evaluate(&r)
			if err == nil {
				err = r.Err()
			}
			require.Error(t, err, "%v: %+v", feature, other.p)
		}
	}
	_, err := WithFeature[float32](context.Background(), Features[0], 10, 1, Options{Paths: []string{"mmx"}})
	require.ErrorContains(t, err, "mmx")
}

// The summits have the heights that are noted.
func TestKnown(t *testing.T) {
	t.Run("float32", testKnown[float32])
	t.Run("float64", testKnown[float64])
}

func testKnown[T focal.Float](t *testing.T) {
	for _, k := range knownOf[T]() {
		x, target := []T{T(k.x)}, []T{T(k.t)}
		if !k.soft() {
			target = nil
			if k.t == 1 {
				x[0] = -x[0]
			}
		}
		r, err := Points(context.Background(), x, target, k.params(), Options{Paths: []string{Reference}})
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.InDelta(t, k.err, r.Errors[k.of].Worst, 0.0006, "%+v", k)
	}
}

// A climb of any length reaches what is known, so it would find that a bound below that is broken.
func TestSummitsReachKnown(t *testing.T) {
	for _, c := range Climbs {
		c.Seed, c.Attempts = 7, 500
		testReachKnown[float32](t, c)
		testReachKnown[float64](t, c)
	}
}

func testReachKnown[T focal.Float](t *testing.T, c Climb) {
	found, err := Summits[T](context.Background(), c)
	require.NoError(t, err)
	for _, k := range knownOf[T]() {
		if !c.includes(k) {
			continue
		}
		bound := bounds(k.params(), c.Soft)[k.of]
		require.GreaterOrEqual(t, found[k.of].Err/found[k.of].Bound, (k.err-0.3)/bound, "%+v", k)
	}
}

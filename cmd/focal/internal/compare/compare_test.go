package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"github.com/gofocal/focal/cmd/focal/internal/results"
)

func sample(unit string, values ...float64) *results.Result {
	return &results.Result{Name: "x", Values: map[string][]float64{unit: values}}
}

// The statistics of a row are those of benchmath, which benchstat prints.
func TestStatistics(t *testing.T) {
	a, b := []float64{10, 11, 12, 13, 14, 15, 16}, []float64{14, 15.5, 16.5, 17, 18, 19, 20}
	c := &Comparison{Unit: "sec/op"}
	row := c.row("x", sample("sec/op", a...), sample("sec/op", b...), false)
	want := benchmath.AssumeNothing.Compare(benchmath.NewSample(slices.Clone(a), &benchmath.DefaultThresholds), benchmath.NewSample(slices.Clone(b), &benchmath.DefaultThresholds))
	assert.Equal(t, want.P, row.P)
	assert.Less(t, row.P, 0.05)
	assert.Equal(t, 13.0, row.Old.Center)
	assert.InDelta(t, want.P/2, row.oneSided, 1e-12)
	assert.InDelta(t, 17.0/13-1, row.effect, 1e-12, "by the medians: by the fastest it is 40 % slower")
	row = c.row("x", sample("sec/op", b...), sample("sec/op", a...), false)
	assert.InDelta(t, 1-want.P/2, row.oneSided, 1e-12)
	assert.Equal(t, []float64{10, 11, 12, 13, 14, 15, 16}, a)
}

// Holm's corrections, worked by hand.
func TestHolm(t *testing.T) {
	assert.InDeltaSlice(t, []float64{0.03, 0.06, 0.06}, holm([]float64{0.01, 0.04, 0.03}), 1e-12)
	assert.InDeltaSlice(t, []float64{1, 0.004, 1, 0.06}, holm([]float64{0.5, 0.001, 0.9, 0.02}), 1e-12)
	assert.Empty(t, holm(nil))
}

// The sign test: the probability that a fair coin shows so few heads or tails.
func TestPairs(t *testing.T) {
	a, b := make([]float64, 20), make([]float64, 20)
	for i := range a {
		a[i] = float64(i + 1)
		b[i] = 1.05 * a[i]
	}
	m := pairedMeasures(a, b, false)[0]
	assert.InDelta(t, 1.05, m.ratio.Center, 1e-12)
	assert.InDelta(t, 0.05, m.slower, 1e-12)
	assert.InDelta(t, math.Pow(0.5, 20), m.oneSided, 1e-12)
	assert.InDelta(t, 0.05, pairedMeasures(b, a, true)[0].slower, 1e-12, "less is slower")
	b[0], b[1], b[2] = 0, 0, 0
	assert.InDelta(t, (1+20+190+1140)*math.Pow(0.5, 20), pairedMeasures(a, b, false)[0].oneSided, 1e-12)
	assert.Equal(t, 1.0, pairedMeasures(a, a, false)[0].comparison.P)
	assert.Equal(t, 1.0, pairedMeasures(nil, nil, false)[0].comparison.P)
	assert.Equal(t, 1.0, pairedMeasures(make([]float64, 5), make([]float64, 5), false)[0].comparison.P)
}

// A machine that is slower for a while makes everything slower by about as much as the reference. That is no slowdown, but
// one of the program shows beside it.
func TestReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	run := func(program, machine float64) *results.Result {
		m := &results.Result{Name: "x", Values: map[string][]float64{}}
		for range 10 {
			noise := machine * (1 + 0.2*rng.Float64())
			m.Values["sec/op"] = append(m.Values["sec/op"], program*noise*(1+0.02*rng.Float64()))
			m.Values[results.Reference] = append(m.Values[results.Reference], noise)
		}
		return m
	}
	judge := func(before, after *results.Result) *Row {
		c := &Comparison{Unit: "sec/op", failOver: 0.05, Rows: []*Row{}}
		c.Rows = append(c.Rows, c.row("x", before, after, false))
		require.NoError(t, c.finish(nil))
		return c.Rows[0]
	}
	assert.False(t, judge(run(1, 1), run(1, 1.4)).Slower)
	assert.False(t, judge(run(1, 1), run(1, 1)).Slower)
	assert.True(t, judge(run(1, 1), run(1.1, 1.4)).Slower)
	assert.True(t, judge(run(1, 1), run(1.2, 1.1)).Slower)
	old, slow := run(1, 1), run(1, 1.4)
	delete(old.Values, results.Reference)
	assert.True(t, judge(old, slow).Slower, "without a reference nobody can know")
}

// Of a thousand comparisons of equal programs by files of 40 benchmarks, at most 5 % call any slower.
func TestFalseAlarms(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	run := func() *results.Run {
		r := &results.Run{Config: map[string]string{}, ByName: map[string]*results.Result{}}
		for i := range 40 {
			for range 8 {
				r.Add(&benchfmt.Result{Name: benchfmt.Name(fmt.Sprint("X", i)), Values: []benchfmt.Value{{Value: rng.ExpFloat64(), Unit: "sec/op"}}})
			}
		}
		return r
	}
	alarms := 0
	for range 1000 {
		c, err := Of(&results.Set{Runs: []*results.Run{run()}}, &results.Set{Runs: []*results.Run{run()}}, "sec/op", 0)
		require.NoError(t, err)
		alarms += min(1, len(c.Slower()))
	}
	assert.Less(t, alarms, 65)
	t.Log(alarms)
}

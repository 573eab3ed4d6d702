package compare

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/perf/benchmath"

	"github.com/gofocal/focal/cmd/focal/internal/results"
)

// The statistics are those of benchmath, which benchstat prints.
func TestCompareStatistics(t *testing.T) {
	a, b := []float64{10, 11, 12, 13, 14, 15, 16}, []float64{14, 15.5, 16.5, 17, 18, 19, 20}
	c := compareResults(&results.Result{Name: "x", Values: map[string][]float64{"sec/op": slices.Clone(a)}}, &results.Result{Values: map[string][]float64{"sec/op": slices.Clone(b)}}, "sec/op", false)
	want := benchmath.AssumeNothing.Compare(benchmath.NewSample(a, &benchmath.DefaultThresholds), benchmath.NewSample(b, &benchmath.DefaultThresholds))
	assert.Equal(t, want.P, c.comparison.P)
	assert.Less(t, c.comparison.P, 0.05)
	assert.Equal(t, 13.0, c.old.Center)
	assert.InDelta(t, 17.0/13-1, c.slower, 1e-12)
	assert.Equal(t, a, []float64{10, 11, 12, 13, 14, 15, 16})
	// Too few samples are never significant.
	c = compareResults(&results.Result{Values: map[string][]float64{"sec/op": {1, 1, 1}}}, &results.Result{Values: map[string][]float64{"sec/op": {2, 2, 2}}}, "sec/op", false)
	assert.Zero(t, c.slower)
}

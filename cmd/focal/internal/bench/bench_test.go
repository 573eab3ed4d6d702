package bench

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/perf/benchfmt"

	"github.com/gofocal/focal/cmd/focal/internal/results"
	"github.com/gofocal/focal/internal/control"
)

// By default sizes, workers and streaming are measured too, by cases that report finds.
func TestBenchCases(t *testing.T) {
	o := Options{Ops: results.Ops, Types: []string{"f32", "f64"}, Paths: control.Paths(), Shapes: [][2]int{{1024, 80}}, Gammas: []float64{2}, Workers: []int{1, 2}}
	r := &results.Run{ByName: map[string]*results.Result{}}
	names := map[string]bool{}
	for _, c := range Cases(o) {
		assert.False(t, names[c.Name], "%s twice", c.Name)
		names[c.Name] = true
		r.Add(&benchfmt.Result{Name: benchfmt.Name(c.Name), Values: []benchfmt.Value{{Value: 1, Unit: "GB/s"}}})
	}
	best := control.Paths()[0]
	assert.Len(t, r.Find(results.Loss, "n=1024", "c=80", "workers=1", "path="+best), 2*len(results.Ops))
	assert.Len(t, r.Find(results.Loss, "op=loss", "path="+best, "workers=2"), 1)
	assert.Len(t, r.Find(results.Stream, "kind=copy"), 15, "16 KiB to 256 MiB")
	sizes := 15 // 16 KiB to 256 MiB
	if best == "generic" {
		sizes = 7 // to 1 MiB: it is slow
	}
	assert.Len(t, r.Find(results.Loss, results.Sweep{Type: "f32", Gamma: "2"}.Sizes("path="+best)...), sizes+1)
	assert.Len(t, r.Find(results.Loss, "clock=wall", "path="+best), 2, "one worker and two, by the same clock")
}

// The program that measures beside this one has ended: there is nobody to measure for.
func TestStepsEnd(t *testing.T) {
	o := Options{Ops: []string{"loss"}, Types: []string{"f32"}, Paths: []string{"generic"}, Shapes: [][2]int{{1, 1}}, Gammas: []float64{2}, Workers: []int{1},
		Count: 1, OnlyShapes: true, Step: strings.NewReader("")}
	_, err := Run(t.Context(), io.Discard, o, func(done, total int) {})
	assert.EqualError(t, err, "the lines to step by have ended")
}

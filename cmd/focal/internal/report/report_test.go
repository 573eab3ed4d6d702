package report

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/gofocal/focal/cmd/focal/internal/bench"
	"github.com/gofocal/focal/cmd/focal/internal/results"
	"github.com/gofocal/focal/internal/control"
)

// Whatever type and gamma sizes and workers are measured with, report shows them as such: nothing of them is left to tables
// of operations.
func TestSweeps(t *testing.T) {
	for _, test := range []struct {
		types  []string
		gammas []float64
		want   string
	}{
		{[]string{"f32", "f64"}, []float64{2, 2.3}, "f32, γ = 2"},
		{[]string{"f64", "f32"}, []float64{2, 2.3}, "f64, γ = 2"},
		{[]string{"f64"}, []float64{2.3}, "f64, γ = 2.3"},
	} {
		o := bench.Options{Ops: []string{"loss", "loss+grad", "sigmoid"}, Types: test.types, Paths: control.Paths(), Shapes: [][2]int{{1024, 80}, {32, 10}}, Gammas: test.gammas, Workers: []int{1, 2, 4}, Quick: true}
		r := &results.Run{Config: map[string]string{}, ByName: map[string]*results.Result{}}
		for _, c := range bench.Cases(o) {
			values := []benchfmt.Value{{Value: 1, Unit: "GB/s"}}
			if c.Elements > 0 {
				values = append(values, benchfmt.Value{Value: 1, Unit: "Gelem/s"})
			}
			r.Add(&benchfmt.Result{Name: benchfmt.Name(c.Name), Values: values})
		}
		s := runSection(r)
		var tables, charts []string
		for _, table := range s.Tables {
			tables = append(tables, table.Title)
		}
		assert.Equal(t, []string{
			"Operations at 1024×80, one worker, per element",
			"Operations at 32×10, one worker, per element",
			"Loss, " + test.want + ", C = 80, by size of logits and losses, Gelem/s",
			"Workers, Gelem/s",
			"Streaming, GB/s read and written",
		}, tables)
		for _, c := range s.Charts {
			charts = append(charts, c.title)
			svgText(t, c.svg())
		}
		assert.Contains(t, charts, "loss by size, "+test.want)
		assert.Contains(t, charts, "loss by workers, "+test.want+", from memory")
	}
}

// svgText returns the text of a picture, which must be well-formed.
func svgText(t *testing.T, svg []byte) (text string) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text
		}
		require.NoError(t, err)
		if c, ok := token.(xml.CharData); ok {
			text += string(c) + "\n"
		}
	}
}

func TestLogTicks(t *testing.T) {
	l := logTicks{10, func(v float64) string { return fmt.Sprint(v) }}
	labels := func(lo, hi float64) (all []string) {
		for _, tick := range l.Ticks(lo, hi) {
			all = append(all, tick.Label)
		}
		return all
	}
	assert.Equal(t, []string{"1", "10", "100"}, labels(0.5, 200))
	assert.Equal(t, []string{"1", "10"}, labels(1, 10), "the ends are ticks too")
	for _, ends := range [][2]float64{{0, 1}, {-1, 1}, {2, 1}, {1, math.Inf(1)}, {math.NaN(), 1}, {1, math.NaN()}, {math.Inf(-1), math.Inf(1)}} {
		assert.Empty(t, labels(ends[0], ends[1]), "%v", ends)
	}
	assert.Len(t, labels(5e-324, math.MaxFloat64), 10)
}

// Of notes at one place, or beside each other's points, none covers another, nor a point; and none leaves the canvas.
func TestNotes(t *testing.T) {
	p := plot.New()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	for _, at := range []plotter.XYs{
		{{X: 0.5, Y: 0.5}, {X: 0.5, Y: 0.5}, {X: 0.5, Y: 0.5}},
		{{X: 0.5, Y: 0.5}, {X: 0.52, Y: 0.5}, {X: 0.5, Y: 0.52}},
		{{X: 0, Y: 0}, {X: 0.01, Y: 0}},
		{{X: 1, Y: 1}, {X: 1, Y: 1}, {X: 0.99, Y: 1}},
	} {
		n := notes{at: at, texts: []string{"sigmoid", "loss", "loss+grad+hess"}[:len(at)], avoid: at}
		c := draw.New(vgsvg.New(400, 300))
		placed := n.place(c, p)
		require.Len(t, placed, len(at))
		for i, r := range placed {
			assert.True(t, r.Min.X >= c.Min.X && r.Max.X <= c.Max.X && r.Min.Y >= c.Min.Y && r.Max.Y <= c.Max.Y, "%v: %v", at, r)
			for _, other := range placed[:i] {
				assert.False(t, overlap(r, other), "%v: %v and %v", at, r, other)
			}
			for _, xy := range at {
				x, y := vg.Length(xy.X)*c.Size().X, vg.Length(xy.Y)*c.Size().Y
				assert.False(t, x > r.Min.X && x < r.Max.X && y > r.Min.Y && y < r.Max.Y, "%v: %v covers %v", at, r, xy)
			}
		}
	}
}

// A title fits, however long it is.
func TestLongTitle(t *testing.T) {
	c := &chart{title: strings.Repeat("a machine with a long name ", 5), height: chartHeight, draw: func() *plot.Plot { return newPlot("", "") }}
	sizes := regexp.MustCompile(`font-size:([\d.]+)px;fill:#1F2328">a machine`).FindStringSubmatch(string(c.svg()))
	require.Len(t, sizes, 2)
	size, err := strconv.ParseFloat(sizes[1], 64)
	require.NoError(t, err)
	style := textStyle(vg.Length(size))
	assert.LessOrEqual(t, float64(style.Width(c.title)), float64(chartWidth-2*chartMargin))
	assert.Greater(t, size, 4.0)
}

// Results without times have no cells, where others have them.
func TestNoTimes(t *testing.T) {
	r := &results.Run{Config: map[string]string{}, ByName: map[string]*results.Result{}}
	for _, path := range []string{"avx512", "generic"} {
		name := "Focal/op=loss/type=f32/path=" + path + "/n=1024/c=80/gamma=2/workers=1"
		r.Add(&benchfmt.Result{Name: benchfmt.Name(name), Values: []benchfmt.Value{{Value: 1, Unit: "sec/op"}}})
	}
	for _, s := range []section{runSection(r), acrossSection([]*results.Run{r, r}, []string{"A", "B"})} {
		for _, table := range s.Tables {
			for _, row := range table.Rows {
				assert.Empty(t, strings.Join(row[table.Names:], ""), table.Title)
			}
		}
	}
}

// A picture has each colour of the light theme, and a rule that makes it the dark one; no colour is without.
func TestThemes(t *testing.T) {
	require.Len(t, dark.series, len(light.series))
	r := &results.Run{Config: map[string]string{}, ByName: map[string]*results.Result{}}
	for _, path := range []string{"avx512", "avx2", "generic"} {
		name := "Focal/op=loss/type=f32/path=" + path + "/n=1024/c=80/gamma=2/workers=1"
		r.Add(&benchfmt.Result{Name: benchfmt.Name(name), Values: []benchfmt.Value{{Value: 1, Unit: "sec/elem"}}})
	}
	c := speedupChart(r, "f32")
	require.NotNil(t, c)
	svg := string(c.svg())
	used := 0
	for _, m := range regexp.MustCompile(`style="[^"]*\b(fill|stroke):(#[0-9A-Fa-f]{6})`).FindAllStringSubmatch(svg, -1) {
		i := slices.IndexFunc(light.all(), func(c color.RGBA) bool { return hex(c) == m[2] })
		require.GreaterOrEqual(t, i, 0, "%s is no colour of the theme", m[2])
		assert.Contains(t, svg, fmt.Sprintf(`[style*="%s:%s"]{%s:%s!important}`, m[1], m[2], m[1], hex(dark.all()[i])))
		used++
	}
	assert.Greater(t, used, 10)
}

// Whatever a file of results says, reading it ends in an error or in numbers, and a report of them in text and pictures: no
// panic, and no loop or memory that a number in the file drives.
func FuzzReport(f *testing.F) {
	const head = "cpu: A\ncores: 2\ncaches: l1d=32768 l2=1048576 l3=1\n# mhz: 3000\n"
	const name = "BenchmarkFocal/op=loss/type=f32/path=avx2/n=%s/c=%s/gamma=2/workers=%s/clock=thread %s %s ns/op 1 ns/elem %s Gelem/s %s GB/s\n"
	for _, v := range [][7]string{
		{"64", "80", "1", "1", "5", "1", "8"}, {"0", "80", "1", "1", "5", "1", "8"}, {"-64", "1", "2", "1", "5", "1", "8"},
		{"4611686018427387904", "80", "1", "1", "5", "Inf", "1e308"}, {"1024", "80", "-1", "1", "NaN", "5e-324", "5e-324"},
	} {
		f.Add(head + fmt.Sprintf(name, v[0], v[1], v[2], v[3], v[4], v[5], v[6]))
	}
	f.Add("BenchmarkX\tpanicked\npkg: a\nBenchmarkX 1 2 ns/op\nBenchmarkX 1 2 n")
	f.Fuzz(func(t *testing.T, text string) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		set, err := results.Parse(ctx, "f", []byte(text))
		if err != nil {
			return
		}
		for _, r := range set.Runs {
			for _, m := range r.Results {
				for unit, values := range m.Values {
					for _, v := range values {
						require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%s: %v", unit, v)
					}
				}
			}
		}
		r, err := New(ctx, set.Runs)
		if err != nil {
			return
		}
		require.NoError(t, r.WriteMarkdown(io.Discard))
		for _, c := range r.Charts() {
			svgText(t, c.svg())
		}
		require.NoError(t, ctx.Err())
	})
}

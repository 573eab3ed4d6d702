package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

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
		o := bench.Options{Ops: []string{"loss", "loss+grad", "sigmoid"}, Types: test.types, Paths: control.Paths(), Shapes: [][2]int{{1024, 80}, {32, 10}}, Gammas: test.gammas, Workers: []int{1, 2}, Quick: true}
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
			svgText(t, c.svg(light))
		}
		assert.Contains(t, charts, "loss by size, "+test.want)
		assert.Contains(t, charts, "loss by workers, "+test.want)
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

package shards

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/gofocal/focal"
)

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// formatAlpha returns alpha as the flag has it.
func formatAlpha(v float64) string {
	if v == focal.NoAlpha {
		return "none"
	}
	return formatFloat(v)
}

// Figure is a line of a summary. The words mean the same everywhere: sum is that of all losses, undivided; mean is sum over
// elements; loss is sum over norm, which is foreground unless another one is asked for, and at least 1 then. Rows are those of
// the logits. Foreground and ignored are rows if there are labels, and elements if there are targets.
type Figure struct {
	Name  string
	Value any
}

// Figures returns what all shards come to. A norm of 0 is the number of those that are foreground.
func (p *Part) Figures(norm float64) []Figure {
	t := p.Total
	if norm == 0 {
		norm = math.Max(1, float64(t.Foreground()))
	}
	rows := int64(0)
	for _, s := range p.Shards {
		rows += s.Rows
	}
	infinite, nan := t.NotFinite()
	figures := []Figure{
		{"loss", t.Loss(norm)},
		{"sum", t.Loss(1)},
		{"mean", t.Loss(math.Max(1, p.elements()))},
		{"norm", norm},
		{"foreground", t.Foreground()},
		{"ignored", t.Ignored()},
		{"rows", rows},
		{"elements", json.Number(strconv.FormatFloat(p.elements(), 'f', -1, 64))},
		{"infinite", infinite},
		{"nan", nan},
	}
	if len(p.Rows) > 0 && (math.IsNaN(p.Rows[0].Sum) || math.IsInf(p.Rows[0].Sum, 1)) {
		figures = append(figures, Figure{"not_finite", fmt.Sprintf("first in row %d of %s", p.Rows[0].Row, p.Rows[0].Shard)})
	}
	figures = append(figures, Figure{"gamma", p.settings.Gamma})
	if neg := p.settings.NegGamma; neg != p.settings.Gamma {
		figures = append(figures, Figure{"gamma_neg", neg})
	}
	figures = append(figures, Figure{"alpha", formatAlpha(p.settings.Alpha)})
	if p.settings.Quality != "" {
		figures = append(figures, Figure{"quality", p.settings.Quality})
	}
	var weighed []string
	for _, w := range []struct {
		given bool
		what  string
	}{{p.settings.Weights, "elements"}, {p.settings.RowWeights, "rows"}, {p.settings.Classes != "", "classes"}} {
		if w.given {
			weighed = append(weighed, w.what)
		}
	}
	if weighed != nil {
		figures = append(figures, Figure{"weighed", strings.Join(weighed, ", ")})
	}
	return figures
}

// WriteSummary writes the figures of all shards, a line for each.
func (p *Part) WriteSummary(w io.Writer, norm float64) error {
	for _, f := range append(p.Figures(norm), Figure{"shards", len(p.Shards)}, Figure{"skipped", len(p.Skipped)}) {
		if _, err := fmt.Fprintf(w, "%-11s %v\n", f.Name, f.Value); err != nil {
			return err
		}
	}
	return nil
}

// WriteShards writes the figures of each shard as CSV, sorted by name.
func (p *Part) WriteShards(w io.Writer) error {
	rows := [][]string{{"shard", "loss", "sum", "mean", "foreground", "ignored", "rows", "classes", "error"}}
	for _, s := range p.Shards {
		t := s.Partial
		rows = append(rows, []string{s.Name, formatFloat(t.Loss(float64(t.Foreground()))), formatFloat(t.Loss(1)),
			formatFloat(t.Loss(float64(s.Rows) * float64(s.Classes))),
			fmt.Sprint(t.Foreground()), fmt.Sprint(t.Ignored()), fmt.Sprint(s.Rows), fmt.Sprint(s.Classes), ""})
	}
	for _, s := range p.Skipped {
		rows = append(rows, []string{s.Name, "", "", "", "", "", "", "", s.Error})
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// WriteHardest writes the hardest rows as CSV, those first.
func (p *Part) WriteHardest(w io.Writer) error {
	rows := [][]string{{"shard", "row", "label", "sum"}}
	for _, r := range p.Rows {
		label := ""
		if r.Label != nil {
			label = fmt.Sprint(*r.Label)
		}
		rows = append(rows, []string{r.Shard, fmt.Sprint(r.Row), label, formatFloat(r.Sum)})
	}
	return csv.NewWriter(w).WriteAll(rows)
}

package shards

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

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

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// WriteSummary writes what all shards come to, a line for each figure. Rows are those with labels; of targets there are
// elements.
func (p *Part) WriteSummary(w io.Writer) error {
	t := p.Total
	inf, nan := t.NotFinite()
	gamma, alpha := "unknown", "unknown"
	if p.loss != nil {
		gamma, alpha = formatFloat(p.loss.Gamma), formatAlpha(p.loss.Alpha)
	}
	type line struct {
		name  string
		value any
	}
	lines := []line{
		{"loss", formatFloat(t.Loss(float64(t.Foreground())))},
		{"sum", formatFloat(t.Loss(1))},
		{"fg_num", t.Foreground()},
	}
	elements, targets := int64(0), 0
	for _, s := range p.Shards {
		if s.Targets {
			elements += s.Partial.Rows()
			targets++
		}
	}
	if targets < len(p.Shards) || targets == 0 {
		lines = append(lines, line{"rows", t.Rows() - elements})
	}
	if targets > 0 {
		lines = append(lines, line{"elements", elements})
	}
	lines = append(lines, []line{
		{"ignored", t.Ignored()},
		{"infinite", inf},
		{"nan", nan},
		{"gamma", gamma},
		{"alpha", alpha},
		{"shards", len(p.Shards)},
		{"skipped", len(p.Skipped)},
	}...)
	for _, line := range lines {
		if _, err := fmt.Fprintf(w, "%-9s%v\n", line.name, line.value); err != nil {
			return err
		}
	}
	return nil
}

// WriteShards writes the figures of each shard as CSV, sorted by name.
func (p *Part) WriteShards(w io.Writer) error {
	rows := [][]string{{"shard", "loss", "sum", "fg_num", "rows", "ignored", "error"}}
	for _, s := range p.Shards {
		t := s.Partial
		rows = append(rows, []string{s.Name, formatFloat(t.Loss(float64(t.Foreground()))), formatFloat(t.Loss(1)),
			fmt.Sprint(t.Foreground()), fmt.Sprint(t.Rows()), fmt.Sprint(t.Ignored()), ""})
	}
	for _, s := range p.Skipped {
		rows = append(rows, []string{s.Name, "", "", "", "", "", s.Error})
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// WriteHardest writes the hardest rows as CSV, those first.
func (p *Part) WriteHardest(w io.Writer) error {
	rows := [][]string{{"shard", "row", "label", "loss"}}
	for _, r := range p.Rows {
		label := ""
		if r.Label != nil {
			label = fmt.Sprint(*r.Label)
		}
		rows = append(rows, []string{r.Shard, fmt.Sprint(r.Row), label, formatFloat(r.Loss)})
	}
	return csv.NewWriter(w).WriteAll(rows)
}

package shards

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/gofocal/focal"
)

// Part is what is known of some shards. Parts of different shards are merged, in any order, to that of all of them; the
// result is the same, bit for bit.
type Part struct {
	Hardest int // how many rows are kept in Rows
	Total   focal.Partial
	Shards  []Shard   // sorted by name
	Skipped []Skipped // sorted by name
	Rows    []Row     // the hardest ones, those first

	labels Convention // parts must have it in common
	loss   *parameters
}

// parameters are those of the loss, which parts must have in common too. A part of no rows has them here alone. They are
// nil in one of a former version that has none: it fits any.
type parameters struct {
	Gamma float64 `json:"gamma"`
	Alpha float64 `json:"alpha"`
}

// Shard is a shard that was scored.
type Shard struct {
	Name    string
	Partial focal.Partial
	Targets bool // the rows that it counts are elements, since it has targets and no labels
}

// Skipped is a shard that was not, and why.
type Skipped struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// NewPart returns the part of no shards.
func NewPart(o Options) *Part {
	return &Part{Hardest: o.Hardest, labels: o.Labels, loss: &parameters{o.Gamma + 0, o.Alpha + 0}} // no zero is negative
}

// Skip notes that a shard was skipped.
func (p *Part) Skip(name string, err error) {
	p.Skipped = append(p.Skipped, Skipped{name, err.Error()})
	slices.SortFunc(p.Skipped, func(a, b Skipped) int { return cmp.Compare(a.Name, b.Name) })
}

// Merge adds others to p. A shard that is in two of them is an error, since it would count twice; one that was skipped in
// one and scored in another is scored. On an error p is what it was.
func (p *Part) Merge(others ...*Part) error {
	all := *p
	all.Shards, all.Skipped, all.Rows = slices.Clone(p.Shards), slices.Clone(p.Skipped), slices.Clone(p.Rows)
	for _, other := range others {
		switch {
		case p.Hardest != other.Hardest:
			return fmt.Errorf("one has the %d hardest rows and the other the %d hardest", p.Hardest, other.Hardest)
		case p.labels != other.labels:
			return fmt.Errorf("labels mean %v in one and %v in the other", p.labels, other.labels)
		case all.loss == nil:
			all.loss = other.loss
		case other.loss != nil && all.loss.Gamma != other.loss.Gamma:
			return fmt.Errorf("gamma is %v in one and %v in the other", all.loss.Gamma, other.loss.Gamma)
		case other.loss != nil && all.loss.Alpha != other.loss.Alpha:
			return fmt.Errorf("alpha is %s in one and %s in the other", formatAlpha(all.loss.Alpha), formatAlpha(other.loss.Alpha))
		}
		if err := all.Total.Merge(other.Total); err != nil {
			return err
		}
		all.Shards = append(all.Shards, other.Shards...)
		all.Skipped = append(all.Skipped, other.Skipped...)
		for _, r := range other.Rows {
			all.keep(r)
		}
	}
	slices.SortFunc(all.Shards, func(a, b Shard) int { return cmp.Compare(a.Name, b.Name) })
	all.Skipped = slices.DeleteFunc(all.Skipped, func(s Skipped) bool {
		_, scored := slices.BinarySearchFunc(all.Shards, s.Name, func(a Shard, name string) int { return cmp.Compare(a.Name, name) })
		return scored
	})
	slices.SortFunc(all.Skipped, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Error, b.Error))
	})
	all.Skipped = slices.CompactFunc(all.Skipped, func(a, b Skipped) bool { return a.Name == b.Name })
	for i := range all.Shards[:max(0, len(all.Shards)-1)] {
		if name := all.Shards[i].Name; name == all.Shards[i+1].Name {
			return fmt.Errorf("%s is in both: it would count twice, or two shards have one name", name)
		}
	}
	*p = all
	return nil
}

// harder orders rows, the hardest first: NaN, and then by loss. Of the same loss they are ordered by where they are, so
// that there is one order of all rows.
func harder(a, b Row) int {
	if x, y := math.IsNaN(a.Loss), math.IsNaN(b.Loss); x != y {
		if x {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.Loss, a.Loss), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Row, b.Row))
}

// wants reports whether keep would keep the row.
func (p *Part) wants(r Row) bool {
	n := len(p.Rows)
	return n < p.Hardest || n > 0 && harder(r, p.Rows[n-1]) < 0
}

// keep puts a row where it belongs among the hardest, if it does.
func (p *Part) keep(r Row) {
	if !p.wants(r) {
		return
	}
	at, _ := slices.BinarySearchFunc(p.Rows, r, harder)
	if len(p.Rows) == p.Hardest {
		p.Rows = p.Rows[:len(p.Rows)-1]
	}
	p.Rows = slices.Insert(p.Rows, at, r)
}

// The file of a part is JSON, so that other programs can read it. Losses are strings, since JSON has neither infinities
// nor NaN; partial sums are in their binary encoding, as base64.
const (
	format  = "focal-part"
	version = 1
)

type fileOfPart struct {
	Format  string      `json:"format"`
	Version int         `json:"version"`
	Hardest int         `json:"hardest"`
	Labels  Convention  `json:"labels"`
	Loss    *parameters `json:"loss,omitempty"` // of all parts but the first that were written
	Shards  []fileShard `json:"shards"`
	Skipped []Skipped   `json:"skipped,omitempty"`
	Rows    []fileRow   `json:"rows"`
}

type fileShard struct {
	Name    string `json:"name"`
	Partial []byte `json:"partial"`
	Targets bool   `json:"targets,omitempty"` // of what former versions wrote it is not known
}

type fileRow struct {
	Row
	Loss string `json:"loss"`
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (p *Part) MarshalBinary() ([]byte, error) {
	f := fileOfPart{Format: format, Version: version, Hardest: p.Hardest, Labels: p.labels, Loss: p.loss, Skipped: p.Skipped,
		Shards: []fileShard{}, Rows: []fileRow{}}
	for _, s := range p.Shards {
		b, err := s.Partial.MarshalBinary()
		if err != nil {
			return nil, err
		}
		f.Shards = append(f.Shards, fileShard{s.Name, b, s.Targets})
	}
	for _, r := range p.Rows {
		f.Rows = append(f.Rows, fileRow{r, formatFloat(r.Loss)})
	}
	b, err := json.MarshalIndent(f, "", " ")
	return append(b, '\n'), err
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]. On an error p is what it was.
func (p *Part) UnmarshalBinary(b []byte) error {
	var f fileOfPart
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&f); err != nil {
		return fmt.Errorf("is no part, or a damaged one: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("is no part: it goes on after the end")
	}
	switch {
	case f.Format != format:
		return fmt.Errorf("is no part: its format is %q, want %q", f.Format, format)
	case f.Version != version:
		return fmt.Errorf("is a part of version %d, want %d", f.Version, version)
	case f.Hardest < 0 || len(f.Rows) > f.Hardest:
		return fmt.Errorf("is a damaged part: it has %d hardest rows of %d", len(f.Rows), f.Hardest)
	}
	if f.Loss != nil {
		if err := (Options{Gamma: f.Loss.Gamma, Alpha: f.Loss.Alpha}).Check(); err != nil {
			return fmt.Errorf("is a damaged part: gamma is %v and alpha %v", f.Loss.Gamma, f.Loss.Alpha)
		}
	}
	all := &Part{Hardest: f.Hardest, labels: f.Labels, loss: f.Loss}
	var shards []*Part
	for _, s := range f.Shards {
		one := &Part{Hardest: f.Hardest, labels: f.Labels, Shards: []Shard{{Name: s.Name, Targets: s.Targets}}}
		if err := one.Total.UnmarshalBinary(s.Partial); err != nil {
			return fmt.Errorf("is a damaged part: shard %s: %w", s.Name, err)
		}
		one.Shards[0].Partial = one.Total
		if one.Total.Rows() > 0 {
			p := one.Total.Params()
			one.loss = &parameters{p.Gamma, p.Alpha}
		}
		shards = append(shards, one)
	}
	if err := all.Merge(shards...); err != nil { // the total is not stored: it is the sum
		return fmt.Errorf("is a damaged part: %w", err)
	}
	all.Skipped = f.Skipped
	for _, r := range f.Rows {
		var err error
		if r.Row.Loss, err = parseFloat(r.Loss); err != nil {
			return fmt.Errorf("is a damaged part: row %d of %s has the loss %q", r.Row.Row, r.Shard, r.Loss)
		}
		all.keep(r.Row)
	}
	*p = *all
	return nil
}

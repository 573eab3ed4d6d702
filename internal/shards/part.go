package shards

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/gofocal/focal"
)

// Part is what is known of some shards. Parts of different shards are merged, in any order, to that of all of them; the
// result is the same, bit for bit.
type Part struct {
	Total   focal.Partial
	Shards  []Shard   // sorted by name
	Skipped []Skipped // sorted by name
	Rows    []Row     // the hardest ones, those first

	settings settings
}

// settings are what parts must have in common.
type settings struct {
	Hardest    int        `json:"hardest"` // how many rows are kept, if there are so many
	Labels     Convention `json:"labels"`
	Gamma      float64    `json:"gamma"`
	NegGamma   float64    `json:"neg_gamma"` // of negatives
	Alpha      float64    `json:"alpha"`
	Weights    bool       `json:"weights"`       // there are weights of elements
	RowWeights bool       `json:"row_weights"`   // and of rows
	Classes    string     `json:"class_weights"` // and of classes: a digest of them
	Quality    string     `json:"quality"`       // empty: there are no scores
}

// settings returns those of the options.
func (o Options) settings() settings {
	s := settings{Hardest: o.Hardest, Labels: o.Labels, Gamma: o.Gamma + 0, NegGamma: negGamma(o.Params()) + 0, Alpha: o.Alpha + 0, // no zero is negative
		Weights: o.Weights, RowWeights: o.RowWeights}
	if o.Scores {
		s.Quality = qualities[o.Quality]
	}
	if o.Classes != nil {
		s.Classes = o.Classes.digest()
	}
	return s
}

// negGamma returns the gamma of negatives.
func negGamma(p focal.Params) float64 {
	if p.NegGamma != nil {
		return *p.NegGamma
	}
	return p.Gamma
}

// options returns options that have the settings, but for the weights of classes.
func (s settings) options() Options {
	o := Options{Hardest: s.Hardest, Labels: s.Labels, Gamma: s.Gamma, NegGamma: &s.NegGamma, Alpha: s.Alpha, Weights: s.Weights, RowWeights: s.RowWeights}
	if s.Quality != "" {
		o.Scores, o.Quality = true, focal.Quality(slices.Index(qualities, s.Quality))
	}
	return o
}

// digest returns what only the same weights have.
func (w *ClassWeights) digest() string {
	h := sha256.New()
	for _, side := range [][]float64{w.Neg, w.Pos} {
		for _, v := range side {
			h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v+0)))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Shard is a shard that was scored.
type Shard struct {
	Name    string
	Rows    int64
	Classes int
	Targets bool          // and no labels
	Partial focal.Partial // counts elements as its rows if there are targets
}

// Skipped is a shard that was not, and why.
type Skipped struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// NewPart returns the part of no shards.
func NewPart(o Options) *Part {
	return &Part{settings: o.settings()}
}

// Skip notes that a shard was skipped.
func (p *Part) Skip(name string, err error) {
	p.Skipped = append(p.Skipped, Skipped{name, err.Error()})
	slices.SortFunc(p.Skipped, func(a, b Skipped) int { return cmp.Compare(a.Name, b.Name) })
}

// Merge adds others to p. A shard that is in two of them is an error, since it would count twice; one that was skipped in
// one and scored in another is scored. On an error p is what it was.
func (p *Part) Merge(others ...*Part) error {
	var m Merger
	for _, part := range append([]*Part{p}, others...) {
		if err := m.Add(part); err != nil {
			return err
		}
	}
	*p = *m.Part()
	return nil
}

// Split returns the part without its rows, as that of options that want none, and the rows.
func (p *Part) Split() (*Part, Ranking) {
	q := *p
	q.settings.Hardest, q.Rows = 0, nil
	r := Ranking{Most: p.settings.Hardest}
	for _, row := range p.Rows {
		r.Add(row)
	}
	return &q, r
}

// With undoes Split: it returns the part with the rows.
func (p *Part) With(r Ranking) *Part {
	q := *p
	q.settings.Hardest, q.Rows = r.Most, r.sorted()
	return &q
}

// Merger merges any number of parts, in a time that grows with what they hold together and no faster.
type Merger struct {
	all    *Part
	scored map[string]bool
	rows   Ranking
}

// Add adds a part. If it does not go with those before it is an error, and not added.
func (m *Merger) Add(p *Part) error {
	if m.all == nil {
		m.all, m.scored = &Part{settings: p.settings}, map[string]bool{}
		m.rows.Most = p.settings.Hardest
	}
	switch a, b := m.all.settings, p.settings; {
	case a.Hardest != b.Hardest:
		return fmt.Errorf("one has the %d hardest rows and the other the %d hardest", a.Hardest, b.Hardest)
	case a.Labels != b.Labels:
		return fmt.Errorf("labels mean %v in one and %v in the other", a.Labels, b.Labels)
	case a.Gamma != b.Gamma:
		return fmt.Errorf("gamma is %v in one and %v in the other", a.Gamma, b.Gamma)
	case a.NegGamma != b.NegGamma:
		return fmt.Errorf("the negatives' gamma is %v in one and %v in the other", a.NegGamma, b.NegGamma)
	case a.Quality != b.Quality:
		return fmt.Errorf("the quality of scores is %s in one and %s in the other", orNone(a.Quality), orNone(b.Quality))
	case a.Weights != b.Weights:
		return fmt.Errorf("elements have weights in only one of them")
	case a.RowWeights != b.RowWeights:
		return fmt.Errorf("rows have weights in only one of them")
	case a.Classes != b.Classes:
		return fmt.Errorf("classes have other weights in one than in the other")
	case a.Alpha != b.Alpha:
		return fmt.Errorf("alpha is %s in one and %s in the other", formatAlpha(a.Alpha), formatAlpha(b.Alpha))
	}
	for _, s := range p.Shards {
		if m.scored[s.Name] {
			return fmt.Errorf("%s is in two of them: it would count twice, or two shards have one name", s.Name)
		}
	}
	if err := m.all.Total.Merge(p.Total); err != nil {
		return err
	}
	for _, s := range p.Shards {
		m.scored[s.Name] = true
	}
	m.all.Shards = append(m.all.Shards, p.Shards...)
	m.all.Skipped = append(m.all.Skipped, p.Skipped...)
	for _, r := range p.Rows {
		m.rows.Add(r)
	}
	return nil
}

// Part returns the part of all that were added, of which there must be one. After it the Merger is of no more use.
func (m *Merger) Part() *Part {
	all := m.all
	slices.SortFunc(all.Shards, func(a, b Shard) int { return cmp.Compare(a.Name, b.Name) })
	all.Skipped = slices.DeleteFunc(all.Skipped, func(s Skipped) bool { return m.scored[s.Name] })
	slices.SortFunc(all.Skipped, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Error, b.Error))
	})
	all.Skipped = slices.CompactFunc(all.Skipped, func(a, b Skipped) bool { return a.Name == b.Name })
	all.Rows = m.rows.sorted()
	return all
}

// shard returns the shard of the name, or nil. They must be sorted.
func (p *Part) shard(name string) *Shard {
	at, ok := slices.BinarySearchFunc(p.Shards, name, func(s Shard, name string) int { return cmp.Compare(s.Name, name) })
	if !ok {
		return nil
	}
	return &p.Shards[at]
}

// elements returns how many elements there are, about.
func (p *Part) elements() (n float64) {
	for _, s := range p.Shards {
		n += float64(s.Rows) * float64(s.Classes)
	}
	return n
}

// check returns an error unless the part is one that shards can have. Its shards must be sorted, and its rows.
func (p *Part) check() error {
	available := int64(0) // rows that can be among the hardest
	for _, s := range p.Shards {
		if err := s.check(); err != nil {
			return fmt.Errorf("shard %s: %w", s.Name, err)
		}
		if s.Partial.Rows() > 0 {
			q := s.Partial.Params()
			if q.Gamma != p.settings.Gamma || q.Alpha != p.settings.Alpha {
				return fmt.Errorf("shard %s: gamma is %v and alpha %s, and %v and %s in the part",
					s.Name, q.Gamma, formatAlpha(q.Alpha), p.settings.Gamma, formatAlpha(p.settings.Alpha))
			}
			if neg := negGamma(q); neg != p.settings.NegGamma {
				return fmt.Errorf("shard %s: the negatives' gamma is %v, and %v in the part", s.Name, neg, p.settings.NegGamma)
			}
		}
		available += s.Rows
		if !s.Targets {
			available -= s.Partial.Ignored()
		}
	}
	for i, s := range p.Skipped {
		switch {
		case p.shard(s.Name) != nil:
			return fmt.Errorf("%s is scored, and skipped", s.Name)
		case i > 0 && s.Name <= p.Skipped[i-1].Name:
			return fmt.Errorf("%s is skipped twice, or not in order", s.Name)
		}
	}
	if want := min(available, int64(p.settings.Hardest)); int64(len(p.Rows)) != want {
		return fmt.Errorf("it has %d of the hardest rows, want %d", len(p.Rows), want)
	}
	for i, r := range p.Rows {
		if err := p.checkRow(r); err != nil {
			return fmt.Errorf("row %d of %s: %w", r.Row, r.Shard, err)
		}
		if i > 0 && harder(p.Rows[i-1], r) >= 0 {
			return fmt.Errorf("row %d of %s is there twice, or not in order", r.Row, r.Shard)
		}
	}
	return nil
}

func (s *Shard) check() error {
	counted := s.Partial.Rows()
	switch {
	case s.Name == "":
		return fmt.Errorf("it has no name")
	case s.Rows < 0 || s.Classes < 0 || s.Classes > MaxColumns || s.Rows > 0 && s.Classes == 0:
		return fmt.Errorf("it has %d rows of %d classes", s.Rows, s.Classes)
	case !s.Targets && counted != s.Rows:
		return fmt.Errorf("it has %d rows, and its sum is of %d", s.Rows, counted)
	case s.Targets && (s.Classes > 0 && counted/int64(s.Classes) != s.Rows || counted != s.Rows*int64(s.Classes)):
		return fmt.Errorf("it has %d rows of %d classes, and its sum is of %d elements", s.Rows, s.Classes, counted)
	}
	return nil
}

func (p *Part) checkRow(r Row) error {
	s := p.shard(r.Shard)
	if s == nil {
		return fmt.Errorf("no such shard was scored")
	}
	_, nan := s.Partial.NotFinite()
	c := p.settings.Labels
	switch {
	case r.Row < 0 || r.Row >= s.Rows:
		return fmt.Errorf("the shard has %d rows", s.Rows)
	case r.Sum < 0:
		return fmt.Errorf("its sum is %v, want it ≥ 0", r.Sum)
	case math.IsNaN(r.Sum) && nan == 0:
		return fmt.Errorf("its sum is NaN, and no loss of the shard is")
	case s.Targets && r.Label != nil:
		return fmt.Errorf("it has a label, and the shard targets")
	case !s.Targets && r.Label == nil:
		return fmt.Errorf("it has no label")
	case r.Label != nil && (*r.Label == c.Ignore || !c.valid(int64(*r.Label), s.Classes)):
		return fmt.Errorf("its label is %d, where labels mean %v, with C = %d", *r.Label, c, s.Classes)
	}
	return nil
}

func orNone(s string) string { return cmp.Or(s, "none") }

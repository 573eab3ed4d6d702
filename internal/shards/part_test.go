package shards

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
)

// smallPart is a part of two shards, a.npy with labels and b.npy with targets, and of c.npy, which was skipped.
func smallPart(t testing.TB) *Part {
	o := Options{Gamma: 2, Alpha: 0.25, Labels: Convention{Ignore: -1}, Hardest: 3}
	p := NewPart(o)
	x := []float64{1, -1, 2, math.Inf(1), 0.5, -3}
	a, err := focal.Score(x, focal.Labels([]int32{1, 0, -1}), o.Params())
	require.NoError(t, err)
	b, err := focal.Score(x[:2], focal.Dense([]float64{0, 0.5}), o.Params())
	require.NoError(t, err)
	p.Shards = []Shard{{"a.npy", 3, 2, false, a}, {"b.npy", 1, 2, true, b}}
	require.NoError(t, errors.Join(p.Total.Merge(a), p.Total.Merge(b)))
	one, none := int32(1), int32(0)
	p.Rows = []Row{{"a.npy", 1, &none, math.Inf(1)}, {"b.npy", 0, nil, 0.5}, {"a.npy", 0, &one, 0.25}}
	p.Skip("c.npy", errors.New("c.npy: is no NumPy array"))
	require.NoError(t, p.check())
	return p
}

// A file of a part is a promise to later versions.
func TestFile(t *testing.T) {
	p := smallPart(t)
	p.Shards = p.Shards[:1]
	p.Shards[0].Partial, p.Shards[0].Rows, p.Total, p.Rows = focal.Partial{}, 0, focal.Partial{}, nil
	b, err := p.MarshalBinary()
	require.NoError(t, err)
	const want = `{
 "format": "focal-part",
 "version": 3,
 "sha256": "SUM",
 "part": {
  "hardest": 3,
  "labels": {
   "zero_based": false,
   "ignore": -1,
   "ignore_targets": false,
   "ignore_nan": false
  },
  "gamma": 2,
  "neg_gamma": 2,
  "alpha": 0.25,
  "weights": false,
  "row_weights": false,
  "class_weights": "",
  "quality": "",
  "shards": [
   {
    "name": "a.npy",
    "rows": 0,
    "classes": 2,
    "targets": false,
    "partial": "Zm9jYWxzdW0BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAePcPSA=="
   }
  ],
  "skipped": [
   {
    "name": "c.npy",
    "error": "c.npy: is no NumPy array"
   }
  ],
  "rows": []
 }
}
`
	const sum = "1e9dddc8bb4213e2269b145c13d0798b512d9b61fe7e338f30012083fe8a53ba"
	require.Equal(t, strings.Replace(want, "SUM", sum, 1), string(b))
	require.Contains(t, func() string { b, _ := smallPart(t).MarshalBinary(); return string(b) }(), `"rows": [
   {
    "shard": "a.npy",
    "row": 1,
    "label": 0,
    "sum": "+Inf"
   },
   {
    "shard": "b.npy",
    "row": 0,
    "sum": "0.5"
   },`)

	// However it is laid out it is the same.
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, b))
	for _, text := range [][]byte{b, compact.Bytes()} {
		var back Part
		require.NoError(t, back.UnmarshalBinary(text))
		require.Equal(t, p, &back)
	}

	var back Part
	for text, damaged := range map[string]string{
		"is no part, or a damaged one: EOF":                                                  "",
		"is no part, or a damaged one: " + json.Unmarshal([]byte("hello"), new(any)).Error(): "hello",
		"is no part: it goes on after the end":                                               string(b) + "{}",
		`is no part: its format is "other", want "focal-part"`:                               strings.Replace(string(b), "focal-part", "other", 1),
		"is a part of version 2, want 3":                                                     strings.Replace(string(b), `"version": 3`, `"version": 2`, 1),
		"is a damaged part: its checksum is " + sum + ", want 0":                             strings.Replace(string(b), `"sha256": "`+sum, `"sha256": "0`, 1),
	} {
		require.EqualError(t, back.UnmarshalBinary([]byte(damaged)), text)
		require.Equal(t, Part{}, back)
	}
}

// Nothing of a part can change without an error.
func TestChecksum(t *testing.T) {
	b, err := smallPart(t).MarshalBinary()
	require.NoError(t, err)
	var back Part
	require.NoError(t, back.UnmarshalBinary(b))
	for i := range b[:len(b)-1] {
		for _, flip := range []byte{1, 2, 4, 32} {
			damaged := bytes.Clone(b)
			damaged[i] ^= flip
			if back := new(Part); back.UnmarshalBinary(damaged) == nil {
				again, err := back.MarshalBinary()
				require.NoError(t, err)
				require.Equal(t, b, again, "byte %d says nothing", i)
			}
		}
		require.Error(t, back.UnmarshalBinary(b[:i]), "all but white space is needed")
	}
}

// A part that other programs have written, or that was changed by hand with a checksum that fits, is not believed either.
func TestWrongParts(t *testing.T) {
	for want, change := range map[string]func(p *Part){
		"row 0 of a.npy: its sum is -0.25, want it ≥ 0":                                                           func(p *Part) { p.Rows[2].Sum = -0.25 },
		"row 1 of a.npy: its sum is NaN, and no loss of the shard is":                                             func(p *Part) { p.Rows[0].Sum, p.Rows[1].Sum = math.NaN(), math.NaN() },
		"row 1 of a.npy is there twice, or not in order":                                                          func(p *Part) { p.Rows[1] = p.Rows[0] },
		"row 0 of b.npy is there twice, or not in order":                                                          func(p *Part) { p.Rows[1], p.Rows[2] = p.Rows[2], p.Rows[1] },
		"row 0 of d.npy: no such shard was scored":                                                                func(p *Part) { p.Rows[1].Shard = "d.npy" },
		"row 0 of c.npy: no such shard was scored":                                                                func(p *Part) { p.Rows[1].Shard = "c.npy" },
		"row 3 of a.npy: the shard has 3 rows":                                                                    func(p *Part) { p.Rows[2].Row = 3 },
		"row -1 of a.npy: the shard has 3 rows":                                                                   func(p *Part) { p.Rows[2].Row = -1 },
		"row 1 of b.npy: the shard has 1 rows":                                                                    func(p *Part) { p.Rows[1].Row = 1 }, // of two elements
		"row 0 of a.npy: it has no label":                                                                         func(p *Part) { p.Rows[2].Label = nil },
		"row 0 of b.npy: it has a label, and the shard targets":                                                   func(p *Part) { p.Rows[1].Label = p.Rows[2].Label },
		"row 0 of a.npy: its label is 3, where labels mean 1..C the class, 0 background, -1 ignored, with C = 2":  func(p *Part) { *p.Rows[2].Label = 3 },
		"row 0 of a.npy: its label is -1, where labels mean 1..C the class, 0 background, -1 ignored, with C = 2": func(p *Part) { *p.Rows[2].Label = -1 },
		"it has 2 of the hardest rows, want 3":                                                                    func(p *Part) { p.Rows = p.Rows[:2] },
		"it has 3 of the hardest rows, want 2":                                                                    func(p *Part) { p.settings.Hardest = 2 },
		"the number of hardest rows is -1, want it ≥ 0":                                                           func(p *Part) { p.settings.Hardest = -1 },
		"focal: Score: Gamma = -2, want it finite and ≥ 0: parameter out of range":                                func(p *Part) { p.settings.Gamma = -2 },
		"shard a.npy: gamma is 2 and alpha 0.25, and 3 and 0.25 in the part":                                      func(p *Part) { p.settings.Gamma = 3 },
		"shard a.npy: gamma is 2 and alpha 0.25, and 2 and none in the part":                                      func(p *Part) { p.settings.Alpha = focal.NoAlpha },
		"shard a.npy: the negatives' gamma is 2, and 3 in the part":                                               func(p *Part) { p.settings.NegGamma = 3 },
		"focal: Score: NegGamma = -1, want it finite and ≥ 0, or nil: parameter out of range":                     func(p *Part) { p.settings.NegGamma = -1 },
		`its quality of scores is "good"`:                                                                         func(p *Part) { p.settings.Quality = "good" },
		"b.npy is scored, and skipped":                                                                            func(p *Part) { p.Skipped[0].Name = "b.npy" },
		"c.npy is skipped twice, or not in order":                                                                 func(p *Part) { p.Skipped = append(p.Skipped, p.Skipped[0]) },
		"shard a.npy is there twice, or not in order":                                                             func(p *Part) { p.Shards[1] = p.Shards[0] },
		"shard a.npy: it has 4 rows, and its sum is of 3":                                                         func(p *Part) { p.Shards[0].Rows = 4 },
		"shard b.npy: it has 2 rows of 2 classes, and its sum is of 2 elements":                                   func(p *Part) { p.Shards[1].Rows = 2 },
		"shard b.npy: it has 0 rows of 0 classes, and its sum is of 2 elements":                                   func(p *Part) { p.Shards[1].Rows, p.Shards[1].Classes = 0, 0 },
		"shard a.npy: it has -1 rows of 2 classes":                                                                func(p *Part) { p.Shards[0].Rows = -1 },
		"shard a.npy: it has 3 rows of 0 classes":                                                                 func(p *Part) { p.Shards[0].Classes = 0 },
		"shard a.npy: it has 3 rows of 16777217 classes":                                                          func(p *Part) { p.Shards[0].Classes = MaxColumns + 1 },
		"shard : it has no name":                                                                                  func(p *Part) { p.Shards[0].Name = "" },
	} {
		p := smallPart(t)
		change(p)
		b, err := p.MarshalBinary()
		require.NoError(t, err)
		var back Part
		assert.EqualError(t, back.UnmarshalBinary(b), "is a damaged part: "+want)
		require.Equal(t, Part{}, back)
	}
}

// A part of no rows knows what it was to be computed with.
func TestSettings(t *testing.T) {
	skipped := NewPart(Options{Gamma: 2, Alpha: focal.NoAlpha, Labels: options.Labels, Hardest: 10})
	skipped.Skip("a.npy", errors.New("broken"))
	b, err := skipped.MarshalBinary()
	require.NoError(t, err)
	var back Part
	require.NoError(t, back.UnmarshalBinary(b))
	require.Equal(t, skipped, &back)
	var summary strings.Builder
	require.NoError(t, back.WriteSummary(&summary, 0))
	require.Contains(t, summary.String(), "gamma       2\nalpha       none\nshards      0\nskipped     1\n")
	require.ErrorContains(t, back.Merge(NewPart(Options{Gamma: 3, Alpha: focal.NoAlpha, Labels: options.Labels, Hardest: 10})), "gamma is 2 in one and 3")
}

// Parts of unlike settings do not merge.
func TestUnlike(t *testing.T) {
	four := 4.0
	with := func(change func(o *Options)) *Part {
		o := options
		change(&o)
		return NewPart(o)
	}
	for want, other := range map[string]*Part{
		"the negatives' gamma is 2 in one and 4 in the other":                   with(func(o *Options) { o.NegGamma = &four }),
		"the quality of scores is none in one and varifocal in the other":       with(func(o *Options) { o.Scores = true }),
		"elements have weights in only one of them":                             with(func(o *Options) { o.Weights = true }),
		"rows have weights in only one of them":                                 with(func(o *Options) { o.RowWeights = true }),
		"classes have other weights in one than in the other":                   with(func(o *Options) { o.Classes = &ClassWeights{Neg: []float64{1}, Pos: []float64{2}} }),
		"-1 ignored in one and 1..C the class, 0 background, -1 ignored; targe": with(func(o *Options) { o.Labels.IgnoreTargets = true }),
		"targets of NaN ignored in the other":                                   with(func(o *Options) { o.Labels.IgnoreNaN = true }),
	} {
		require.ErrorContains(t, NewPart(options).Merge(other), want)
		b, err := other.MarshalBinary()
		require.NoError(t, err)
		var back Part
		require.NoError(t, back.UnmarshalBinary(b), want)
		require.NoError(t, other.Merge(&back))
	}
	weights := func(neg, pos float64) *Part {
		return with(func(o *Options) { o.Classes = &ClassWeights{Neg: []float64{neg}, Pos: []float64{pos}} })
	}
	require.NoError(t, weights(1, 2).Merge(weights(1, 2)))
	require.Error(t, weights(1, 2).Merge(weights(2, 1)))
}

// The words of the summary, and where the first row is that is not finite.
func TestFigures(t *testing.T) {
	p := smallPart(t)
	var b strings.Builder
	require.NoError(t, p.WriteSummary(&b, 0))
	require.Equal(t, `loss        +Inf
sum         +Inf
mean        +Inf
norm        2
foreground  2
ignored     1
rows        4
elements    8
infinite    1
nan         0
not_finite  first in row 1 of a.npy
gamma       2
alpha       0.25
shards      2
skipped     1
`, b.String())
	finite := p.Shards[1].Partial
	p.Total, p.Shards, p.Rows = finite, p.Shards[1:], p.Rows[1:2]
	for _, norm := range []float64{0, 7} {
		figures := map[string]any{}
		for _, f := range p.Figures(norm) {
			figures[f.Name] = f.Value
		}
		require.Equal(t, finite.Loss(1), figures["sum"])
		require.Equal(t, finite.Loss(2), figures["mean"])
		require.Equal(t, math.Max(norm, 1), figures["norm"])
		require.Equal(t, finite.Loss(math.Max(norm, 1)), figures["loss"])
		require.NotContains(t, figures, "not_finite")
	}
}

// The rows can go another way than the rest.
func TestSplit(t *testing.T) {
	p := smallPart(t)
	without, rows := p.Split()
	require.NoError(t, without.check())
	require.Empty(t, without.Rows)
	require.Equal(t, p, without.With(rows))
	require.Equal(t, smallPart(t), p)
}

// Many parts are merged in a time that grows with their number: each is a fraction of all of them, not all of them.
func TestManyParts(t *testing.T) {
	const n = 100_000
	begin := time.Now()
	var m Merger
	for i := range n {
		p := NewPart(options)
		p.Shards = []Shard{{Name: fmt.Sprintf("%06d", n-i)}}
		require.NoError(t, m.Add(p))
	}
	require.Len(t, m.Part().Shards, n)
	require.Less(t, time.Since(begin), 20*time.Second)
}

// Whatever a file says with a checksum that fits is an error, or a part that can be written, read, merged and printed.
func FuzzPart(f *testing.F) {
	b, err := smallPart(f).MarshalBinary()
	require.NoError(f, err)
	var e envelope
	require.NoError(f, json.Unmarshal(b, &e))
	f.Add([]byte(e.Part))
	f.Add([]byte(`{"hardest": 1, "shards": [{"name": "a", "rows": 9223372036854775807, "classes": 16777216, "partial": ""}]}`))
	f.Fuzz(func(t *testing.T, part []byte) {
		sum, err := checksum(part)
		if err != nil {
			return
		}
		b, err := json.Marshal(envelope{format, version, sum, part})
		require.NoError(t, err)
		var p, again Part
		if p.UnmarshalBinary(b) != nil {
			return
		}
		b, err = p.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalBinary(b))
		require.NoError(t, errors.Join(again.WriteSummary(io.Discard, 0), again.WriteShards(io.Discard), again.WriteHardest(io.Discard)))
		o := Options{Gamma: p.settings.Gamma, Alpha: p.settings.Alpha, Labels: p.settings.Labels, Hardest: p.settings.Hardest}
		all := NewPart(o)
		require.NoError(t, all.Merge(&p))
		require.NoError(t, all.check())
		require.Equal(t, len(p.Shards) > 0, p.Merge(&again) != nil, "what is in both would count twice")
	})
}

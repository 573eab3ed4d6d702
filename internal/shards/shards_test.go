package shards

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

const cols = 7

func write[E npyfile.Element](t testing.TB, name, dtype string, data []E, shape ...int) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, npyfile.WriteHeader(&b, dtype, shape))
	require.NoError(t, npyfile.Write(&b, slices.Clone(data)))
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o666))
}

// dataset is logits and labels, with every kind of trouble that the operator knows.
func dataset(rows int) (x []float32, label []int32) {
	rng := rand.New(rand.NewPCG(1, 1))
	x, label = make([]float32, rows*cols), make([]int32, rows)
	for i := range x {
		x[i] = float32(10 * rng.NormFloat64())
	}
	for i := range label {
		label[i] = rng.Int32N(cols+2) - 1
	}
	x[3*cols], label[3] = float32(math.Inf(1)), 2
	x[5*cols], label[5] = float32(math.NaN()), -1
	return x, label
}

// writeShards divides a data set into shards of random sizes.
func writeShards(t testing.TB, dir string, x []float32, label []int32, shards int) (names []string) {
	rng := rand.New(rand.NewPCG(2, uint64(shards)))
	cuts := []int{0, len(label)}
	for range shards - 1 {
		cuts = append(cuts, rng.IntN(len(label)+1))
	}
	slices.Sort(cuts)
	for i := range shards {
		from, to := cuts[i], cuts[i+1]
		base := filepath.Join(dir, fmt.Sprintf("shard-%03d", i))
		write(t, base+".npy", "f4", x[from*cols:to*cols], to-from, cols)
		if i%2 == 0 {
			write(t, base+".label.npy", "i4", label[from:to], to-from)
		} else {
			wide := make([]int64, to-from)
			for k, v := range label[from:to] {
				wide[k] = int64(v)
			}
			write(t, base+".label.npy", "i8", wide, to-from, 1)
		}
		names = append(names, base+".npy")
	}
	return names
}

var options = Options{Gamma: 2, Alpha: 0.25, Labels: Convention{Ignore: -1}, Hardest: 10}

func TestSharding(t *testing.T) {
	x, label := dataset(5000)
	want, err := focal.Score(x, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	loss := make([]float32, len(label))
	require.NoError(t, focal.Rows(loss, x, focal.Labels(label), focal.Default()))
	ranked := make([]int, len(label))
	for i := range ranked {
		ranked[i] = i
	}
	slices.SortStableFunc(ranked, func(a, b int) int {
		switch {
		case loss[a] > loss[b]:
			return -1
		case loss[a] < loss[b]:
			return 1
		}
		return 0
	})
	for _, shards := range []int{1, 7, 64} {
		names := writeShards(t, t.TempDir(), x, label, shards)
		var parts []*Part
		for _, name := range names {
			part, err := Score(t.Context(), OpenFile, name, options)
			require.NoError(t, err)
			b, err := part.MarshalBinary()
			require.NoError(t, err)
			back := new(Part)
			require.NoError(t, back.UnmarshalBinary(b))
			require.Equal(t, part, back)
			parts = append(parts, back)
		}
		rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		all := NewPart(options)
		for _, p := range parts {
			require.NoError(t, all.Merge(p))
		}
		require.Equal(t, want, all.Total)
		require.Len(t, all.Shards, shards)
		require.True(t, slices.IsSortedFunc(all.Shards, func(a, b Shard) int { return strings.Compare(a.Name, b.Name) }))
		require.Len(t, all.Rows, 10)
		for i, r := range all.Rows {
			require.Equal(t, float64(loss[ranked[i]]), r.Loss)
			require.Equal(t, label[ranked[i]], *r.Label)
		}
		require.ErrorContains(t, all.Merge(parts[0]), "is in both")
	}
}

func TestTargets(t *testing.T) {
	dir := t.TempDir()
	x, target := []float64{1, -1, 2, 0, 0.5, -3}, []float64{0, 1, 0.5, 0, 0, 0.25}
	write(t, dir+"/a.npy", "f8", x, 3, 2)
	write(t, dir+"/a.targets.npy", "f8", target, 3, 2)
	part, err := Score(t.Context(), OpenFile, dir+"/a.npy", options)
	require.NoError(t, err)
	want, err := focal.Score(x, focal.Dense(target), focal.Default())
	require.NoError(t, err)
	require.Equal(t, want, part.Total)
	require.Len(t, part.Rows, 3)
	require.Nil(t, part.Rows[0].Label)

	// They are elements in the summary, beside rows if there are such shards too, and so is what is read back.
	lines := func(p *Part) string {
		encoded, err := p.MarshalBinary()
		require.NoError(t, err)
		p = new(Part)
		require.NoError(t, p.UnmarshalBinary(encoded))
		var b strings.Builder
		require.NoError(t, p.WriteSummary(&b))
		_, after, _ := strings.Cut(b.String(), "fg_num")
		before, _, _ := strings.Cut(after, "infinite")
		return before
	}
	require.Equal(t, "   3\nelements 6\nignored  0\n", lines(part))
	write(t, dir+"/b.npy", "f8", x, 3, 2)
	write(t, dir+"/b.label.npy", "i4", []int32{1, 0, -1}, 3)
	labels, err := Score(t.Context(), OpenFile, dir+"/b.npy", options)
	require.NoError(t, err)
	require.Equal(t, "   1\nrows     3\nignored  1\n", lines(labels))
	require.NoError(t, part.Merge(labels))
	require.Equal(t, "   4\nrows     3\nelements 6\nignored  1\n", lines(part))
	require.Equal(t, "   0\nrows     0\nignored  0\n", lines(NewPart(options)))
}

func TestHardest(t *testing.T) {
	p := NewPart(Options{Hardest: 4})
	for i, v := range []float64{1, math.Inf(1), 3, math.NaN(), 0, 3, 2} {
		p.keep(Row{Shard: "s", Row: int64(i), Loss: v})
	}
	var got []int64
	for _, r := range p.Rows {
		got = append(got, r.Row)
	}
	require.Equal(t, []int64{3, 1, 2, 5}, got, "NaN, infinite, and of the same loss those that come first")
	none := NewPart(Options{})
	none.keep(Row{})
	require.Empty(t, none.Rows)
}

func TestBroken(t *testing.T) {
	dir := t.TempDir()
	x, label := dataset(20)
	good := func(name string) string {
		write(t, filepath.Join(dir, name+".npy"), "f4", x, 20, cols)
		write(t, filepath.Join(dir, name+".label.npy"), "i4", label, 20)
		return filepath.Join(dir, name+".npy")
	}
	truncate := func(name string, by int64) {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(name, info.Size()-by))
	}
	for want, breakIt := range map[string]func(name, label string){
		"bytes, want":             func(name, _ string) { truncate(name, 1) },
		"label.npy: has":          func(_, l string) { truncate(l, 4) },
		"is no NumPy array":       func(name, _ string) { require.NoError(t, os.WriteFile(name, []byte("junk"), 0o666)) },
		"there is neither":        func(_, l string) { require.NoError(t, os.Remove(l)) },
		"no such file":            func(name, _ string) { require.NoError(t, os.Remove(name)) },
		"has 19 labels, want 20":  func(_, l string) { write(t, l, "i4", label[:19], 19) },
		"want [N] or [N, 1]":      func(_, l string) { write(t, l, "i4", label, 10, 2) },
		"want [N, C]":             func(name, _ string) { write(t, name, "f4", x, 20*cols) },
		"has no columns":          func(name, _ string) { write(t, name, "f4", x[:0], 20, 0) },
		"want float32 or float64": func(name, _ string) { write(t, name, "i4", label, 20, 1) },
		"label.npy: label[2] = 99, want 0..C with C = 7, or -1 if ignored": func(_, l string) {
			write(t, l, "i4", append(slices.Clone(label[:2]), append([]int32{99}, label[3:]...)...), 20)
		},
		"label.npy: label[0] = 4294967296, want 0..C with C = 7, or -1 if ignored": func(_, l string) { write(t, l, "i8", append([]int64{1 << 32}, make([]int64, 19)...), 20) },
	} {
		name := good("broken")
		breakIt(name, strings.TrimSuffix(name, ".npy")+".label.npy")
		part, err := Score(t.Context(), OpenFile, name, options)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, filepath.Join(dir, "broken"), "it names the shard")
		require.Nil(t, part)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Score(ctx, OpenFile, good("fine"), options)
	require.Error(t, err)
}

// unsized is the Opener of files whose size is not known, as that of a pipe.
func unsized(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	file, _, err := OpenFile(ctx, name)
	return file, -1, err
}

// What no size contradicts is an error nevertheless, and not an attempt to get the memory.
func TestHugeShapes(t *testing.T) {
	const huge = math.MaxInt / 16
	for _, test := range []struct {
		want              string
		x, label, targets []int
	}{
		{want: "has 16777217 columns, want at most 16777216", x: []int{1, MaxColumns + 1}, label: []int{1}},
		{want: "columns, want at most 16777216", x: []int{1, huge}, label: []int{1}},
		{want: "columns, want at most 16777216", x: []int{1, huge}, targets: []int{1, huge}},
		{want: "columns, want at most 16777216", x: []int{0, math.MaxInt}, label: []int{0}},
		{want: "columns, want at most 16777216", x: []int{0, math.MaxInt}, targets: []int{0, math.MaxInt}},
		{want: "a.npy: has no columns", x: []int{math.MaxInt, 0}, label: []int{huge}},
		{want: "a.npy: has no columns", x: []int{math.MaxInt, 0}, targets: []int{math.MaxInt, 0}},
		{want: "has the shape (0,), want [N, C]", x: []int{0}, label: []int{0}},
		{want: "a.npy: ends before its last element", x: []int{huge, 1}, label: []int{huge}},
		{want: "a.npy: ends before its last element", x: []int{huge, 1}, targets: []int{huge, 1}},
		{want: "a.npy: ends before its last element", x: []int{1, MaxColumns}, label: []int{1}},
		{want: "which no file can hold", x: []int{math.MaxInt, math.MaxInt}, label: []int{1}},
		{want: "want [N] or [N, 1]", x: []int{1, 1}, label: []int{1, huge}},
		{want: "want [N] or [N, 1]", x: []int{1, 1}, label: []int{}},
	} {
		dir := t.TempDir()
		write[float32](t, dir+"/a.npy", "f4", nil, test.x...)
		if test.label != nil {
			write[int64](t, dir+"/a.label.npy", "i8", nil, test.label...)
		} else {
			write[float32](t, dir+"/a.targets.npy", "f4", nil, test.targets...)
		}
		_, err := Score(t.Context(), unsized, dir+"/a.npy", options)
		require.ErrorContains(t, err, test.want)
	}
}

// An error says where in the file the label or target is, not in the block.
func TestWhere(t *testing.T) {
	const rows = blockElements/cols + 100
	dir := t.TempDir()
	x, label := dataset(rows)
	label[rows-2] = cols + 1
	write(t, dir+"/a.npy", "f4", x, rows, cols)
	write(t, dir+"/a.label.npy", "i4", label, rows)
	_, err := Score(t.Context(), OpenFile, dir+"/a.npy", options)
	require.ErrorIs(t, err, focal.ErrLabel)
	require.ErrorContains(t, err, fmt.Sprintf("a.label.npy: label[%d] = 8, want 0..C with C = 7, or -1 if ignored", rows-2))

	target := make([]float32, len(x))
	target[len(x)-3] = 1.5
	write(t, dir+"/b.npy", "f4", x, rows, cols)
	write(t, dir+"/b.targets.npy", "f4", target, rows, cols)
	_, err = Score(t.Context(), OpenFile, dir+"/b.npy", options)
	require.ErrorIs(t, err, focal.ErrTarget)
	require.ErrorContains(t, err, fmt.Sprintf("b.targets.npy: target [%d, 4] is 1.5, want it in [0, 1]", rows-1))
}

// Labels of both types, of more than what is read at a time, come back as they are, and are counted as focal counts them.
func TestReadLabels(t *testing.T) {
	const rows = 10_000
	name := t.TempDir() + "/label.npy"
	read := func(c Convention, label []int32, dtype string) (got []int32, foreground, ignored int, err error) {
		if dtype == "i4" {
			write(t, name, dtype, label, rows)
		} else {
			wide := make([]int64, rows)
			for i, v := range label {
				wide[i] = int64(v)
			}
			write(t, name, dtype, wide, rows)
		}
		r, err := npyfile.Open(t.Context(), name, dtype)
		require.NoError(t, err)
		defer r.Close()
		got = make([]int32, rows)
		foreground, ignored, err = c.Read(r, got, 0, cols)
		return got, foreground, ignored, err
	}
	for _, c := range []Convention{{Ignore: -1}, {ZeroBased: true, Ignore: -1}, {Ignore: 3}, {ZeroBased: true, Ignore: 255}} {
		rng := rand.New(rand.NewPCG(3, 3))
		label := make([]int32, rows)
		for i := range label {
			if label[i] = rng.Int32N(cols + 1); rng.IntN(5) == 0 {
				label[i] = c.Ignore
			}
		}
		want, err := focal.Score(make([]float32, rows*cols), c.Target(label), focal.Default())
		require.NoError(t, err)
		for _, dtype := range []string{"i4", "i8"} {
			got, foreground, ignored, err := read(c, label, dtype)
			require.NoError(t, err)
			require.Equal(t, label, got)
			require.EqualValues(t, want.Foreground(), foreground)
			require.EqualValues(t, want.Ignored(), ignored)
			for _, bad := range []int32{-2, cols + 1, math.MinInt32, math.MaxInt32} {
				broken := slices.Clone(label)
				broken[9_000] = bad
				_, _, _, err = read(c, broken, dtype)
				require.ErrorIs(t, err, focal.ErrLabel)
				require.ErrorContains(t, err, fmt.Sprintf("label.npy: label[9000] = %d, want 0..C with C = 7, or %d if ignored", bad, c.Ignore))
			}
		}
	}
}

func TestFlags(t *testing.T) {
	for s, want := range map[string]float64{"none": focal.NoAlpha, "0.25": 0.25, "1e-3": 0.001} {
		alpha, err := ParseAlpha(s)
		require.NoError(t, err)
		require.Equal(t, want, alpha)
	}
	for _, s := range []string{"", "half", "None", "-1", "1.5", "NaN", "1e999"} {
		_, err := ParseAlpha(s)
		require.EqualError(t, err, fmt.Sprintf("-alpha %q, want a number in [0, 1] or none", s))
	}
	require.NoError(t, CheckGamma(0))
	for _, v := range []float64{-1, math.Inf(1), math.NaN()} {
		require.EqualError(t, CheckGamma(v), fmt.Sprintf("-gamma %v, want it finite and ≥ 0", v))
	}
	require.NoError(t, CheckHardest(0))
	require.EqualError(t, CheckHardest(-1), "-hardest -1, want it ≥ 0")
	for _, v := range []int64{-1, math.MinInt32, math.MaxInt32} {
		label, err := ParseIgnore(v)
		require.NoError(t, err)
		require.EqualValues(t, v, label)
	}
	for _, v := range []int64{math.MinInt32 - 1, math.MaxInt32 + 1, 1 << 32} {
		_, err := ParseIgnore(v)
		require.EqualError(t, err, fmt.Sprintf("-ignore %d is beyond int32", v))
	}
}

// A failure in the middle leaves nothing behind: done again, the shard counts once.
func TestRetry(t *testing.T) {
	x, label := dataset(100_000)
	name := writeShards(t, t.TempDir(), x, label, 1)[0]
	fail := true
	flaky := func(ctx context.Context, name string) (io.ReadCloser, int64, error) {
		file, size, err := OpenFile(ctx, name)
		if err == nil && fail && !strings.Contains(name, "label") {
			return &failing{file, 2 << 20}, size, nil
		}
		return file, size, err
	}
	_, err := Score(t.Context(), flaky, name, options)
	require.ErrorContains(t, err, "the disk is gone")
	fail = false
	part, err := Score(t.Context(), flaky, name, options)
	require.NoError(t, err)
	want, err := focal.Score(x, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	require.Equal(t, want, part.Total)
}

type failing struct {
	io.ReadCloser
	left int
}

func (f *failing) Read(b []byte) (int, error) {
	if f.left <= 0 {
		return 0, errors.New("the disk is gone")
	}
	n, err := f.ReadCloser.Read(b)
	f.left -= n
	return n, err
}

func TestLogits(t *testing.T) {
	got, err := Logits([]string{"a.npy", "a.label.npy", "b.npy", "b.targets.npy", "c.npy"})
	require.NoError(t, err)
	require.Equal(t, []string{"a.npy", "b.npy", "c.npy"}, got)
	_, err = Logits([]string{"a.npy", "b.label.npy"})
	require.ErrorContains(t, err, "b.label.npy: belongs to b.npy, which is not among the shards")
}

func TestMergeErrors(t *testing.T) {
	x, label := dataset(50)
	name := writeShards(t, t.TempDir(), x, label, 1)[0]
	part, err := Score(t.Context(), OpenFile, name, options)
	require.NoError(t, err)
	for want, change := range map[string]func(o *Options){
		"gamma is 2 in one and 3 in the other":       func(o *Options) { o.Gamma = 3 },
		"alpha is 0.25 in one and none in the other": func(o *Options) { o.Alpha = focal.NoAlpha },
		"10 hardest":     func(o *Options) { o.Hardest = 9 },
		"labels mean":    func(o *Options) { o.Labels.Ignore = 255 },
		"labels mean 1.": func(o *Options) { o.Labels.ZeroBased = true },
	} {
		o := options
		change(&o)
		other := NewPart(o)
		require.ErrorContains(t, part.Merge(other), want)
		require.Len(t, part.Shards, 1)
	}
	require.Error(t, Options{Hardest: -1}.Check())
	require.ErrorIs(t, Options{Gamma: -1}.Check(), focal.ErrParam)
	require.NoError(t, options.Check())
}

// A shard that was skipped and is scored later is no longer skipped, in whatever order the parts come; and one that was
// skipped twice is one.
func TestSkipped(t *testing.T) {
	x, label := dataset(20)
	names := writeShards(t, t.TempDir(), x, label, 2)
	one, two := NewPart(options), NewPart(options)
	for i, name := range names {
		one.Skip(name, errors.New("broken"))
		two.Skip(name, fmt.Errorf("broken, %d", i))
	}
	scored, err := Score(t.Context(), OpenFile, names[0], options)
	require.NoError(t, err)
	for _, order := range [][]*Part{{one, two, scored}, {scored, two, one}, {two, scored, one}} {
		all := NewPart(options)
		for _, p := range order {
			require.NoError(t, all.Merge(p))
		}
		require.Equal(t, []Skipped{{names[1], "broken"}}, all.Skipped)
		require.Len(t, all.Shards, 1)
		require.Equal(t, scored.Total, all.Total)
	}
}

// A part of no rows knows what it was to be computed with, unless it was written before parts said so.
func TestParameters(t *testing.T) {
	summary := func(p *Part) string {
		var b strings.Builder
		require.NoError(t, p.WriteSummary(&b))
		return b.String()
	}
	skipped := NewPart(Options{Gamma: 2, Alpha: focal.NoAlpha, Labels: options.Labels, Hardest: 10})
	skipped.Skip("a.npy", errors.New("broken"))
	require.Contains(t, summary(skipped), "gamma    2\nalpha    none\nshards   0\nskipped  1\n")
	b, err := skipped.MarshalBinary()
	require.NoError(t, err)
	var back Part
	require.NoError(t, back.UnmarshalBinary(b))
	require.Equal(t, skipped, &back)
	require.ErrorContains(t, back.Merge(NewPart(Options{Gamma: 3, Alpha: focal.NoAlpha, Labels: options.Labels, Hardest: 10})), "gamma is 2 in one and 3")

	x, label := dataset(20)
	name := writeShards(t, t.TempDir(), x, label, 1)[0]
	former := func(p *Part) *Part {
		b, err := p.MarshalBinary()
		require.NoError(t, err)
		b = regexp.MustCompile(` "loss": \{[^}]*\},\n`).ReplaceAll(b, nil)
		p = new(Part)
		require.NoError(t, p.UnmarshalBinary(b))
		return p
	}
	scored, err := Score(t.Context(), OpenFile, name, options)
	require.NoError(t, err)
	require.Equal(t, scored, former(scored))
	all := former(skipped)
	require.Contains(t, summary(all), "gamma    unknown\nalpha    unknown\n")
	require.NoError(t, all.Merge(scored))
	require.Contains(t, summary(all), "gamma    2\nalpha    0.25\n")

	other, err := Score(t.Context(), OpenFile, name, Options{Gamma: 3, Alpha: 0.25, Labels: options.Labels, Hardest: 10})
	require.NoError(t, err)
	b, err = other.MarshalBinary()
	require.NoError(t, err)
	b = bytes.Replace(b, []byte(`"gamma": 3`), []byte(`"gamma": 2`), 1)
	require.ErrorContains(t, back.UnmarshalBinary(b), "is a damaged part: gamma is 2 in one and 3 in the other")
}

// A file of a part is a promise to later versions.
func TestFile(t *testing.T) {
	p := NewPart(options)
	label := int32(2)
	p.keep(Row{"a.npy", 1, &label, math.Inf(1)})
	p.Skip("b.npy", errors.New("b.npy: is no NumPy array"))
	p.Shards = []Shard{{Name: "a.npy"}}
	b, err := p.MarshalBinary()
	require.NoError(t, err)
	const want = `{
 "format": "focal-part",
 "version": 1,
 "hardest": 10,
 "labels": {
  "zero_based": false,
  "ignore": -1
 },
 "loss": {
  "gamma": 2,
  "alpha": 0.25
 },
 "shards": [
  {
   "name": "a.npy",
   "partial": "Zm9jYWxzdW0BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAePcPSA=="
  }
 ],
 "skipped": [
  {
   "name": "b.npy",
   "error": "b.npy: is no NumPy array"
  }
 ],
 "rows": [
  {
   "shard": "a.npy",
   "row": 1,
   "label": 2,
   "loss": "+Inf"
  }
 ]
}
`
	require.Equal(t, want, string(b))
	var back Part
	require.NoError(t, back.UnmarshalBinary(b))
	require.Equal(t, p, &back)

	for text, change := range map[string][2]string{
		"no part":          {want, "hello"},
		"it goes on":       {"}\n", "} {}"},
		"its format is":    {"focal-part", "other"},
		"gamma is -2":      {`"gamma": 2`, `"gamma": -2`},
		"version 2":        {`"version": 1`, `"version": 2`},
		"hardest rows of":  {`"hardest": 10`, `"hardest": 0`},
		"shard a.npy":      {"Zm9j", "Zm9k"},
		`has the loss "x"`: {"+Inf", "x"},
	} {
		damaged := strings.Replace(want, change[0], change[1], 1)
		if text == "it goes on" {
			damaged = want + "{}"
		}
		former := back
		require.ErrorContains(t, back.UnmarshalBinary([]byte(damaged)), text)
		require.Equal(t, former, back)
	}
}

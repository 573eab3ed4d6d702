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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

const cols = 7

// write writes an array of a type that lies in a file as in E.
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
			require.Equal(t, float64(loss[ranked[i]]), r.Sum)
			require.Equal(t, label[ranked[i]], *r.Label)
		}
		require.ErrorContains(t, all.Merge(parts[0]), "is in two of them")
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

	// Rows are rows in the summary, whatever the shards have; what is foreground or ignored are elements.
	lines := func(p *Part) string {
		encoded, err := p.MarshalBinary()
		require.NoError(t, err)
		p = new(Part)
		require.NoError(t, p.UnmarshalBinary(encoded))
		var b strings.Builder
		require.NoError(t, p.WriteSummary(&b, 0))
		_, after, _ := strings.Cut(b.String(), "norm")
		before, _, _ := strings.Cut(after, "infinite")
		return strings.Join(strings.Fields(before), " ")
	}
	require.Equal(t, "3 foreground 3 ignored 0 rows 3 elements 6", lines(part))
	write(t, dir+"/b.npy", "f8", x, 3, 2)
	write(t, dir+"/b.label.npy", "i4", []int32{1, 0, -1}, 3)
	labels, err := Score(t.Context(), OpenFile, dir+"/b.npy", options)
	require.NoError(t, err)
	require.Equal(t, "1 foreground 1 ignored 1 rows 3 elements 6", lines(labels))
	require.NoError(t, part.Merge(labels))
	require.Equal(t, "4 foreground 4 ignored 1 rows 6 elements 12", lines(part))
	require.Equal(t, "1 foreground 0 ignored 0 rows 0 elements 0", lines(NewPart(options)))
}

func TestHardest(t *testing.T) {
	all := Ranking{Most: 4}
	for i, v := range []float64{1, math.Inf(1), 3, math.NaN(), 0, 3, 2} {
		all.Add(Row{Shard: "s", Row: int64(i), Sum: v})
	}
	var got []int64
	for _, r := range all.sorted() {
		got = append(got, r.Row)
	}
	require.Equal(t, []int64{3, 1, 2, 5}, got, "NaN, infinite, and of the same loss those that come first")
	var none Ranking
	none.Add(Row{})
	require.Empty(t, none.sorted())

	// Whatever the order and the ties, they are what sorting gives.
	rng := rand.New(rand.NewPCG(5, 5))
	for range 50 {
		rows := make([]Row, rng.IntN(60))
		for i := range rows {
			rows[i] = Row{Shard: "s", Row: int64(i), Sum: float64(rng.IntN(8))}
		}
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		k := Ranking{Most: rng.IntN(50)}
		for _, r := range rows {
			k.Add(r)
		}
		slices.SortFunc(rows, harder)
		require.Equal(t, rows[:min(len(rows), k.Most)], append([]Row{}, k.sorted()...))
	}
}

// To keep many rows takes a time that grows with their number, and no faster: half a million of them, in the order that is the
// worst for it. To move a quarter of a million rows for each takes minutes.
func TestHardestOfMany(t *testing.T) {
	const n = 1 << 19
	begin := time.Now()
	k := Ranking{Most: n / 2}
	for i := range n {
		k.Add(Row{Shard: "s", Row: int64(i), Sum: float64(i)})
	}
	rows := k.sorted()
	require.Len(t, rows, n/2)
	require.EqualValues(t, n-1, rows[0].Row)
	require.EqualValues(t, n/2, rows[n/2-1].Row)
	require.Less(t, time.Since(begin), time.Minute)
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
		"label.reshape(-1) makes": func(_, l string) { write(t, l, "i4", label, 10, 2) },
		"has 20 labels, want 140": func(name, _ string) { write(t, name, "f4", x, 20*cols) },
		"has no columns":          func(name, _ string) { write(t, name, "f4", x[:0], 20, 0) },
		"bfloat16, float32 or fl": func(name, _ string) { write(t, name, "i4", label, 20, 1) },
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
		{want: "has the shape (), want (N, C)", x: []int{}, label: []int{0}},
		{want: "a.npy: ends before its last element", x: []int{huge, 1}, label: []int{huge}},
		{want: "a.npy: ends before its last element", x: []int{huge, 1}, targets: []int{huge, 1}},
		{want: "a.npy: ends before its last element", x: []int{1, MaxColumns}, label: []int{1}},
		{want: "which no file can hold", x: []int{math.MaxInt, math.MaxInt}, label: []int{1}},
		{want: "want (N,) or (N, 1)", x: []int{1, 1}, label: []int{1, huge}},
		{want: "want (N,) or (N, 1)", x: []int{1, 1}, label: []int{}},
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
	for _, test := range []struct {
		want  string
		shape []int
	}{
		{"has weights of 16777217 classes, want at most 16777216", []int{MaxColumns + 1}},
		{"has weights of 16777217 classes, want at most 16777216", []int{2, MaxColumns + 1}},
		{"has the shape (16777217, 1), want (C,), a weight for each class, or (2, C), those of negatives and of positives", []int{MaxColumns + 1, 1}},
		{"has the shape (), want (C,), a weight for each class, or (2, C), those of negatives and of positives", []int{}},
	} {
		name := t.TempDir() + "/w.npy"
		write[float32](t, name, "f4", nil, test.shape...)
		_, err := LoadClassWeights(t.Context(), unsized, name)
		require.EqualError(t, err, name+": "+test.want)
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

	target[len(x)-3] = 0.5
	write(t, dir+"/b.targets.npy", "f4", target, rows, cols)
	o, four := options, 4.0
	o.NegGamma = &four
	_, err = Score(t.Context(), OpenFile, dir+"/b.npy", o)
	require.EqualError(t, err, fmt.Sprintf("%s/b.npy: in the rows from %d on: focal: Score: t[697] = 0.5 is soft and NegGamma differs from Gamma, want a target of 0 or 1, or NegGamma nil: invalid target", dir, rows-100))
}

// Labels of both types, of more than what is read at a time, come back as they are, and are counted as focal counts them.
func TestReadLabels(t *testing.T) {
	const rows = 10_000
	name := t.TempDir() + "/label.npy"
	read := func(c Convention, label []int32, dtype string) (got []int32, foreground int, err error) {
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
		foreground, err = c.read(r, got, 0, cols)
		return got, foreground, err
	}
	for _, c := range []Convention{{Ignore: -1}, {ZeroBased: true, Ignore: -1}, {Ignore: 3}, {ZeroBased: true, Ignore: 255}} {
		rng := rand.New(rand.NewPCG(3, 3))
		label := make([]int32, rows)
		for i := range label {
			if label[i] = rng.Int32N(cols + 1); rng.IntN(5) == 0 {
				label[i] = c.Ignore
			}
		}
		want, err := focal.Score(make([]float32, rows*cols), c.target(label), focal.Default())
		require.NoError(t, err)
		for _, dtype := range []string{"i4", "i8"} {
			got, foreground, err := read(c, label, dtype)
			require.NoError(t, err)
			require.Equal(t, label, got)
			require.EqualValues(t, want.Foreground(), foreground)
			for _, bad := range []int32{-2, cols + 1, math.MinInt32, math.MaxInt32} {
				broken := slices.Clone(label)
				broken[9_000] = bad
				_, _, err = read(c, broken, dtype)
				require.ErrorIs(t, err, focal.ErrLabel)
				require.ErrorContains(t, err, fmt.Sprintf("label.npy: %s[9000] = %d, want %s, or %d if ignored",
					map[bool]string{false: "label", true: "zero-based label"}[c.ZeroBased], bad,
					map[bool]string{false: "0..C with C = 7", true: "0..C, where C = 7 is background"}[c.ZeroBased], c.Ignore))
			}
		}
	}
}

func TestFlags(t *testing.T) {
	for s, want := range map[string]float64{"none": focal.NoAlpha, "-1": focal.NoAlpha, "-1.0": focal.NoAlpha, "0.25": 0.25, "1e-3": 0.001} {
		alpha, err := ParseAlpha(s)
		require.NoError(t, err)
		require.Equal(t, want, alpha)
	}
	for _, s := range []string{"", "half", "None", "-2", "-0.5", "1.5", "NaN", "1e999"} {
		_, err := ParseAlpha(s)
		require.EqualError(t, err, fmt.Sprintf("-alpha %q, want a number in [0, 1], or none or -1: every weight is 1", s))
	}
	require.NoError(t, CheckGamma(0))
	for _, v := range []float64{-1, math.Inf(1), math.NaN()} {
		require.EqualError(t, CheckGamma(v), fmt.Sprintf("-gamma %v, want it finite and ≥ 0", v))
	}
	require.NoError(t, CheckHardest(0))
	require.EqualError(t, CheckHardest(-1), "-hardest -1, want it ≥ 0")
	for s, want := range map[string]Convention{
		"-1": {Ignore: -1, IgnoreTargets: true}, "-2147483648": {Ignore: math.MinInt32, IgnoreTargets: true},
		"2147483647": {Ignore: math.MaxInt32, IgnoreTargets: true}, "nan": {Ignore: 7, IgnoreNaN: true}, "NaN": {Ignore: 7, IgnoreNaN: true},
	} {
		c := Convention{Ignore: 7}
		require.NoError(t, IgnoreFlag{&c}.Set(s))
		require.Equal(t, want, c)
	}
	for _, s := range []string{"-2147483649", "2147483648", "4294967296", "0.5", "", "none"} {
		c := Convention{Ignore: 7}
		require.EqualError(t, IgnoreFlag{&c}.Set(s), "want an integer that an int32 holds, or nan")
		require.Equal(t, Convention{Ignore: 7}, c)
	}
	for _, s := range []string{"-1", "NaN", "Inf", "x"} {
		var gamma *float64
		require.EqualError(t, GammaFlag{&gamma}.Set(s), "want a number, finite and ≥ 0")
		require.Nil(t, gamma)
	}
	for i, s := range []string{"varifocal", "aligned", "quality-focal"} {
		var q focal.Quality
		require.NoError(t, QualityFlag{To: &q}.Set(s))
		require.Equal(t, focal.Quality(i), q)
		require.Equal(t, s, QualityFlag{To: &q}.String())
	}
	var q focal.Quality
	require.EqualError(t, QualityFlag{To: &q}.Set("mal"), "want varifocal, aligned, quality-focal")
}

// Weights and scores beside the logits: the bits of one call, however the data set is divided.
func TestBesides(t *testing.T) {
	const n = 500
	x, label := dataset(n)
	weights, rowWeights, scores := make([]float32, n*cols), make([]float32, n), make([]float32, n)
	for i := range weights {
		weights[i] = float32(i%5) / 3
	}
	for i := range rowWeights {
		rowWeights[i], scores[i] = float32(i%7)/2, float32(i%9)/8
	}
	neg, pos := []float64{1, 2, 3, 4, 5, 6, 7}, []float64{7, 6, 5, 4, 3, 2, 0}
	y := focal.Scored(focal.Labels(label), scores, focal.Aligned)
	y = focal.WeighElements(focal.WeighRows(focal.WeighClasses(y, convert[float32](neg), convert[float32](pos)), rowWeights), weights)
	want, err := focal.Score(x, y, focal.Default())
	require.NoError(t, err)
	o := options
	o.Weights, o.RowWeights, o.Scores, o.Quality, o.Classes = true, true, true, focal.Aligned, &ClassWeights{"w.npy", neg, pos}
	dir := t.TempDir()
	all := NewPart(o)
	for _, cut := range [][2]int{{0, 3}, {3, 400}, {400, n}} {
		base := fmt.Sprint(dir, "/", cut[0])
		from, to := cut[0], cut[1]
		write(t, base+".npy", "f4", x[from*cols:to*cols], to-from, cols)
		write(t, base+".label.npy", "i4", label[from:to], to-from)
		write(t, base+".weights.npy", "f4", weights[from*cols:to*cols], to-from, cols)
		write(t, base+".row-weights.npy", "f4", rowWeights[from:to], to-from)
		write(t, base+".scores.npy", "f4", scores[from:to], to-from, 1)
		part, err := Score(t.Context(), OpenFile, base+".npy", o)
		require.NoError(t, err)
		b, err := part.MarshalBinary()
		require.NoError(t, err)
		var back Part
		require.NoError(t, back.UnmarshalBinary(b))
		require.NoError(t, all.Merge(&back))
	}
	require.Equal(t, want, all.Total)
	var summary strings.Builder
	require.NoError(t, all.WriteSummary(&summary, 0))
	require.Contains(t, summary.String(), "quality     aligned\nweighed     elements, rows, classes\n")

	names, err := filepath.Glob(dir + "/*.npy")
	require.NoError(t, err)
	logits, err := Logits(names)
	require.NoError(t, err)
	require.Len(t, logits, 3, "what is beside them are no logits")

	require.NoError(t, os.Remove(dir+"/3.scores.npy"))
	_, err = Score(t.Context(), OpenFile, dir+"/3.npy", o)
	require.ErrorContains(t, err, dir+"/3.scores.npy")
	write(t, dir+"/3.scores.npy", "f4", scores[:397], 397)
	write(t, dir+"/3.targets.npy", "f4", make([]float32, 397*cols), 397, cols)
	require.NoError(t, os.Remove(dir+"/3.label.npy"))
	_, err = Score(t.Context(), OpenFile, dir+"/3.npy", o)
	require.EqualError(t, err, dir+"/3.scores.npy: scores go with labels, and "+dir+"/3.targets.npy has targets")
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
		"gamma is 2 in one and 3 in the other":                    func(o *Options) { o.Gamma = 3 },
		"alpha is 0.25 in one and none in the other":              func(o *Options) { o.Alpha = focal.NoAlpha },
		"one has the 10 hardest rows and the other the 9 hardest": func(o *Options) { o.Hardest = 9 },
		"labels mean 1..C the class, 0 background, -1 ignored in one and 1..C the class, 0 background, 255 ignored in the other":  func(o *Options) { o.Labels.Ignore = 255 },
		"labels mean 1..C the class, 0 background, -1 ignored in one and 0..C-1 the class, C background, -1 ignored in the other": func(o *Options) { o.Labels.ZeroBased = true },
	} {
		o := options
		change(&o)
		other := NewPart(o)
		assert.EqualError(t, part.Merge(other), want)
		require.Len(t, part.Shards, 1)
	}
	require.EqualError(t, part.Merge(part), name+" is in two of them: it would count twice, or two shards have one name")
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

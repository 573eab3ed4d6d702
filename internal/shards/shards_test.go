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

var options = Options{Gamma: 2, Alpha: 0.25, Ignore: -1, Hardest: 10}

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
		"label[2] = 99": func(_, l string) {
			write(t, l, "i4", append(slices.Clone(label[:2]), append([]int32{99}, label[3:]...)...), 20)
		},
		"label[0] = 4294967296 is beyond": func(_, l string) { write(t, l, "i8", append([]int64{1 << 32}, make([]int64, 19)...), 20) },
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
		"Gamma":          func(o *Options) { o.Gamma = 3 },
		"10 hardest":     func(o *Options) { o.Hardest = 9 },
		"labels mean":    func(o *Options) { o.Ignore = 255 },
		"labels mean 1.": func(o *Options) { o.ZeroBased = true },
	} {
		o := options
		change(&o)
		other := NewPart(o)
		if o.Gamma == 3 {
			other.Total, err = focal.Score(x, focal.Labels(label), focal.Params{Gamma: 3, Alpha: 0.25})
			require.NoError(t, err)
		}
		require.ErrorContains(t, part.Merge(other), want)
		require.Len(t, part.Shards, 1)
	}
	require.Error(t, Options{Hardest: -1}.Check())
	require.ErrorIs(t, Options{Gamma: -1}.Check(), focal.ErrParam)
	require.NoError(t, options.Check())
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

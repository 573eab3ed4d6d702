package beamfocal

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

func TestMain(m *testing.M) { ptest.MainWithDefault(m, "prism") }

const cols = 5

func writeArray[E npyfile.Element](t *testing.T, name, dtype string, data []E, shape ...int) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, npyfile.WriteHeader(&b, dtype, shape))
	require.NoError(t, npyfile.Write(&b, slices.Clone(data)))
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o666))
}

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
	return x, label
}

func writeShards(t *testing.T, x []float32, label []int32, n int) (dir string) {
	dir = t.TempDir()
	for i := range n {
		from, to := i*len(label)/n, (i+1)*len(label)/n
		base := filepath.Join(dir, fmt.Sprintf("shard-%03d", i))
		writeArray(t, base+".npy", "f4", x[from*cols:to*cols], to-from, cols)
		writeArray(t, base+".label.npy", "i4", label[from:to], to-from)
	}
	return dir
}

func options() Options {
	o := Default()
	o.Hardest = 12
	return o
}

func run(pattern, prefix string, o Options) error {
	p, s := beam.NewPipelineWithRoot()
	Write(s, prefix, Score(s, pattern, o))
	return ptest.Run(p)
}

func readPart(t *testing.T, prefix string) *shards.Part {
	t.Helper()
	b, err := os.ReadFile(prefix + "part")
	require.NoError(t, err)
	p := new(shards.Part)
	require.NoError(t, p.UnmarshalBinary(b))
	return p
}

// 1, 7 and 64 shards of the same rows give the bits of one focal.Score.
func TestSharding(t *testing.T) {
	x, label := dataset(2000)
	want, err := focal.Score(x, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	loss := make([]float32, len(label))
	require.NoError(t, focal.Rows(loss, x, focal.Labels(label), focal.Default()))
	slices.SortFunc(loss, func(a, b float32) int { return -cmpFloat(a, b) })
	for _, n := range []int{1, 7, 64} {
		dir := writeShards(t, x, label, n)
		prefix := filepath.Join(t.TempDir(), "out-")
		require.NoError(t, run(filepath.Join(dir, "shard-*.npy"), prefix, options()))
		part := readPart(t, prefix)
		require.Equal(t, want, part.Total)
		require.Len(t, part.Shards, n)
		require.Empty(t, part.Skipped)
		require.Len(t, part.Rows, 12)
		for i, r := range part.Rows {
			require.Equal(t, float64(loss[i]), r.Loss)
		}

		file, err := os.Open(prefix + "shards.csv")
		require.NoError(t, err)
		records, err := csv.NewReader(file).ReadAll()
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.Len(t, records, n+1)
		summary, err := os.ReadFile(prefix + "summary.txt")
		require.NoError(t, err)
		require.Contains(t, string(summary), fmt.Sprintf("fg_num   %d\n", want.Foreground()))
		hardest, err := os.ReadFile(prefix + "hardest.csv")
		require.NoError(t, err)
		require.Equal(t, 13, bytes.Count(hardest, []byte("\n")))
	}
}

func cmpFloat(a, b float32) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestBadShards(t *testing.T) {
	x, label := dataset(500)
	dir := writeShards(t, x, label, 5)
	pattern, prefix := filepath.Join(dir, "*.npy"), filepath.Join(t.TempDir(), "out-")
	require.NoError(t, os.Truncate(filepath.Join(dir, "shard-002.npy"), 500))
	writeArray(t, filepath.Join(dir, "shard-004.label.npy"), "i4", label[:7], 7)

	err := run(pattern, prefix, options())
	require.Error(t, err)
	require.True(t, strings.Contains(err.Error(), "shard-002.npy") || strings.Contains(err.Error(), "shard-004.label.npy"), "%v", err)
	require.NoFileExists(t, prefix+"part")

	o := options()
	o.SkipBad = true
	require.NoError(t, run(pattern, prefix, o))
	part := readPart(t, prefix)
	require.Len(t, part.Shards, 3)
	require.Len(t, part.Skipped, 2)
	require.Contains(t, part.Skipped[0].Error, "shard-002.npy: has 500 bytes")
	require.Contains(t, part.Skipped[1].Error, "shard-004.label.npy: has 7 labels, want 100")
	var good focal.Partial
	for _, i := range []int{0, 1, 3} {
		p, err := focal.Score(x[i*100*cols:(i+1)*100*cols], focal.Labels(label[i*100:(i+1)*100]), focal.Default())
		require.NoError(t, err)
		require.NoError(t, good.Merge(p))
	}
	require.Equal(t, good, part.Total)
}

func TestEmptyGlob(t *testing.T) {
	dir := t.TempDir()
	pattern, prefix := filepath.Join(dir, "none-*.npy"), filepath.Join(dir, "out-")
	err := run(pattern, prefix, options())
	require.ErrorContains(t, err, "none-*.npy: no shard matches")
	require.NoFileExists(t, prefix+"part")
}

// flaky is a file system whose files fail in the middle, some times.
type flaky struct{ filesystem.Interface }

var failures atomic.Int32

func init() {
	filesystem.Register("flaky", func(ctx context.Context) filesystem.Interface {
		local, err := filesystem.New(ctx, "/")
		if err != nil {
			panic(err)
		}
		return flaky{local}
	})
}

const scheme = "flaky://"

func (f flaky) List(ctx context.Context, glob string) ([]string, error) {
	names, err := f.Interface.List(ctx, strings.TrimPrefix(glob, scheme))
	for i := range names {
		names[i] = scheme + names[i]
	}
	return names, err
}

func (f flaky) Size(ctx context.Context, name string) (int64, error) {
	return f.Interface.Size(ctx, strings.TrimPrefix(name, scheme))
}

func (f flaky) OpenRead(ctx context.Context, name string) (io.ReadCloser, error) {
	file, err := f.Interface.OpenRead(ctx, strings.TrimPrefix(name, scheme))
	if err == nil && strings.HasSuffix(name, "shard-001.npy") && failures.Add(-1) >= 0 {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(file, 2<<20), broken{}), file}, nil
	}
	return file, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the worker is gone") }

// A worker fails in the middle of a shard, after blocks of it have been summed. Nothing comes of it, and done again every
// row counts once.
func TestFailureInTheMiddle(t *testing.T) {
	x, label := dataset(300_000)
	dir := writeShards(t, x, label, 2)
	pattern, prefix := scheme+filepath.Join(dir, "shard-*.npy"), filepath.Join(t.TempDir(), "out-")
	failures.Store(1)
	err := run(pattern, prefix, options())
	require.ErrorContains(t, err, "shard-001.npy: the worker is gone")
	require.NoFileExists(t, prefix+"part")

	require.NoError(t, run(pattern, prefix, options()))
	want, err := focal.Score(x, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	require.Equal(t, want, readPart(t, prefix).Total)

	// A runner that does a bundle again does so with the same DoFn, and forgets what the failed one has emitted: nothing.
	failures.Store(1)
	fn := &scoreFn{options()}
	emitted := 0
	emit := func([]byte) { emitted++ }
	name := scheme + filepath.Join(dir, "shard-001.npy")
	require.Error(t, fn.ProcessElement(t.Context(), name, emit, emit))
	require.Zero(t, emitted)
	require.NoError(t, fn.ProcessElement(t.Context(), name, emit, emit))
	require.Equal(t, 2, emitted)
}

func TestTwice(t *testing.T) {
	part := shards.NewPart(options().shards())
	part.Shards = []shards.Shard{{Name: "a.npy"}}
	b, err := part.MarshalBinary()
	require.NoError(t, err)
	left := [][]byte{b, b}
	next := func(b *[]byte) bool {
		if len(left) == 0 {
			return false
		}
		*b, left = left[0], left[1:]
		return true
	}
	rows, err := shards.NewPart(options().shards()).MarshalBinary()
	require.NoError(t, err)
	fn := &gatherFn{options()}
	require.ErrorContains(t, fn.ProcessElement(0, next, rows, func([]byte) {}), "a.npy is in both")
}

func TestCheck(t *testing.T) {
	require.NoError(t, Default().Check())
	o := Default()
	o.Gamma = -1
	require.ErrorIs(t, o.Check(), focal.ErrParam)
	_, s := beam.NewPipelineWithRoot()
	require.Panics(t, func() { Score(s, "x", o) })
}

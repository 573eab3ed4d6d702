package beamfocal

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Beam logs much
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
			require.Equal(t, float64(loss[i]), r.Sum)
		}

		file, err := os.Open(prefix + "shards.csv")
		require.NoError(t, err)
		records, err := csv.NewReader(file).ReadAll()
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.Len(t, records, n+1)
		summary, err := os.ReadFile(prefix + "summary.txt")
		require.NoError(t, err)
		require.Contains(t, string(summary), fmt.Sprintf("foreground  %d\n", want.Foreground()))
		hardest, err := os.ReadFile(prefix + "hardest.csv")
		require.NoError(t, err)
		require.Equal(t, 13, bytes.Count(hardest, []byte("\n")))
	}
}

// What can be said of a loss beside labels reaches the workers.
func TestOptions(t *testing.T) {
	x, label := dataset(2000)
	dir := writeShards(t, x, label, 3)
	rowWeights := make([]float32, len(label))
	for i := range rowWeights {
		rowWeights[i] = float32(i%7) / 2
	}
	for i := range 3 {
		from, to := i*len(label)/3, (i+1)*len(label)/3
		writeArray(t, filepath.Join(dir, fmt.Sprintf("shard-%03d.row-weights.npy", i)), "f4", rowWeights[from:to], to-from)
	}
	classes := make([]float32, 2*cols)
	for i := range classes {
		classes[i] = float32(i)
	}
	writeArray(t, filepath.Join(dir, "classes.npy"), "f4", classes, 2, cols)
	o := options()
	four := 4.0
	o.NegGamma, o.RowWeights = &four, true
	var err error
	o.NegWeights, o.PosWeights, err = ClassWeights(t.Context(), filepath.Join(dir, "classes.npy"))
	require.NoError(t, err)
	prefix := filepath.Join(t.TempDir(), "out-")
	require.NoError(t, run(filepath.Join(dir, "shard-*.npy"), prefix, o))
	p := focal.Default()
	p.NegGamma = &four
	want, err := focal.Score(x, focal.WeighRows(focal.WeighClasses(focal.Labels(label), classes[:cols], classes[cols:]), rowWeights), p)
	require.NoError(t, err)
	require.Equal(t, want, readPart(t, prefix).Total)
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

var (
	failures atomic.Int32
	onOpen   func(name string)
)

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

func (f flaky) LastModified(ctx context.Context, name string) (time.Time, error) {
	return f.Interface.(filesystem.LastModifiedGetter).LastModified(ctx, strings.TrimPrefix(name, scheme))
}

func (f flaky) OpenRead(ctx context.Context, name string) (io.ReadCloser, error) {
	file, err := f.Interface.OpenRead(ctx, strings.TrimPrefix(name, scheme))
	if onOpen != nil {
		onOpen(name)
	}
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
}

// worker is what a runner makes of the pipeline's functions: bundles of shards, each of which is done again, with a function of
// its own, if it fails; what a failed one has emitted is forgotten.
func worker(t *testing.T, o Options, bundles [][]string) (outcomes [][]byte, rows shards.Ranking, failed int) {
	combine := &hardestFn{o.Hardest}
	rows = combine.CreateAccumulator()
	for _, names := range bundles {
		for attempt := 0; ; attempt++ {
			require.Less(t, attempt, 4)
			fn := &scoreFn{o}
			var emitted [][]byte
			lifted := combine.CreateAccumulator()
			var err error
			for _, name := range names {
				if err = fn.ProcessElement(t.Context(), name, func(b []byte) { emitted = append(emitted, b) },
					func(r shards.Ranking) { lifted = combine.AddInput(lifted, r) }); err != nil {
					failed++
					break
				}
			}
			if err == nil {
				outcomes, rows = append(outcomes, emitted...), combine.MergeAccumulators(rows, lifted)
				break
			}
		}
	}
	return outcomes, rows, failed
}

// gather is the end of the pipeline.
func gather(o Options, outcomes [][]byte, rows shards.Ranking) (part *shards.Part, err error) {
	next := func(b *[]byte) bool {
		if len(outcomes) == 0 {
			return false
		}
		*b, outcomes = outcomes[0], outcomes[1:]
		return true
	}
	e := (&gatherFn{o}).ProcessElement(0, next, rows, func(b []byte) {
		part = new(shards.Part)
		err = part.UnmarshalBinary(b)
	})
	return part, errors.Join(e, err)
}

// A bundle whose third shard fails in the middle is done again, as runners do it: the two before it, which had been emitted,
// count once.
func TestBundleRetried(t *testing.T) {
	x, label := dataset(300_000)
	dir := writeShards(t, x, label, 5)
	var names []string
	for _, i := range []int{0, 2, 1, 3, 4} { // 1 is the one that fails
		names = append(names, fmt.Sprintf("%s%s/shard-%03d.npy", scheme, dir, i))
	}
	failures.Store(2)
	outcomes, rows, failed := worker(t, options(), [][]string{names[:3], names[3:]})
	require.Equal(t, 2, failed)
	part, err := gather(options(), outcomes, rows)
	require.NoError(t, err)
	want, err := focal.Score(x, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	require.Equal(t, want, part.Total)
	require.Len(t, part.Shards, 5)
	require.Len(t, part.Rows, 12)

	// Should what was emitted be kept and come again, it is an error and not a sum.
	_, err = gather(options(), append(outcomes, outcomes[0]), rows)
	require.ErrorContains(t, err, "shard-000.npy is in two of them")
	again := rows
	again.Rows = slices.Clone(rows.Rows)
	again.Most++
	again.Add(rows.Rows[len(rows.Rows)-1])
	again.Most--
	again.Rows = again.Rows[1:]
	_, err = gather(options(), outcomes, again)
	require.ErrorContains(t, err, "there twice")
}

// A shard that is replaced while its worker reads it is an error, and so are the labels beside it.
func TestReplacedWhileRead(t *testing.T) {
	x, label := dataset(100)
	for _, of := range []string{".npy", ".label.npy"} {
		dir := writeShards(t, x, label, 3)
		name := filepath.Join(dir, "shard-001"+of)
		onOpen = func(opened string) { // both are open when it happens
			if strings.HasSuffix(opened, "shard-001.label.npy") {
				b, err := os.ReadFile(name)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(name, b, 0o666))
				require.NoError(t, os.Chtimes(name, time.Time{}, time.Now().Add(time.Minute)))
				onOpen = nil
			}
		}
		prefix := filepath.Join(t.TempDir(), "out-")
		err := run(scheme+filepath.Join(dir, "shard-*.npy"), prefix, options())
		require.ErrorContains(t, err, "shard-001"+of+": was changed or replaced while it was read")
		require.NoFileExists(t, prefix+"part")
	}
}

// Many hardest rows of many shards are found in a time that grows with their number and no faster.
func TestManyHardest(t *testing.T) {
	const shardsOf, each, most = 2000, 500, 500_000
	begin := time.Now()
	fn := &hardestFn{most}
	all := fn.CreateAccumulator()
	for i := range shardsOf {
		rows := shards.Ranking{Most: most}
		for k := range each {
			rows.Add(shards.Row{Shard: fmt.Sprint(i), Row: int64(k), Sum: float64(i*each + k)})
		}
		all = fn.AddInput(all, rows)
	}
	require.Len(t, all.Rows, most)
	require.Less(t, time.Since(begin), 30*time.Second)
}

func TestCheck(t *testing.T) {
	require.NoError(t, Default().Check())
	o := Default()
	o.Gamma = -1
	require.ErrorIs(t, o.Check(), focal.ErrParam)
	o = Default()
	o.NegWeights = []float64{1}
	require.EqualError(t, o.Check(), "there are class weights of 1 negatives and 0 positives")
	_, s := beam.NewPipelineWithRoot()
	require.Panics(t, func() { Score(s, "x", o) })
}

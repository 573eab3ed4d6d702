package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
)

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

func TestScoreAndMerge(t *testing.T) {
	const n, c, shards = 700, 6, 7
	rng := rand.New(rand.NewPCG(9, 9))
	x, label := make([]float32, n*c), make([]int32, n)
	for i := range x {
		x[i] = float32(8 * rng.NormFloat64())
	}
	for i := range label {
		label[i] = rng.Int32N(c+2) - 1
	}
	files := map[string][]byte{}
	little := binary.LittleEndian
	var args []string
	for i := range shards {
		from, to := i*n/shards, (i+1)*n/shards
		name := fmt.Sprintf("shard%d", i)
		files[name+".npy"] = npyFile(t, "<f4", fmt.Sprintf("(%d, %d)", to-from, c), false, little, x[from*c:to*c])
		files[name+".label.npy"] = npyFile(t, "<i4", fmt.Sprintf("(%d,)", to-from), false, little, label[from:to])
		args = append(args, name+".npy", name+".label.npy")
	}
	files["all.npy"] = npyFile(t, "<f4", fmt.Sprintf("(%d, %d)", n, c), false, little, x)
	files["all.label.npy"] = npyFile(t, "<i4", fmt.Sprintf("(%d,)", n), false, little, label)
	inDirectory(t, files)

	want, err := focal.Score(x, focal.Labels(label), focal.Default())
	require.NoError(t, err)
	line := fmt.Sprintf("loss        %v\nsum         %v\nmean        %v\nnorm        %d\nforeground  %[4]d\nignored     %d\nrows        %d\nelements    %d\n",
		want.Loss(float64(want.Foreground())), want.Loss(1), want.Loss(n*c), want.Foreground(), want.Ignored(), n, n*c)
	assert.True(t, strings.HasPrefix(succeed(t, "score", "all.npy", "-hardest", "5", "-rows", "all.csv"), line))
	assert.True(t, strings.HasPrefix(succeed(t, append([]string{"score", "-o", "one", "-workers", "1"}, args...)...), line))

	// Two machines, and one after the other.
	succeed(t, append([]string{"score", "-hardest", "5", "-o", "part1"}, args[:6]...)...)
	succeed(t, append([]string{"score", "-hardest", "5", "-o", "part2"}, args[6:]...)...)
	a := succeed(t, "merge", "part1", "part2", "-o", "both", "-rows", "rows.csv", "-shards", "shards.csv")
	assert.True(t, strings.HasPrefix(a, line), a)
	assert.Equal(t, a, succeed(t, "merge", "part2", "part1"))
	assert.Equal(t, a, succeed(t, "merge", "both"))

	// The hardest rows are those of the whole: the losses are in the last column.
	losses := func(name string) (last []string) {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			last = append(last, line[strings.LastIndexByte(line, ',')+1:])
		}
		return last
	}
	assert.Len(t, losses("rows.csv"), 6)
	assert.Equal(t, losses("all.csv"), losses("rows.csv"))
	assert.Len(t, losses("shards.csv"), shards+1)
	loss := make([]float32, n)
	require.NoError(t, focal.Rows(loss, x, focal.Labels(label), focal.Default()))
	assert.Equal(t, fmt.Sprint(float64(slices.Max(loss))), losses("rows.csv")[1])

	label0 := readFile(t, "shard0.label.npy")
	for want, args := range map[string]string{
		"no shards":                       "score",
		"no parts":                        "merge",
		"-hardest":                        "score -hardest x shard0.npy",
		"-hardest -1, want it ≥ 0":        "score -hardest -1 shard0.npy",
		"-gamma -1, want it finite and":   "score -gamma -1 shard0.npy",
		"that an int32 holds":             "score -ignore 4294967296 shard0.npy",
		"both an input and an output":     "score shard0.npy -o shard0.npy",
		"x.csv is written twice":          "score shard0.npy -shards x.csv -rows ./x.csv",
		"shard0.weights.npy: no such":     "score -weights shard0.npy",
		"w.npy: no such file":             "score -class-weights w.npy shard0.npy",
		"-quality is about scores":        "score -quality aligned shard0.npy",
		"shard0.label.npy is both an inp": "score shard0.npy -rows shard0.label.npy",
		"both.targets.npy is both an inp": "score both.npy -o both.targets.npy",
		"part1 is both an input and":      "merge part1 part2 -rows part1",
		"./part2 is both an input and":    "merge part1 part2 -shards ./part2",
		"new is written twice":            "merge part1 part2 -o new -rows new",
		"shard0.npy and ./shard0.npy are": "score shard0.npy ./shard0.npy",
		"belongs to shard0.npy, which":    "score shard0.label.npy",
		"none.npy: no such file":          "score none.npy",
		"part1: does not go with those before: shard0.npy is in two of them": "merge part1 part1",
		"shard0.npy: is no part":              "merge shard0.npy",
		"part1: does not go with those":       "merge one part1",
		"open none: no such file":             "merge none",
		"shard0.label.npy: zero-based label[": "score -zero-based -ignore 77 shard0.npy",
		`-alpha "half", want a number in`:     "score -alpha half shard0.npy",
	} {
		status, _, stderr := focalCommand(strings.Fields(args)...)
		assert.NotZero(t, status, args)
		assert.Contains(t, stderr, want, args)
	}

	assert.Equal(t, label0, readFile(t, "shard0.label.npy"))

	if runtime.GOOS != "windows" { // has links for few
		require.NoError(t, os.Symlink("shard0.npy", "link.npy"))
		_, _, stderr := focalCommand("score", "shard0.npy", "link.npy")
		assert.Contains(t, stderr, "shard0.npy and link.npy are one file, which would count twice")
	}

	// On stdout there is either an output or the summary.
	status, stdout, stderr := focalCommand("merge", "part1", "part2", "-o", "-")
	assert.Zero(t, status)
	assert.Equal(t, string(readFile(t, "both")), stdout)
	assert.Equal(t, a, stderr)

	// The result may take the place of a part.
	b := readFile(t, "both")
	assert.Equal(t, a, succeed(t, "merge", "part1", "part2", "-o", "part1"))
	assert.Equal(t, b, readFile(t, "part1"))

	// A broken shard.
	require.NoError(t, os.Truncate("shard2.npy", 300))
	status, _, stderr = focalCommand(append([]string{"score", "-o", "bad"}, args...)...)
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "shard2.npy: has 300 bytes, want")
	assert.NoFileExists(t, "bad")
	status, stdout, stderr = focalCommand(append([]string{"score", "-skip-bad"}, args...)...)
	assert.Equal(t, 0, status)
	assert.Contains(t, stderr, "skipped: shard2.npy: has 300 bytes")
	assert.Contains(t, stdout, "shards      6\nskipped     1\n")
}

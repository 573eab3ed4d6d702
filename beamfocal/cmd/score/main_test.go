package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/beamfocal"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

func TestMain(m *testing.M) {
	flag.Parse()
	beam.Init()
	os.Exit(m.Run())
}

func writeArray[E npyfile.Element](t *testing.T, name, dtype string, data []E, shape ...int) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, npyfile.WriteHeader(&b, dtype, shape))
	require.NoError(t, npyfile.Write(&b, data))
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o666))
}

// The program as it is, on the runner that it takes by default.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	writeArray(t, filepath.Join(dir, "a.npy"), "f8", []float64{1, -1, 2, 0}, 2, 2)
	writeArray(t, filepath.Join(dir, "a.label.npy"), "i4", []int32{2, 7}, 2)
	o := beamfocal.Default()
	require.NoError(t, run(filepath.Join(dir, "*.npy"), dir+"/out-", "none", 7, o))
	summary, err := os.ReadFile(dir + "/out-summary.txt")
	require.NoError(t, err)
	want, err := focal.Score([]float64{1, -1, 2, 0}, focal.Labels([]int32{2, 7}).Ignoring(7), focal.Params{Gamma: 2, Alpha: focal.NoAlpha})
	require.NoError(t, err)
	require.Contains(t, string(summary), fmt.Sprintf("loss     %v\nsum      %[1]v\nfg_num   1\nrows     2\nignored  1\n", want.Loss(1)))
	require.Contains(t, string(summary), "alpha    none\n")
}

func TestUsage(t *testing.T) {
	require.NoError(t, noArguments(nil))
	require.ErrorContains(t, noArguments([]string{"g/b.npy", "-output", "out"}), `"g/b.npy"; the pattern of -shards must be quoted`)
	o := beamfocal.Default()
	require.ErrorContains(t, run("", "out", "0.25", -1, o), "-shards is missing")
	require.ErrorContains(t, run("x", "", "0.25", -1, o), "-output is missing")
	require.ErrorContains(t, run("x", "out", "much", -1, o), `-alpha "much", want a number in [0, 1] or none`)
	require.ErrorContains(t, run("x", "out", "0.25", 1<<31, o), "beyond int32")
	require.ErrorContains(t, run("x", "out", "2", -1, o), `-alpha "2", want a number in [0, 1] or none`)
	wrong := o
	wrong.Gamma = -1
	require.EqualError(t, run("x", "out", "0.25", -1, wrong), "-gamma -1, want it finite and ≥ 0")
	require.ErrorContains(t, run(filepath.Join(t.TempDir(), "*.npy"), "out", "0.25", -1, o), "no shard matches")
}

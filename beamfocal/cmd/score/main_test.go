package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

// TestMain lets the test binary be the command, whose flags are those of the process.
func TestMain(m *testing.M) {
	if os.Getenv("FOCAL_TEST_AS_COMMAND") != "" {
		main()
		if file := os.Getenv("FOCAL_TEST_PEAK"); file != "" {
			memory, _ := os.ReadFile("/proc/self/status")
			os.WriteFile(file, memory, 0o666)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// score runs the command with a directory for temporary files of its own, which must be empty at the end.
func score(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	temporary := t.TempDir()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "FOCAL_TEST_AS_COMMAND=1", "TMPDIR="+temporary, "TMP="+temporary)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		status = exit.ExitCode()
	}
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left, "of what Beam leaves behind")
	return status, out.String(), diagnostics.String()
}

func writeArray[E npyfile.Element](t *testing.T, name, dtype string, data []E, shape ...int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
	var b bytes.Buffer
	require.NoError(t, npyfile.WriteHeader(&b, dtype, shape))
	require.NoError(t, npyfile.Write(&b, data))
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o666))
}

// The program as it is, on the runner that it takes by default: the result and nothing else is printed.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	writeArray(t, filepath.Join(dir, "a.npy"), "f8", []float64{1, -1, 2, 0}, 2, 2)
	writeArray(t, filepath.Join(dir, "a.label.npy"), "i4", []int32{2, 7}, 2)
	status, stdout, stderr := score(t, "-shards", filepath.Join(dir, "*.npy"), "-output", dir+"/out-", "-alpha", "none", "-ignore", "7")
	require.Zero(t, status)
	require.Empty(t, stderr)
	want, err := focal.Score([]float64{1, -1, 2, 0}, focal.Labels([]int32{2, 7}).Ignoring(7), focal.Params{Gamma: 2, Alpha: focal.NoAlpha})
	require.NoError(t, err)
	summary, err := os.ReadFile(dir + "/out-summary.txt")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(stdout, string(summary)), stdout)
	require.Contains(t, stdout, fmt.Sprintf("loss        %v\nsum         %[1]v\nmean        %v\nnorm        1\nforeground  1\nignored     1\nrows        2\nelements    4\n",
		want.Loss(1), want.Loss(4)))
	require.Contains(t, stdout, "alpha       none\n")
	for _, name := range []string{"summary.txt", "shards.csv", "hardest.csv", "part"} {
		require.Contains(t, stdout, "written     "+dir+"/out-"+name)
		require.FileExists(t, dir+"/out-"+name)
	}

	// A failure is one line, which says what is wrong.
	require.NoError(t, os.Truncate(filepath.Join(dir, "a.npy"), 150))
	status, stdout, stderr = score(t, "-shards", filepath.Join(dir, "a*.npy"), "-output", dir+"/out2-")
	require.Equal(t, 1, status)
	require.Empty(t, stdout)
	require.Equal(t, "score: "+dir+"/a.npy: has 150 bytes, want 160 for <f8 of shape (2, 2): truncated, or no plain array\n", stderr)
	require.NoFileExists(t, dir+"/out2-part")
	status, _, stderr = score(t, "-shards", filepath.Join(dir, "a*.npy"), "-output", dir+"/out2-", "-v")
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "level=INFO")
	require.Contains(t, stderr, "DataSource")
}

// What the flags say of weights, scores and gammas reaches the losses.
func TestFlags(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	x, label := []float32{1, -1, 2, 0, 3, -2}, []uint8{2, 255, 1}
	weights, rows, scores, classes := []float32{1, 2, 3, 4, 5, 0}, []float32{2, 1, 0.5}, []float32{0.25, 7, 1}, []float32{1, 2, 3, 4}
	writeArray(t, in("a.npy"), "f4", x, 3, 2)
	writeArray(t, in("a.label.npy"), "u1", label, 3)
	writeArray(t, in("a.weights.npy"), "f4", weights, 3, 2)
	writeArray(t, in("a.row-weights.npy"), "f4", rows, 3)
	writeArray(t, in("a.scores.npy"), "f4", scores, 3)
	writeArray(t, in("classes"), "f4", classes, 2, 2)
	writeArray(t, in("t/b.npy"), "f4", x, 3, 2)
	writeArray(t, in("t/b.targets.npy"), "f4", []float32{0, 0.5, 1, float32(math.NaN()), -100, 0.25}, 3, 2)
	p, four := focal.Params{Gamma: 1, Alpha: 0.25}, 4.0
	twoGammas := p
	twoGammas.NegGamma = &four
	y := focal.Labels(label).Ignoring(255)
	weighed := focal.WeighElements(focal.WeighRows(focal.WeighClasses(y, classes[:2], classes[2:]), rows), weights)
	soft := focal.Dense([]float32{0, 0.5, 1, float32(math.NaN()), -100, 0.25}).Ignoring(-100).IgnoringNaN()
	for flags, test := range map[string]struct {
		y focal.Target
		p focal.Params
	}{
		"-ignore 255 -gamma-neg 4": {y, twoGammas},
		"-ignore 255 -weights -row-weights -class-weights " + in("classes"):                                {weighed, p},
		"-ignore 255 -scores -quality quality-focal -weights -row-weights -class-weights " + in("classes"): {focal.Scored(weighed, scores, focal.QualityFocal), p},
		"-ignore -100 -ignore nan": {soft, p},
	} {
		shard := in("a.npy")
		if strings.Contains(flags, "nan") {
			shard = in("t/b.npy")
		}
		want, err := focal.Score(x, test.y, test.p)
		require.NoError(t, err)
		status, stdout, stderr := score(t, append([]string{"-shards", shard, "-output", dir + "/out-", "-gamma", "1"}, strings.Fields(flags)...)...)
		require.Zero(t, status, stderr)
		require.Contains(t, stdout, fmt.Sprintf("\nsum         %v\n", want.Loss(1)), flags)
	}
}

func TestUsage(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none-*.npy")
	for _, test := range []struct {
		args   string
		status int
		want   string
	}{
		{"-output out", 2, `score: -shards is missing; "score -h" helps`},
		{"-shards x", 2, `score: -output is missing; "score -h" helps`},
		{"-shards a.npy -output out b.npy", 2, `score: unexpected argument "b.npy"; the pattern of -shards must be quoted, or the shell replaces it; "score -h" helps`},
		{"-shards x -output out -alpha much", 2, `score: -alpha "much", want a number in [0, 1], or none or -1: every weight is 1; "score -h" helps`},
		{"-shards x -output out -alpha 2", 2, `score: -alpha "2", want a number in [0, 1], or none or -1: every weight is 1; "score -h" helps`},
		{"-shards x -output out -gamma -1", 2, `score: -gamma -1, want it finite and ≥ 0; "score -h" helps`},
		{"-shards x -output out -hardest -1", 2, `score: -hardest -1, want it ≥ 0; "score -h" helps`},
		{"-shards x -output out -quality aligned", 2, `score: -quality is about scores, and there are no -scores; "score -h" helps`},
		{"-shards s3://x/y -output out", 2, `score: s3://x/y: want files of the workers, or gs://…; "score -h" helps`},
		{"-shards x -output s3://out", 2, `score: s3://out: want files of the workers, or gs://…; "score -h" helps`},
		{"-shards " + none + " -output out", 1, "score: " + none + ": no shard matches"},
	} {
		status, stdout, stderr := score(t, strings.Fields(test.args)...)
		require.Equal(t, test.status, status, test.args)
		require.Empty(t, stdout)
		require.Equal(t, test.want+"\n", stderr)
	}
	status, _, wrong := score(t, strings.Fields("-shards x -output out -ignore 2147483648")...)
	require.Equal(t, 2, status)
	require.Contains(t, wrong, `invalid value "2147483648" for flag -ignore: want an integer that an int32 holds, or nan`)
	status, _, help := score(t, "-h")
	require.Zero(t, status)
	require.Contains(t, help, "-skip-bad")
	require.NotContains(t, help, "-autoscaling_algorithm", "Beam's flags are apart")
	status, beams, _ := score(t, "-beam-flags")
	require.Zero(t, status)
	require.Contains(t, beams, "-autoscaling_algorithm")
	require.NotContains(t, beams, "-skip-bad")
}

func TestVisible(t *testing.T) {
	require.True(t, visible("", "out/"))
	require.True(t, visible("prism", "out/"))
	require.True(t, visible("dataflow", "gs://bucket/out/"))
	require.False(t, visible("universal", "out/"))
}

func TestReason(t *testing.T) {
	require.Equal(t, "a.npy: is no NumPy array", reason("job failed:\nplan\n\tcaused by:\nsource failed\n\tcaused by:\nDoFn[UID:1] failed:\na.npy: is no NumPy array\n"))
	require.Equal(t, "connection refused", reason("submit\n\tcaused by:\nconnection refused"))
	require.Equal(t, "something else", reason("something else"))
}

// A shard of a gigabyte takes no more memory than a part of it.
func TestLargeShard(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	if runtime.GOOS != "linux" {
		t.Skip("measures memory as Linux does")
	}
	const n, c = 1 << 19, 512
	dir := t.TempDir()
	writeArray(t, dir+"/a.npy", "f4", []float32{}, n, c)
	header, err := os.Stat(dir + "/a.npy")
	require.NoError(t, err)
	require.NoError(t, os.Truncate(dir+"/a.npy", header.Size()+int64(binary.Size(float32(0)))*n*c)) // zeros that take no room
	writeArray(t, dir+"/a.label.npy", "i4", make([]int32, n), n)
	t.Setenv("FOCAL_TEST_PEAK", dir+"/status")
	status, stdout, stderr := score(t, "-shards", dir+"/a*.npy", "-output", dir+"/out-")
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, fmt.Sprintf("elements    %d\n", n*c))
	memory, err := os.ReadFile(dir + "/status")
	require.NoError(t, err)
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(memory)
	require.NotNil(t, m)
	peak, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	t.Logf("%d MiB at most", peak>>10)
	require.Less(t, peak, 256<<10)
}

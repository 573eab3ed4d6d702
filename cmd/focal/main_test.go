package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/cmd/focal/internal/results"
	"github.com/gofocal/focal/internal/control"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMain lets the test binary be the command, for tests that need a process of its own.
func TestMain(m *testing.M) {
	if file := os.Getenv("FOCAL_TEST_PEAK"); file != "" {
		status := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		memory, _ := os.ReadFile("/proc/self/status")
		os.WriteFile(file, memory, 0o666)
		os.Exit(status)
	}
	if program, _, _ := strings.Cut(filepath.Base(os.Args[0]), "."); program == results.Old && os.Getenv("FOCAL_TEST_OLD") != "" {
		old := os.Getenv("FOCAL_TEST_OLD") // what the old program of "focal bench -against" says
		if strings.HasPrefix(old, "Benchmark") {
			fmt.Print(old)
			io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}
		fmt.Fprint(os.Stderr, old)
		os.Exit(2)
	}
	if os.Getenv("FOCAL_TEST_AS_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// process returns the command as a process.
func process(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "FOCAL_TEST_AS_COMMAND=1")
	return cmd
}

// focalCommand runs the command and returns its exit status and what it wrote.
func focalCommand(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(""), &out, &err)
	return status, out.String(), err.String()
}

// succeed runs the command, which must succeed silently, and returns its output.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := focalCommand(args...)
	require.Equal(t, 0, status, stderr)
	require.Empty(t, stderr)
	return stdout
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o666))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestHelp(t *testing.T) {
	golden(t, "help.golden", succeed(t, "help"))
	for _, arg := range []string{"-h", "-help", "--help"} {
		assert.Equal(t, succeed(t, "help"), succeed(t, arg))
	}
	for _, c := range commands() {
		text := succeed(t, c.name, "-h")
		assert.True(t, strings.HasPrefix(text, strings.TrimSpace("usage: focal "+c.name+" "+c.synopsis)), text)
		for line := range strings.Lines(text) {
			assert.LessOrEqual(t, len([]rune(line)), 140, line)
		}
	}
	golden(t, "eval-help.golden", succeed(t, "eval", "-h"))
	assert.Equal(t, succeed(t, "eval", "-h"), succeed(t, "help", "eval"))
	assert.Equal(t, succeed(t, "eval", "-h"), succeed(t, "-h", "eval"))
	status, stdout, stderr := focalCommand("help", "frobnicate")
	assert.Equal(t, 2, status)
	assert.Empty(t, stdout)
	assert.Equal(t, "focal: no command \"frobnicate\"; \"focal help\" lists them\n", stderr)
}

// full is an output that has no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// What cannot be printed is not done, whatever prints it.
func TestStdoutFull(t *testing.T) {
	files := map[string][]byte{
		"x.npy":       npyFile(t, "<f4", "(1, 1)", false, binary.LittleEndian, []float32{1}),
		"x.label.npy": npyFile(t, "<i4", "(1,)", false, binary.LittleEndian, []int32{1}),
	}
	inDirectory(t, files)
	succeed(t, "score", "x.npy", "-o", "part")
	for args, want := range map[string]string{
		"help":                             "focal: the standard output",
		"help eval":                        "focal eval: the standard output",
		"eval -h":                          "focal eval: the standard output",
		"info":                             "focal info: -",
		"eval -x x.npy -label x.label.npy": "focal eval",
		"score x.npy":                      "focal score",
		"score x.npy -o -":                 "focal score: -",
		"merge part":                       "focal merge",
		"merge part -o -":                  "focal merge: -",
		"eval -x x.npy -label x.label.npy -grad -": "focal eval: -",
	} {
		var stderr bytes.Buffer
		assert.Equal(t, 1, run(t.Context(), strings.Fields(args), nil, full{}, &stderr), args)
		assert.Equal(t, want+": no space left on device\n", stderr.String(), args)
	}
}

func TestUsageErrors(t *testing.T) {
	most := "2^31"
	if strconv.IntSize == 32 {
		most = "2^25"
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"frobnicate"}, `focal: no command "frobnicate"; "focal help" lists them`},
		{[]string{"info", "x"}, `focal info: unexpected argument "x"; "focal help info" helps`},
		{[]string{"info", "-x"}, `focal info: flag provided but not defined: -x; "focal help info" helps`},
		{[]string{"eval"}, `focal eval: -x is missing; "focal help eval" helps`},
		{[]string{"eval", "-x", "a"}, `focal eval: -label is missing, or -targets; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-targets", "c"}, `focal eval: -label and -targets exclude each other; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-targets", "c", "-zero-based"}, `focal eval: -zero-based is about labels, not targets; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-targets", "c", "-scores", "d"}, `focal eval: -scores is about labels, not targets; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-ignore", "nan"}, `focal eval: -ignore nan is about targets, not labels; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-quality", "aligned"}, `focal eval: -quality is about scores, and there are no -scores; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-scores", "c", "-gamma-neg", "4"}, `focal eval: -gamma-neg and -scores exclude each other; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-scores", "c", "-quality", "mal"}, `focal eval: invalid value "mal" for flag -quality: want varifocal, aligned, quality-focal; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-gamma-neg", "-1"}, `focal eval: invalid value "-1" for flag -gamma-neg: want a number, finite and ≥ 0; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-weights", "w", "-grad", "w"}, `focal eval: w is both an input and an output; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-gamma", "-1"}, `focal eval: -gamma -1, want it finite and ≥ 0; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-gamma", "x"}, `focal eval: invalid value "x" for flag -gamma: parse error; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-alpha", "2"}, `focal eval: -alpha "2", want a number in [0, 1], or none or -1: every weight is 1; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-alpha", "-2"}, `focal eval: -alpha "-2", want a number in [0, 1], or none or -1: every weight is 1; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-alpha", "half"}, `focal eval: -alpha "half", want a number in [0, 1], or none or -1: every weight is 1; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-norm", "many"}, `focal eval: invalid value "many" for flag -norm: want a number, finite and ≥ 0, or auto; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-norm", "NaN"}, `focal eval: invalid value "NaN" for flag -norm: want a number, finite and ≥ 0, or auto; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-workers", "0"}, `focal eval: -workers "0", want numbers ≥ 1, or max; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-ignore", "4294967295"}, `focal eval: invalid value "4294967295" for flag -ignore: want an integer that an int32 holds, or nan; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-loss", "./a"}, `focal eval: ./a is both an input and an output; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-loss", "c", "-hess", "c"}, `focal eval: c is written twice; "focal help eval" helps`},
		{[]string{"eval", "-x", "-", "-label", "/dev/stdin"}, `focal eval: the standard input is read twice; "focal help eval" helps`},
		{[]string{"eval", "-x", "a", "-label", "b", "-loss", "-", "-grad", "/dev/stdout"}, `focal eval: /dev/stdout is written twice; "focal help eval" helps`},
		{[]string{"score", "none*.npy"}, `focal score: none*.npy: no file matches; "focal help score" helps`},
		{[]string{"score", "x.npy", "none[.npy"}, `focal score: none[.npy: is no file, and no pattern: syntax error in pattern; "focal help score" helps`},
		{[]string{"merge", "none?"}, `focal merge: none?: no file matches; "focal help merge" helps`},
		{[]string{"report", "none*"}, `focal report: none*: no file matches; "focal help report" helps`},
		{[]string{"compare", "none*"}, `focal compare: none*: no file matches; "focal help compare" helps`},
		{[]string{"score", "x.npy", "-norm", "-1"}, `focal score: invalid value "-1" for flag -norm: want a number, finite and ≥ 0, or auto; "focal help score" helps`},
		{[]string{"verify", "-paths", "mmx"}, `focal verify: -paths "mmx", want some of ` + strings.Join(control.Paths(), ",") + `; "focal help verify" helps`},
		{[]string{"verify", "-gamma", "2,x"}, `focal verify: -gammas "x", want numbers, finite and ≥ 0; "focal help verify" helps`},
		{[]string{"verify", "-gamma", "2,1e10"}, `focal verify: -gammas 1e+10, want them at most 2^32: above, float32 logits have the results of that; "focal help verify" helps`},
		{[]string{"verify", "-gamma", "-2"}, `focal verify: -gammas "-2", want numbers, finite and ≥ 0; "focal help verify" helps`},
		{[]string{"bench", "-ops", "loss,los"}, `focal bench: -ops "los", want some of ` + strings.Join(results.Ops, ",") + `; "focal help bench" helps`},
		{[]string{"bench", "-types", "f16"}, `focal bench: -types "f16", want some of f32,f64; "focal help bench" helps`},
		{[]string{"bench", "-shapes", "10"}, `focal bench: -shapes "10", want rows and classes such as 1024x80, at most ` + most + ` elements; "focal help bench" helps`},
		{[]string{"bench", "-shapes", "1000000x1000000"}, `focal bench: -shapes "1000000x1000000", want rows and classes such as 1024x80, at most ` + most + ` elements; "focal help bench" helps`},
		{[]string{"bench", "-workers", "1,none"}, `focal bench: -workers "none", want numbers ≥ 1, or max; "focal help bench" helps`},
		{[]string{"bench", "-count", "0"}, `focal bench: -count 0, want at least 1; "focal help bench" helps`},
		{[]string{"report"}, `focal report: no file of results; "focal bench -o FILE" writes one; "focal help report" helps`},
		{[]string{"report", "testdata/old.txt", "-o", "a.pdf"}, `focal report: -o a.pdf, want a name that ends in .md, .html, .svg, .png, .json, .csv, or -format; "focal help report" helps`},
		{[]string{"compare", "a", "b", "c"}, `focal compare: 3 files, want OLD and NEW, or one of pairs; "focal help compare" helps`},
		{[]string{"compare", "a", "b", "-fail-over", "x"}, `focal compare: -fail-over "x", want a percentage such as 5%; "focal help compare" helps`},
	} {
		status, stdout, stderr := focalCommand(test.args...)
		assert.Equal(t, 2, status, test.args)
		assert.Empty(t, stdout)
		assert.Equal(t, test.want+"\n", stderr)
	}
	status, stdout, stderr := focalCommand()
	assert.Equal(t, 2, status)
	assert.Empty(t, stdout)
	assert.Equal(t, succeed(t, "help"), stderr)
}

func TestInfo(t *testing.T) {
	text := succeed(t, "info")
	for _, want := range []string{`(?m)^cpu +\S`, `(?m)^cores +\d+$`, `(?m)^(clock +\d+\.\d\d GHz, measured|emulated +by )`, `(?m)^caches +L1 data `, `(?m)^built +`} {
		assert.Regexp(t, want, text)
	}
	// Each path is listed once, with the truth about it.
	for _, p := range machine.PathFeatures {
		m := regexp.MustCompile(`(?m)^path +`+p.Path+` +(.*)$`).FindAllStringSubmatch(text, -1)
		require.Len(t, m, 1, text)
		status := m[0][1]
		switch available := strings.Contains(" "+strings.Join(control.Paths(), " ")+" ", " "+p.Path+" "); {
		case p.Path == focal.Path():
			assert.Regexp(t, "^in use: ", status)
		case available:
			assert.Equal(t, "can be used", status)
		default:
			assert.Regexp(t, "^none: ", status)
		}
	}
	if control.Paths()[0] == "generic" {
		return
	}
	cmd := process("info")
	cmd.Env = append(cmd.Env, "GODEBUG=cpu.avx512f=off,cpu.avx2=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^path +avx2 +none: switched off by GODEBUG=`, string(out))
	assert.Regexp(t, `(?m)^path +generic +in use`, string(out))
}

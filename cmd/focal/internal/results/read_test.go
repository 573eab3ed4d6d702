package results

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"
)

func parse(t *testing.T, text string) *Set {
	t.Helper()
	set, err := Parse(t.Context(), "f", []byte(text))
	require.NoError(t, err)
	return set
}

// names returns the benchmarks of each run, with the number of samples.
func names(set *Set) (all [][]string) {
	for _, r := range set.Runs {
		var run []string
		for _, m := range r.Results {
			run = append(run, fmt.Sprintf("%s %d", m.Name, len(m.Values["sec/op"])))
		}
		all = append(all, run)
	}
	return all
}

// Benchmarks of one name in two packages are two.
func TestPackages(t *testing.T) {
	set := parse(t, "pkg: a\nBenchmarkX 1 2 ns/op\nBenchmarkY 1 2 ns/op\npkg: b\nBenchmarkX 1 3 ns/op\npkg: a\nBenchmarkX 1 2 ns/op\n")
	assert.Equal(t, [][]string{{"X [a] 2", "Y 1", "X [b] 1"}}, names(set))
}

// Whatever a file says of where a result comes from tells results apart, the package aside each as a machine of its own.
func TestIdentity(t *testing.T) {
	const base = "cpu: AMD EPYC\ncpu-id: family 25 model 1\ngoos: linux\nfeatures: avx2\n# mhz: 3000\n# commit: 1\n# date: 2000-01-01\n# golden-avx2: 12\n"
	const x = "BenchmarkX 1 2 ns/op\n"
	same := func(other string) bool { return len(parse(t, base+x+other+x).Runs) == 1 }
	assert.True(t, same(""))
	for _, other := range []string{"# date: 2000-01-02\n", "# mhz: 3100\n", "# golden-generic: 12\n", "pkg: a\n", "# anything: else\n"} {
		assert.True(t, same(other), other)
	}
	for _, other := range []string{"cpu: AMD EPYC 2\n", "cpu-id: family 25 model 17\n", "goos: plan9\n", "features: avx2 avx512f\n", "cores: 2\n", "toolchain: gccgo\n",
		"name: Zen\n", "# mhz: 2200\n", "# commit: 2\n", "# go: go1.30\n", "# golden-avx2: 13\n", "program: old\n"} {
		assert.False(t, same(other), other)
	}
	assert.Equal(t, []string{"AMD EPYC", "AMD EPYC #2"}, Titles(parse(t, base+x+"# mhz: 2200\n"+x).Runs))
	assert.Equal(t, []string{"AMD EPYC", "Zen"}, Titles(parse(t, base+x+"name: Zen\n"+x).Runs))
	assert.Equal(t, []string{"A", "A #2", "A #2 #2"}, Titles([]*Run{{Config: map[string]string{"cpu": "A"}}, {Config: map[string]string{"cpu": "A"}}, {Config: map[string]string{"cpu": "A #2"}}}))
}

// NAME=FILE names a machine, and keeps it apart, unless there is such a file.
func TestNames(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a", "b", "c=a"} {
		require.NoError(t, os.WriteFile(name, []byte("cpu: C\nBenchmarkX 1 2 ns/op\n"), 0o666))
	}
	titles := func(args ...string) []string {
		set, err := Read(t.Context(), nil, args...)
		require.NoError(t, err)
		return Titles(set.Runs)
	}
	assert.Equal(t, []string{"C"}, titles("a", "b"))
	assert.Equal(t, []string{"Zen 5", "C"}, titles("Zen 5=a", "b"))
	assert.Equal(t, []string{"C"}, titles("c=a"))
	_, err := Read(t.Context(), nil, "d=none")
	assert.ErrorContains(t, err, "open none:")
}

// A number that no measurement can be is not taken, and said.
func TestNumbers(t *testing.T) {
	for _, bad := range []string{"NaN", "Inf", "-Inf", "1e308", "5e-324", "1e31", "-1e-31"} {
		set := parse(t, "BenchmarkX 1 2 ns/op "+bad+" u\nBenchmarkX 1 "+bad+" w/op\n")
		assert.Equal(t, [][]string{{"X 1"}}, names(set), bad)
		assert.NotContains(t, set.Runs[0].Results[0].Values, "u", bad)
		require.Len(t, set.Warnings, 2, bad)
		assert.Regexp(t, `^f:1: .* u is beyond ±1e30, or below 1e-30; it is not taken$`, set.Warnings[0])
	}
	set := parse(t, "BenchmarkX 1 2 ns/op 0 allocs/op -3 drift\n")
	assert.Empty(t, set.Warnings)
	assert.Len(t, set.Runs[0].Results[0].Values, 3)

	for _, name := range []string{"n=0/c=1", "n=-64/c=1", "n=4611686018427387904/c=1", "n=1099511627776/c=2", "n=x/c=1", "n=1", "n=1/c=1/workers=0"} {
		set := parse(t, "BenchmarkFocal/type=f32/"+name+" 1 2 ns/op\n")
		assert.Empty(t, set.Runs[0].Find(Loss), name)
		assert.Len(t, set.Runs[0].Results, 1, name)
	}
	assert.Len(t, parse(t, "BenchmarkFocal/type=f32/n=1/c=1 1 2 ns/op\n").Runs[0].Find(Loss), 1)
	r := parse(t, "caches: l1d=-5 l2=99999999999999999999 l3=12\n# mhz: NaN\nBenchmarkX 1 2 ns/op\n").Runs[0]
	assert.Zero(t, r.MHz())
	assert.Zero(t, r.Caches().L1)
	assert.Zero(t, r.Caches().L2)
}

// A line that is no result, and a last line that is cut, cost that line only.
func TestBrokenLines(t *testing.T) {
	const good = "BenchmarkX 1 2 ns/op 3 ns/elem\n"
	for bad, want := range map[string]string{
		"BenchmarkY-8 \tpanic: oh\n":              "f:2: parsing iteration count: invalid syntax; the line is not taken",
		"Benchmark… panicked\n":                   "f:2: parsing iteration count: invalid syntax; the line is not taken",
		"BenchmarkY 1 2\n":                        "f:2: missing units; the line is not taken",
		"BenchmarkX 1 2 ns/op 3.1":                "f:2: the file ends inside of this line; it is not taken",
		"BenchmarkX 1 2 ns/op 3 ns/el":            "f:2: the file ends inside of this line; it is not taken",
		"BenchmarkX 1":                            "f:2: the file ends inside of this line; it is not taken",
		"BenchmarkX" + strings.Repeat("x", 40000): "f:2: is longer than 32768 bytes; the line is not taken",
	} {
		set := parse(t, good+bad)
		assert.Equal(t, []string{want}, set.Warnings, bad)
		assert.Equal(t, [][]string{{"X 1"}}, names(set), bad)
	}
	for _, fine := range []string{"BenchmarkX 1 2 ns/op 3 ns/elem", "BenchmarkX 1 2 ns/op", "BenchmarkX\nBenchmarkX 1 2 ns/op\r\n", strings.Repeat("x", 100_000) + "\n" + good} {
		set := parse(t, good+fine)
		assert.Empty(t, set.Warnings, fine[:10])
		assert.Equal(t, [][]string{{"X 2"}}, names(set), fine[:10])
	}
	set := parse(t, good+strings.Repeat("BenchmarkY oops\n", 100))
	assert.Len(t, set.Warnings, maxWarnings+1)
	assert.Equal(t, "f: and 90 more", set.Warnings[maxWarnings])
}

// What Windows and "go test -json" write is read; what is no text says so.
func TestEncodings(t *testing.T) {
	text := "pkg: p\r\ncpu: Ü\r\nBenchmarkX 1 2 ns/op\r\n"
	for _, order := range []unicode.Endianness{unicode.LittleEndian, unicode.BigEndian} {
		data, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(text)
		require.NoError(t, err)
		set := parse(t, data)
		assert.Equal(t, [][]string{{"X 1"}}, names(set))
		assert.Equal(t, "Ü", set.Runs[0].Title())
		data, err = unicode.UTF16(order, unicode.IgnoreBOM).NewEncoder().String(text)
		require.NoError(t, err)
		_, err = Parse(t.Context(), "f", []byte(data))
		assert.EqualError(t, err, "f: is not text: it has zero bytes, as UTF-16 without a byte order mark and binary files have")
	}
	assert.Equal(t, [][]string{{"X 1"}}, names(parse(t, "\ufeff"+text)))

	var b strings.Builder
	event := func(p, output string) {
		line, _ := json.Marshal(map[string]string{"Action": "output", "Package": p, "Output": output})
		b.Write(append(line, '\n'))
	}
	b.WriteString(`{"Action":"start","Package":"a"}` + "\n")
	event("a", "BenchmarkX \t")
	event("b", "BenchmarkX \t") // at once
	event("a", " 10\t 2 ns/op\n")
	event("b", " 10\t 3 ns/op\n")
	event("b", "BenchmarkX 10 4 ns/op\n")
	_, err := Parse(t.Context(), "f", []byte(b.String()+"ok\n"))
	assert.EqualError(t, err, "f: is the output of go test -json, but line 7 is not: "+json.Unmarshal([]byte("ok\n"), &testEvent{}).Error())
	b.WriteString(`{"Action":"outp`)
	assert.Equal(t, [][]string{{"X [a] 1", "X [b] 2"}}, names(parse(t, b.String())))
}

// Nothing reaches a terminal or a picture that cannot be printed.
func TestClean(t *testing.T) {
	set := parse(t, "cpu: \x1b[31mred\x07\xff\nBenchmarkX\x1b 1 2 ns/op\n")
	assert.Equal(t, "\ufffd[31mred\ufffd\ufffd", set.Runs[0].Title())
	assert.Equal(t, "X\ufffd", set.Runs[0].Results[0].Name)
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Parse(ctx, "f", []byte("BenchmarkX 1 2 ns/op\n"))
	assert.ErrorIs(t, err, context.Canceled)
}

func TestLimits(t *testing.T) {
	const tooMany = "f: has more than 10000 benchmarks of a machine, or more than 100 machines"
	var b strings.Builder
	for i := range maxResults + 1 {
		fmt.Fprintf(&b, "BenchmarkX/%d 1 2 ns/op\n", i)
	}
	_, err := Parse(t.Context(), "f", []byte(b.String()))
	assert.EqualError(t, err, tooMany)
	b.Reset()
	for i := range maxRuns + 1 {
		fmt.Fprintf(&b, "cpu: %d\nBenchmarkX 1 2 ns/op\n", i)
	}
	_, err = Parse(t.Context(), "f", []byte(b.String()))
	assert.EqualError(t, err, tooMany)
	if !testing.Short() {
		_, err = Read(t.Context(), endless{}, "-")
		assert.EqualError(t, err, "-: has more than 256 MiB, and can be no file of results")
	}
}

// endless is an input without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

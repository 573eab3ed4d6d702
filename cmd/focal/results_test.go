package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"image/png"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/gofocal/focal/cmd/focal/internal/bench"
	"github.com/gofocal/focal/cmd/focal/internal/report"
	"github.com/gofocal/focal/cmd/focal/internal/results"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/verify"
)

// records parses results as benchstat does.
func records(t *testing.T, text string) (results []*benchfmt.Result) {
	t.Helper()
	r := benchfmt.NewReader(strings.NewReader(text), "test")
	for r.Scan() {
		switch record := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatal(record)
		case *benchfmt.Result:
			results = append(results, record.Clone())
		}
	}
	require.NoError(t, r.Err())
	assert.Equal(t, 1, r.Units().GetBetter("Gelem/s"))
	assert.Equal(t, 1, r.Units().GetBetter("GB/s"))
	return results
}

func TestBench(t *testing.T) {
	status, text, stderr := focalCommand("bench", "-name", "Bench", "-shapes", "64x10,32x3", "-gammas", "2,2.3", "-types", "f64,f32", "-workers", "1,2", "-count", "2", "-quick",
		"-ops", strings.Join(results.Ops, ","))
	require.Zero(t, status, stderr)
	assert.Regexp(t, `^focal bench: \d+ benchmarks, 2 times each, in [0-9.a-z]+(; other programs took \d+% of the CPUs' time|$)`, stderr)
	assert.Equal(t, strings.Contains(stderr, "other programs"), strings.Contains(text, "\n# load: other programs took "))
	for _, want := range []string{"mhz: ", "go: go1", "commit: ", "date: 2"} {
		assert.Contains(t, text, "\n# "+want)
	}
	for _, path := range control.Paths() {
		assert.Contains(t, text, fmt.Sprintf("\n# golden-%s: %s\n", path, verify.GoldenHash))
	}
	seen := map[string]int{}
	for _, r := range records(t, text) {
		seen[string(r.Name)]++
		for _, key := range []string{"name", "goos", "goarch", "pkg", "cpu", "cores", "caches", "paths", "emulated"} {
			assert.NotEmpty(t, r.GetConfig(key), key)
		}
		assert.Empty(t, r.GetConfig("commit"), "benchstat would not compare two commits")
		value := func(unit string) float64 {
			v, ok := r.Value(unit)
			require.True(t, ok, unit)
			require.Greater(t, v, 0.0, unit)
			return v
		}
		m := regexp.MustCompile(`/n=(\d+)/c=(\d+)`).FindStringSubmatch(string(r.Name))
		n, _ := strconv.Atoi(m[1])
		c, _ := strconv.Atoi(m[2])
		assert.InEpsilon(t, value("sec/op"), value("sec/elem")*float64(n*c), 1e-4)
		assert.InEpsilon(t, value("sec/elem")*1e9, 1/value("Gelem/s"), 1e-4)
		value("cycles/elem")
		value(results.Reference)
		if strings.Contains(string(r.Name), "op=loss+grad/type=f32/") {
			assert.InEpsilon(t, float64(3*4*n*c+4*n)/1e9/value("sec/op"), value("GB/s"), 1e-4)
		}
	}
	// All operations with gammas and workers, but the sigmoid, for each shape, type and path.
	assert.Len(t, seen, 2*2*len(control.Paths())*((len(results.Ops)-1)*2*2+1))
	for name, n := range seen {
		assert.Equal(t, 2, n, name)
	}
}

// The largest shape is one of bench.MaxElements, also where its product would be beyond int.
func TestShapes(t *testing.T) {
	shapes, err := parseShapes(fmt.Sprintf("3x5,%dx2,1x%d", bench.MaxElements/2, bench.MaxElements))
	require.NoError(t, err)
	assert.Equal(t, [][2]int{{3, 5}, {bench.MaxElements / 2, 2}, {1, bench.MaxElements}}, shapes)
	for _, s := range []string{fmt.Sprintf("%dx2", bench.MaxElements/2+1), fmt.Sprintf("3x%d", bench.MaxElements/2), fmt.Sprintf("%dx2", math.MaxInt), "0x1", "1x-1", "x", ""} {
		_, err := parseShapes(s)
		assert.ErrorAs(t, err, new(usageError), s)
	}
}

func TestBenchFile(t *testing.T) {
	inDirectory(t, nil)
	assert.Regexp(t, `^focal bench: \d+ benchmarks, 1 times each, in .*\n$`, succeed(t, "bench", "-shapes", "8x8", "-ops", "loss", "-types", "f32", "-paths", control.Paths()[0], "-count", "1", "-o", "b.txt"))
	data, err := os.ReadFile("b.txt")
	require.NoError(t, err)
	assert.Len(t, records(t, string(data)), 2*len(mustWorkers(t))) // two gammas
	assert.Equal(t, []string{"b.txt"}, names(t))
	assert.Contains(t, succeed(t, "report", "b.txt"), "Operations at 8×8")
}

// An interrupted measurement leaves no file, and the one of before as it was.
func TestBenchInterrupted(t *testing.T) {
	inDirectory(t, map[string][]byte{"old.txt": []byte("of before")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	assert.Equal(t, exitInterrupted, run(ctx, []string{"bench", "-quick", "-o", "old.txt"}, nil, &out, &errs))
	assert.Contains(t, errs.String(), "focal bench: interrupted\n")
	assert.Empty(t, out.String())
	assert.Equal(t, []string{"old.txt"}, names(t))
	data, err := os.ReadFile("old.txt")
	require.NoError(t, err)
	assert.Equal(t, "of before", string(data))
}

func mustWorkers(t *testing.T) []int {
	workers, err := parseWorkerList("")
	require.NoError(t, err)
	return workers
}

func TestCompareGolden(t *testing.T) {
	status, stdout, stderr := focalCommand("compare", "testdata/old.txt", "testdata/new.txt", "-fail-over", "5%")
	assert.Equal(t, 1, status)
	assert.Empty(t, stderr)
	golden(t, "compare.golden", stdout)
	for args, want := range map[string]int{
		"testdata/old.txt testdata/new.txt":                                0, // nobody asked for a limit
		"testdata/old.txt testdata/new.txt -fail-over 30%":                 0, // it is 25 % slower
		"-fail-over 24 testdata/old.txt testdata/new.txt":                  1,
		"-fail-over=5% testdata/new.txt testdata/old.txt":                  1, // the sigmoid was faster
		"testdata/old.txt testdata/old.txt -fail-over 0%":                  0,
		"testdata/old.txt testdata/arm.txt -fail-over 5% -unit GB/s":       1, // less is slower
		"testdata/arm.txt testdata/old.txt -fail-over 5% -unit GB/s":       0,
		"testdata/old.txt testdata/arm.txt -fail-over 5% -unit lightyears": 1, // an error
	} {
		status, stdout, stderr := focalCommand(append([]string{"compare"}, strings.Fields(args)...)...)
		assert.Equal(t, want, status, "%s\n%s%s", args, stdout, stderr)
	}
	_, _, stderr = focalCommand("compare", "testdata/old.txt", "testdata/emulated.txt")
	assert.Contains(t, stderr, "warning: Test CPU C (emulated): times mean nothing there")
	assert.Contains(t, stderr, "warning: different CPUs: Test CPU A, Test CPU C (emulated)")
}

// samples returns seven results of a benchmark.
func samples(name, unit string, from float64) string {
	var b strings.Builder
	for i := range 7 {
		fmt.Fprintf(&b, "%s 10 5 ns/op %v %s\n", name, from+float64(i)/100, unit)
	}
	return b.String()
}

// What is better the files say, and nothing else than "/s" otherwise.
func TestCompareBetter(t *testing.T) {
	higher := "Unit qps better=higher\n"
	inDirectory(t, map[string][]byte{
		"100.txt": []byte(higher + samples("BenchmarkX", "qps", 100)),
		"200.txt": []byte(higher + samples("BenchmarkX", "qps", 200)),
		"old.txt": []byte(samples("BenchmarkX", "qps", 200)), // does not say
	})
	for args, want := range map[string]int{
		"100.txt 200.txt": 0,
		"200.txt 100.txt": 1,
		"old.txt 100.txt": 1,
		"100.txt old.txt": 0,
	} {
		status, stdout, _ := focalCommand(strings.Fields("compare -unit qps -fail-over 5% " + args)...)
		assert.Equal(t, want, status, args)
		assert.Equal(t, want == 1, strings.Contains(stdout, "X: by 99.94% (p<0.001)"), stdout)
	}
}

// From 0 every change is a change.
func TestCompareZero(t *testing.T) {
	zeros := strings.Repeat("BenchmarkX 10 5 ns/op 0 allocs/op\n", 7)
	inDirectory(t, map[string][]byte{"0.txt": []byte(zeros), "9.txt": []byte(samples("BenchmarkX", "allocs/op", 9))})
	compare := func(files string) (int, string) {
		status, stdout, stderr := focalCommand(strings.Fields("compare -unit allocs/op -fail-over 5% " + files)...)
		assert.Empty(t, stderr)
		assert.NotContains(t, stdout, "geomean")
		return status, stdout
	}
	status, stdout := compare("0.txt 9.txt")
	assert.Equal(t, 1, status)
	assert.Contains(t, stdout, "  X: from 0 (p<0.001)\n")
	status, _ = compare("9.txt 0.txt")
	assert.Zero(t, status)
	status, _ = compare("0.txt 0.txt")
	assert.Zero(t, status)
}

// A unit may be given as the files have it, or as it is shown.
func TestCompareUnits(t *testing.T) {
	want := succeed(t, "compare", "testdata/old.txt", "testdata/old.txt", "-unit", "sec/elem")
	assert.Equal(t, want, succeed(t, "compare", "testdata/old.txt", "testdata/old.txt", "-unit", "ns/elem"))
	inDirectory(t, map[string][]byte{"a.txt": []byte("BenchmarkX 10 5 ns/op 3 B/op\n")})
	status, _, stderr := focalCommand("compare", "a.txt", "a.txt", "-unit", "ns/elem")
	assert.Equal(t, 1, status)
	assert.Equal(t, "focal compare: no benchmark with sec/elem is in both files; their units are B/op, sec/op\n", stderr)
}

// Results with different GOMAXPROCS are different ones if a file has both.
func TestProcs(t *testing.T) {
	inDirectory(t, map[string][]byte{
		"both.txt":  []byte("BenchmarkA-4 10 4 ns/op\nBenchmarkA-8 10 8 ns/op\nBenchmarkB-8 10 1 ns/op\n"),
		"four.txt":  []byte("BenchmarkA-4 10 4 ns/op\nBenchmarkB-4 10 1 ns/op\n"),
		"eight.txt": []byte("BenchmarkA-8 10 4 ns/op\n"),
		"focal.txt": []byte("BenchmarkFocal/op=loss/n=1-2 10 4 ns/op\nBenchmarkFocal/op=loss/n=1 10 8 ns/op\n"),
	})
	lines := func(args ...string) (names []string) {
		_, stdout, _ := focalCommand(append([]string{"compare"}, args...)...)
		for line := range strings.Lines(stdout) {
			if fields := strings.Fields(line); len(fields) > 0 {
				names = append(names, strings.Join(fields[:min(2, len(fields))], " "))
			}
		}
		return names
	}
	assert.Equal(t, []string{"sec/op old", "A-4 4.000n", "A-8 8.000n", "B 1.000n", "geomean of"}, lines("both.txt", "both.txt"))
	assert.Equal(t, []string{"sec/op old", "A-4 4.000n", "B 1.000n", "geomean of", "only in", "A-8"}, lines("both.txt", "four.txt"))
	assert.Equal(t, []string{"sec/op old", "A-4 4.000n", "B 1.000n", "geomean of", "only in", "A-8"}, lines("four.txt", "both.txt"))
	assert.Equal(t, []string{"sec/op old", "A 4.000n", "geomean of", "only in", "B"}, lines("four.txt", "eight.txt"))
	text := succeed(t, "report", "both.txt")
	for _, row := range []string{"| A-4 | 4.000 n", "| A-8 | 8.000 n", "| B | 1.000 n"} {
		assert.Contains(t, text, row)
	}
	text = succeed(t, "report", "focal.txt")
	for _, row := range []string{"| Focal/op=loss/n=1-2 | 4.000 n", "| Focal/op=loss/n=1 | 8.000 n"} {
		assert.Contains(t, text, row)
	}
}

func TestResultErrors(t *testing.T) {
	inDirectory(t, map[string][]byte{"empty.txt": {}, "prose.txt": []byte("Nothing of interest.\n"), "broken.txt": []byte("BenchmarkX 10 fast ns/op\n"),
		"b.txt": []byte("BenchmarkX 10 5 ns/op\n"), "two.txt": []byte("cpu: A\nBenchmarkX 10 5 ns/op\ncpu: B\nBenchmarkX 10 5 ns/op\n")})
	for args, want := range map[string]string{
		"report none.txt":             "focal report: open none.txt: no such file or directory",
		"report empty.txt":            "focal report: empty.txt: has no benchmark results",
		"report prose.txt -o a.html":  "focal report: prose.txt: has no benchmark results",
		"report broken.txt":           "focal report: broken.txt: has no benchmark results: 1: parsing measurement: invalid syntax; the line is not taken\n",
		"report b.txt -o a.svg":       "focal report: there is nothing to draw: no results with times that mean something",
		"report b.txt -o none/a.html": "focal report: none/a.html: cannot be written: no such file or directory",
		"compare b.txt two.txt":       "focal compare: no benchmark with sec/op is in both files; their units are sec/op; they differ in cpu: A, B\n",
		"compare b.txt none.txt":      "focal compare: open none.txt: no such file or directory",
		"compare two.txt":             "focal compare: the results are not those of two programs on one machine, as \"focal bench -against\" writes them\n",
	} {
		status, _, stderr := focalCommand(strings.Fields(args)...)
		assert.Equal(t, 1, status, args)
		assert.True(t, strings.HasPrefix(stderr, want), stderr)
		assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		assert.Len(t, names(t), 5)
	}
	assert.Contains(t, succeed(t, "report", "b.txt"), "| X | 5.000 n ± ∞ |", "benchmarks of others are shown too")
	status, _, _ := focalCommand("report", "b.txt", "-o", "b.txt")
	assert.Equal(t, 2, status)
}

var allResults = []string{"testdata/old.txt", "testdata/arm.txt", "testdata/emulated.txt"}

func TestReportMarkdown(t *testing.T) {
	golden(t, "report.golden", succeed(t, append([]string{"report"}, allResults...)...))
	equal := "All paths of all machines return the same bits"
	assert.Contains(t, succeed(t, append([]string{"report"}, allResults...)...), equal)
	root, err := os.Getwd()
	require.NoError(t, err)
	data, err := os.ReadFile("testdata/arm.txt")
	require.NoError(t, err)
	data = regexp.MustCompile(`# golden-neon: ....`).ReplaceAll(data, []byte("# golden-neon: 0000"))
	inDirectory(t, map[string][]byte{"other.txt": data})
	text := succeed(t, "report", root+"/testdata/old.txt", "other.txt")
	assert.NotContains(t, text, equal)
	assert.Contains(t, text, "Results DIFFER")
	t.Chdir(root)
	// Files of one program on one machine are taken together.
	assert.Contains(t, succeed(t, "report", "testdata/old.txt", "testdata/old.txt"), "# focal on Test CPU A\n")
	assert.Contains(t, succeed(t, "report", "testdata/old.txt", "testdata/new.txt"), "Test CPU A #2")
}

var dataURI = regexp.MustCompile(`data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)`)

func TestReportPage(t *testing.T) {
	root, err := os.Getwd()
	require.NoError(t, err)
	var files []string
	for _, f := range allResults {
		files = append(files, root+"/"+f)
	}
	inDirectory(t, nil)
	assert.Empty(t, succeed(t, append([]string{"report", "-o", "r.html"}, files...)...))
	assert.Equal(t, []string{"r.html"}, names(t))
	data, err := os.ReadFile("r.html")
	require.NoError(t, err)
	page := html.UnescapeString(string(data))

	// Nothing comes from elsewhere, and nothing was refused by the template.
	outside := dataURI.ReplaceAllString(page, "IMAGE")
	for _, pattern := range []string{`(?i)https?:`, `//`, `(?i)<script`, `(?i)<link`, `@import`, `url\(`, `Zgotmpl`} {
		assert.NotRegexp(t, pattern, outside)
	}
	// Each chart is one picture, which is dark for those who prefer that.
	images := dataURI.FindAllStringSubmatch(page, -1)
	charts := newReport(t, files).Charts()
	assert.Len(t, charts, 2+5+5, "two across machines, and five for each that is real")
	assert.Len(t, images, len(charts))
	for _, m := range images {
		svg, err := base64.StdEncoding.DecodeString(m[1])
		require.NoError(t, err)
		assert.Contains(t, string(svg), "prefers-color-scheme:dark")
		text := svgText(t, svg)
		assert.NotContains(t, text, "Test CPU C", "emulated times are in no chart")
	}
	assert.Equal(t, strings.Count(page, "<table>"), strings.Count(page, "</table>"))
	assert.Contains(t, page, "This CPU is emulated by qemu-test")

	// What comes from files is text, not markup.
	evil, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("evil.txt", bytes.ReplaceAll(evil, []byte("Test CPU A"), []byte(`<script>alert(1)</script>"|`)), 0o666))
	succeed(t, "report", "evil.txt", "-o", "evil.html")
	data, err = os.ReadFile("evil.html")
	require.NoError(t, err)
	assert.NotContains(t, string(data), "<script")
}

func newReport(t *testing.T, files []string) *report.Report {
	t.Helper()
	set, err := results.Read(t.Context(), nil, files...)
	require.NoError(t, err)
	r, err := report.New(t.Context(), set.Runs)
	require.NoError(t, err)
	return r
}

// svgText returns the text of a picture, which must be well-formed.
func svgText(t *testing.T, svg []byte) (text string) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text
		}
		require.NoError(t, err)
		if c, ok := token.(xml.CharData); ok {
			text += string(c) + "\n"
		}
	}
}

func TestReportPictures(t *testing.T) {
	root, err := os.Getwd()
	require.NoError(t, err)
	inDirectory(t, nil)
	succeed(t, "report", root+"/testdata/old.txt", "-o", "r.svg")
	succeed(t, "report", root+"/testdata/old.txt", "-o", "r.png")
	svg, err := os.ReadFile("r.svg")
	require.NoError(t, err)
	text := svgText(t, svg)
	for _, want := range []string{"speed-up over the pure-Go path", "loss by size", "L1", "L2", "L3", "loss by workers", "roofline", "L1: 201 GB/s", "memory: 25 GB/s", "loss+grad"} {
		assert.Contains(t, text, want)
	}
	file, err := os.Open("r.png")
	require.NoError(t, err)
	defer file.Close()
	picture, err := png.Decode(file)
	require.NoError(t, err)
	assert.Greater(t, picture.Bounds().Dx(), 1000)

	// Some of the charts.
	succeed(t, "report", root+"/testdata/old.txt", "-charts", "roofline", "-o", "one.svg")
	one, err := os.ReadFile("one.svg")
	require.NoError(t, err)
	assert.Contains(t, svgText(t, one), "roofline")
	assert.NotContains(t, svgText(t, one), "loss by")

	status, _, stderr := focalCommand("report", root+"/testdata/old.txt", "-charts", "pie", "-o", "r2.svg")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "-charts")
	status, _, stderr = focalCommand("report", root+"/testdata/old.txt", "-charts", "speed", "-o", "r2.html")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "-charts chooses what an svg or png shows; the format is html")
	status, _, stderr = focalCommand("report", root+"/testdata/emulated.txt", "-o", "r2.svg")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "nothing to draw")

	var many strings.Builder
	for i := range 51 {
		for _, path := range []string{"avx2", "generic"} {
			fmt.Fprintf(&many, "cpu: %d\nBenchmarkFocal/op=loss/type=f32/path=%s/n=1024/c=80/gamma=2/workers=1 1 2 ns/elem\n", i, path)
		}
	}
	require.NoError(t, os.WriteFile("many.txt", []byte(many.String()), 0o666))
	status, _, stderr = focalCommand("report", "many.txt", "-o", "r2.svg")
	assert.Equal(t, 1, status)
	assert.Equal(t, "focal report: there are 51 charts, at most 50 fit into a picture; -charts chooses among them\n", stderr)
}

// lines returns seven results of each benchmark: its configuration, name and time.
func lines(benchmarks ...[3]string) string {
	var b strings.Builder
	for _, x := range benchmarks {
		from, _ := strconv.ParseFloat(x[2], 64)
		fmt.Fprintf(&b, "%s\n", x[0])
		for i := range 7 {
			fmt.Fprintf(&b, "Benchmark%s 10 %v ns/op\n", x[1], from+float64(i)/100)
		}
	}
	return b.String()
}

// What a file says of where a result comes from is compared with the same only.
func TestCompareIdentity(t *testing.T) {
	inDirectory(t, map[string][]byte{
		"old.txt":   []byte(lines([3]string{"pkg: a", "X", "10"}, [3]string{"pkg: b", "X", "20"})),
		"new.txt":   []byte(lines([3]string{"pkg: a", "X", "15"}, [3]string{"pkg: b", "X", "20"})), // 50 % slower
		"other.txt": []byte(lines([3]string{"pkg: c", "X", "15"})),
		"tiger.txt": []byte(lines([3]string{"toolchain: gc", "X", "10"}, [3]string{"toolchain: gccgo", "X", "20"})),
		"lion.txt":  []byte(lines([3]string{"toolchain: gc", "X", "10"}, [3]string{"toolchain: gccgo", "X", "30"})),
		"fast.txt":  []byte(lines([3]string{"cpu: A\ncpu-id: 1", "X", "10"})),
		"slow.txt":  []byte(lines([3]string{"cpu: A\ncpu-id: 2", "X", "10"})),
	})
	for args, want := range map[string]string{
		"old.txt new.txt":    "slower by more than 5%, p corrected for 2 benchmarks:\n  X [a]: by 49.85% (p<0.001)\n",
		"tiger.txt lion.txt": "slower by more than 5%, p corrected for 2 benchmarks:\n  X [toolchain: gccgo]: by 49.93% (p<0.001)\n",
	} {
		status, stdout, stderr := focalCommand(strings.Fields("compare -fail-over 5% " + args)...)
		assert.Equal(t, 1, status, args)
		assert.Empty(t, stderr)
		assert.Contains(t, stdout, want)
		assert.Contains(t, stdout, "geomean of 2")
	}
	status, _, stderr := focalCommand("compare", "old.txt", "other.txt")
	assert.Equal(t, 1, status)
	assert.Equal(t, "focal compare: no benchmark with sec/op is in both files; their units are sec/op; their packages are a, b, c\n", stderr)
	_, _, stderr = focalCommand("compare", "fast.txt", "slow.txt")
	assert.Contains(t, stderr, "focal compare: warning: different cpu-id: 1, 2\n")
}

// What other programs disturb most, and what says something about the machine, fails nothing.
func TestCompareWall(t *testing.T) {
	names := []string{"Focal/op=loss/type=f32/n=1/c=1/workers=2/clock=wall", "Stream/kind=copy/bytes=1", "Focal/op=loss/type=f32/n=1/c=1/workers=2"}
	for i, name := range names {
		inDirectory(t, map[string][]byte{"old.txt": []byte(lines([3]string{"", name, "10"})), "new.txt": []byte(lines([3]string{"", name, "20"}))})
		status, _, _ := focalCommand("compare", "-fail-over", "5%", "old.txt", "new.txt")
		assert.Equal(t, i/2, status, name)
	}
}

// A limit that so few samples can never exceed is said.
func TestCompareAdvice(t *testing.T) {
	var few strings.Builder
	for i := range 9 {
		fmt.Fprintf(&few, "BenchmarkX%d 10 5 ns/op\n", i/3)
	}
	inDirectory(t, map[string][]byte{"old.txt": []byte(few.String())})
	_, _, stderr := focalCommand("compare", "-fail-over", "5%", "old.txt", "old.txt")
	assert.Contains(t, stderr, "with 3 samples none of 3 benchmarks can be called slower; measure with a larger -count")
}

// A line that is none costs that line only.
func TestStrayLines(t *testing.T) {
	inDirectory(t, map[string][]byte{"a.txt": []byte(lines([3]string{"", "X", "10"}) + "Benchmark… panicked\nBenchmarkX 10 5 n")})
	for _, command := range []string{"compare a.txt a.txt", "report a.txt"} {
		status, stdout, stderr := focalCommand(strings.Fields(command)...)
		assert.Zero(t, status, command)
		assert.Contains(t, stdout, "X")
		assert.Contains(t, stderr, "warning: a.txt:9: parsing iteration count: invalid syntax; the line is not taken\n")
		assert.Contains(t, stderr, "warning: a.txt:10: the file ends inside of this line; it is not taken\n")
	}
}

// The records of the commands, by -format and by the name of the file.
func TestFormats(t *testing.T) {
	root, err := os.Getwd()
	require.NoError(t, err)
	results := []string{root + "/testdata/old.txt", root + "/testdata/new.txt"}
	inDirectory(t, nil)
	for command, fields := range map[string][]string{
		"compare": {"benchmark", "unit", "old", "new", "ratio", "p", "p_corrected", "slower"},
		"report":  {"machine", "benchmark", "op", "path", "unit", "samples", "median", "lo", "hi"},
	} {
		args := append([]string{command}, results...)
		var records []map[string]any
		text := succeed(t, append(args, "-format", "json")...)
		require.NoError(t, json.Unmarshal([]byte(text), &records))
		table, err := csv.NewReader(strings.NewReader(succeed(t, append(args, "-format", "csv")...))).ReadAll()
		require.NoError(t, err)
		assert.Len(t, table, len(records)+1)
		for _, f := range fields {
			assert.Contains(t, records[0], f)
			assert.Contains(t, table[0], f)
		}
		assert.Empty(t, succeed(t, append(args, "-o", command+".json")...))
		data, err := os.ReadFile(command + ".json")
		require.NoError(t, err)
		assert.Equal(t, text, string(data))
		status, _, stderr := focalCommand(append(args, "-format", "xml")...)
		assert.Equal(t, 2, status)
		assert.Contains(t, stderr, "-format xml, want one of ")
	}
	// The verdict is the same.
	status, stdout, _ := focalCommand(append([]string{"compare", "-format", "csv", "-fail-over", "5%"}, results...)...)
	assert.Equal(t, 1, status)
	assert.Regexp(t, `(?m)^Focal/op=loss/type=f64/path=avx2/n=1024/c=80/gamma=2/workers=1,.*,true$`, stdout)
}

// Two programs are measured in pairs of processes; the file of pairs says what the command has said.
func TestAgainst(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	inDirectory(t, nil)
	t.Setenv("FOCAL_TEST_AS_COMMAND", "1") // both programs are this test
	args := []string{"bench", "-against", self, "-shapes", "8x8", "-types", "f32", "-ops", "loss,sigmoid", "-paths", "generic", "-count", "2"}
	status, text, stderr := focalCommand(append(args, "-o", "pairs.txt")...)
	require.Zero(t, status, stderr)
	assert.Regexp(t, `(?m)^Focal/op=loss/type=f32/path=generic/n=8/c=8/gamma=2/workers=1 .* \(p=\d\.\d+ n=2\)`, text)
	assert.Equal(t, []string{"pairs.txt"}, names(t))
	status, stdout, stderr := focalCommand("compare", "pairs.txt", "-fail-over", "5%")
	assert.Zero(t, status, stderr)
	assert.Equal(t, text, stdout)
	assert.Contains(t, stderr, "with 2 samples none of 2 benchmarks can be called slower")
	data, err := os.ReadFile("pairs.txt")
	require.NoError(t, err)
	assert.Equal(t, 2*2*2, strings.Count(string(data), "\nBenchmark"))

	for program, want := range map[string]string{
		"none":      "focal bench: open none: no such file or directory\n",
		".":         "focal bench: .: is no program\n",
		"pairs.txt": "focal bench: fork/exec",
	} {
		status, _, stderr := focalCommand(append(slices.Clone(args), "-against", program)...)
		assert.Equal(t, 1, status)
		assert.True(t, strings.HasPrefix(stderr, want), stderr)
	}
	for old, want := range map[string]string{
		"BenchmarkOther 1 2 ns/op\n":                          "the old program measures Other where this one measures Focal/op=loss/type=f32/path=generic/n=8/c=8/gamma=2/workers=1",
		"focal bench: flag provided but not defined: -step\n": "the old program has ended: it is older than -against",
		"focal bench: -shapes \"8x8\", want something else\n": "the old program has ended: focal bench: -shapes \"8x8\", want something else",
	} {
		t.Setenv("FOCAL_TEST_OLD", old)
		status, _, stderr := focalCommand(args...)
		assert.Equal(t, 1, status)
		assert.Equal(t, "focal bench: "+want+"\n", stderr)
	}
	os.Unsetenv("FOCAL_TEST_OLD")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	assert.Equal(t, exitInterrupted, run(ctx, append(args, "-count", "1000000"), nil, io.Discard, io.Discard))
}

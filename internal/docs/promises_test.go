package docs

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/coef"
	"github.com/gofocal/focal/internal/oracle"
	"github.com/gofocal/focal/internal/verify"
)

// documents are those that say what holds now. What was measured has a date, and stays.
var documents = []string{"README.md", "focal.go", "params.go", "dispatch.go", "docs/semantics.md", "docs/accuracy.md", "docs/development.md",
	"docs/reliability.md", "docs/performance.md", ".ci/run"}

// TestPromises holds every place that states a number or a name against the source of it. It fails where a document says
// something else, and where none says it any more. A new statement is a line here.
func TestPromises(t *testing.T) {
	exponents := func(x ...float64) (of []any) {
		for _, v := range x {
			of = append(of, int(math.Log2(v)))
		}
		return of
	}
	sums := exponents(oracle.SumRelative32, oracle.SumRelative64)
	weights := exponents(coef.Layout32.MaxWeight, coef.Layout64.MaxWeight)
	gammas := exponents(coef.Layout32.MaxGamma, coef.Layout64.MaxGamma)
	block := []any{fmt.Sprintf("%d,%03d", abi.BlockLen/1000, abi.BlockLen%1000)}
	goVersion := []any{inFile(t, "go.mod", `(?m)^go (\d+\.\d+)`)}
	paths := regexp.MustCompile(`path\w+: "(\w+)"`).FindAllStringSubmatch(inFile(t, "dispatch.go", `(?s)func \(p kernelPath\) String\(\).*?(return .*?)\n`), -1)
	var names []any // the best first
	for _, p := range slices.Backward(paths) {
		names = append(names, p[1])
	}
	amd64 := names[:2]
	for _, promise := range []struct {
		statement string // with a group for each of these
		holds     []any
		files     []string
	}{
		{`within 2\^(-?\d+) \(float32(?: logits)?\) or 2\^(-?\d+) \(float64\)`, sums, []string{"focal.go", "docs/semantics.md"}},
		{`sum, relative \| 2\^(-?\d+) \(float32\), 2\^(-?\d+) \(float64\)`, sums, []string{"docs/accuracy.md"}},
		{`[Aa]bove 2\^(\d+) \(float64[^:)]*: 2\^(\d+)\)`, gammas, []string{"params.go", "docs/semantics.md"}},
		{`above 2\^(\d+) in float32 or 2\^(\d+) in float64`, weights, []string{"params.go"}},
		{`exceeds 2\^(\d+) \(float32\) or 2\^(\d+) \(float64\)`, weights, []string{"docs/semantics.md"}},
		{`blocks? of ([\d,]+) elements`, block, []string{"docs/semantics.md", "docs/development.md", "docs/reliability.md"}},
		{`no more than a block of ([\d,]+)`, block, []string{"docs/reliability.md"}},
		{`Go ([\d.]+) or newer`, goVersion, []string{"README.md"}},
		{`oldest=go([\d.]+)\.0`, goVersion, []string{".ci/run"}},
		{"`\"(\\w+)\"`, `\"(\\w+)\"`, `\"(\\w+)\"` or `\"(\\w+)\"`", []any{names[0], names[1], names[2], names[3]}, []string{"docs/semantics.md"}},
		{`"(\w+)" or "(\w+)" on amd64, "(\w+)" on arm64, or "(\w+)"`, names, []string{"dispatch.go"}},
		{`all_paths=\((\w+) (\w+) (\w+) (\w+)\)`, names, []string{".ci/run"}},
		{`FOCAL_REQUIRE_PATH=(\w+),(\w+)`, amd64, []string{"docs/development.md"}},
	} {
		pattern := regexp.MustCompile(promise.statement)
		for _, document := range documents {
			found := pattern.FindAllStringSubmatch(flowing(t, document), -1)
			if slices.Contains(promise.files, document) {
				assert.NotEmpty(t, found, "%s no longer says %s", document, promise.statement)
			}
			for _, m := range found {
				assert.Equal(t, fmt.Sprint(promise.holds), fmt.Sprint(m[1:]), "%s: %s", document, m[0])
			}
		}
	}
}

// TestAccuracyBounds holds the table of accuracy.md against the bounds that the tests use.
func TestAccuracyBounds(t *testing.T) {
	text := read(t, "docs/accuracy.md")
	at := func(q oracle.Quantity, b oracle.Bounds) string { return fmt.Sprintf("%.4g", b[q]) }
	grows := func(q oracle.Quantity, bounds func(gamma float64) oracle.Bounds) string {
		if more := bounds(6)[q] - bounds(5)[q]; more > 0 {
			return fmt.Sprintf("+ %.4g", more)
		}
		return ""
	}
	general := func(gamma float64) oracle.Bounds { return oracle.Promised(gamma) }
	for q := range oracle.Quantities {
		row := []string{"", q.String(), at(q, oracle.Promised(2, 0.25, 0.75)), at(q, general(5)), grows(q, general)}
		if q != oracle.Sigmoid && q != oracle.Softplus { // they have no target
			row = append(row, at(q, oracle.PromisedSoft(5)), grows(q, oracle.PromisedSoft))
		} else {
			row = append(row, "", "")
		}
		line := strings.ReplaceAll(strings.TrimSpace(strings.Join(row, " | "))+" |", "  ", " ")
		assert.True(t, strings.Contains(text, "\n"+line+"\n"), "accuracy.md lacks the line\n%s", line)
	}
	usual := regexp.MustCompile(`Usual γ are (.*?), usual weights (.*?)\. [A-Z]`).FindStringSubmatch(flowing(t, "docs/accuracy.md"))
	if assert.NotNil(t, usual) {
		numbers := func(list string) (v []float64) {
			for _, s := range regexp.MustCompile(`[\d.]+`).FindAllString(list, -1) {
				x, err := strconv.ParseFloat(s, 64)
				assert.NoError(t, err)
				v = append(v, x)
			}
			return v
		}
		assert.Equal(t, oracle.UsualGammas, numbers(usual[1]))
		assert.Equal(t, oracle.UsualWeights, numbers(usual[2]))
	}
}

// TestKnownErrors holds the largest known errors in accuracy.md against the summits from which the search starts.
func TestKnownErrors(t *testing.T) {
	var cells [oracle.Quantities]string
	for _, c := range []verify.Climb{verify.Climbs[0], verify.Climbs[1], verify.Climbs[3]} { // below γ = 5, and at 2
		single, double := verify.Known[float32](c), verify.Known[float64](c)
		for q := range oracle.Frozen + 1 {
			cells[q] += fmt.Sprintf(" %.2f, %.2f |", single[q], double[q])
		}
	}
	for q := range oracle.Frozen + 1 {
		line := fmt.Sprintf("\n| %v |%s\n", q, cells[q])
		assert.True(t, strings.Contains(read(t, "docs/accuracy.md"), line), "accuracy.md lacks the line%s", line)
	}
	single, double := verify.Known[float32](verify.Climbs[0]), verify.Known[float64](verify.Climbs[0])
	assert.Contains(t, read(t, "docs/accuracy.md"), fmt.Sprintf("\nSigmoid %.2f, %.2f; softplus %.2f, %.2f.\n",
		single[oracle.Sigmoid], double[oracle.Sigmoid], single[oracle.Softplus], double[oracle.Softplus]))
}

// flowing returns a document's text without its line breaks and the signs of comments.
func flowing(t *testing.T, name string) string {
	t.Helper()
	return strings.Join(strings.Fields(regexp.MustCompile(`(?m)^\s*//`).ReplaceAllString(read(t, name), "")), " ")
}

// inFile returns the first group of a pattern.
func inFile(t *testing.T, name, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, name))
	if !assert.NotNil(t, m, "%s lacks %s", name, pattern) {
		t.FailNow()
	}
	return m[1]
}

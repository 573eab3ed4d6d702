package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"

	"github.com/gofocal/focal/cmd/focal/internal/compare"
	"github.com/gofocal/focal/cmd/focal/internal/results"
)

const (
	compareSynopsis = "(OLD.txt NEW.txt | PAIRS.txt) [-fail-over 5%] [-unit sec/op]"
	compareText     = `
Compares two files of results, of "focal bench" or of any Go benchmark, as benchstat does: medians with their 95 %
confidence intervals, and the Mann-Whitney U test at 0.05. "~" means no significant difference. A file of
"focal bench -against" has pairs: the median of their ratios is tested by the sign test.

Results are compared if they agree in package, name, and every key of which a file has several values. GOMAXPROCS is part of
a name only if a file has the benchmark with more than one. If the files have different paths, such as neon and avx2, the
best of each are compared too.

With -fail-over the exit status is 1 if a benchmark got slower by more than that: by its median, by its fastest sample, and
relative to the reference that "focal bench" times beside each sample, which slows down too when another program disturbs.
The difference must be significant at 0.05 for all benchmarks together (Holm's correction). Benchmarks in one file alone,
times by the wall clock (clock=wall) and bandwidths fail nothing. On a busy machine use "focal bench -against".

Higher is better if the unit ends in /s, or if the files say so ("Unit qps better=higher").
`
)

func runCompare(e *env, args []string) error {
	fs := e.flags(compareText)
	limit := fs.String("fail-over", "", "fail if anything got slower by more than this `percentage`")
	unit := fs.String("unit", "sec/op", "what is compared: sec/op, or another `unit` of the files, such as ns/elem or GB/s")
	out := formatFlags(fs, "text")
	files, err := parse(fs, args)
	if err != nil {
		return err
	}
	if err := out.settle(); err != nil {
		return err
	}
	if len(files) != 1 && len(files) != 2 {
		return usagef("%d files, want OLD and NEW, or one of pairs", len(files))
	}
	if err := checkInputs(out.file, files); err != nil {
		return err
	}
	failOver, err := parsePercent(*limit)
	if err != nil {
		return err
	}
	_, tidy := benchunit.Tidy(1, *unit)
	var sets []*results.Set
	for _, file := range files {
		set, err := e.readResults(file)
		if err != nil {
			return err
		}
		sets = append(sets, set)
	}
	var c *compare.Comparison
	if len(sets) == 1 {
		c, err = compare.Pairs(sets[0], tidy, failOver)
	} else {
		c, err = compare.Of(sets[0], sets[1], tidy, failOver)
	}
	if err != nil {
		return err
	}
	return e.compared(c, out)
}

// checkInputs returns an error if the output is one of the files of results.
func checkInputs(output string, args []string) error {
	var inputs []string
	for _, arg := range args {
		_, file := results.Arg(arg)
		inputs = append(inputs, file)
	}
	return checkNames([]string{output}, inputs...)
}

// compared writes a comparison, and fails if anything got slower.
func (e *env) compared(c *compare.Comparison, out *outputFormat) error {
	for _, w := range c.Warnings {
		e.warn(w)
	}
	if err := e.write(out, c.Records(), c.WriteText); err != nil {
		return err
	}
	if advice := c.Advice(); advice != "" {
		e.warn(advice)
	}
	if len(c.Slower()) > 0 {
		return errCheck
	}
	return nil
}

// readResults reads files of results, and says what it does not take of them.
func (e *env) readResults(files ...string) (*results.Set, error) {
	set, err := results.Read(e.ctx, e.stdin, files...)
	if err != nil {
		return nil, err
	}
	for _, w := range set.Warnings {
		e.warn(w)
	}
	return set, nil
}

func (e *env) warn(text string) {
	fmt.Fprintf(e.stderr, "focal %s: warning: %s\n", e.command.name, text)
}

// parsePercent returns the limit of -fail-over, +Inf if there is none.
func parsePercent(s string) (float64, error) {
	if s == "" {
		return math.Inf(1), nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(v >= 0) {
		return 0, usagef("-fail-over %q, want a percentage such as 5%%", s)
	}
	return v / 100, nil
}

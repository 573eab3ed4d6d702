package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

const (
	compareSynopsis = "OLD.txt NEW.txt [-fail-over 5%] [-unit sec/op]"
	compareText     = `
Compares two files of results, of "focal bench" or of any Go benchmark, as benchstat does: medians with their 95 %
confidence intervals, and the Mann-Whitney U test at 0.05. "~" means that no difference can be told.

GOMAXPROCS is part of a name only where a file has the benchmark with more than one.

With -fail-over the exit status is 1 if anything got slower by more than that, and significantly so: a gate for
continuous integration. What fails nothing: a benchmark that is in one file alone, and the bandwidths of "focal bench",
which say something about the machine. More is better of what the files say so ("Unit qps better=higher"), and of units
that end in /s.
`
)

func runCompare(e *env, args []string) error {
	fs := e.flags(compareText)
	limit := fs.String("fail-over", "", "fail if anything got slower by more than this `percentage`")
	unit := fs.String("unit", "sec/op", "what is compared: sec/op, or another `unit` of the files, such as ns/elem or GB/s")
	files, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(files) != 2 {
		return usagef("%d files, want OLD and NEW", len(files))
	}
	failOver := math.Inf(1)
	if *limit != "" {
		if failOver, err = parsePercent(*limit); err != nil {
			return err
		}
	}
	before, err := readSingle(files[0])
	if err != nil {
		return err
	}
	after, err := readSingle(files[1])
	if err != nil {
		return err
	}
	settleNames(before, after) // by the same rule in both
	_, tidy := benchunit.Tidy(1, *unit)
	return compare(e, before, after, tidy, failOver)
}

// readSingle reads one file, of one machine.
func readSingle(name string) (*machineRun, error) {
	runs, err := readRuns([]string{name})
	if err != nil {
		return nil, err
	}
	if len(runs) > 1 {
		return nil, fmt.Errorf("%s: has the results of %d machines, want one", name, len(runs))
	}
	return runs[0], nil
}

func parsePercent(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(v >= 0) {
		return 0, usagef("-fail-over %q, want a percentage such as 5%%", s)
	}
	return v / 100, nil
}

// comparison is one line.
type comparison struct {
	name       string
	old, new   benchmath.Summary
	comparison benchmath.Comparison
	slower     float64 // by this part, if positive; 0 if it cannot be told
}

// slowdown tells by which part the speed got less: +Inf if something that took nothing takes something now.
func (c *comparison) slowdown() string {
	switch {
	case !math.IsInf(c.slower, 1):
		return fmt.Sprintf("by %.2f%%", 100*c.slower)
	case c.old.Center == 0:
		return "from 0"
	}
	return "to 0"
}

func compareResults(old, new *result, unit string, higherIsBetter bool) comparison {
	a, b := sampleOf(old.values[unit]), sampleOf(new.values[unit])
	c := comparison{
		name:       old.name,
		old:        benchmath.AssumeNothing.Summary(a, confidence),
		new:        benchmath.AssumeNothing.Summary(b, confidence),
		comparison: benchmath.AssumeNothing.Compare(a, b),
	}
	better, worse := c.old.Center, c.new.Center
	if higherIsBetter {
		better, worse = worse, better
	}
	if c.comparison.P < c.comparison.Alpha && better != worse {
		c.slower = (worse - better) / math.Abs(better)
	}
	return c
}

// higherIsBetter reports whether more of a unit is better. The files say so (benchfmt's "Unit NAME better=higher"), the
// new one before the old one; if they do not, it is better if it is one of speed: elements or bytes by time.
func higherIsBetter(before, after *machineRun, unit string) bool {
	for _, r := range []*machineRun{after, before} {
		if better := r.units.GetBetter(unit); better != 0 {
			return better > 0
		}
	}
	return strings.HasSuffix(unit, "/s")
}

// unitsOf returns the units of the results.
func unitsOf(runs ...*machineRun) []string {
	units := map[string]bool{}
	for _, r := range runs {
		for _, m := range r.results {
			for unit := range m.values {
				units[unit] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(units))
}

func compare(e *env, before, after *machineRun, unit string, failOver float64) error {
	for _, r := range []*machineRun{before, after} {
		if r.emulated() {
			fmt.Fprintf(e.stderr, "focal compare: warning: %s: times mean nothing there\n", r.title())
		}
	}
	if a, b := before.title(), after.title(); a != b {
		fmt.Fprintf(e.stderr, "focal compare: warning: different CPUs: %s, %s\n", a, b)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\told\t\tnew\t\tchange\t\n", unit)
	var failed []comparison
	var logOld, logNew float64
	compared, positive, few := 0, 0, false
	higher := higherIsBetter(before, after, unit)
	for _, old := range before.results {
		new := after.byName[old.name]
		switch {
		case len(old.values[unit]) == 0:
			continue
		case new == nil || len(new.values[unit]) == 0:
			fmt.Fprintf(w, "%s\tonly in the old file\n", old.name)
			continue
		}
		c := compareResults(old, new, unit, higher)
		compared++
		class := benchunit.ClassOf(unit)
		mark := ""
		if c.slower > failOver && old.base != streamName {
			failed = append(failed, c)
			mark = "slower"
		}
		few = few || math.IsInf(c.old.Lo, 0) || math.IsInf(c.new.Lo, 0)
		fmt.Fprintf(w, "%s\t%s\t± %s\t%s\t± %s\t%s (%s)\t%s\n", c.name,
			benchunit.Scale(c.old.Center, class), c.old.PctRangeString(),
			benchunit.Scale(c.new.Center, class), c.new.PctRangeString(),
			c.comparison.FormatDelta(c.old.Center, c.new.Center), c.comparison, mark)
		if c.old.Center > 0 && c.new.Center > 0 {
			logOld += math.Log(c.old.Center)
			logNew += math.Log(c.new.Center)
			positive++
		}
	}
	for _, new := range after.results {
		if len(new.values[unit]) > 0 && (before.byName[new.name] == nil || len(before.byName[new.name].values[unit]) == 0) {
			fmt.Fprintf(w, "%s\tonly in the new file\n", new.name)
		}
	}
	if compared == 0 {
		return fmt.Errorf("no benchmark with %s is in both files; their units are %s", unit, strings.Join(unitsOf(before, after), ", "))
	}
	if positive > 0 { // of what is 0 there is none
		a, b := math.Exp(logOld/float64(positive)), math.Exp(logNew/float64(positive))
		class := benchunit.ClassOf(unit)
		fmt.Fprintf(w, "geomean\t%s\t\t%s\t\t%+.2f%%\t\n", benchunit.Scale(a, class), benchunit.Scale(b, class), 100*(b/a-1))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if few {
		fmt.Fprintln(e.stderr, "focal compare: a confidence interval of 95 % takes 6 samples, a significant difference 4")
	}
	if len(failed) == 0 {
		return nil
	}
	fmt.Fprintf(e.stdout, "\nslower by more than %.3g%%:\n", 100*failOver)
	for _, c := range failed {
		fmt.Fprintf(e.stdout, "  %s: %s (%s)\n", c.name, c.slowdown(), c.comparison)
	}
	return errCheck
}

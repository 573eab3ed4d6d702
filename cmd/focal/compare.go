package main

import (
	"fmt"
	"math"
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

With -fail-over the exit status is 1 if anything got slower by more than that, and significantly so: a gate for
continuous integration. What fails nothing: a benchmark that is in one file alone, and the bandwidths of "focal bench",
which say something about the machine.
`
)

func runCompare(e *env, args []string) error {
	fs := e.flags(compareText)
	limit := fs.String("fail-over", "", "fail if anything got slower by more than this `percentage`")
	unit := fs.String("unit", "sec/op", "what is compared: sec/op, or another `unit` of the files, such as cycles/elem or GB/s")
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
	return compare(e, before, after, *unit, failOver)
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

func compareResults(old, new *result, unit string) comparison {
	a, b := sampleOf(old.values[unit]), sampleOf(new.values[unit])
	c := comparison{
		name:       old.name,
		old:        benchmath.AssumeNothing.Summary(a, confidence),
		new:        benchmath.AssumeNothing.Summary(b, confidence),
		comparison: benchmath.AssumeNothing.Compare(a, b),
	}
	if c.comparison.P < c.comparison.Alpha && c.old.Center != 0 && c.new.Center != 0 {
		c.slower = c.new.Center/c.old.Center - 1
		if higherIsBetter(unit) {
			c.slower = c.old.Center/c.new.Center - 1
		}
	}
	return c
}

// higherIsBetter reports whether a unit is one of speed: elements or bytes by time.
func higherIsBetter(unit string) bool { return strings.HasSuffix(unit, "/s") }

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
	compared, few := 0, false
	for _, old := range before.results {
		new := after.byName[old.name]
		switch {
		case len(old.values[unit]) == 0:
			continue
		case new == nil || len(new.values[unit]) == 0:
			fmt.Fprintf(w, "%s\tonly in the old file\n", old.name)
			continue
		}
		c := compareResults(old, new, unit)
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
			compared++
		}
	}
	for _, new := range after.results {
		if len(new.values[unit]) > 0 && (before.byName[new.name] == nil || len(before.byName[new.name].values[unit]) == 0) {
			fmt.Fprintf(w, "%s\tonly in the new file\n", new.name)
		}
	}
	if compared == 0 {
		return fmt.Errorf("no benchmark with %s is in both files", unit)
	}
	a, b := math.Exp(logOld/float64(compared)), math.Exp(logNew/float64(compared))
	class := benchunit.ClassOf(unit)
	fmt.Fprintf(w, "geomean\t%s\t\t%s\t\t%+.2f%%\t\n", benchunit.Scale(a, class), benchunit.Scale(b, class), 100*(b/a-1))
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
		fmt.Fprintf(e.stdout, "  %s: by %.2f%% (%s)\n", c.name, 100*c.slower, c.comparison)
	}
	return errCheck
}

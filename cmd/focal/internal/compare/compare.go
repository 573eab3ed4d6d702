// Package compare tells whether anything got slower.
package compare

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"

	"github.com/gofocal/focal/cmd/focal/internal/results"
)

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

func compareResults(old, new *results.Result, unit string, higherIsBetter bool) comparison {
	a, b := results.Sample(old.Values[unit]), results.Sample(new.Values[unit])
	c := comparison{
		name:       old.Name,
		old:        benchmath.AssumeNothing.Summary(a, results.Confidence),
		new:        benchmath.AssumeNothing.Summary(b, results.Confidence),
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
func higherIsBetter(before, after *results.Run, unit string) bool {
	for _, r := range []*results.Run{after, before} {
		if better := r.Units.GetBetter(unit); better != 0 {
			return better > 0
		}
	}
	return strings.HasSuffix(unit, "/s")
}

// unitsOf returns the units of the results.
func unitsOf(runs ...*results.Run) []string {
	units := map[string]bool{}
	for _, r := range runs {
		for _, m := range r.Results {
			for unit := range m.Values {
				units[unit] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(units))
}

// Compare writes a table of all results, and warnings to another writer. It reports whether anything got slower by more than
// failOver.
func Compare(out, warnings io.Writer, before, after *results.Run, unit string, failOver float64) (slower bool, err error) {
	for _, r := range []*results.Run{before, after} {
		if r.Emulated() {
			fmt.Fprintf(warnings, "focal compare: warning: %s: times mean nothing there\n", r.Title())
		}
	}
	if a, b := before.Title(), after.Title(); a != b {
		fmt.Fprintf(warnings, "focal compare: warning: different CPUs: %s, %s\n", a, b)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\told\t\tnew\t\tchange\t\n", unit)
	var failed []comparison
	var logOld, logNew float64
	compared, positive, few := 0, 0, false
	higher := higherIsBetter(before, after, unit)
	for _, old := range before.Results {
		new := after.ByName[old.Name]
		switch {
		case len(old.Values[unit]) == 0:
			continue
		case new == nil || len(new.Values[unit]) == 0:
			fmt.Fprintf(w, "%s\tonly in the old file\n", old.Name)
			continue
		}
		c := compareResults(old, new, unit, higher)
		compared++
		class := benchunit.ClassOf(unit)
		mark := ""
		if c.slower > failOver && old.Base != results.Stream {
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
	for _, new := range after.Results {
		if len(new.Values[unit]) > 0 && (before.ByName[new.Name] == nil || len(before.ByName[new.Name].Values[unit]) == 0) {
			fmt.Fprintf(w, "%s\tonly in the new file\n", new.Name)
		}
	}
	if compared == 0 {
		return false, fmt.Errorf("no benchmark with %s is in both files; their units are %s", unit, strings.Join(unitsOf(before, after), ", "))
	}
	if positive > 0 { // of what is 0 there is none
		a, b := math.Exp(logOld/float64(positive)), math.Exp(logNew/float64(positive))
		class := benchunit.ClassOf(unit)
		fmt.Fprintf(w, "geomean\t%s\t\t%s\t\t%+.2f%%\t\n", benchunit.Scale(a, class), benchunit.Scale(b, class), 100*(b/a-1))
	}
	if err := w.Flush(); err != nil {
		return false, err
	}
	if few {
		fmt.Fprintln(warnings, "focal compare: a results.Confidence interval of 95 % takes 6 samples, a significant difference 4")
	}
	if len(failed) == 0 {
		return false, nil
	}
	fmt.Fprintf(out, "\nslower by more than %.3g%%:\n", 100*failOver)
	for _, c := range failed {
		fmt.Fprintf(out, "  %s: %s (%s)\n", c.name, c.slowdown(), c.comparison)
	}
	return true, nil
}

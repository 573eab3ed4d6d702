// Package compare tells whether anything got slower.
package compare

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"

	"github.com/gofocal/focal/cmd/focal/internal/export"
	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/cmd/focal/internal/results"
)

// Alpha is the probability with which any benchmark is called slower if none is.
const Alpha = 0.05

// A Comparison is what two sets of results say.
type Comparison struct {
	Unit     string
	Warnings []string
	Rows     []*Row // those that were compared, and then those that are in one set alone
	tested   int    // those that the verdict is about
	failOver float64
	paired   bool
}

// A Row is about one benchmark.
type Row struct {
	Name     string
	Only     string // results.Old or results.New, if it is only there
	BestPath bool   // it compares the best path of each, which differ
	Old, New benchmath.Summary
	OldN     int
	NewN     int
	Ratio    benchmath.Summary // new/old: of the medians, without an interval, or the median of pairs
	P        float64           // that there is no difference, of this row by itself
	Adjusted float64           // that it is not slower, corrected for the number of tested rows; NaN: not tested
	Slower   bool              // by more than the limit

	comparison benchmath.Comparison
	effect     float64 // how much slower, by the most careful of all measures
	oneSided   float64 // that it is not slower
	judged     bool
}

// Of compares two sets. failOver is the limit above which a slowdown counts, +Inf if there is none.
func Of(before, after *results.Set, unit string, failOver float64) (*Comparison, error) {
	c := &Comparison{Unit: unit, failOver: failOver}
	results.SettleNames(slices.Concat(before.Runs, after.Runs)...) // by the same rule in both
	pairs, keys := match(before.Runs, after.Runs)
	for _, p := range pairs {
		c.warn(p[0], p[1])
		suffix := ""
		for _, key := range keys {
			if v := either(p[0], p[1]).Config[key]; v != "" {
				suffix += fmt.Sprintf(" [%s: %s]", key, v)
			}
		}
		c.add(p[0], p[1], suffix)
	}
	return c, c.finish(slices.Concat(before.Runs, after.Runs), keys...)
}

// Pairs compares the two programs of a set that "focal bench -against" has made.
func Pairs(set *results.Set, unit string, failOver float64) (*Comparison, error) {
	c := &Comparison{Unit: unit, failOver: failOver, paired: true}
	var before, after []*results.Run
	for _, r := range set.Runs {
		switch r.Config[results.ProgramKey] {
		case results.Old:
			before = append(before, r)
		case results.New:
			after = append(after, r)
		}
	}
	if len(before) != 1 || len(after) != 1 {
		return nil, fmt.Errorf("the results are not those of two programs on one machine, as \"focal bench -against\" writes them")
	}
	c.add(before[0], after[0], "")
	return c, c.finish(set.Runs)
}

// either returns the run that is there.
func either(a, b *results.Run) *results.Run {
	if a != nil {
		return a
	}
	return b
}

// match pairs the runs that agree in all keys in which the runs of one set differ. It returns these keys too. A run without
// a partner is paired with nil.
func match(before, after []*results.Run) (pairs [][2]*results.Run, keys []string) {
	different := map[string]bool{}
	for _, runs := range [][]*results.Run{before, after} {
		for _, r := range runs {
			for _, key := range r.Differing(runs[0]) {
				different[key] = true
			}
		}
	}
	keys = slices.Sorted(maps.Keys(different))
	free := slices.Clone(after)
	for _, b := range before {
		i := slices.IndexFunc(free, func(a *results.Run) bool {
			return !slices.ContainsFunc(keys, func(key string) bool { return a.Config[key] != b.Config[key] })
		})
		if i < 0 {
			pairs = append(pairs, [2]*results.Run{b, nil})
			continue
		}
		pairs = append(pairs, [2]*results.Run{b, free[i]})
		free = slices.Delete(free, i, i+1)
	}
	for _, a := range free {
		pairs = append(pairs, [2]*results.Run{nil, a})
	}
	return pairs, keys
}

// warn says in what two runs differ, beside what is compared usually.
func (c *Comparison) warn(before, after *results.Run) {
	for _, r := range []*results.Run{before, after} {
		if r != nil && r.Emulated() {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s: times mean nothing there", r.Title()))
		}
	}
	if before == nil || after == nil {
		return
	}
	if a, b := before.Config["cpu"], after.Config["cpu"]; a != b {
		c.Warnings = append(c.Warnings, fmt.Sprintf("different CPUs: %s, %s", before.Title(), after.Title()))
		return // caches and features differ then
	}
	for _, key := range before.Differing(after) {
		if a, b := before.Config[key], after.Config[key]; a != "" && b != "" && !slices.Contains([]string{"go", "commit", "name", "paths"}, key) {
			c.Warnings = append(c.Warnings, fmt.Sprintf("different %s: %s, %s", key, a, b))
		}
	}
	if a, b := before.MHz(), after.MHz(); max(a, b) > 1.2*min(a, b) && min(a, b) > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("different clocks: %.0f MHz, %.0f MHz", a, b))
	}
}

// add compares two runs, of which one may be nil.
func (c *Comparison) add(before, after *results.Run, suffix string) {
	has := func(m *results.Result) bool { return m != nil && len(m.Values[c.Unit]) > 0 }
	in := func(r *results.Run) []*results.Result {
		if r == nil {
			return nil
		}
		return r.Results
	}
	higher := higherIsBetter(before, after, c.Unit)
	matched := map[*results.Result]bool{}
	compared := func(name string, before, after *results.Result, best bool) {
		matched[before], matched[after] = true, true
		row := c.row(name+suffix, before, after, higher)
		row.BestPath = best
		c.Rows = append(c.Rows, row)
	}
	for _, b := range in(before) {
		if after == nil || !has(b) {
			continue
		}
		if a := after.Same(b); has(a) {
			compared(b.Name, b, a, false)
		}
	}
	bestOld, bestNew := bestPaths(before, has), bestPaths(after, has)
	for _, b := range in(before) {
		key := withoutPath(b)
		if a := bestNew[key]; bestOld[key] == b && a != nil && a.Param("path") != b.Param("path") {
			compared(strings.Replace(b.Name, "path="+b.Param("path"), "path="+b.Param("path")+"→"+a.Param("path"), 1), b, a, true)
		}
	}
	for i, r := range []*results.Run{before, after} {
		for _, m := range in(r) {
			if has(m) && !matched[m] {
				c.Rows = append(c.Rows, &Row{Name: m.Name + suffix, Only: []string{results.Old, results.New}[i], Adjusted: math.NaN()})
			}
		}
	}
}

// withoutPath is the name of a benchmark without its path.
func withoutPath(m *results.Result) string {
	return m.Package + "\x00" + strings.Replace(m.Name, "/path="+m.Param("path"), "", 1)
}

// bestPaths returns the results with the best path, by the name without it.
func bestPaths(r *results.Run, has func(*results.Result) bool) map[string]*results.Result {
	best := map[string]*results.Result{}
	if r == nil {
		return best
	}
	for _, p := range machine.PathFeatures { // the best first
		for _, m := range r.Results {
			if key := withoutPath(m); m.Param("path") == p.Path && has(m) && best[key] == nil {
				best[key] = m
			}
		}
	}
	return best
}

// row compares two results.
func (c *Comparison) row(name string, before, after *results.Result, higher bool) *Row {
	a, b := before.Values[c.Unit], after.Values[c.Unit]
	row := &Row{Name: name, Adjusted: math.NaN(), OldN: len(a), NewN: len(b),
		Old: benchmath.AssumeNothing.Summary(results.Sample(a), results.Confidence),
		New: benchmath.AssumeNothing.Summary(results.Sample(b), results.Confidence),
		// What says something about the machine, and what other programs disturb most, fails nothing.
		judged: before.Base != results.Stream && before.Param("clock") != "wall"}
	// What the machine did to the reference, it did to the benchmark: a slowdown must show beside it.
	x, y, ok := byReference(before, after, c.Unit)
	var measures []measure
	switch {
	case c.paired && ok:
		measures = pairedMeasures(x, y, higher)
	case c.paired:
		measures = pairedMeasures(a, b, higher)
	case ok:
		measures = append(measuresOf(a, b, higher), measuresOf(x, y, higher)[0])
	default:
		measures = measuresOf(a, b, higher)
	}
	row.Ratio, row.comparison = measures[0].ratio, measures[0].comparison
	row.P = row.comparison.P
	row.effect = math.Inf(1)
	for _, m := range measures {
		row.effect = min(row.effect, m.slower)
		row.oneSided = max(row.oneSided, m.oneSided)
	}
	return row
}

// byReference divides times by those of the reference that were taken beside them.
func byReference(before, after *results.Result, unit string) (a, b []float64, ok bool) {
	divide := func(m *results.Result) []float64 {
		values, by := m.Values[unit], m.Values[results.Reference]
		if len(by) != len(values) || !strings.HasPrefix(unit, "sec/") || unit == results.Reference {
			return nil
		}
		values = slices.Clone(values)
		for i := range values {
			values[i] /= by[i]
		}
		return values
	}
	a, b = divide(before), divide(after)
	return a, b, len(a) > 0 && len(b) > 0
}

// finish judges all rows together. The keys are those that keep runs apart.
func (c *Comparison) finish(runs []*results.Run, keys ...string) error {
	var tested []*Row
	compared := false
	for _, r := range c.Rows {
		if r.Only != "" {
			continue
		}
		compared = true
		if r.judged {
			tested = append(tested, r)
		}
	}
	if !compared {
		message := fmt.Sprintf("no benchmark with %s is in both files; their units are %s", c.Unit, strings.Join(unitsOf(runs), ", "))
		if packages := packagesOf(runs); len(packages) > 1 {
			message += "; their packages are " + strings.Join(packages, ", ")
		}
		for _, key := range keys {
			message += fmt.Sprintf("; they differ in %s: %s", key, strings.Join(valuesOf(runs, key), ", "))
		}
		return errors.New(message)
	}
	c.tested = len(tested)
	p := make([]float64, len(tested))
	for i, r := range tested {
		p[i] = r.oneSided
	}
	for i, adjusted := range holm(p) {
		r := tested[i]
		r.Adjusted = adjusted
		r.Slower = adjusted <= Alpha && r.effect > c.failOver
	}
	return nil
}

// Slower returns the rows that are slower by more than the limit.
func (c *Comparison) Slower() (all []*Row) {
	for _, r := range c.Rows {
		if r.Slower {
			all = append(all, r)
		}
	}
	return all
}

// slowdown tells by which part the speed got less: +Inf if something that took nothing takes something now.
func (r *Row) slowdown() string {
	switch {
	case !math.IsInf(r.effect, 1):
		return fmt.Sprintf("by %.2f%%", 100*r.effect)
	case r.Old.Center == 0:
		return "from 0"
	}
	return "to 0"
}

// higherIsBetter reports whether more of a unit is better. The files say so (benchfmt's "Unit NAME better=higher"), the
// new one before the old one; if they do not, it is better if it is one of speed: elements or bytes by time.
func higherIsBetter(before, after *results.Run, unit string) bool {
	for _, r := range []*results.Run{after, before} {
		if r == nil {
			continue
		}
		if better := r.Units.GetBetter(unit); better != 0 {
			return better > 0
		}
	}
	return strings.HasSuffix(unit, "/s")
}

// unitsOf returns the units of the results.
func unitsOf(runs []*results.Run) []string {
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

// valuesOf returns the values of a key.
func valuesOf(runs []*results.Run, key string) []string {
	values := map[string]bool{}
	for _, r := range runs {
		if v := r.Config[key]; v != "" {
			values[v] = true
		}
	}
	return slices.Sorted(maps.Keys(values))
}

// packagesOf returns the packages of the results.
func packagesOf(runs []*results.Run) []string {
	packages := map[string]bool{}
	for _, r := range runs {
		for _, m := range r.Results {
			if m.Package != "" {
				packages[m.Package] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(packages))
}

// WriteText writes a table, and what is slower.
func (c *Comparison) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	class := benchunit.ClassOf(c.Unit)
	for _, best := range []bool{false, true} {
		var logOld, logNew float64
		rows, positive := 0, 0
		for _, r := range c.Rows {
			if r.Only != "" || r.BestPath != best {
				continue
			}
			if rows == 0 {
				title := c.Unit
				if best {
					title += ", the best path of each"
				}
				if best {
					fmt.Fprintln(w)
				}
				fmt.Fprintf(w, "%s\told\t\tnew\t\tchange\t\n", title)
			}
			rows++
			mark := ""
			if r.Slower {
				mark = "slower"
			}
			fmt.Fprintf(w, "%s\t%s\t± %s\t%s\t± %s\t%s\t%s\n", r.Name,
				benchunit.Scale(r.Old.Center, class), r.Old.PctRangeString(),
				benchunit.Scale(r.New.Center, class), r.New.PctRangeString(), c.change(r), mark)
			if r.Old.Center > 0 && r.New.Center > 0 {
				logOld += math.Log(r.Old.Center)
				logNew += math.Log(r.New.Center)
				positive++
			}
		}
		if positive > 0 { // of what is 0 there is none
			a, b := math.Exp(logOld/float64(positive)), math.Exp(logNew/float64(positive))
			fmt.Fprintf(w, "geomean of %d\t%s\t\t%s\t\t%+.2f%%\t\n", positive, benchunit.Scale(a, class), benchunit.Scale(b, class), 100*(b/a-1))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for _, only := range []string{results.Old, results.New} {
		for i, r := range slices.DeleteFunc(slices.Clone(c.Rows), func(r *Row) bool { return r.Only != only }) {
			if i == 0 {
				fmt.Fprintf(out, "\nonly in the %s results:\n", only)
			}
			fmt.Fprintf(out, "  %s\n", r.Name)
		}
	}
	slower := c.Slower()
	if len(slower) > 0 {
		fmt.Fprintf(out, "\nslower by more than %.3g%%, p corrected for %d benchmarks:\n", 100*c.failOver, c.tested)
	}
	for _, r := range slower {
		fmt.Fprintf(out, "  %s: %s (%s)\n", r.Name, r.slowdown(), probability(r.Adjusted))
	}
	return nil
}

// change says how much a row has changed, or "~" if that cannot be told.
func (c *Comparison) change(r *Row) string {
	if !c.paired {
		return fmt.Sprintf("%s (%s)", r.comparison.FormatDelta(r.Old.Center, r.New.Center), r.comparison)
	}
	percent := func(v float64) string { return fmt.Sprintf("%+.2f%%", 100*(v-1)) }
	text := "~"
	if r.P < Alpha {
		text = percent(r.Ratio.Center)
	}
	if !math.IsInf(r.Ratio.Lo, 0) && !math.IsInf(r.Ratio.Hi, 0) {
		text += fmt.Sprintf(" [%s, %s]", percent(r.Ratio.Lo), percent(r.Ratio.Hi))
	}
	return fmt.Sprintf("%s (%s n=%d)", text, probability(r.P), r.comparison.N1)
}

func probability(p float64) string {
	if p < 0.001 {
		return "p<0.001"
	}
	return fmt.Sprintf("p=%.3f", p)
}

// Advice says what the samples are too few for, or "".
func (c *Comparison) Advice() string {
	fewest := math.MaxInt
	best := 1.0 // the smallest p that any row could have
	for _, r := range c.Rows {
		if r.Only == "" && r.judged {
			fewest = min(fewest, r.OldN, r.NewN)
			best = min(best, smallestP(r.OldN, r.NewN, c.paired))
		}
	}
	switch {
	case c.tested > 0 && best*float64(c.tested) > Alpha && !math.IsInf(c.failOver, 1):
		return fmt.Sprintf("with %d samples none of %d benchmarks can be called slower; measure with a larger -count", fewest, c.tested)
	case c.tested > 0 && fewest < 6:
		return "a confidence interval of 95 % takes 6 samples, a significant difference 4"
	}
	return ""
}

// A Record is a row for other programs. Numbers that are not known are null.
type Record struct {
	Benchmark string   `json:"benchmark"`
	Unit      string   `json:"unit"`
	Only      string   `json:"only"`      // "old" or "new": it is only there
	BestPath  bool     `json:"best_path"` // the paths differ
	Old       *float64 `json:"old"`       // median
	OldLo     *float64 `json:"old_lo"`
	OldHi     *float64 `json:"old_hi"`
	OldN      int      `json:"old_samples"`
	New       *float64 `json:"new"`
	NewLo     *float64 `json:"new_lo"`
	NewHi     *float64 `json:"new_hi"`
	NewN      int      `json:"new_samples"`
	Ratio     *float64 `json:"ratio"` // new/old
	RatioLo   *float64 `json:"ratio_lo"`
	RatioHi   *float64 `json:"ratio_hi"`
	P         *float64 `json:"p"`           // that they do not differ, of this row by itself
	Corrected *float64 `json:"p_corrected"` // that it is not slower, corrected for all that the verdict is about
	Slower    bool     `json:"slower"`
}

// Records returns all rows.
func (c *Comparison) Records() []Record {
	records := make([]Record, len(c.Rows))
	for i, r := range c.Rows {
		records[i] = Record{Benchmark: r.Name, Unit: c.Unit, Only: r.Only}
		if r.Only != "" {
			continue
		}
		number := export.Number
		records[i] = Record{
			Benchmark: r.Name, Unit: c.Unit, BestPath: r.BestPath,
			Old: number(r.Old.Center), OldLo: number(r.Old.Lo), OldHi: number(r.Old.Hi), OldN: r.OldN,
			New: number(r.New.Center), NewLo: number(r.New.Lo), NewHi: number(r.New.Hi), NewN: r.NewN,
			Ratio: number(r.Ratio.Center), RatioLo: number(r.Ratio.Lo), RatioHi: number(r.Ratio.Hi),
			P: number(r.P), Corrected: number(r.Adjusted), Slower: r.Slower,
		}
	}
	return records
}

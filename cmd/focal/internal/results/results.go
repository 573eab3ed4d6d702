// Package results reads what benchmarks have printed.
package results

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"github.com/gofocal/focal/cmd/focal/internal/machine"
)

// The names of the benchmarks of focal, without their parameters.
const (
	Loss   = "Focal" // as in the benchmarks of package focal
	Stream = "Stream"
)

// Ops are the operations that are measured, in the order in which they are shown.
var Ops = []string{"loss", "grad", "loss+grad", "sum", "sum+grad", "loss+grad+hess", "soft-loss", "soft-loss+grad", "sigmoid"}

// GoldenKey, with a path, is the key of the hash of its results.
const GoldenKey = "golden-"

// ProgramKey tells the two programs of "focal bench -against" apart, Old and New.
const (
	ProgramKey = "program"
	Old        = "old"
	New        = "new"
)

// Reference is the unit of a load that is the same in every program, which is timed beside each sample: how fast the machine
// was just then.
const Reference = "sec/ref"

// LoadKey is the key of what other programs took.
const LoadKey = "load"

// A Sweep is what the groups of sizes and workers are about: SweepOp of one type and gamma. bench measures that of the first
// type and gamma it is given, and report shows all that results have.
type Sweep struct{ Type, Gamma string }

const (
	SweepOp      = "loss"
	SweepClasses = 80
)

// Params are the parameters of all results of the sweep, and more.
func (s Sweep) Params(more ...string) []string {
	return append([]string{"op=" + SweepOp, "type=" + s.Type, "gamma=" + s.Gamma}, more...)
}

// Sizes are the parameters of its results by size, and more.
func (s Sweep) Sizes(more ...string) []string {
	return append(s.Params("c="+strconv.Itoa(SweepClasses), "workers=1", "clock="), more...)
}

// A Run is what was measured with one program on one machine: the results of one file, or of several.
type Run struct {
	Config  map[string]string // of the results, and of the lines with #
	Results []*Result
	ByName  map[string]*Result
	Units   benchfmt.UnitMetadataMap // what the files say of units
}

// Result is all samples of one benchmark.
type Result struct {
	Name    string            // without Benchmark, and without -GOMAXPROCS unless that tells results apart: see SettleNames
	plain   string            // without it in any case
	Package string            // or nothing
	procs   string            // -GOMAXPROCS, or nothing
	Apart   bool              // package or GOMAXPROCS are part of the name
	Base    string            // the name without its parameters
	params  map[string]string // key=value in the name
	Values  map[string][]float64
}

// Param returns a parameter, or "".
func (m *Result) Param(key string) string { return m.params[key] }

// maxSize is the most that a parameter may be: its bytes are an int wherever an int has 64 bits, and a float64 holds it.
const maxSize = min(1<<40, math.MaxInt)

// Int returns a parameter, or 0 if it is no number from 1 to maxSize.
func (m *Result) Int(key string) int {
	n, err := strconv.ParseUint(m.params[key], 10, strconv.IntSize-1)
	if err != nil || n > maxSize {
		return 0
	}
	return int(n)
}

// Confidence is that of the intervals that are shown.
const Confidence = 0.95

// Summary returns the median of a unit, and its Confidence interval.
func (m *Result) Summary(unit string) (benchmath.Summary, bool) {
	values := m.Values[unit]
	if len(values) == 0 {
		return benchmath.Summary{}, false
	}
	return benchmath.AssumeNothing.Summary(Sample(values), Confidence), true
}

// Median returns the median of a unit, or 0 if it was not measured.
func (m *Result) Median(unit string) float64 {
	if m == nil {
		return 0
	}
	s, _ := m.Summary(unit)
	return s.Center
}

// Sample returns a sample with the usual thresholds.
func Sample(values []float64) *benchmath.Sample {
	thresholds := benchmath.DefaultThresholds
	return benchmath.NewSample(slices.Clone(values), &thresholds)
}

// nameKey is the key of the name that somebody gave the machine.
const nameKey = "name"

// volatile reports whether a key may differ within one run. All others tell where a result comes from: results that differ
// in one are never samples of the same.
func volatile(key string) bool {
	return slices.Contains([]string{"pkg", "mhz", "date", LoadKey}, key) || strings.HasPrefix(key, GoldenKey)
}

// identity is all that tells runs apart.
func identity(config map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if !volatile(key) {
			fmt.Fprintf(&b, "%q=%q ", key, config[key])
		}
	}
	return b.String()
}

// like reports whether a configuration of the same identity can be that of the run: its clock differs by less than a fifth,
// and it returns the same bits.
func (r *Run) like(config map[string]string) bool {
	for key, value := range config {
		have, ok := r.Config[key]
		switch {
		case !ok:
		case key == "mhz":
			a, b := number(have, 1e9), number(value, 1e9)
			if a > 0 && b > 0 && max(a, b) > 1.2*min(a, b) {
				return false
			}
		case strings.HasPrefix(key, GoldenKey) && have != value:
			return false
		}
	}
	return true
}

// number returns a positive number up to a limit, or 0.
func number(s string, limit float64) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v <= limit) {
		return 0
	}
	return v
}

// MHz is the clock that was measured, or 0.
func (r *Run) MHz() float64 { return number(r.Config["mhz"], 1e9) }

// SettleNames gives results their names. The package, and GOMAXPROCS, are part of one if a run has the benchmark in more than
// one, or with more than one: these are different results, as for benchstat. Otherwise they are not, so machines with
// different numbers of cores have names in common.
func SettleNames(runs ...*Run) {
	several := func(what func(m *Result) string) map[string]bool {
		type benchmark struct {
			run  *Run
			name string
		}
		first, apart := map[benchmark]string{}, map[string]bool{}
		for _, r := range runs {
			for _, m := range r.Results {
				b := benchmark{r, m.plain}
				if v, seen := first[b]; seen && v != what(m) {
					apart[b.name] = true
				}
				first[b] = what(m)
			}
		}
		return apart
	}
	procs := several(func(m *Result) string { return m.procs })
	packages := several(func(m *Result) string { return m.Package })
	for _, r := range runs {
		r.ByName = map[string]*Result{}
		for _, m := range r.Results {
			m.Name, m.Apart = m.plain, procs[m.plain] || packages[m.plain]
			if procs[m.plain] {
				m.Name += m.procs
			}
			if packages[m.plain] {
				m.Name += " [" + m.Package + "]"
			}
			r.ByName[m.key()] = m
		}
	}
}

// key tells results apart: the same in two runs is the same benchmark.
func (m *Result) key() string { return m.Package + "\x00" + m.Name }

// Same returns the result of the same benchmark, or nil. The names of both runs must have been settled together.
func (r *Run) Same(m *Result) *Result { return r.ByName[m.key()] }

// Add adds a record to the samples of its benchmark.
func (r *Run) Add(record *benchfmt.Result) {
	base, parts := record.Name.Parts()
	name, procs := string(base), ""
	params := map[string]string{}
	for _, part := range parts {
		text := string(part)
		if text[0] == '-' {
			procs = text
			continue
		}
		name += text
		if key, value, ok := strings.Cut(text[1:], "="); ok {
			params[key] = value
		}
	}
	m := &Result{Name: name + procs, plain: name, procs: procs, Package: record.GetConfig("pkg"), Base: string(base), params: params, Values: map[string][]float64{}}
	if had := r.ByName[m.key()]; had != nil {
		m = had
	} else {
		if m.Base == Loss && params["workers"] == "" {
			params["workers"] = "1" // as in the benchmarks of the package
		}
		if !m.sane() {
			m.Base = "" // no table nor chart can show it as what it says
		}
		r.ByName[m.key()] = m
		r.Results = append(r.Results, m)
	}
	for _, v := range record.Values {
		m.Values[v.Unit] = append(m.Values[v.Unit], v.Value)
	}
}

// sane reports whether the parameters of a benchmark of focal are possible.
func (m *Result) sane() bool {
	switch m.Base {
	case Loss:
		n, c := m.Int("n"), m.Int("c")
		return n > 0 && c > 0 && n <= maxSize/c && m.Int("workers") > 0 && (m.Param("type") == "f32" || m.Param("type") == "f64")
	case Stream:
		return m.Int("bytes") > 0
	}
	return true
}

// Emulated reports whether the times mean nothing.
func (r *Run) Emulated() bool {
	e := r.Config["emulated"]
	return e != "" && e != "no"
}

// Title names the machine.
func (r *Run) Title() string {
	name := r.Config[nameKey]
	if name == "" {
		name = r.Config["cpu"]
	}
	if name == "" {
		name = "unknown CPU"
	}
	if program := r.Config[ProgramKey]; program != "" {
		name += ", " + program + " program"
	}
	if r.Emulated() {
		name += " (emulated)"
	}
	return name
}

// Titles names machines so that no two have the same name.
func Titles(runs []*Run) []string {
	var names []string
	for _, r := range runs {
		name := r.Title()
		for n := 2; slices.Contains(names, name); n++ {
			name = fmt.Sprintf("%s #%d", r.Title(), n)
		}
		names = append(names, name)
	}
	return names
}

// Caches are the sizes of the caches.
func (r *Run) Caches() (c machine.Caches) {
	var sizes [3]int64
	fmt.Sscanf(r.Config["caches"], "l1d=%d l2=%d l3=%d", &sizes[0], &sizes[1], &sizes[2])
	for i, to := range []*int{&c.L1, &c.L2, &c.L3} {
		if sizes[i] > 0 && sizes[i] <= math.MaxInt>>1 && sizes[i] <= maxSize {
			*to = int(sizes[i])
		}
	}
	return c
}

// Paths returns the paths that were measured, the best first.
func (r *Run) Paths() (paths []string) {
	for _, p := range machine.PathFeatures {
		for _, m := range r.Results {
			if m.Param("path") == p.Path {
				paths = append(paths, p.Path)
				break
			}
		}
	}
	return paths
}

// Find returns the results that have the given parameters, such as "op=loss". Those that package or GOMAXPROCS tell apart have no place
// in the tables and charts that are made of them: otherTable lists them.
func (r *Run) Find(base string, want ...string) (found []*Result) {
results:
	for _, m := range r.Results {
		if m.Base != base || m.Apart {
			continue
		}
		for _, w := range want {
			if key, value, _ := strings.Cut(w, "="); m.Param(key) != value {
				continue results
			}
		}
		found = append(found, m)
	}
	return found
}

// Sweep returns the sweep that the result can be part of.
func (m *Result) Sweep() Sweep { return Sweep{m.Param("type"), m.Param("gamma")} }

// sweeps returns the sweeps for which has is true, in the order of the results.
func (r *Run) sweeps(has func(s Sweep) bool) (all []Sweep) {
	for _, m := range r.Find(Loss, "op="+SweepOp) {
		if s := m.Sweep(); !slices.Contains(all, s) && has(s) {
			all = append(all, s)
		}
	}
	return all
}

// SizeSweeps returns the sweeps that were measured at more than one size.
func (r *Run) SizeSweeps() []Sweep {
	return r.sweeps(func(s Sweep) bool {
		found := r.Find(Loss, s.Sizes()...)
		return slices.ContainsFunc(found, func(m *Result) bool { return m.Param("n") != found[0].Param("n") })
	})
}

// WorkerSweeps returns the sweeps that were measured with more than one worker.
func (r *Run) WorkerSweeps() []Sweep {
	return r.sweeps(func(s Sweep) bool {
		return slices.ContainsFunc(r.Find(Loss, s.Params()...), func(m *Result) bool { return m.Int("workers") > 1 })
	})
}

// Differing returns the keys, of those that tell runs apart, in which two runs differ.
func (r *Run) Differing(other *Run) (keys []string) {
	all := maps.Clone(r.Config)
	maps.Copy(all, other.Config)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if !volatile(key) && r.Config[key] != other.Config[key] {
			keys = append(keys, key)
		}
	}
	return keys
}

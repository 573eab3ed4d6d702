// Package results reads what benchmarks have printed.
package results

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
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
	Name   string            // without Benchmark, and without -GOMAXPROCS unless that tells results apart: see SettleNames
	plain  string            // without it in any case
	procs  string            // -GOMAXPROCS, or nothing
	Apart  bool              // it is part of the name
	Base   string            // the name without its parameters
	params map[string]string // key=value in the name
	Values map[string][]float64
}

func (m *Result) Param(key string) string { return m.params[key] }

func (m *Result) Int(key string) int {
	n, _ := strconv.Atoi(m.params[key])
	return n
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

func Sample(values []float64) *benchmath.Sample {
	thresholds := benchmath.DefaultThresholds
	return benchmath.NewSample(slices.Clone(values), &thresholds)
}

// machineKeys tell machines, and what was run on them, apart.
var machineKeys = []string{"cpu", "goos", "goarch", "cores", "caches", "emulated", "go", "commit"}

// Read reads files of results. Files of the same program on the same machine become one run.
func Read(files []string) ([]*Run, error) {
	runs, err := readRecords(files)
	SettleNames(runs...)
	return runs, err
}

// SettleNames gives results their names. GOMAXPROCS is part of one if a run has the benchmark with more than one: these are
// different results, as for benchstat. Otherwise it is not, so that machines with different numbers of cores have names in
// common.
func SettleNames(runs ...*Run) {
	type benchmark struct {
		run  *Run
		name string
	}
	procs, apart := map[benchmark]string{}, map[string]bool{}
	for _, r := range runs {
		for _, m := range r.Results {
			b := benchmark{r, m.plain}
			if first, seen := procs[b]; seen && first != m.procs {
				apart[b.name] = true
			}
			procs[b] = m.procs
		}
	}
	for _, r := range runs {
		r.ByName = map[string]*Result{}
		for _, m := range r.Results {
			m.Name, m.Apart = m.plain, apart[m.plain]
			if m.Apart {
				m.Name += m.procs
			}
			r.ByName[m.Name] = m
		}
	}
}

func readRecords(files []string) ([]*Run, error) {
	var runs []*Run
	byKey := map[string]*Run{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		comments := commentsOf(data)
		reader := benchfmt.NewReader(bytes.NewReader(data), name)
		results := 0
		read := map[*Run]bool{}
		for reader.Scan() {
			switch record := reader.Result().(type) {
			case *benchfmt.SyntaxError:
				return nil, record
			case *benchfmt.Result:
				config := maps.Clone(comments)
				for _, c := range record.Config {
					config[c.Key] = string(c.Value)
				}
				var key []string
				for _, k := range machineKeys {
					key = append(key, config[k])
				}
				id := strings.Join(key, "\x00")
				if byKey[id] == nil {
					byKey[id] = &Run{Config: config, ByName: map[string]*Result{}, Units: benchfmt.UnitMetadataMap{}}
					runs = append(runs, byKey[id])
				}
				byKey[id].Add(record)
				read[byKey[id]] = true
				results++
			}
		}
		if err := reader.Err(); err != nil {
			return nil, err
		}
		for r := range read {
			maps.Copy(r.Units, reader.Units())
		}
		if results == 0 {
			return nil, fmt.Errorf("%s: has no benchmark results", name)
		}
	}
	return runs, nil
}

// commentsOf returns the lines "# key: value" before the first result.
func commentsOf(data []byte) map[string]string {
	comments := map[string]string{}
	for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan(); {
		line := scanner.Text()
		if strings.HasPrefix(line, "Benchmark") {
			break
		}
		text, isComment := strings.CutPrefix(line, "# ")
		if key, value, ok := strings.Cut(text, ": "); isComment && ok {
			comments[key] = value
		}
	}
	return comments
}

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
	m := r.ByName[name+procs]
	if m == nil {
		if string(base) == Loss && params["workers"] == "" {
			params["workers"] = "1" // as in the benchmarks of the package
		}
		m = &Result{Name: name, plain: name, procs: procs, Base: string(base), params: params, Values: map[string][]float64{}}
		r.ByName[name+procs] = m
		r.Results = append(r.Results, m)
	}
	for _, v := range record.Values {
		m.Values[v.Unit] = append(m.Values[v.Unit], v.Value)
	}
}

// Emulated reports whether the times mean nothing.
func (r *Run) Emulated() bool {
	e := r.Config["emulated"]
	return e != "" && e != "no"
}

// Title names the machine.
func (r *Run) Title() string {
	name := r.Config["cpu"]
	if name == "" {
		name = "unknown CPU"
	}
	if r.Emulated() {
		name += " (emulated)"
	}
	return name
}

// Titles names machines so that no two have the same name.
func Titles(runs []*Run) []string {
	seen := map[string]int{}
	names := make([]string, len(runs))
	for i, r := range runs {
		names[i] = r.Title()
		seen[names[i]]++
		if n := seen[names[i]]; n > 1 {
			names[i] += fmt.Sprintf(" #%d", n)
		}
	}
	return names
}

func (r *Run) Caches() (c machine.Caches) {
	fmt.Sscanf(r.Config["caches"], "l1d=%d l2=%d l3=%d", &c.L1, &c.L2, &c.L3)
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

// Find returns the results that have the given parameters, such as "op=loss". Those that GOMAXPROCS tells apart have no place
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

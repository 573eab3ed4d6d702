package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// A machineRun is what was measured with one program on one machine: the results of one file, or of several.
type machineRun struct {
	config  map[string]string // of the results, and of the lines with #
	results []*result
	byName  map[string]*result
	units   benchfmt.UnitMetadataMap // what the files say of units
}

// result is all samples of one benchmark.
type result struct {
	name   string            // without Benchmark, and without -GOMAXPROCS unless that tells results apart: see settleNames
	plain  string            // without it in any case
	procs  string            // -GOMAXPROCS, or nothing
	apart  bool              // it is part of the name
	base   string            // the name without its parameters
	params map[string]string // key=value in the name
	values map[string][]float64
}

func (m *result) param(key string) string { return m.params[key] }

func (m *result) int(key string) int {
	n, _ := strconv.Atoi(m.params[key])
	return n
}

// confidence is that of the intervals that are shown.
const confidence = 0.95

// summary returns the median of a unit, and its confidence interval.
func (m *result) summary(unit string) (benchmath.Summary, bool) {
	values := m.values[unit]
	if len(values) == 0 {
		return benchmath.Summary{}, false
	}
	return benchmath.AssumeNothing.Summary(sampleOf(values), confidence), true
}

// median returns the median of a unit, or 0 if it was not measured.
func (m *result) median(unit string) float64 {
	if m == nil {
		return 0
	}
	s, _ := m.summary(unit)
	return s.Center
}

func sampleOf(values []float64) *benchmath.Sample {
	thresholds := benchmath.DefaultThresholds
	return benchmath.NewSample(slices.Clone(values), &thresholds)
}

// machineKeys tell machines, and what was run on them, apart.
var machineKeys = []string{"cpu", "goos", "goarch", "cores", "caches", "emulated", "go", "commit"}

// readRuns reads files of results. Files of the same program on the same machine become one run.
func readRuns(files []string) ([]*machineRun, error) {
	runs, err := readRecords(files)
	settleNames(runs...)
	return runs, err
}

// settleNames gives results their names. GOMAXPROCS is part of one if a run has the benchmark with more than one: these are
// different results, as for benchstat. Otherwise it is not, so that machines with different numbers of cores have names in
// common.
func settleNames(runs ...*machineRun) {
	type benchmark struct {
		run  *machineRun
		name string
	}
	procs, apart := map[benchmark]string{}, map[string]bool{}
	for _, r := range runs {
		for _, m := range r.results {
			b := benchmark{r, m.plain}
			if first, seen := procs[b]; seen && first != m.procs {
				apart[b.name] = true
			}
			procs[b] = m.procs
		}
	}
	for _, r := range runs {
		r.byName = map[string]*result{}
		for _, m := range r.results {
			m.name, m.apart = m.plain, apart[m.plain]
			if m.apart {
				m.name += m.procs
			}
			r.byName[m.name] = m
		}
	}
}

func readRecords(files []string) ([]*machineRun, error) {
	var runs []*machineRun
	byKey := map[string]*machineRun{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		comments := commentsOf(data)
		reader := benchfmt.NewReader(bytes.NewReader(data), name)
		results := 0
		read := map[*machineRun]bool{}
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
					byKey[id] = &machineRun{config: config, byName: map[string]*result{}, units: benchfmt.UnitMetadataMap{}}
					runs = append(runs, byKey[id])
				}
				byKey[id].add(record)
				read[byKey[id]] = true
				results++
			}
		}
		if err := reader.Err(); err != nil {
			return nil, err
		}
		for r := range read {
			maps.Copy(r.units, reader.Units())
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

func (r *machineRun) add(record *benchfmt.Result) {
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
	m := r.byName[name+procs]
	if m == nil {
		if string(base) == lossName && params["workers"] == "" {
			params["workers"] = "1" // as in the benchmarks of the package
		}
		m = &result{name: name, plain: name, procs: procs, base: string(base), params: params, values: map[string][]float64{}}
		r.byName[name+procs] = m
		r.results = append(r.results, m)
	}
	for _, v := range record.Values {
		m.values[v.Unit] = append(m.values[v.Unit], v.Value)
	}
}

// emulated reports whether the times mean nothing.
func (r *machineRun) emulated() bool {
	e := r.config["emulated"]
	return e != "" && e != "no"
}

// title names the machine.
func (r *machineRun) title() string {
	name := r.config["cpu"]
	if name == "" {
		name = "unknown CPU"
	}
	if r.emulated() {
		name += " (emulated)"
	}
	return name
}

// titles names machines so that no two have the same name.
func titles(runs []*machineRun) []string {
	seen := map[string]int{}
	names := make([]string, len(runs))
	for i, r := range runs {
		names[i] = r.title()
		seen[names[i]]++
		if n := seen[names[i]]; n > 1 {
			names[i] += fmt.Sprintf(" #%d", n)
		}
	}
	return names
}

func (r *machineRun) cacheSizes() (c caches) {
	fmt.Sscanf(r.config["caches"], "l1d=%d l2=%d l3=%d", &c.L1, &c.L2, &c.L3)
	return c
}

// paths returns the paths that were measured, the best first.
func (r *machineRun) paths() (paths []string) {
	for _, p := range pathFeatures {
		for _, m := range r.results {
			if m.param("path") == p.path {
				paths = append(paths, p.path)
				break
			}
		}
	}
	return paths
}

// find returns the results that have the given parameters, such as "op=loss". Those that GOMAXPROCS tells apart have no place
// in the tables and charts that are made of them: otherTable lists them.
func (r *machineRun) find(base string, want ...string) (found []*result) {
results:
	for _, m := range r.results {
		if m.base != base || m.apart {
			continue
		}
		for _, w := range want {
			if key, value, _ := strings.Cut(w, "="); m.param(key) != value {
				continue results
			}
		}
		found = append(found, m)
	}
	return found
}

func (m *result) sweep() sweep { return sweep{m.param("type"), m.param("gamma")} }

// sweeps returns the sweeps for which has is true, in the order of the results.
func (r *machineRun) sweeps(has func(s sweep) bool) (all []sweep) {
	for _, m := range r.find(lossName, "op="+sweepOp) {
		if s := m.sweep(); !slices.Contains(all, s) && has(s) {
			all = append(all, s)
		}
	}
	return all
}

// sizeSweeps returns the sweeps that were measured at more than one size.
func (r *machineRun) sizeSweeps() []sweep {
	return r.sweeps(func(s sweep) bool {
		found := r.find(lossName, s.sizes()...)
		return slices.ContainsFunc(found, func(m *result) bool { return m.param("n") != found[0].param("n") })
	})
}

// workerSweeps returns the sweeps that were measured with more than one worker.
func (r *machineRun) workerSweeps() []sweep {
	return r.sweeps(func(s sweep) bool {
		return slices.ContainsFunc(r.find(lossName, s.params()...), func(m *result) bool { return m.int("workers") > 1 })
	})
}

var errNoFiles = errors.New("no file of results; \"focal bench -o FILE\" writes one")

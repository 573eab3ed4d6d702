package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// results are all that a run has measured.
type results struct {
	machine  [][2]string // name and value
	workers  [][2]string // name and what it says of itself
	accuracy []accuracy
	cells    []*cell
}

const (
	timingsFile  = "timings.csv"
	accuracyFile = "accuracy.csv"
	machineFile  = "machine.csv"
)

var (
	timingsHead  = []string{"threads", "rows", "cols", "type", "gamma", "operation", "peer", "not measured", "ns per element by round"}
	accuracyHead = []string{"peer", "type", "gamma", "output", "limit", "worst ULP", "mean ULP", "worst at"}
	machineHead  = []string{"kind", "name", "value"}
)

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// write keeps the results as files, from which all that is published is made.
func (r *results) write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	timings := [][]string{timingsHead}
	for _, c := range r.cells {
		var ns []string
		for _, v := range c.ns {
			ns = append(ns, short(v))
		}
		timings = append(timings, []string{strconv.Itoa(c.threads), strconv.Itoa(c.shape.rows), strconv.Itoa(c.shape.cols), c.typ,
			number(c.gamma), c.op, c.peer, c.reason, strings.Join(ns, " ")})
	}
	errs := [][]string{accuracyHead}
	for _, a := range r.accuracy {
		errs = append(errs, []string{a.peer, a.typ, number(a.gamma), a.output, number(a.limit), short(a.worst), short(a.mean), number(a.at)})
	}
	facts := [][]string{machineHead}
	for _, f := range r.machine {
		facts = append(facts, []string{"machine", f[0], f[1]})
	}
	slices.SortFunc(r.workers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	for _, f := range r.workers {
		facts = append(facts, []string{"worker", f[0], f[1]})
	}
	return errors.Join(writeCSV(dir, timingsFile, timings), writeCSV(dir, accuracyFile, errs), writeCSV(dir, machineFile, facts))
}

func writeCSV(dir, name string, records [][]string) error {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	return errors.Join(csv.NewWriter(f).WriteAll(records), f.Close())
}

// readCSV returns the records below the head.
func readCSV(dir, name string, head []string) ([][]string, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if len(records) == 0 || !slices.Equal(records[0], head) {
		return nil, fmt.Errorf("%s: the first line is not %q", f.Name(), head)
	}
	return records[1:], nil
}

// fields parses numbers, and remembers the first error.
type fields struct{ err error }

func (f *fields) number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && f.err == nil {
		f.err = err
	}
	return v
}

func (f *fields) integer(s string) int { return int(f.number(s)) }

func readResults(dir string) (*results, error) {
	r := &results{}
	timings, err := readCSV(dir, timingsFile, timingsHead)
	if err != nil {
		return nil, err
	}
	var f fields
	for _, v := range timings {
		c := &cell{threads: f.integer(v[0]), shape: shape{f.integer(v[1]), f.integer(v[2])}, typ: v[3], gamma: f.number(v[4]),
			op: v[5], peer: v[6], reason: v[7]}
		for _, ns := range strings.Fields(v[8]) {
			c.ns = append(c.ns, f.number(ns))
		}
		r.cells = append(r.cells, c)
	}
	errs, err := readCSV(dir, accuracyFile, accuracyHead)
	if err != nil {
		return nil, err
	}
	for _, v := range errs {
		r.accuracy = append(r.accuracy, accuracy{peer: v[0], typ: v[1], gamma: f.number(v[2]), output: v[3], limit: f.number(v[4]),
			worst: f.number(v[5]), mean: f.number(v[6]), at: f.number(v[7])})
	}
	facts, err := readCSV(dir, machineFile, machineHead)
	if err != nil {
		return nil, err
	}
	for _, v := range facts {
		fact := [2]string{v[1], v[2]}
		if v[0] == "worker" {
			r.workers = append(r.workers, fact)
		} else {
			r.machine = append(r.machine, fact)
		}
	}
	return r, f.err
}

// of returns a cell, or nil if there is none with times.
func (r *results) of(threads int, s shape, typ string, gamma float64, op, peer string) *cell {
	for _, c := range r.cells {
		if c.threads == threads && c.shape == s && c.typ == typ && c.gamma == gamma && c.op == op && c.peer == peer && len(c.ns) > 0 {
			return c
		}
	}
	return nil
}

// errorOf returns the error of a peer. A peer with kept pages has that of the same without.
func (r *results) errorOf(p peer, typ string, gamma float64, output string, limit float64) (accuracy, bool) {
	for _, a := range r.accuracy {
		if a.peer == p.name() && a.typ == typ && a.gamma == gamma && a.output == output && a.limit == limit {
			return a, true
		}
	}
	return accuracy{}, false
}

// base returns focal's cell that c is compared with.
func (r *results) base(c *cell) *cell {
	return r.of(c.threads, c.shape, c.typ, c.gamma, c.op, "focal")
}

func (r *results) ratio(c *cell) float64 {
	if b := r.base(c); b != nil {
		return ratio(c.ns, b.ns)
	}
	return math.NaN()
}

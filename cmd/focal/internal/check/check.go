// Package check holds this machine to the documentation of package focal.
package check

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/cmd/focal/internal/export"
	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/internal/verify"
)

// Options say what is checked.
type Options struct {
	Full   bool // all float32 logits
	Paths  []string
	Gammas []float64
}

// Result is what was found, in the order in which it is shown.
type Result struct {
	Machine machine.Machine
	Paths   []string
	rows    []row
	hashes  []hash
}

type row struct {
	name string
	*verify.Report
}

type hash struct{ path, got string }

// step takes a sample of some million float32 logits; it is prime, so all low bits occur.
const step = 4099

// Run makes all checks. It calls progress now and then with the name of the check that is running.
func Run(ctx context.Context, o Options, progress func(name string, done, total uint64)) (*Result, error) {
	r := &Result{Machine: machine.This(), Paths: o.Paths}
	add := func(name string, run func(o verify.Options) (*verify.Report, error)) error {
		report, err := run(verify.Options{Paths: o.Paths, Progress: func(done, total uint64) { progress(name, done, total) }})
		if err == nil {
			r.rows = append(r.rows, row{name, report})
		}
		return err
	}
	every, points := uint64(step), uint64(100_000)
	if o.Full {
		every, points = 1, 10_000_000
	}
	sweep := func(name string, p focal.Params, target *float64, fraction uint64) error {
		if err := add("f32, "+name, func(o verify.Options) (*verify.Report, error) {
			o.Sparse = every == 1
			return verify.Float32(ctx, verify.Sweep32{Step: fraction * every, Params: p, Target: target}, o)
		}); err != nil {
			return err
		}
		return add("f64, "+name, func(o verify.Options) (*verify.Report, error) {
			return verify.Float64(ctx, verify.Sweep64{Points: points / fraction, Seed: 1, Params: p, Target: target}, o)
		})
	}
	for i, gamma := range o.Gammas {
		name := fmt.Sprintf("γ = %v", gamma)
		if err := sweep(name, focal.Params{Gamma: gamma, Alpha: focal.NoAlpha}, nil, 1); err != nil {
			return nil, err
		}
		if i > 0 {
			continue
		}
		if err := sweep(name+", α = 0.25, n = 37", focal.Params{Gamma: gamma, Alpha: 0.25, Norm: 37}, nil, 1); err != nil {
			return nil, err
		}
	}
	for _, target := range []float64{0.5, 0.1, 1e-6} {
		p := focal.Params{Gamma: o.Gammas[0], Alpha: focal.NoAlpha}
		if err := sweep(fmt.Sprintf("γ = %v, t = %v", p.Gamma, target), p, &target, 5); err != nil {
			return nil, err
		}
	}
	for _, feature := range verify.Features {
		n := 2_000
		if o.Full {
			n = 100_000
		}
		if err := add("f32, "+string(feature), func(o verify.Options) (*verify.Report, error) {
			return verify.WithFeature[float32](ctx, feature, n, 1, o)
		}); err != nil {
			return nil, err
		}
		if err := add("f64, "+string(feature), func(o verify.Options) (*verify.Report, error) {
			return verify.WithFeature[float64](ctx, feature, n, 1, o)
		}); err != nil {
			return nil, err
		}
	}
	if err := add("hardest known", func(o verify.Options) (*verify.Report, error) { return hardest(ctx, o) }); err != nil {
		return nil, err
	}
	if err := add("special values", verify.Corners); err != nil {
		return nil, err
	}
	for _, path := range o.Paths {
		got, err := machine.Hash(path)
		if err != nil {
			return nil, err
		}
		r.hashes = append(r.hashes, hash{path, got})
	}
	return r, nil
}

// hardest takes the reports on the logits with the largest errors that are known together. Their bounds differ: of each
// quantity it shows the error that is nearest to its bound, or above it.
func hardest(ctx context.Context, o verify.Options) (*verify.Report, error) {
	reports, err := verify.Hardest(ctx, verify.HardRadius, o)
	if err != nil {
		return nil, err
	}
	all := reports[0]
	for _, r := range reports[1:] {
		all.MergeNearest(r)
	}
	return all, nil
}

func (h hash) err() error {
	if h.got == verify.GoldenHash {
		return nil
	}
	return fmt.Errorf("%s: the hash of results is %s, want %s", h.path, h.got, verify.GoldenHash)
}

// Failed returns what does not hold.
func (r *Result) Failed() (failed []error) {
	for _, row := range r.rows {
		if err := row.Err(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", row.name, err))
		}
	}
	for _, h := range r.hashes {
		if err := h.err(); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// measured reports whether errors were measured, and not only values compared that are known.
func (r *row) measured() bool {
	for _, e := range r.Errors {
		if e.N > 0 {
			return true
		}
	}
	return false
}

// WriteText writes the tables, and what does not hold below them.
func (r *Result) WriteText(w io.Writer) error {
	m := r.Machine
	fmt.Fprintf(w, "%s, %s/%s, %s, commit %s\n", m.CPU, runtime.GOOS, runtime.GOARCH, runtime.Version(), m.Commit)
	if m.Emulated != "" {
		fmt.Fprintf(w, "emulated by %s\n", m.Emulated)
	}
	fmt.Fprintf(w, "paths: %s\n\n", strings.Join(r.Paths, ", "))

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "worst error in ULP, and its bound\tlogits\tbits\t")
	for _, q := range verify.Quantities {
		fmt.Fprintf(table, "%v\t", q)
	}
	fmt.Fprint(table, "\n")
	for _, row := range r.rows {
		bits := "equal"
		switch {
		case row.Differing > 0:
			bits = fmt.Sprintf("%d DIFFER", row.Differing)
		case !row.measured():
			bits = "right" // values that are known, on each path
		case len(row.Report.Paths) == 0:
			bits = "one path"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t", row.name, row.Logits, bits)
		for _, q := range verify.Quantities {
			cell := ""
			if err := row.Errors[q]; err.N > 0 {
				sign := "≤"
				if !(err.Worst <= row.Bounds[q]) {
					sign = "ABOVE"
				}
				cell = fmt.Sprintf("%.2f %s %.4g", err.Worst, sign, row.Bounds[q])
			}
			fmt.Fprintf(table, "%s\t", cell)
		}
		fmt.Fprint(table, "\n")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nhash of results, the same on every machine: %.16s…\n", verify.GoldenHash)
	for _, h := range r.hashes {
		verdict := "equal"
		if h.err() != nil {
			verdict = fmt.Sprintf("DIFFERS: %.16s…", h.got)
		}
		fmt.Fprintf(w, "  %-9s%s\n", h.path, verdict)
	}
	failed := r.Failed()
	if len(failed) == 0 {
		_, err := fmt.Fprint(w, "\nall checks passed\n")
		return err
	}
	fmt.Fprintf(w, "\n%d checks FAILED:\n", len(failed))
	for _, err := range failed {
		if _, err := fmt.Fprintf(w, "  %v\n", err); err != nil {
			return err
		}
	}
	return nil
}

// Record is one thing that was checked, for other programs.
type Record struct {
	CPU       string   `json:"cpu"`
	GOOS      string   `json:"goos"`
	GOARCH    string   `json:"goarch"`
	Emulated  bool     `json:"emulated"`
	Commit    string   `json:"commit"`
	Paths     string   `json:"paths"`    // that were compared, with spaces between them
	Check     string   `json:"check"`    // the row of the text
	Quantity  string   `json:"quantity"` // bits, hash, or what errors were measured of
	Logits    uint64   `json:"logits"`
	Differing uint64   `json:"differing"` // results, of bits
	Worst     *float64 `json:"worst_ulp"`
	Bound     *float64 `json:"bound_ulp"`
	Passed    bool     `json:"passed"`
}

// Records returns a record for all bits of a row, for each of its quantities, and for the hash of each path.
func (r *Result) Records() (all []Record) {
	m := r.Machine
	base := Record{CPU: m.CPU, GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Emulated: m.Emulated != "", Commit: m.Commit}
	for _, row := range r.rows {
		one := base
		one.Paths, one.Check, one.Logits = strings.Join(r.Paths, " "), row.name, row.Logits
		bits := one
		bits.Quantity, bits.Differing, bits.Passed = "bits", row.Differing, row.Differing == 0 && row.Logits > 0
		all = append(all, bits)
		for _, q := range verify.Quantities {
			if e := row.Errors[q]; e.N > 0 {
				errors := one
				errors.Quantity, errors.Worst, errors.Bound = q.String(), export.Number(e.Worst), export.Number(row.Bounds[q])
				errors.Passed = e.Worst <= row.Bounds[q]
				all = append(all, errors)
			}
		}
	}
	for _, h := range r.hashes {
		one := base
		one.Paths, one.Check, one.Quantity, one.Passed = h.path, "hash of results", "hash", h.err() == nil
		all = append(all, one)
	}
	return all
}

package main

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/verify"
)

const (
	verifySynopsis = "[-full] [-paths all] [-gammas 2,2.3]"
	verifyText     = `
Holds this machine to the documentation: every path must return the bits of the reference, the reference must be within
the bounds on its errors, in ULP of the exact values, special values must give what is documented, and a hash of results
of every kind must be that of all machines. It takes some seconds. The exit status is 1 if anything fails: please report
it, with the output of this and of "focal info".

With -full it goes through all 2^32 float32 logits, and ten million float64 ones, for each gamma: some forty minutes of
one core for each.
`
)

// verifyStep takes a sample of some million float32 logits; it is prime, so that all low bits occur.
const verifyStep = 4099

func runVerify(e *env, args []string) error {
	fs := e.flags(verifyText)
	full := fs.Bool("full", false, "all float32 logits")
	paths := fs.String("paths", "all", "`list` of paths to hold against the reference, of "+strings.Join(control.Paths(), ","))
	gammas := fs.String("gammas", "2,0,0.5,1,2.3,5", "`list` of gammas")
	fs.StringVar(gammas, "gamma", *gammas, "the same as -gammas")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	v := newVerification(e)
	v.full = *full
	var err error
	if v.options.Paths, err = parsePaths(*paths); err != nil {
		return err
	}
	if v.gammas, err = parseGammas(*gammas); err != nil {
		return err
	}
	return v.run()
}

// verification is one run of focal verify.
type verification struct {
	e       *env
	full    bool
	options verify.Options
	gammas  []float64

	table  *tabwriter.Writer
	failed []error
}

func newVerification(e *env) *verification {
	v := &verification{e: e, table: tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)}
	fmt.Fprint(v.table, "worst error in ULP, and its bound\tlogits\tbits\t")
	for _, q := range verify.Quantities {
		fmt.Fprintf(v.table, "%v\t", q)
	}
	fmt.Fprint(v.table, "\n")
	return v
}

func (v *verification) run() error {
	m := machine.This()
	fmt.Fprintf(v.e.stdout, "%s, %s/%s, %s, commit %s\n", m.CPU, runtime.GOOS, runtime.GOARCH, runtime.Version(), m.Commit)
	if m.Emulated != "" {
		fmt.Fprintf(v.e.stdout, "emulated by %s\n", m.Emulated)
	}
	fmt.Fprintf(v.e.stdout, "paths: %s\n\n", strings.Join(v.options.Paths, ", "))

	step, points := uint64(verifyStep), uint64(100_000)
	if v.full {
		step, points = 1, 10_000_000
	}
	for _, gamma := range v.gammas {
		params := []focal.Params{{Gamma: gamma, Alpha: focal.NoAlpha}}
		if gamma == v.gammas[0] {
			params = append(params, focal.Params{Gamma: gamma, Alpha: 0.25, Norm: 37})
		}
		for _, p := range params {
			name := fmt.Sprintf("γ = %v", gamma)
			if p.Alpha != focal.NoAlpha {
				name += fmt.Sprintf(", α = %v, n = %v", p.Alpha, p.Norm)
			}
			if err := v.report("f32, "+name, func(o verify.Options) (*verify.Report, error) {
				return verify.Float32(v.e.ctx, verify.Sweep32{Step: step, Params: p}, o)
			}); err != nil {
				return err
			}
			if err := v.report("f64, "+name, func(o verify.Options) (*verify.Report, error) {
				return verify.Float64(v.e.ctx, verify.Sweep64{Points: points, Seed: 1, Params: p}, o)
			}); err != nil {
				return err
			}
		}
	}
	for _, target := range []float64{0.5, 0.1, 1e-6} {
		p := focal.Params{Gamma: v.gammas[0], Alpha: focal.NoAlpha}
		name := fmt.Sprintf("γ = %v, t = %v", p.Gamma, target)
		if err := v.report("f32, "+name, func(o verify.Options) (*verify.Report, error) {
			return verify.Float32(v.e.ctx, verify.Sweep32{Step: 5 * step, Params: p, Target: &target}, o)
		}); err != nil {
			return err
		}
		if err := v.report("f64, "+name, func(o verify.Options) (*verify.Report, error) {
			return verify.Float64(v.e.ctx, verify.Sweep64{Points: points / 5, Seed: 1, Params: p, Target: &target}, o)
		}); err != nil {
			return err
		}
	}
	if err := v.report("hardest known", func(o verify.Options) (*verify.Report, error) { return hardest(v.e, o) }); err != nil {
		return err
	}
	if err := v.report("special values", verify.Corners); err != nil {
		return err
	}
	if err := v.table.Flush(); err != nil {
		return err
	}
	if err := v.hash(); err != nil {
		return err
	}
	return v.finish()
}

// hash computes the golden hash on each path.
func (v *verification) hash() error {
	fmt.Fprintf(v.e.stdout, "\nhash of results, the same on every machine: %.16s…\n", verify.GoldenHash)
	for _, path := range v.options.Paths {
		hash, err := machine.Hash(path)
		if err != nil {
			return err
		}
		verdict := "equal"
		if hash != verify.GoldenHash {
			verdict = fmt.Sprintf("DIFFERS: %.16s…", hash)
			v.failed = append(v.failed, fmt.Errorf("%s: the hash of results is %s, want %s", path, hash, verify.GoldenHash))
		}
		fmt.Fprintf(v.e.stdout, "  %-9s%s\n", path, verdict)
	}
	return nil
}

// finish prints what does not hold.
func (v *verification) finish() error {
	if len(v.failed) == 0 {
		fmt.Fprint(v.e.stdout, "\nall checks passed\n")
		return nil
	}
	fmt.Fprintf(v.e.stdout, "\n%d checks FAILED:\n", len(v.failed))
	for _, err := range v.failed {
		fmt.Fprintf(v.e.stdout, "  %v\n", err)
	}
	return errCheck
}

// hardest takes the reports on the logits with the largest errors that are known together.
func hardest(e *env, o verify.Options) (*verify.Report, error) {
	reports, err := verify.Hardest(e.ctx, o)
	if err != nil {
		return nil, err
	}
	all := reports[0]
	for _, r := range reports[1:] {
		all.Merge(r)
	}
	return all, nil
}

func measured(r *verify.Report) bool {
	for _, e := range r.Errors {
		if e.N > 0 {
			return true
		}
	}
	return false
}

// report runs a check with a progress bar, and adds a row for what it has found.
func (v *verification) report(name string, check func(o verify.Options) (*verify.Report, error)) error {
	o := v.options
	var bar *progressbar.ProgressBar
	var last time.Time
	o.Progress = func(done, total uint64) {
		if bar == nil {
			bar = v.e.progress(1000, name)
		}
		if time.Since(last) > 100*time.Millisecond {
			last = time.Now()
			bar.Set(int(1000 * float64(done) / float64(total)))
		}
	}
	r, err := check(o)
	if bar != nil {
		bar.Finish()
	}
	if err != nil {
		return err
	}
	if err := r.Err(); err != nil {
		v.failed = append(v.failed, fmt.Errorf("%s: %w", name, err))
	}
	bits := "equal"
	switch {
	case r.Differing > 0:
		bits = fmt.Sprintf("%d DIFFER", r.Differing)
	case !measured(r):
		bits = "right" // values that are known, on each path
	case len(r.Paths) == 0:
		bits = "one path"
	}
	fmt.Fprintf(v.table, "%s\t%d\t%s\t", name, r.Logits, bits)
	for i, q := range verify.Quantities {
		cell := ""
		if err := r.Errors[i]; err.N > 0 {
			sign := "≤"
			if !(err.Worst <= r.Bound(q)) {
				sign = "ABOVE"
			}
			cell = fmt.Sprintf("%.2f %s %v", err.Worst, sign, r.Bound(q))
		}
		fmt.Fprintf(v.table, "%s\t", cell)
	}
	fmt.Fprint(v.table, "\n")
	return nil
}

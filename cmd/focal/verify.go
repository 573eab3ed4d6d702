package main

import (
	"math"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/gofocal/focal/cmd/focal/internal/check"
	"github.com/gofocal/focal/internal/coef"
	"github.com/gofocal/focal/internal/control"
)

const (
	verifySynopsis = "[-full] [-paths all] [-gammas 2,2.3] [-o FILE.json|.csv]"
	verifyText     = `
Checks this machine against the documentation. Every path must return the bits of the reference. The reference's errors, in
ULP of the exact values, must be within the bounds. Special values must give what is documented. A hash of all kinds of
results must be that of all machines. It takes some seconds. The exit status is 1 if anything fails: please report it, with
this output and that of "focal info".

-full checks all 2^32 float32 logits and ten million float64 logits for each gamma, some fifteen minutes of one core per gamma.
Of the float32 logits the best path takes all, the others a part.
`
)

func runVerify(e *env, args []string) error {
	fs := e.flags(verifyText)
	full := fs.Bool("full", false, "all float32 logits")
	paths := fs.String("paths", "all", "`list` of paths to compare with the reference, of "+strings.Join(control.Paths(), ","))
	gammas := fs.String("gammas", "2,0,0.5,1,2.3,5", "`list` of gammas")
	fs.StringVar(gammas, "gamma", *gammas, "the same as -gammas")
	out := formatFlags(fs, "text")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	if err := out.settle(); err != nil {
		return err
	}
	o := check.Options{Full: *full}
	var err error
	if o.Paths, err = parsePaths(*paths); err != nil {
		return err
	}
	if o.Gammas, err = parseGammas(*gammas); err != nil {
		return err
	}
	for _, gamma := range o.Gammas {
		if gamma > coef.Layout32.MaxGamma {
			return usagef("-gammas %v, want them at most 2^%d: above, float32 logits have the results of that", gamma, math.Ilogb(coef.Layout32.MaxGamma))
		}
	}
	r, err := check.Run(e.ctx, o, e.checking())
	if err != nil {
		return err
	}
	if err := e.write(out, r.Records(), r.WriteText); err != nil {
		return err
	}
	if len(r.Failed()) > 0 {
		return errCheck
	}
	return nil
}

// checking returns a function that shows a progress bar for each check.
func (e *env) checking() func(name string, done, total uint64) {
	var bar *progressbar.ProgressBar
	var last time.Time
	current := ""
	return func(name string, done, total uint64) {
		if name != current {
			bar, current = e.progress(1000, name), name
		}
		if done == total {
			bar.Finish()
		} else if time.Since(last) > 100*time.Millisecond {
			last = time.Now()
			bar.Set(int(1000 * float64(done) / float64(total)))
		}
	}
}

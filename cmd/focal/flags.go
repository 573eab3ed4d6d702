package main

import (
	"errors"
	"flag"
	"math"
	"strconv"

	"github.com/gofocal/focal/internal/shards"
)

// Flags that commands have in common.

// lossFlagSet is the flags that say which loss it is, and what labels mean.
type lossFlagSet struct {
	gamma     *float64
	alpha     *string
	zeroBased *bool
	ignore    *int64
}

func lossFlags(fs *flag.FlagSet) lossFlagSet {
	return lossFlagSet{
		gamma:     fs.Float64("gamma", 2, "focusing exponent, ≥ 0"),
		alpha:     fs.String("alpha", "0.25", "`weight` of positives, in [0, 1], or none or -1: every weight is 1"),
		zeroBased: fs.Bool("zero-based", false, "labels are 0..C-1 for the class and C for background, as in mmdetection"),
		ignore:    fs.Int64("ignore", -1, "`label` of ignored rows"),
	}
}

// aboutLabels reports whether a flag was given that has no meaning without labels.
func (f lossFlagSet) aboutLabels() bool { return *f.zeroBased || *f.ignore != -1 }

func (f lossFlagSet) options() (o shards.Options, err error) {
	o = shards.Options{Gamma: *f.gamma, Labels: shards.Convention{ZeroBased: *f.zeroBased}}
	if err := shards.CheckGamma(o.Gamma); err != nil {
		return o, usageError{err}
	}
	if o.Labels.Ignore, err = shards.ParseIgnore(*f.ignore); err != nil {
		return o, usageError{err}
	}
	if o.Alpha, err = shards.ParseAlpha(*f.alpha); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// normFlag is the Norm of focal.Params, of which 0 is 1; or 0 for auto.
func normFlag(fs *flag.FlagSet) *float64 {
	norm := new(float64)
	const usage = "divisor: a `number` (0 counts as 1), or auto: the number of rows with a class, or of targets above 0; at least 1 (default auto)"
	fs.Func("norm", usage, func(s string) error {
		v, err := strconv.ParseFloat(s, 64)
		switch {
		case s == "auto":
			*norm = 0
		case err != nil || !(v >= 0) || math.IsInf(v, 0):
			return errors.New("want a number, finite and ≥ 0, or auto")
		default:
			*norm = v
			if v == 0 {
				*norm = 1
			}
		}
		return nil
	})
	return norm
}

var errWorkers = errors.New("want numbers ≥ 1, or max")

// parseWorkers returns the Workers of focal.Params.
func parseWorkers(s string) (int, error) {
	if s == "max" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, usagef("-workers %q, %w", s, errWorkers)
	}
	return n, nil
}

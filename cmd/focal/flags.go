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
	o       *shards.Options
	gamma   *float64
	alpha   *string
	classes *string
	quality *bool // was given
}

func lossFlags(fs *flag.FlagSet) lossFlagSet {
	o := &shards.Options{Labels: shards.Convention{Ignore: -1}}
	f := lossFlagSet{
		o:       o,
		gamma:   fs.Float64("gamma", 2, "focusing exponent, ≥ 0"),
		alpha:   fs.String("alpha", "0.25", "`weight` of positives, in [0, 1], or none or -1: every weight is 1"),
		classes: fs.String("class-weights", "", shards.ClassWeightsUsage),
		quality: new(bool),
	}
	fs.Var(shards.GammaFlag{To: &o.NegGamma}, "gamma-neg", shards.GammaNegUsage)
	fs.BoolVar(&o.Labels.ZeroBased, "zero-based", false, "labels are 0..C-1 for the class and C for background, as in mmdetection")
	fs.Var(shards.IgnoreFlag{To: &o.Labels}, "ignore", shards.IgnoreUsage)
	fs.Var(shards.QualityFlag{To: &o.Quality, Given: f.quality}, "quality", shards.QualityUsage)
	return f
}

// options returns what the flags say, and reads the weights of classes.
func (f lossFlagSet) options(e *env) (o shards.Options, err error) {
	o = *f.o
	o.Gamma = *f.gamma
	if err := shards.CheckGamma(o.Gamma); err != nil {
		return o, usageError{err}
	}
	if o.Alpha, err = shards.ParseAlpha(*f.alpha); err != nil {
		return o, usageError{err}
	}
	switch {
	case *f.quality && !o.Scores:
		return o, usagef("-quality is about scores, and there are no -scores")
	case o.Scores && o.NegGamma != nil && *o.NegGamma != o.Gamma:
		return o, usagef("-gamma-neg and -scores exclude each other")
	case *f.classes == "":
		return o, nil
	}
	o.Classes, err = shards.LoadClassWeights(e.ctx, e.open, *f.classes)
	return o, err
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

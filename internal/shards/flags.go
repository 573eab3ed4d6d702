package shards

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gofocal/focal"
)

// What the flags of several commands say of themselves.
const (
	GammaNegUsage     = "focusing `exponent` of negatives (default that of -gamma)"
	IgnoreUsage       = "`value` of ignored labels, and if given of ignored targets; nan: targets that are NaN. Both can be given"
	QualityUsage      = "`loss` of scores: varifocal, aligned or quality-focal"
	ClassWeightsUsage = "weights of classes: `file`, numbers [C], or [2, C]: those of negatives, and of positives"
	WeightsUsage      = "there are weights of elements, NAME.weights.npy"
	RowWeightsUsage   = "there are weights of rows, NAME.row-weights.npy"
	ScoresUsage       = "there are scores of the rows' classes, NAME.scores.npy, and labels"
)

// ParseAlpha returns the Alpha of focal.Params that the flag -alpha means. -1 is how torchvision spells none.
func ParseAlpha(s string) (float64, error) {
	if s == "none" {
		return focal.NoAlpha, nil
	}
	alpha, err := strconv.ParseFloat(s, 64)
	if err != nil || !(alpha >= 0 && alpha <= 1 || alpha == focal.NoAlpha) {
		return 0, fmt.Errorf("-alpha %q, want a number in [0, 1], or none or -1: every weight is 1", s)
	}
	return alpha, nil
}

// CheckGamma returns an error unless the flag -gamma is one of focal.Params.
func CheckGamma(gamma float64) error {
	if !(gamma >= 0) || math.IsInf(gamma, 0) {
		return fmt.Errorf("-gamma %v, want it finite and ≥ 0", gamma)
	}
	return nil
}

// CheckHardest returns an error unless the flag -hardest is one of Options.
func CheckHardest(n int) error {
	if n < 0 {
		return fmt.Errorf("-hardest %d, want it ≥ 0", n)
	}
	return nil
}

// GammaFlag is the flag -gamma-neg.
type GammaFlag struct{ To **float64 }

func (f GammaFlag) String() string {
	if f.To == nil || *f.To == nil {
		return ""
	}
	return formatFloat(**f.To)
}

// Set implements [flag.Value].
func (f GammaFlag) Set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0) || math.IsInf(v, 0) {
		return errors.New("want a number, finite and ≥ 0")
	}
	*f.To = &v
	return nil
}

// IgnoreFlag is the flag -ignore, which can be given twice: a label or target, and nan.
type IgnoreFlag struct{ To *Convention }

func (f IgnoreFlag) String() string {
	if f.To == nil {
		return ""
	}
	return fmt.Sprint(f.To.Ignore)
}

// Set implements [flag.Value].
func (f IgnoreFlag) Set(s string) error {
	if strings.EqualFold(s, "nan") {
		f.To.IgnoreNaN = true
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return errors.New("want an integer that an int32 holds, or nan")
	}
	f.To.Ignore, f.To.IgnoreTargets = int32(v), true
	return nil
}

// QualityFlag is the flag -quality.
type QualityFlag struct {
	To    *focal.Quality
	Given *bool
}

// qualities are the names of focal.Quality in flags and files.
var qualities = []string{focal.Varifocal: "varifocal", focal.Aligned: "aligned", focal.QualityFocal: "quality-focal"}

func (f QualityFlag) String() string {
	if f.To == nil {
		return ""
	}
	return qualities[*f.To]
}

// Set implements [flag.Value].
func (f QualityFlag) Set(s string) error {
	i := slices.Index(qualities, s)
	if i < 0 {
		return fmt.Errorf("want %s", strings.Join(qualities, ", "))
	}
	*f.To = focal.Quality(i)
	if f.Given != nil {
		*f.Given = true
	}
	return nil
}

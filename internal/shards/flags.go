package shards

import (
	"fmt"
	"math"
	"strconv"

	"github.com/gofocal/focal"
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

// ParseIgnore returns the label that the flag -ignore means.
func ParseIgnore(label int64) (int32, error) {
	if label < math.MinInt32 || label > math.MaxInt32 {
		return 0, fmt.Errorf("-ignore %d is beyond int32", label)
	}
	return int32(label), nil
}

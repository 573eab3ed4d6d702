package oracle

// Bounds are the errors that the documentation promises at most, in ULP: of the Hessian, whose terms cancel, in ULP of
// the sum of their magnitudes. They are the same for float32 and float64.
type Bounds struct{ Loss, Grad, Hess, Sigmoid float64 }

const (
	boundLoss, boundGrad, boundHess, boundSigmoid = 4, 5, 8, 2

	// γ·log s multiplies the error of log s: from gammaFlat on the bounds grow by perGamma for each unit of γ.
	gammaFlat, perGamma = 5, 0.2

	// ofWeight is what the rounding of a weight to its type may add, if a result is compared with that of the exact
	// weight.
	ofWeight = 1

	// Of soft targets: the weight is a sum, and so is E. log m has the errors of two logarithms.
	softLoss, softGrad, softHess = 8, 9, 9
	softPerGamma                 = 0.8

	// MaxSoftLogit is the magnitude of a logit up to which the loss of a soft target is within its bound at any t, for
	// weights near 1: beyond, it may matter that m^γ is a subnormal number, or not as small as it should be.
	MaxSoftLogit = 0x1p40

	// SumRelative32 and SumRelative64 bound the error of a sum relative to the exact sum of the losses as written.
	SumRelative32, SumRelative64 = 0x1p-40, 0x1p-50
)

// Promised returns the bounds for an exponent. If the exact values have a weight that is no floating-point number, so
// that the kernel works with another one, roundedWeight is true.
func Promised(gamma float64, roundedWeight bool) Bounds {
	return Bounds{Loss: boundLoss, Grad: boundGrad, Hess: boundHess}.grown(gamma, perGamma, roundedWeight)
}

// PromisedSoft returns the bounds for soft targets: for those of gradient and Hessian, whose terms cancel, the unit is that
// of GMag and HMag.
func PromisedSoft(gamma float64, roundedWeight bool) Bounds {
	return Bounds{Loss: softLoss, Grad: softGrad, Hess: softHess}.grown(gamma, softPerGamma, roundedWeight)
}

func (b Bounds) grown(gamma, perGamma float64, roundedWeight bool) Bounds {
	more := perGamma * max(0, gamma-gammaFlat)
	if roundedWeight {
		more += ofWeight
	}
	return Bounds{Loss: b.Loss + more, Grad: b.Grad + more, Hess: b.Hess + more, Sigmoid: boundSigmoid}
}

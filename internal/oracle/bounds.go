package oracle

import "slices"

// A Quantity is one thing that package focal computes.
type Quantity int

const (
	Loss Quantity = iota
	Grad
	Hess
	Curv   // the Gauss-Newton part of the Hessian
	Frozen // the gradient for a modulating factor that counts as a constant
	Sigmoid
	Softplus
	Quantities // how many there are
)

func (q Quantity) String() string {
	return [...]string{"loss", "gradient", "Hessian", "curvature", "frozen gradient", "sigmoid", "softplus"}[q]
}

// Bounds are the errors that the documentation promises at most, in ULP of the exact result for the parameters as they are
// given: alpha/n is a real number, not rounded to the type. Where the terms of a quantity cancel (the Hessian, and with soft
// targets the gradients) it is in ULP of the sum of their magnitudes. They are the same for float32 and float64.
type Bounds [Quantities]float64

// The promises, found by search (gen/search), with a margin.
var (
	general = Bounds{Loss: 5.5, Grad: 6, Hess: 9, Curv: 7, Frozen: 6, Sigmoid: 2, Softplus: 2.5}
	usual   = Bounds{Loss: 4, Grad: 5, Hess: 8, Curv: 7, Frozen: 6, Sigmoid: 2, Softplus: 2.5}
	soft    = Bounds{Loss: 7, Grad: 9, Hess: 9, Curv: 8, Frozen: 8}

	// γ·log s multiplies the error of log s: above flat the bounds grow by so much for each unit of γ.
	perGamma     = Bounds{Loss: 0.35, Grad: 0.8, Hess: 0.35, Curv: 0.35, Frozen: 0.35}
	softPerGamma = Bounds{Loss: 0.65, Grad: 0.65, Hess: 0.65, Curv: 0.65, Frozen: 0.65}
)

const flat = 5

// The exponents and weights that people use have smaller bounds.
var (
	UsualGammas  = []float64{0, 0.5, 1, 1.5, 2, 2.5, 3}
	UsualWeights = []float64{0.25, 0.75, 1}
)

const (
	// Where a weight times the modulating factor is below the normal range, it is rounded to a multiple of the smallest
	// number, and so may the weight have been. That adds up to the softplus times so many of the smallest numbers to the
	// error of a loss: one weight and the product, two weights, their sum and the product.
	PerSoftplus     = 1
	PerSoftplusSoft = 2

	// PerWeight is what each weight of a row, class or element adds to a bound: a rounding of the product.
	PerWeight = 1

	quality = 6

	// SumRelative32 and SumRelative64 bound the error of a sum relative to the exact sum of the losses as written.
	SumRelative32, SumRelative64 = 0x1p-40, 0x1p-50
)

// Promised returns the bounds for an exponent and for weights, as they are after the division by the norm; for any weights if
// none are given.
func Promised(gamma float64, weights ...float64) Bounds {
	isUsual := len(weights) > 0 && slices.Contains(UsualGammas, gamma)
	for _, w := range weights {
		isUsual = isUsual && slices.Contains(UsualWeights, w)
	}
	if isUsual {
		return usual
	}
	return general.grown(gamma, perGamma)
}

// PromisedSoft returns the bounds for soft targets.
func PromisedSoft(gamma float64) Bounds { return soft.grown(gamma, softPerGamma) }

// PromisedQuality returns the bounds of quality focal loss for an exponent up to 5, in units of QualityAt.
func PromisedQuality() (b Bounds) {
	for q := Loss; q <= Frozen; q++ {
		b[q] = quality
	}
	return b
}

// Weighted returns the bounds with so many weights of rows, classes or elements.
func (b Bounds) Weighted(weights int) Bounds {
	for q := range b {
		b[q] += PerWeight * float64(weights)
	}
	return b
}

func (b Bounds) grown(gamma float64, per Bounds) Bounds {
	for q := range b {
		b[q] += max(0, gamma-flat) * per[q]
	}
	return b
}

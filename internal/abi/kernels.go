package abi

// A Kernel is a vector function: it evaluates one operation of one family for every element of its arguments. It knows
// nothing of labels; U is x for a negative and -x for a positive.
type Kernel uint8

// An Operation says which outputs a kernel writes. All of them write Loss.
type Operation uint8

const (
	Loss   Operation = iota // Loss
	Grad                    // Loss, Grad
	Hess                    // Loss, Grad, Hess, Curv
	Frozen                  // Loss, and Grad and Curv with the modulating factor taken for a constant
)

// A Family says how the modulating factor is computed, and of what.
type Family uint8

const (
	Zero       Family = iota // gamma = 0: the factor is 1, the loss cross-entropy
	Square                   // gamma = 2
	Power                    // any gamma ≥ 0
	SoftSquare               // the same for a target in [0, 1]
	SoftPower
)

const (
	operations = 4
	families   = 5
)

// KernelOf returns the kernel of an operation and a family.
func KernelOf(o Operation, f Family) Kernel { return Kernel(int(f)*operations + int(o)) }

func (k Kernel) Operation() Operation { return Operation(k % operations) }
func (k Kernel) Family() Family       { return Family(k / operations) }
func (f Family) Soft() bool           { return f >= SoftSquare }

// String returns what a kernel's name begins with, such as "gradPower"; type and path follow.
func (k Kernel) String() string {
	f := k.Family()
	if f.Soft() {
		return "soft" + [...]string{"Loss", "Grad", "Hess", "Frozen"}[k.Operation()] + [...]string{"Square", "Power"}[f-SoftSquare]
	}
	return [...]string{"loss", "grad", "hess", "frozen"}[k.Operation()] + [...]string{"Zero", "Square", "Power"}[f]
}

// Kernels is the list of all kernels. Declarations, switches, tests and benchmarks are made from it.
func Kernels() []Kernel {
	var all []Kernel
	for k := range Kernel(families * operations) {
		if k.Family() == Zero && k.Operation() == Frozen {
			continue // the factor is constant anyway: Hess of Zero
		}
		all = append(all, k)
	}
	return all
}

// Args is one call of a kernel. Each pointer is the first of N elements. N is a positive multiple of the path's group.
type Args[T float32 | float64] struct {
	N      int
	U      *T // logits as the element sees them: x of a negative, -x of a positive; of soft targets, x
	Target *T // in [0, 1]; soft kernels only

	// Weights of the elements; where the pointer is nil, all have Weight or WeightPos. With a soft target t the weight is
	// WPos·t + W·(1-t); all other kernels use W alone. They are positive: no kernel is called with a uniform weight of 0.
	W, WPos           *T
	Weight, WeightPos T

	// Written, those that belong to the operation; none of them is nil. Each may be U itself. Grad is ∂loss/∂u.
	Loss, Grad, Hess, Curv *T

	Plan *Plan[T]
}

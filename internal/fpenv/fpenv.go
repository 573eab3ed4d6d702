// Package fpenv reads and sets the processor's floating-point control bits (MXCSR on amd64, FPCR on arm64), which Go has
// no means for: rounding, flush-to-zero. It is for tests of what a caller, or C code, may have left behind. The bits
// belong to the thread: lock the goroutine to it, and set back what was found.
package fpenv

// Available reports whether this architecture is known here.
const Available = available

// Get returns the control bits of the thread.
func Get() uint64 { return get() }

// Set sets them.
func Set(bits uint64) { set(bits) }

// A Mode is one way in which the bits may have been changed.
type Mode struct {
	Name       string
	Clear, Set uint64 // bits
	Rounding   bool   // it rounds otherwise
	Subnormals bool   // it takes them for 0, operands or results
	Operands   bool   // it takes subnormal operands for 0
}

// Modes are the ways to change the bits, the default one first.
func Modes() []Mode { return modes }

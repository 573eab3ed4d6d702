//go:build gc && !purego

package fpenv

const available = true

// See the Arm Architecture Reference Manual, FPCR.
const (
	rounding = 3 << 22
	fz       = 1 << 24
)

var modes = []Mode{
	{Name: "default", Clear: rounding | fz, Set: 0},
	{Name: "rounding up", Clear: rounding, Set: 1 << 22, Rounding: true},
	{Name: "rounding down", Clear: rounding, Set: 2 << 22, Rounding: true},
	{Name: "rounding towards zero", Clear: rounding, Set: 3 << 22, Rounding: true},
	{Name: "subnormals are zero (FZ)", Clear: 0, Set: fz, Subnormals: true, Operands: true},
}

func get() uint64

func set(bits uint64)

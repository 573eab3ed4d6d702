//go:build gc && !purego

package fpenv

const available = true

// See Intel's Software Developer's Manual, volume 1, section 10.2.3.
const (
	flags    = 0x3f // sticky: what has happened so far
	toZero   = 1 << 15
	rounding = 3 << 13
	daz      = 1 << 6
)

var modes = []Mode{
	{Name: "default", Clear: flags | rounding | toZero | daz, Set: 0},
	{Name: "all exceptions have happened", Clear: 0, Set: flags},
	{Name: "rounding down", Clear: rounding, Set: 1 << 13, Rounding: true},
	{Name: "rounding up", Clear: rounding, Set: 2 << 13, Rounding: true},
	{Name: "rounding towards zero", Clear: rounding, Set: 3 << 13, Rounding: true},
	{Name: "subnormal results are zero (FTZ)", Clear: 0, Set: toZero, Subnormals: true},
	{Name: "subnormal operands are zero (DAZ)", Clear: 0, Set: daz, Subnormals: true, Operands: true},
	{Name: "FTZ and DAZ", Clear: 0, Set: toZero | daz, Subnormals: true, Operands: true},
}

func get() uint64

func set(bits uint64)

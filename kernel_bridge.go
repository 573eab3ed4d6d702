package focal

import (
	"math"
	"unsafe"
)

// genericSigmoid stands here until the reference has it.
func genericSigmoid[T Float](dst, x *T, n int) {
	d := unsafe.Slice(dst, n)
	for i, v := range unsafe.Slice(x, n) {
		d[i] = T(1 / (1 + math.Exp(-float64(v))))
	}
}

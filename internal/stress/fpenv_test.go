package stress

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/coef"
	"github.com/gofocal/focal/internal/fpenv"
)

// Go runs with the floating-point control bits in their default state, and so do the kernels: they neither set the bits
// nor look at them. A caller that has them changed, by C code that forgot to set them back, say, gets other results.
// docs/reliability.md says which; here is what it says, measured.

// withBits runs f on a thread with the given control bits.
func withBits(m fpenv.Mode, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old := fpenv.Get()
	defer fpenv.Set(old)
	fpenv.Set(old&^m.Clear | m.Set)
	f()
}

func TestControlBits(t *testing.T) {
	if !fpenv.Available {
		t.Skip("no way to set them here")
	}
	forFloats(t, testControlBits[float32], testControlBits[float64])
}

func testControlBits[T focal.Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	const n = 2 * abi.BlockLen
	far, exponents := coef.Layout32.FarLogit, 157.0
	if !isFloat32[T]() {
		far, exponents = coef.Layout64.FarLogit, 1082
	}
	x := make([]T, n) // of any magnitude; a quarter where results, and what they are made of, are subnormal
	for i := range x {
		x[i] = T(math.Copysign(math.Exp2(8-exponents*rng.Float64()*rng.Float64()), rng.Float64()-0.5))
		if i%4 == 0 {
			x[i] = T(-far * rng.Float64())
		}
	}
	y := focal.Labels(make([]int32, n))
	least := T(math.Ldexp(1, -126))
	if !isFloat32[T]() {
		least = T(math.Ldexp(1, -1022))
	}
	flushed := slices.Clone(x) // as it is where subnormal operands are zero
	for i, u := range x {
		if math.Abs(float64(u)) < float64(least) {
			flushed[i] = T(math.Copysign(0, float64(u)))
		}
	}
	forPaths(func(path string) {
		for _, gamma := range []float64{2, 2.3} {
			params := focal.Params{Gamma: gamma, Alpha: 0.25, Norm: 3}
			eval := func(x []T) (all [4][]T) {
				for k := range all {
					all[k] = make([]T, n)
				}
				mustFused(focal.Fused(focal.Out[T]{Loss: all[0], Grad: all[1], Hess: all[2]}, x, y, params))
				must(focal.Sigmoid(all[3], x))
				return all
			}
			want, wantFlushed := eval(x), eval(flushed)
			for _, m := range fpenv.Modes() {
				var got [4][]T
				withBits(m, func() { got = eval(x) })

				normal, subnormal, worst := 0, 0, 0.0
				for k := range want {
					for i, g := range got[k] {
						switch w := want[k][i]; {
						case sameBits(g, w), m.Operands && sameBits(g, wantFlushed[k][i]):
						case math.Abs(float64(w)) < float64(least):
							subnormal++
							if !m.Rounding {
								require.Zero(t, g, "%v, %s: a subnormal result is neither kept nor 0", path, m.Name)
							}
						default:
							normal++
							worst = max(worst, math.Abs(float64(g)-float64(w))/math.Abs(float64(w)))
						}
					}
				}
				t.Logf("%v, γ = %v, %s: %d normal results differ, by up to 2^%.1f of themselves, and %d subnormal ones",
					path, gamma, m.Name, normal, math.Log2(worst), subnormal)
				if !m.Rounding {
					require.Zero(t, normal, "%v, %s", path, m.Name)
				}
				if !m.Rounding && !m.Subnormals {
					require.Zero(t, subnormal, "%v, %s", path, m.Name)
				}
			}
			again := eval(x)
			for k := range want {
				require.True(t, sameSlice(want[k], again[k]))
			}
		}
	})
}

package focal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/effort"
)

func TestCheckDense(t *testing.T) { forFloats(t, testCheckDense[float32], testCheckDense[float64]) }

func testCheckDense[T Float](t *testing.T) {
	smallest, below1 := fromBits[T](1), fromBits[T](toBits(T(1))-1)
	above1, minusSmallest := fromBits[T](toBits(T(1))+1), -smallest
	valid := []T{0, T(math.Copysign(0, -1)), smallest, 0.5, below1, 1}
	invalid := []T{minusSmallest, -0.5, -1, above1, 2, T(math.Inf(1)), T(math.Inf(-1)), T(math.NaN()), T(math.Copysign(math.NaN(), -1)),
		fromBits[T](toBits(T(math.Inf(1))) | 1)} // the last one is a signaling NaN
	for _, p := range availablePaths() {
		withPath(p, func() {
			for n := range 300 {
				v := make([]T, n+2)[1 : n+1] // what is beside it is valid; the loop below makes it invalid
				for i := range v {
					v[i] = valid[i%len(valid)]
				}
				require.Equal(t, -1, firstOutside(v, 0, 1), "%v n=%d", p, n)
				for at := range n {
					was := v[at]
					v[at] = invalid[(n+at)%len(invalid)]
					require.Equal(t, at, firstOutside(v, 0, 1), "%v n=%d: %v", p, n, v[at])
					v[at] = was
				}
				whole := v[:n:n]
				around := append(append([]T{2}, whole...), 2)
				require.Equal(t, -1, firstOutside(around[1:n+1], 0, 1), "%v n=%d: what is beside the slice does not matter", p, n)
			}
			long := make([]T, 3*blockLen+5)
			for _, at := range []int{0, blockLen - 1, blockLen, 2*blockLen + 7, len(long) - 1} {
				long[at] = 2
				require.Equal(t, at, firstOutside(long, 0, 1), p)
				long[at] = 0
			}
		})
	}
}

func TestTargetBits(t *testing.T) { forFloats(t, testTargetBits[float32], testTargetBits[float64]) }

func testTargetBits[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	hard := []T{0, 1, 1}
	soft := []T{0.5, fromBits[T](1), fromBits[T](toBits(T(1)) - 1)}
	for _, p := range availablePaths() {
		withPath(p, func() {
			for _, n := range append(upTo(300), pieceLen-1, pieceLen) {
				around := make([]T, n+2)
				around[0], around[n+1] = 0.5, 0.5 // beside the block
				v := around[1 : n+1]
				want := make([]bool, n)
				for i := range v {
					v[i] = hard[rng.IntN(len(hard))]
					want[i] = v[i] == 1
				}
				pos, mask := garbage(), garbage()
				require.False(t, targetBits(&pos, &mask, v), "%v n=%d", p, n)
				require.Equal(t, make([]bool, n), bitsOf(&mask, n), "%v n=%d", p, n)
				require.Equal(t, want, bitsOf(&pos, n), "%v n=%d", p, n)
				for range 10 {
					at := rng.IntN(n)
					was := v[at]
					v[at] = soft[rng.IntN(len(soft))]
					require.True(t, targetBits(&pos, &mask, v), "%v n=%d: v[%d] = %v", p, n, at, v[at])
					wantSoft := make([]bool, n)
					wantSoft[at] = true
					require.Equal(t, wantSoft, bitsOf(&mask, n), "%v n=%d: v[%d] = %v", p, n, at, v[at])
					v[at] = was
				}
			}
		})
	}
}

// upTo returns 1..n.
func upTo(n int) (v []int) {
	for i := range n {
		v = append(v, i+1)
	}
	return v
}

// Hard targets have the bits of labels, alone and among soft ones, which other kernels compute.
func TestDenseHard(t *testing.T) { forFloats(t, testDenseHard[float32], testDenseHard[float64]) }

func testDenseHard[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x := adversarialLogits[T](1)
	for len(x) < 5*blockLen {
		x = append(x, mixedLogits[T](rng, 1000)...)
	}
	dout := mixedDout[T](rng, len(x))
	label := make([]int32, len(x)) // one column
	dense, among := make([]T, len(x)), make([]T, len(x))
	var isSoft []bool
	for i := range label {
		label[i] = rng.Int32N(2)
		dense[i] = T(label[i])
		among[i] = dense[i]
		soft := i%7 == 3 || i < 64
		if soft {
			among[i] = mixedTargets[T](rng, 1)[0]
		}
		isSoft = append(isSoft, soft)
	}
	for i, p := range []Params{
		{Gamma: 2, Alpha: 0.25, Norm: 17}, {Gamma: 2, Alpha: NoAlpha}, {Gamma: 2, Alpha: 1, Norm: 3}, {Gamma: 2, Alpha: 0},
		{Gamma: 0, Alpha: 0.25}, {Gamma: 0.5, Alpha: NoAlpha}, {Gamma: 2.3, Alpha: 0.25, Norm: 17}, {Gamma: 5, Alpha: 0},
		{Gamma: 300, Alpha: 0.75}, {Gamma: 1e30, Alpha: 0.5},
	} {
		want := compute(t, x, Labels(label), dout, p)
		for j, path := range availablePaths() {
			if !effort.Full() && (i+j)%3 != 0 || effort.Least() && i%5 != 0 {
				continue
			}
			withPath(path, func() {
				requireIdentical(t, want, compute(t, x, Dense(dense), dout, p))

				got := compute(t, x, Dense(among), dout, p)
				for k, w := range [][]T{want.loss, want.grad, want.fusedLoss, want.fusedGrad, want.fusedHess} {
					g := [][]T{got.loss, got.grad, got.fusedLoss, got.fusedGrad, got.fusedHess}[k]
					for i := range w {
						if !isSoft[i] && !sameBits(w[i], g[i]) {
							require.Failf(t, "bits differ", "%v %+v: result %d, x %v, t %v: want %v, got %v", path, p, k, x[i], dense[i], w[i], g[i])
						}
					}
				}
			})
		}
	}
}

func TestDensePaths(t *testing.T) { forFloats(t, testDensePaths[float32], testDensePaths[float64]) }

func testDensePaths[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for i, n := range []int{1, 2, 15, 16, 17, 100, blockLen - 1, blockLen, blockLen + 1, 3*blockLen + 77} {
		x, target, dout := mixedLogits[T](rng, n), mixedTargets[T](rng, n), mixedDout[T](rng, n)
		for from := 0; from+2*blockLen <= n; from += 2 * blockLen { // blocks of hard ones too
			for k := range blockLen {
				target[from+k] = T(rng.IntN(2))
			}
		}
		p := []Params{{Gamma: 2, Alpha: 0.25, Norm: 17}, {Gamma: 2.3, Alpha: 0.25, Norm: 17}, {Gamma: 2, Alpha: 1}}[i%3]
		var want results[T]
		withPath(pathGeneric, func() { want = compute(t, x, Dense(target), dout, p) })
		for _, path := range availablePaths() {
			for _, p.Workers = range []int{1, 3} {
				withPath(path, func() { requireIdentical(t, want, compute(t, x, Dense(target), dout, p)) })
			}
		}
	}
}

func TestErrTargetDense(t *testing.T) {
	forFloats(t, testErrTargetDense[float32], testErrTargetDense[float64])
}

func testErrTargetDense[T Float](t *testing.T) {
	const n = 70
	for _, op := range operations[T]() {
		for _, bad := range []T{-1, 1.5, T(math.NaN())} {
			for _, at := range []int{0, 1, 63, n - 1} {
				target := make([]T, n)
				target[at], target[n-1] = bad, bad // the first is named
				dst := [3][]T{filled[T](n), filled[T](n), filled[T](n)}
				err := op.call(dst, make([]T, n), Dense(target), Default())
				require.ErrorIs(t, err, ErrTarget)
				require.ErrorContains(t, err, fmt.Sprintf("focal: %s: t[%d] = %v, want it in [0, 1]", op.name, at, bad))
				requireUntouched(t, dst[:]...)
			}
		}
		dst := [3][]T{filled[T](n), filled[T](n), filled[T](n)}
		for _, length := range []int{0, 1, n - 1, n + 1} {
			err := op.call(dst, make([]T, n), Dense(make([]T, length)), Default())
			require.ErrorIs(t, err, ErrShape)
			require.ErrorContains(t, err, fmt.Sprintf("focal: %s: len(t) = %d, want len(x) = %d", op.name, length, n))
		}
		var other Target
		have, want := "float64", "float32"
		if !isFloat32[T]() {
			other, have, want = Dense(make([]float32, n)), want, have
		} else {
			other = Dense(make([]float64, n))
		}
		err := op.call(dst, make([]T, n), other, Default())
		require.ErrorIs(t, err, ErrTarget)
		require.ErrorContains(t, err, fmt.Sprintf("y is Dense of %s, want it of %s", have, want))
		requireUntouched(t, dst[:]...)
		require.NoError(t, op.call([3][]T{{}, {}, {}}, nil, Dense[T](nil), Default()), "an empty batch")
	}
}

// An output may not be the targets, nor overlap them.
func TestErrOverlapDense(t *testing.T) {
	const n = 16
	for offset := range 2*n + 2 {
		buffer := make([]float32, 4*n)
		target := buffer[n : 2*n]
		dst := buffer[offset : offset+n]
		err := Loss(dst, make([]float32, n), Dense(target), Default())
		if overlapping := offset > 0 && offset < 2*n; overlapping {
			require.ErrorIs(t, err, ErrOverlap, offset)
			require.ErrorContains(t, err, "dst overlaps t")
		} else {
			require.NoError(t, err, offset)
		}
		for _, v := range target {
			require.Zero(t, v)
		}
	}
	x := make([]float32, n)
	require.NoError(t, Loss(make([]float32, n), x, Dense(x), Default()), "inputs may overlap each other")
}

// The limits of soft targets at infinite logits, and NaN in its element alone.
func TestDenseCorners(t *testing.T) {
	forFloats(t, testDenseCorners[float32], testDenseCorners[float64])
}

func testDenseCorners[T Float](t *testing.T) {
	inf := T(math.Inf(1))
	for _, p := range availablePaths() {
		for _, gamma := range []float64{0, 0.5, 1, 2, 2.3} {
			withPath(p, func() {
				x := []T{inf, -inf, inf, -inf, T(math.NaN()), T(math.NaN()), inf, -inf, 0.25}
				target := []T{0.25, 0.25, 1, 0, 0, 0.5, 0, 1, 0.25}
				loss, grad, hess := make([]T, len(x)), make([]T, len(x)), make([]T, len(x))
				sum, err := Fused(Out[T]{Loss: loss, Grad: grad, Hess: hess}, x, Dense(target), Params{Gamma: gamma, Alpha: NoAlpha})
				require.NoError(t, err)
				assert.True(t, math.IsNaN(sum))
				for i, want := range []T{inf, inf, 0, 0, -1, -1, inf, inf} {
					if want < 0 {
						assert.True(t, loss[i] != loss[i] && grad[i] != grad[i] && hess[i] != hess[i], i)
						continue
					}
					assert.Equal(t, want, loss[i], "%v gamma=%v x=%v t=%v", p, gamma, x[i], target[i])
				}
				// m → 1-t at +Inf, t at -Inf; there grad → m^γ·E', and hess → 0
				for i, want := range map[int]float64{
					0: math.Pow(0.75, gamma) * 0.75, 1: -math.Pow(0.25, gamma) * 0.25, 2: 0, 3: 0, 6: 1, 7: -1,
				} {
					assert.InDelta(t, want, float64(grad[i]), 1e-6, "%v gamma=%v x=%v t=%v", p, gamma, x[i], target[i])
					assert.Zero(t, hess[i], "%v gamma=%v x=%v t=%v", p, gamma, x[i], target[i])
				}
				assert.False(t, loss[8] != loss[8])
			})
		}
	}
}

// A loss is infinite at an infinite logit, however small its weight and m^γ are, if they are not exactly 0; and it is the
// same whether or not derivatives are wanted.
func TestDenseTiny(t *testing.T) { forFloats(t, testDenseTiny[float32], testDenseTiny[float64]) }

func testDenseTiny[T Float](t *testing.T) {
	inf, smallest := T(math.Inf(1)), fromBits[T](1)
	rng := rand.New(rand.NewPCG(19, 20))
	var x, target []T
	for _, tt := range []T{smallest, 1e-20, 1e-23, 1e-30, T(math.Exp2(-60)), 0.5} {
		x, target = append(x, -inf, inf), append(target, tt, tt)
	}
	infinite := len(x)
	// where e shows beside t, if the weight is large
	x, target = append(x, T(-0x1.5bef78p+127), T(-2.156724e38), T(-2.0867732e38)), append(target, T(0x1.3d0d86p-101), 4.4095958e-31, 4.7674383e-31)
	for range 4000 {
		x = append(x, T(math.Copysign(math.Exp2(6+120*rng.Float64()), rng.Float64()-0.5)))
		target = append(target, T(math.Exp2(-149*rng.Float64())))
	}
	for _, p := range []Params{
		{Gamma: 2, Alpha: 1}, {Gamma: 2, Alpha: NoAlpha}, {Gamma: 2, Alpha: 0.25, Norm: 1e4}, {Gamma: 3, Alpha: 1, Norm: 3},
		{Gamma: 0, Alpha: NoAlpha, Norm: 0x1p149}, {Gamma: 2, Alpha: NoAlpha, Norm: 0x1p-30},
	} {
		for _, path := range availablePaths() {
			withPath(path, func() {
				n := len(x)
				loss, grad := make([]T, n), make([]T, n)
				all := Out[T]{Loss: make([]T, n), Grad: make([]T, n), Hess: make([]T, n)}
				require.NoError(t, Loss(loss, x, Dense(target), p))
				require.NoError(t, Grad(grad, x, Dense(target), nil, p))
				_, err := Fused(all, x, Dense(target), p)
				require.NoError(t, err)
				requireSameBits(t, loss, all.Loss)
				for i := range grad {
					require.Equal(t, toBits(grad[i]), toBits(all.Grad[i]), "%v %+v x=%v t=%v", path, p, x[i], target[i])
				}
				for i := range infinite {
					require.Equal(t, inf, loss[i], "%v %+v x=%v t=%v", path, p, x[i], target[i])
				}
			})
		}
	}
}

// The same of quality focal loss, whose derivatives are at their limits there.
func TestQualityTiny(t *testing.T) { forFloats(t, testQualityTiny[float32], testQualityTiny[float64]) }

func testQualityTiny[T Float](t *testing.T) {
	inf := T(math.Inf(1))
	for _, score := range []T{fromBits[T](1), 1e-20, 0.5, 1 - 1.0/1024} {
		for _, gamma := range []float64{0, 0.5, 1, 1.5, 2, 2.3, 1e6} {
			for _, norm := range []float64{1, 1 / smallestNormal[T]()} {
				v := make([]T, 8)
				out := Out[T]{v[:2], v[2:4], v[4:6], v[6:]}
				y := Scored(Labels([]int32{1, 1}), []T{score, score}, QualityFocal)
				_, err := Fused(out, []T{-inf, inf}, y, Params{Gamma: gamma, Norm: norm})
				require.NoError(t, err)
				assert.Equal(t, []T{inf, inf}, out.Loss, "score %v γ %v norm %v", score, gamma, norm)
				assert.Equal(t, []T{0, 0, 0, 0}, v[4:], "score %v γ %v norm %v", score, gamma, norm)
				low, high := math.Pow(float64(score), gamma+1), math.Pow(float64(1-score), gamma+1)
				assert.InDelta(t, -low/norm, float64(out.Grad[0]), 1e-6/norm)
				assert.InDelta(t, high/norm, float64(out.Grad[1]), 1e-6/norm)
			}
		}
	}
}

func TestDenseAllocates(t *testing.T) {
	x, target := make([]float32, 2*blockLen), make([]float32, 2*blockLen)
	target[5] = 0.5
	dst := make([]float32, len(x))
	assert.Zero(t, testing.AllocsPerRun(10, func() { must(Loss(dst, x, Dense(target), Default())) }))
}

package focal

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/gofocal/focal/internal/effort"
	"github.com/gofocal/focal/internal/oracle"
	"github.com/stretchr/testify/require"
)

// The results against the exact values, as close as package oracle says. The sweep over all float32 logits is a
// program of its own, gen/exhaustive.

var accuracyGammas = []float64{0, 0.5, 1, 1.5, 2, 2.3, 3, 5}

// sweep32 calls f with slices that together hold a sample of all float32 bit patterns, NaNs included: one in stride of
// all, and, where |u| is in [2^-4, 2^7) and all the arithmetic happens, one in stride/32. A stride is best odd, so that
// the low bits vary.
func sweep32(stride uint64, f func(u []float32)) {
	if testing.Short() {
		stride *= 16
	}
	buf := make([]float32, 0, 1<<14)
	visit := func(from, to, stride uint64) {
		for b := from; b < to; b += stride {
			if buf = append(buf, math.Float32frombits(uint32(b))); len(buf) == cap(buf) {
				f(buf)
				buf = buf[:0]
			}
		}
	}
	visit(0, 1<<32, stride)
	dense := stride/32 | 1
	lo, hi := uint64(math.Float32bits(0x1p-4)), uint64(math.Float32bits(0x1p7))
	visit(lo, hi, dense)
	visit(1<<31|lo, 1<<31|hi, dense)
	if len(buf) > 0 {
		f(buf)
	}
}

// sample evaluates every output at the same u, as negatives (x = u) and as positives (x = -u).
type sample[T Float] struct {
	x     []T
	label []int32
	out   [2]Out[T] // by label
}

func (s *sample[T]) eval(tb testing.TB, u []T, p Params) {
	n := len(u)
	if cap(s.x) < n {
		s.x, s.label = make([]T, n), make([]int32, n)
		for i := range s.out {
			s.out[i] = Out[T]{Loss: make([]T, n), Grad: make([]T, n), Hess: make([]T, n)}
		}
	}
	for label := range s.out {
		x, y := s.x[:n], s.label[:n]
		for i, v := range u {
			if label == 1 {
				v = -v
			}
			x[i], y[i] = v, int32(label)
		}
		o := &s.out[label]
		o.Loss, o.Grad, o.Hess = o.Loss[:n], o.Grad[:n], o.Hess[:n]
		_, err := Fused(*o, x, Labels(y), p)
		require.NoError(tb, err)
	}
	for i, v := range s.out[1].Grad {
		s.out[1].Grad[i] = -v // with respect to u
	}
}

// weights returns the numerators of the weights of negatives and positives; the denominator is p.Norm.
func weights(p Params) [2]float64 {
	if p.Alpha == NoAlpha {
		return [2]float64{1, 1}
	}
	return [2]float64{1 - p.Alpha, p.Alpha}
}

// errors3 are the worst errors of the three outputs.
type errors3 struct{ loss, grad, hess oracle.Errors }

func (e *errors3) check(t *testing.T, p Params) {
	t.Helper()
	e.checkBounds(t, accuracyFor(p))
}

func (e *errors3) checkBounds(t *testing.T, bounds oracle.Bounds) {
	t.Helper()
	t.Logf("loss: %v", e.loss)
	t.Logf("grad: %v", e.grad)
	t.Logf("hess: %v", e.hess)
	require.LessOrEqual(t, e.loss.Worst, bounds.Loss, "loss: %v", e.loss)
	require.LessOrEqual(t, e.grad.Worst, bounds.Grad, "grad: %v", e.grad)
	require.LessOrEqual(t, e.hess.Worst, bounds.Hess, "hess: %v", e.hess)
}

// accuracyParams returns unit weights, and weights that are no float: alpha/n as a real number is part of the exact value.
func accuracyParams(gamma float64) []Params {
	return []Params{
		{Gamma: gamma, Alpha: NoAlpha, Norm: 1},
		{Gamma: gamma, Alpha: 0.25, Norm: 37},
		{Gamma: gamma, Alpha: 0.25, Norm: 2040}, // unlucky
	}
}

// accuracyFor returns the bounds for parameters; the exact values are those of the exact weights.
func accuracyFor(p Params) oracle.Bounds {
	w := weights(p)
	return oracle.Promised(p.Gamma, w[0]/max(p.Norm, 1), w[1]/max(p.Norm, 1))
}

// add32 counts the errors of element i, which are those at u with weight num/den.
func (e *errors3) add32(o *Out[float32], i int, u, num, den float64, exact *oracle.Values32) {
	errs, want := exact.Errors(o.Loss[i], o.Grad[i], o.Hess[i], num, den)
	e.loss.Add(errs[0], u, float64(o.Loss[i]), want[0])
	e.grad.Add(errs[1], u, float64(o.Grad[i]), want[1])
	e.hess.Add(errs[2], u, float64(o.Hess[i]), want[2])
}

// add64 is add32 for float64.
func (e *errors3) add64(o *Out[float64], i int, u, num, den float64, exact *oracle.Values64) {
	errs, want := exact.Errors(o.Loss[i], o.Grad[i], o.Hess[i], num, den)
	e.loss.Add(errs[0], u, o.Loss[i], want[0])
	e.grad.Add(errs[1], u, o.Grad[i], want[1])
	e.hess.Add(errs[2], u, o.Hess[i], want[2])
}

func mpfrValues(t *testing.T) *oracle.MPFR {
	t.Helper()
	o, err := oracle.ReadMPFR(oracle.MPFRFile)
	require.NoError(t, err)
	return o
}

func TestAccuracyFloat32(t *testing.T) {
	for _, gamma := range accuracyGammas {
		for i, p := range accuracyParams(gamma) {
			stride := [...]uint64{4099, 16411, 16411}[i]
			t.Run(fmt.Sprintf("gamma=%v/alpha=%v/norm=%v", p.Gamma, p.Alpha, p.Norm), func(t *testing.T) {
				t.Parallel()
				var e errors3
				var got sample[float32]
				sweep32(stride, func(us []float32) {
					got.eval(t, us, p)
					for i, u := range us {
						u := float64(u)
						exact := oracle.At32(u, p.Gamma)
						for label, w := range weights(p) {
							e.add32(&got.out[label], i, u, w, p.Norm, &exact)
						}
					}
				})
				e.check(t, p)
			})
		}
	}
}

func TestAccuracyFloat64(t *testing.T) {
	o := mpfrValues(t)
	us := make([]float64, len(o.Points))
	for i, pt := range o.Points {
		us[i] = pt.U
	}
	for g, gamma := range o.Gammas {
		for _, p := range accuracyParams(gamma) {
			t.Run(fmt.Sprintf("gamma=%v/alpha=%v/norm=%v", p.Gamma, p.Alpha, p.Norm), func(t *testing.T) {
				t.Parallel()
				var e errors3
				var got sample[float64]
				got.eval(t, us, p)
				for i, pt := range o.Points {
					for label, w := range weights(p) {
						want := pt.At[g]
						want.Softplus = oracle.At64(pt.U, gamma).Softplus
						e.add64(&got.out[label], i, pt.U, w, p.Norm, &want)
					}
				}
				e.check(t, p)
			})
		}
	}
}

func TestAccuracySigmoid(t *testing.T) {
	t.Run("float32", func(t *testing.T) {
		var w oracle.Errors
		dst := make([]float32, 1<<14)
		sweep32(4099, func(us []float32) {
			require.NoError(t, Sigmoid(dst[:len(us)], us))
			for i, u := range us {
				s := oracle.At32(float64(u), 0).Sigmoid
				w.Add(oracle.Err32(dst[i], s, s), float64(u), float64(dst[i]), s)
			}
		})
		t.Log(w)
		require.LessOrEqual(t, w.Worst, oracle.Promised(0).Sigmoid, "%v", w)
	})
	t.Run("float64", func(t *testing.T) {
		var w oracle.Errors
		o := mpfrValues(t)
		x := make([]float64, len(o.Points))
		for i, pt := range o.Points {
			x[i] = pt.U
		}
		dst := make([]float64, len(x))
		require.NoError(t, Sigmoid(dst, x))
		for i, pt := range o.Points {
			s := pt.At[0].Sigmoid
			w.Add(oracle.Err64(dst[i], s, s), pt.U, dst[i], s.Float64())
		}
		t.Log(w)
		require.LessOrEqual(t, w.Worst, oracle.Promised(0).Sigmoid, "%v", w)
	})
}

var largeGammas = []float64{10, 33.3, 100, 999.5, 1000}

func TestLargeGammaFloat32(t *testing.T) {
	for _, gamma := range largeGammas {
		t.Run(fmt.Sprintf("gamma=%v", gamma), func(t *testing.T) {
			t.Parallel()
			p := Params{Gamma: gamma, Alpha: NoAlpha, Norm: 1}
			var e errors3
			var got sample[float32]
			sweep32(65537, func(us []float32) {
				got.eval(t, us, p)
				for i, u := range us {
					u := float64(u)
					exact := oracle.At32(u, gamma)
					for label := range got.out {
						e.add32(&got.out[label], i, u, 1, 1, &exact)
					}
				}
			})
			e.check(t, p) // a NaN or an Inf counts as infinitely wrong
		})
	}
}

func TestLargeGammaFloat64(t *testing.T) {
	o := mpfrValues(t)
	us := make([]float64, len(o.Points))
	for i, pt := range o.Points {
		us[i] = pt.U
	}
	for _, gamma := range largeGammas {
		var got sample[float64]
		got.eval(t, us, Params{Gamma: gamma, Alpha: NoAlpha, Norm: 1})
		var e errors3
		for i, u := range us {
			exact := oracle.At64(u, gamma)
			for label := range got.out {
				e.add64(&got.out[label], i, u, 1, 1, &exact)
			}
		}
		e.check(t, Params{Gamma: gamma, Alpha: NoAlpha})
	}
}

// However large γ, nothing is NaN, and a finite exact value is finite.
func TestHugeGamma(t *testing.T) {
	t.Run("float32", testHugeGamma[float32])
	t.Run("float64", testHugeGamma[float64])
}

func testHugeGamma[T Float](t *testing.T) {
	var us []T
	for u := -800.0; u < 800; u += 0.37 {
		us = append(us, T(u))
	}
	us = append(us, T(math.Inf(-1)), 0, T(math.Copysign(0, -1)), T(math.Inf(1)))
	for _, gamma := range []float64{1e6, 1e10, 1e12, 1e18, 1e36, 1e70, math.MaxFloat64} {
		for _, norm := range []float64{1, 1e9, 1e-9} {
			var s sample[T]
			s.eval(t, us, Params{Gamma: gamma, Alpha: NoAlpha, Norm: norm})
			for i, u := range us {
				for label, o := range s.out {
					at := fmt.Sprintf("γ=%v norm=%v u=%v label %d", gamma, norm, u, label)
					most := max(float64(u), 0)/norm + 1/norm
					require.True(t, o.Loss[i] >= 0 && float64(o.Loss[i]) <= most*(1+1e-6), "loss %v, %s", o.Loss[i], at)
					require.False(t, math.IsNaN(float64(o.Grad[i])) || math.IsInf(float64(o.Grad[i]), 0), "grad %v, %s", o.Grad[i], at)
					require.False(t, math.IsNaN(float64(o.Hess[i])) || math.IsInf(float64(o.Hess[i]), 0), "hess %v, %s", o.Hess[i], at)
				}
			}
		}
	}
}

// exactSum is the sum of v without any rounding: 2,200 bits hold every float64 and the carries.
func exactSum[T Float](v []T) *big.Float {
	sum := new(big.Float).SetPrec(2200)
	for _, x := range v {
		sum.Add(sum, new(big.Float).SetFloat64(float64(x)))
	}
	return sum
}

func TestSumAccuracy(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testSumAccuracy[float32](t, oracle.SumRelative32) })
	t.Run("float64", func(t *testing.T) { testSumAccuracy[float64](t, oracle.SumRelative64) })
}

func testSumAccuracy[T Float](t *testing.T, bound float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := map[string]func() T{
		"normal": func() T { return T(3 * rng.NormFloat64()) },
		"tiny":   func() T { return T(-40 + rng.NormFloat64()) }, // the losses differ by orders of magnitude
		"wide":   func() T { return T(math.Ldexp(rng.NormFloat64(), rng.IntN(100))) },
		// One great loss, whose last place is more than the bound allows the many small ones to lose.
		"spike": func() T {
			if rng.IntN(5000) == 0 {
				return T(1e6 * rng.Float64())
			}
			return T(rng.NormFloat64())
		},
	}
	var w float64
	for name, draw := range draw {
		for _, shape := range [][2]int{{1, 1}, {1, 80}, {7, 3}, {8191, 1}, {8193, 1}, {1000, 80}, {200003, 1}} {
			n, c := shape[0], shape[1]
			if !effort.Full() && n*c > 2*blockLen && name != "spike" {
				continue // exact sums take long
			}
			x, label := make([]T, n*c), make([]int32, n)
			for i := range x {
				x[i] = draw()
			}
			for i := range label {
				label[i] = rng.Int32N(int32(c)+2) - 1
			}
			for _, gamma := range []float64{0, 2, 2.3} {
				p := Params{Gamma: gamma, Alpha: 0.25, Norm: 3}
				loss := make([]T, len(x))
				require.NoError(t, Loss(loss, x, Labels(label), p))
				sum, err := Sum(x, Labels(label), p)
				require.NoError(t, err)

				exact := exactSum(loss)
				diff, _ := new(big.Float).Sub(new(big.Float).SetFloat64(sum), exact).Float64()
				want, _ := exact.Float64()
				require.LessOrEqual(t, math.Abs(diff), bound*want, "%s n=%d c=%d γ=%v: %v, exact %v", name, n, c, gamma, sum, want)
				if want > 0 {
					w = max(w, math.Abs(diff)/want)
				}

				fused, err := Fused(Out[T]{}, x, Labels(label), p)
				require.NoError(t, err)
				require.Equal(t, sum, fused)
			}
		}
	}
	t.Logf("worst relative error 2^%.1f", math.Log2(w))
}

func TestCorners(t *testing.T) {
	t.Run("float32", testCorners[float32])
	t.Run("float64", testCorners[float64])
}

func testCorners[T Float](t *testing.T) {
	inf, nan := T(math.Inf(1)), T(math.NaN())

	t.Run("infinities", func(t *testing.T) {
		for _, gamma := range append([]float64{1e-3, 1000}, accuracyGammas...) {
			for _, p := range []Params{
				{Gamma: gamma, Alpha: NoAlpha, Norm: 1},
				{Gamma: gamma, Alpha: 0.25, Norm: 2},
				{Gamma: gamma, Alpha: 0, Norm: 1},
				{Gamma: gamma, Alpha: 1, Norm: 1},
			} {
				var s sample[T]
				s.eval(t, []T{inf, -inf}, p)
				for label, w := range weights(p) {
					w := T(w / p.Norm)
					loss := inf
					if w == 0 {
						loss = 0 // a weight of 0 takes the element out, whatever it is
					}
					o := s.out[label]
					require.Equal(t, []T{loss, 0}, o.Loss, "loss %+v label %d", p, label)
					require.Equal(t, []T{w, 0}, o.Grad, "grad %+v label %d", p, label)
					require.Equal(t, []T{0, 0}, o.Hess, "hess %+v label %d", p, label)
				}
			}
		}
		s := make([]T, 2)
		require.NoError(t, Sigmoid(s, []T{inf, -inf}))
		require.Equal(t, []T{1, 0}, s)
	})

	t.Run("largest finite logits", func(t *testing.T) {
		huge := T(math.MaxFloat32)
		if isFloat64[T]() {
			v := math.MaxFloat64 // a variable: as a constant it would not convert to float32
			huge = T(v)
		}
		for _, gamma := range append([]float64{1e-3, 1000}, accuracyGammas...) {
			var s sample[T]
			s.eval(t, []T{huge, -huge}, Params{Gamma: gamma, Alpha: NoAlpha, Norm: 1})
			for label, o := range s.out {
				require.Equal(t, []T{huge, 0}, o.Loss, "loss γ=%v label %d", gamma, label)
				require.Equal(t, []T{1, 0}, o.Grad, "grad γ=%v label %d", gamma, label)
				require.Equal(t, []T{0, 0}, o.Hess, "hess γ=%v label %d", gamma, label)
			}
		}
	})

	t.Run("NaN alone", func(t *testing.T) {
		const n = 100
		for _, gamma := range []float64{0, 2, 2.3} {
			p := Params{Gamma: gamma, Alpha: 0.25, Norm: 1}
			u := make([]T, n)
			for i := range u {
				u[i] = T(i)/4 - 12
			}
			var clean, s sample[T]
			clean.eval(t, u, p)
			for at := 0; at < n; at += 7 {
				dirty := append([]T(nil), u...)
				dirty[at] = nan
				s.eval(t, dirty, p)
				for label := range s.out {
					got, want := s.out[label], clean.out[label]
					for k, v := range [][]T{got.Loss, got.Grad, got.Hess} {
						require.True(t, v[at] != v[at], "%v at a NaN", v[at])
						v[at] = [][]T{want.Loss, want.Grad, want.Hess}[k][at]
					}
					require.Equal(t, want, got, "NaN at %d", at)
				}
			}
		}
		s := make([]T, 3)
		require.NoError(t, Sigmoid(s, []T{0, nan, 0}))
		require.True(t, s[0] == 0.5 && s[1] != s[1] && s[2] == 0.5, "%v", s)
	})

	t.Run("ignored rows", func(t *testing.T) {
		x := []T{
			1, 2, 3,
			nan, inf, -inf,
			-1, 0, 1,
			inf, nan, 5,
		}
		label := []int32{1, -1, 0, -1}
		for _, gamma := range []float64{0, 2, 2.3} {
			p := Params{Gamma: gamma, Alpha: 0.25, Norm: 1}
			out := Out[T]{Loss: make([]T, 12), Grad: make([]T, 12), Hess: make([]T, 12)}
			for _, v := range [][]T{out.Loss, out.Grad, out.Hess} {
				for i := range v {
					v[i] = nan // to be overwritten
				}
			}
			sum, err := Fused(out, x, Labels(label), p)
			require.NoError(t, err)

			want := Out[T]{Loss: make([]T, 6), Grad: make([]T, 6), Hess: make([]T, 6)}
			kept := append(append([]T(nil), x[:3]...), x[6:9]...)
			wantSum, err := Fused(want, kept, Labels([]int32{1, 0}), p)
			require.NoError(t, err)
			require.InEpsilon(t, wantSum, sum, 1e-14) // other lanes, another rounding
			for k, v := range [][]T{out.Loss, out.Grad, out.Hess} {
				w := [][]T{want.Loss, want.Grad, want.Hess}[k]
				zero := []T{0, 0, 0}
				require.Equal(t, w[:3], v[:3])
				require.Equal(t, zero, v[3:6])
				require.Equal(t, w[3:], v[6:9])
				require.Equal(t, zero, v[9:])
			}

			// Even an ignored upstream gradient is not looked at.
			dout := []T{1, 1, 1, nan, inf, -inf, 1, 1, 1, nan, nan, nan}
			dx := make([]T, 12)
			require.NoError(t, Grad(dx, x, Labels(label), dout, p))
			require.Equal(t, out.Grad[:3], dx[:3])
			require.Equal(t, []T{0, 0, 0}, dx[3:6])
			require.Equal(t, out.Grad[6:9], dx[6:9])
			require.Equal(t, []T{0, 0, 0}, dx[9:])
		}
	})

	t.Run("subnormal results", func(t *testing.T) {
		// From the smallest normal number to the smallest subnormal, and past it: gradually down to 0, never negative.
		minNormal, minExp := -126.0, -149
		if isFloat64[T]() {
			minNormal, minExp = -1022, -1074
		}
		tiny := T(math.Ldexp(1, minExp))
		for _, gamma := range accuracyGammas {
			from, to := minNormal*math.Ln2/(1+gamma), float64(minExp-4)*math.Ln2/(1+gamma)
			var u []T
			for i := range 1000 {
				u = append(u, T(from+(to-from)*float64(i)/999))
			}
			var s sample[T]
			s.eval(t, u, Params{Gamma: gamma, Alpha: NoAlpha, Norm: 1})
			for label, o := range s.out {
				require.Zero(t, o.Loss[999], "γ=%v label %d", gamma, label)
				distinct := 0
				for i := 1; i < len(u); i++ {
					require.True(t, 0 <= o.Loss[i] && o.Loss[i] <= o.Loss[i-1]+4*tiny, "γ=%v label %d u=%v: loss %v after %v",
						gamma, label, u[i], o.Loss[i], o.Loss[i-1])
					if o.Loss[i] < o.Loss[i-1] {
						distinct++
					}
				}
				require.Greater(t, distinct, 100, "γ=%v label %d: flushed to zero", gamma, label)
			}
		}
	})
}

func isFloat64[T Float]() bool {
	_, ok := any(T(0)).(float64)
	return ok
}

// FuzzValues holds single elements against the oracles: float32 by the bound, float64 by what float64 math is good for.
func FuzzValues(f *testing.F) {
	for _, u := range []float64{0, -2.556, 0.21, 17, -87.3, 104, 710} {
		f.Add(u, 2.0)
		f.Add(u, 0.7)
	}
	f.Fuzz(func(t *testing.T, u, gamma float64) {
		gamma = math.Abs(gamma)
		if !(gamma <= 5) || u != u {
			t.Skip()
		}
		p := Params{Gamma: gamma, Alpha: NoAlpha, Norm: 1}
		u32 := float32(u)
		var s32 sample[float32]
		s32.eval(t, []float32{u32}, p)
		var e32, e64 errors3
		exact32 := oracle.At32(float64(u32), gamma)
		for label := range s32.out {
			e32.add32(&s32.out[label], 0, float64(u32), 1, 1, &exact32)
		}
		e32.check(t, p)
		if math.IsInf(u, 0) {
			return
		}
		var s64 sample[float64]
		s64.eval(t, []float64{u}, p)
		exact64 := oracle.At64(u, gamma)
		for label := range s64.out {
			e64.add64(&s64.out[label], 0, u, 1, 1, &exact64)
		}
		e64.check(t, p)
	})
}

package focal

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the results are compared with, and how the distance is counted. Nothing here shares code with the kernels:
// float32 is compared with float64 math, float64 with values that MPFR made (gen/oracle).

// dd is a number as the unevaluated sum of its nearest float64 and the rest.
type dd struct{ hi, lo float64 }

// scale returns d·num/den, the quotient being a real number and not a float64. d must be finite.
func (d dd) scale(num, den float64) dd {
	b := func(x float64) *big.Float { return new(big.Float).SetPrec(256).SetFloat64(x) }
	v := new(big.Float).Add(b(d.hi), b(d.lo))
	v.Mul(v, b(num)).Quo(v, b(den))
	hi, _ := v.Float64()
	lo, _ := v.Sub(v, b(hi)).Float64()
	return dd{hi, lo}
}

// exact64 holds the exact values of unit weight, for a negative, at one u and γ.
type exact64 struct{ loss, grad, hess, hmag dd }

type point64 struct {
	u  float64
	s  dd        // the sigmoid of u
	at []exact64 // by index of γ
}

type oracle64 struct {
	gamma  []float64
	points []point64
}

const oracleFile = "testdata/oracle64.bin.gz"

var loadOracle64 = sync.OnceValues(func() (*oracle64, error) {
	z, err := os.ReadFile(oracleFile)
	if err != nil {
		return nil, err
	}
	zr, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(zr)
	if err != nil {
		return nil, err
	}
	return parseOracle64(b)
})

// parseOracle64 reads the format that gen/oracle/oracle.c describes.
func parseOracle64(b []byte) (*oracle64, error) {
	const magic = "focal64\n"
	if len(b) < len(magic)+8 || string(b[:len(magic)]) != magic {
		return nil, errors.New("oracle64: not an oracle file")
	}
	b = b[len(magic):]
	nu, ng := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
	b = b[8:]
	if want := 8 * (ng + nu*(1+2+8*ng)); uint64(len(b)) != want {
		return nil, fmt.Errorf("oracle64: %d bytes follow the counts %d and %d, want %d", len(b), nu, ng, want)
	}
	float := func() float64 {
		v := math.Float64frombits(binary.LittleEndian.Uint64(b))
		b = b[8:]
		return v
	}
	pair := func() dd {
		hi := float()
		return dd{hi, float()}
	}
	o := &oracle64{gamma: make([]float64, ng), points: make([]point64, nu)}
	for i := range o.gamma {
		o.gamma[i] = float()
	}
	for i := range o.points {
		p := &o.points[i]
		p.u, p.s, p.at = float(), pair(), make([]exact64, ng)
		for g := range p.at {
			p.at[g] = exact64{loss: pair(), grad: pair(), hess: pair(), hmag: pair()}
		}
	}
	return o, nil
}

func mustOracle64(tb testing.TB) *oracle64 {
	tb.Helper()
	o, err := loadOracle64()
	require.NoError(tb, err)
	return o
}

// oracle32 returns loss, gradient, Hessian, the sum of the magnitudes of the Hessian's terms, and the sigmoid, for a
// negative of unit weight at u. Where a value is in float32's range its relative error is about 1e-14 (of hess: relative
// to hmag), which is 1e-7 float32 ULP. ±Inf and γ = 0 give the limits.
func oracle32(u, gamma float64) (loss, grad, hess, hmag, s float64) {
	e := math.Exp(-math.Abs(u))
	l := math.Log1p(e)
	s, q := 1/(1+e), e/(1+e)
	if u < 0 {
		s, q = q, s
	}
	softplus := math.Max(u, 0) + l
	pow := 1.0 // also at u = -Inf, where γ·log s would be 0·Inf
	if gamma != 0 || math.IsNaN(u) {
		pow = math.Exp(gamma * (math.Min(u, 0) - l))
	}
	var qL float64 // the limit, where it would be 0·Inf
	if q != 0 {
		qL = q * softplus
	}
	loss = pow * softplus
	grad = pow * (s + gamma*qL)
	a, b, c := q*s*(1+2*gamma), gamma*qL*gamma*q, gamma*qL*s
	hess = pow * (a + b - c)
	hmag = pow * (a + b + c)
	return loss, grad, hess, hmag, s
}

// An error is counted in units in the last place of the exact value: the spacing of the floats in the binade that
// holds it. Below the normal range that is the smallest subnormal. A NaN or an Inf that should not be there is
// infinitely wrong; an Inf is right if the exact value is beyond the largest float.

// ulpErr32 returns the error of got.
func ulpErr32(got float32, want float64) float64 { return ulpErrMag32(got, want, want) }

// ulpErr64 returns the error of got. Where want is below 2^-969 its low part is cut off (and below 2^-1022 it is
// missing), so that the error returned is uncertain by half of the smallest subnormal.
func ulpErr64(got float64, want dd) float64 { return ulpErrMag64(got, want, want) }

// ulpErrMag32 returns the error of got in ULP of mag.
func ulpErrMag32(got float32, want, mag float64) float64 {
	g := float64(got)
	if err, done := specialErr(g, want, math.Abs(want) > math.MaxFloat32); done {
		return err
	}
	return math.Abs(g-want) / ulp(mag, -126, 127, 23)
}

// ulpErrMag64 returns the error of got in ULP of mag.
func ulpErrMag64(got float64, want, mag dd) float64 {
	beyond := math.IsInf(want.hi, 0) || math.Abs(want.hi) == math.MaxFloat64 && want.hi*want.lo > 0
	if err, done := specialErr(got, want.hi, beyond); done {
		return err
	}
	m := mag.hi
	if mag.lo != 0 && math.Signbit(mag.lo) != math.Signbit(mag.hi) {
		// The exact value is nearer to 0 than hi, which counts where hi is a power of two. The next float towards 0
		// is on the right side of that, and in the binade of hi otherwise.
		m = math.Nextafter(m, 0)
	}
	return math.Abs(got-want.hi-want.lo) / ulp(m, -1022, 1023, 52)
}

// specialErr decides what subtraction cannot.
func specialErr(got, want float64, beyond bool) (err float64, done bool) {
	switch {
	case math.IsNaN(got) && math.IsNaN(want):
		return 0, true
	case math.IsNaN(got) || math.IsNaN(want):
		return math.Inf(1), true
	case math.IsInf(got, 0) && beyond && math.Signbit(got) == math.Signbit(want):
		return 0, true
	case math.IsInf(got, 0) || math.IsInf(want, 0):
		return math.Inf(1), true
	}
	return 0, false
}

// ulp returns the spacing of the floats with the given exponents and fraction bits in the binade of x.
func ulp(x float64, minExp, maxExp, fraction int) float64 {
	e := min(max(math.Ilogb(x), minExp), maxExp) // Ilogb(0) is math.MinInt32
	return math.Ldexp(1, e-fraction)
}

// worst keeps the largest of many errors, where it was, and the mean.
type worst struct {
	err, sum      float64
	n             int
	at, got, want float64
}

func (w *worst) add(err, at, got, want float64) {
	if w.n == 0 || err > w.err {
		w.err, w.at, w.got, w.want = err, at, got, want
	}
	w.sum += err
	w.n++
}

func (w worst) String() string {
	if w.n == 0 {
		return "nothing measured"
	}
	return fmt.Sprintf("worst %.3f mean %.3f ULP of %d, at %v (%x): %v, exact %v",
		w.err, w.sum/float64(w.n), w.n, w.at, w.at, w.got, w.want)
}

func TestUlpErr32(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	const tiny, huge = math.SmallestNonzeroFloat32, math.MaxFloat32
	for _, c := range []struct {
		got       float32
		want, err float64
	}{
		{1, 1, 0},
		{1, 1 + 0x1p-23, 1},
		{1, 1 - 0x1p-24, 1}, // below a power of two the spacing is half
		{1, 1 - 0x1p-25, 0.5},
		{1 + 0x1p-23, 1, 1},
		{1 - 0x1p-24, 1, 0.5}, // the binade is that of the exact value
		{-1.5, -1.5 - 0x1p-22, 2},
		{-1, 1, 0x1p24},
		{0, 0, 0},
		{float32(math.Copysign(0, -1)), 0, 0},
		{tiny, 0, 1},
		{0, tiny / 4, 0.25},
		{3 * tiny, 2.5 * tiny, 0.5},
		{0x1p-126, 0x1p-126 - tiny, 1}, // the first normal float, and below
		{0x1p-126, 0x1p-126 + tiny, 1},
		{0, 1e-300, 1e-300 / tiny},
		{huge, huge, 0},
		{huge, huge + 0x1p104, 1},
		{float32(inf), huge, inf},
		{float32(inf), huge + 0x1p102, 0},
		{float32(-inf), huge + 0x1p102, inf},
		{float32(inf), inf, 0},
		{huge, inf, inf},
		{float32(inf), 1, inf},
		{float32(nan), 1, inf},
		{float32(nan), inf, inf},
		{1, nan, inf},
		{float32(nan), nan, 0},
	} {
		require.Equal(t, c.err, ulpErr32(c.got, c.want), "%v %v", c.got, c.want)
	}
	require.Equal(t, 0.5, ulpErrMag32(1+0x1p-23, 1, 2))
	require.Equal(t, 4.0, ulpErrMag32(1+0x1p-23, 1, 0.25))
	require.Equal(t, inf, ulpErrMag32(float32(nan), 1, 2))
}

func TestUlpErr64(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	const tiny, huge = math.SmallestNonzeroFloat64, math.MaxFloat64
	for _, c := range []struct {
		got  float64
		want dd
		err  float64
	}{
		{1, dd{1, 0}, 0},
		{1, dd{1, 0x1p-54}, 0.25},
		{1, dd{1, -0x1p-54}, 0.5}, // just below a power of two
		{-1, dd{-1, 0x1p-54}, 0.5},
		{-1, dd{-1, -0x1p-54}, 0.25},
		{1 + 0x1p-52, dd{1, 0x1p-54}, 0.75},
		{1.5, dd{1.5 + 0x1p-51, -0x1p-54}, 1.75},
		{0, dd{0, 0}, 0},
		{tiny, dd{0, 0}, 1},
		{0, dd{3 * tiny, 0}, 3},
		{0x1p-1022, dd{0x1p-1022 - tiny, 0}, 1},
		{0x1p-1022, dd{0x1p-1022 + tiny, 0}, 1},
		{huge, dd{huge, 0}, 0},
		{inf, dd{huge, 0}, inf},
		{inf, dd{huge, 0x1p960}, 0},
		{-inf, dd{-huge, -0x1p960}, 0},
		{inf, dd{huge, -0x1p960}, inf},
		{inf, dd{inf, 0}, 0},
		{-inf, dd{inf, 0}, inf},
		{huge, dd{inf, 0}, inf},
		{inf, dd{1, 0}, inf},
		{nan, dd{1, 0}, inf},
		{1, dd{nan, 0}, inf},
		{nan, dd{nan, 0}, 0},
	} {
		require.Equal(t, c.err, ulpErr64(c.got, c.want), "%v %v", c.got, c.want)
	}
	require.Equal(t, 0.5, ulpErrMag64(1+0x1p-52, dd{1, 0}, dd{2, 0}))
	require.Equal(t, 1.0, ulpErrMag64(1+0x1p-52, dd{1, 0}, dd{2, -0x1p-60}))
}

func TestDDScale(t *testing.T) {
	require.Equal(t, dd{1.5, 0x1p-61}, dd{3, 0x1p-60}.scale(1, 2))
	third := dd{1, 0}.scale(1, 3)
	require.Equal(t, 1.0/3, third.hi)
	require.Equal(t, math.FMA(-3, third.hi, 1)/3, third.lo)
	require.Equal(t, dd{}, dd{math.SmallestNonzeroFloat64, 0}.scale(1, 37))
	require.Equal(t, dd{}, dd{1, 0}.scale(0, 1))
}

func TestWorst(t *testing.T) {
	var w worst
	require.Equal(t, "nothing measured", w.String())
	w.add(0, 1, 2, 2)
	w.add(3, 4, 5, 6)
	w.add(1.5, 7, 8, 9)
	require.Equal(t, "worst 3.000 mean 1.500 ULP of 3, at 4 (0x1p+02): 5, exact 6", w.String())
}

// TestOracles compares the two oracles, made by different means, with each other.
func TestOracles(t *testing.T) {
	o := mustOracle64(t)
	require.Equal(t, []float64{0, 0.5, 1, 1.5, 2, 2.3, 3, 5}, o.gamma)
	require.Greater(t, len(o.points), 1500)

	const tol = 1e-13
	compared := 0
	near := func(got float64, want, mag dd, what string, u, gamma float64) {
		if m := math.Abs(mag.hi); m < math.SmallestNonzeroFloat32/4 || m > math.MaxFloat32 {
			return // beyond float32, where oracle32 promises nothing
		}
		compared++
		if err := math.Abs(got-want.hi) / math.Abs(mag.hi); !(err <= tol) {
			t.Errorf("%s at u=%v γ=%v: %v, MPFR %v, error %.2g", what, u, gamma, got, want.hi, err)
		}
	}
	for _, p := range o.points {
		for g, gamma := range o.gamma {
			loss, grad, hess, hmag, s := oracle32(p.u, gamma)
			near(loss, p.at[g].loss, p.at[g].loss, "loss", p.u, gamma)
			near(grad, p.at[g].grad, p.at[g].grad, "grad", p.u, gamma)
			near(hess, p.at[g].hess, p.at[g].hmag, "hess", p.u, gamma)
			near(hmag, p.at[g].hmag, p.at[g].hmag, "hmag", p.u, gamma)
			near(s, p.s, p.s, "sigmoid", p.u, gamma)
		}
	}
	require.Greater(t, compared, 20000)
}

func TestOracle32Corners(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct{ u, gamma, loss, grad, hess, hmag, s float64 }{
		{inf, 0, inf, 1, 0, 0, 1},
		{inf, 2, inf, 1, 0, 0, 1},
		{-inf, 0, 0, 0, 0, 0, 0},
		{-inf, 0.5, 0, 0, 0, 0, 0},
		{0, 0, math.Ln2, 0.5, 0.25, 0.25, 0.5},
		{math.MaxFloat32, 1000, math.MaxFloat32, 1, 0, 0, 1},
	} {
		loss, grad, hess, hmag, s := oracle32(c.u, c.gamma)
		require.Equal(t, []float64{c.loss, c.grad, c.hess, c.hmag, c.s}, []float64{loss, grad, hess, hmag, s}, "%v", c)
	}
	for _, gamma := range []float64{0, 2} {
		loss, grad, hess, hmag, s := oracle32(math.NaN(), gamma)
		for _, v := range []float64{loss, grad, hess, hmag, s} {
			require.True(t, math.IsNaN(v))
		}
	}
}

func TestParseOracle64(t *testing.T) {
	good := append([]byte("focal64\n"), 0, 0, 0, 0, 1, 0, 0, 0 /* γ */, 0, 0, 0, 0, 0, 0, 0, 64)
	o, err := parseOracle64(good)
	require.NoError(t, err)
	require.Equal(t, []float64{2}, o.gamma)
	for _, bad := range [][]byte{nil, good[:12], good[:len(good)-1], append(good[:len(good):len(good)], 0), append([]byte("x"), good...)} {
		_, err := parseOracle64(bad)
		require.Error(t, err)
	}
}

package oracle

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func mpfr(t *testing.T) *MPFR {
	t.Helper()
	o, err := ReadMPFR("../../" + MPFRFile)
	require.NoError(t, err)
	require.Equal(t, []float64{0, 0.5, 1, 1.5, 2, 2.3, 3, 5}, o.Gammas)
	require.Greater(t, len(o.Points), 1500)
	return o
}

// TestOracles compares both with what MPFR made.
func TestOracles(t *testing.T) {
	o := mpfr(t)
	for _, q := range []Quantity{Loss, Grad, Hess, Sigmoid} {
		compared32, compared64, worst := 0, 0, 0.0
		for _, p := range o.Points {
			for g, gamma := range o.Gammas {
				want, m := p.At[g].Value[q], p.At[g].Mag[q].Float64()

				if m >= math.SmallestNonzeroFloat32/4 && m <= math.MaxFloat32 { // beyond float32 At32 promises nothing
					compared32++
					v := At32(p.U, gamma)
					if err := math.Abs(v.Value[q]-want.Float64()) / m; !(err <= 1e-13) {
						t.Errorf("%v at u=%v γ=%v: At32 %v, MPFR %v, error %.2g", q, p.U, gamma, v.Value[q], want.Hi, err)
					}
				}

				v := At64(p.U, gamma)
				got := v.Value[q]
				if m < 0x1p-900 { // MPFR's pair has not all bits
					if err := Err64(want.Float64(), got, v.Mag[q]); !(err <= 0.5+0x1p-40) {
						t.Errorf("%v at u=%v γ=%v: At64 %v, MPFR %v", q, p.U, gamma, got, want)
					}
					continue
				}
				compared64++
				err := math.Abs(got.add(want.negate()).Float64()) / m
				worst = max(worst, err)
				if !(err <= 0x1p-90) {
					t.Errorf("%v at u=%v γ=%v: At64 %v, MPFR %v, error 2^%.1f", q, p.U, gamma, got, want, math.Log2(err))
				}
			}
		}
		t.Logf("%v: %d and %d values compared, worst relative error of At64 2^%.1f", q, compared32, compared64, math.Log2(worst))
		require.Greater(t, compared32, 4000)
		require.Greater(t, compared64, 8000)
	}
}

// TestTargetOracles compares those of soft targets and of scores with what MPFR made of the losses alone.
func TestTargetOracles(t *testing.T) {
	points, err := ReadTargets("../../" + TargetsFile)
	require.NoError(t, err)
	var worst [kinds][Hess + 1]float64
	var compared [kinds]int
	for _, p := range points {
		v, _ := p.at()
		compared[p.Kind]++
		for q, want := range p.Value {
			m := v.Mag[q].Float64()
			if m < 0x1p-900 { // MPFR's pair has not all bits
				require.LessOrEqual(t, Err64(want.Float64(), v.Value[q], v.Mag[q]), 0.5+0x1p-40, "%v: %+v", Quantity(q), p)
				continue
			}
			err := math.Abs(v.Value[q].add(want.negate()).Float64()) / m
			worst[p.Kind][q] = max(worst[p.Kind][q], err)
			require.LessOrEqual(t, err, 0x1p-90, "%v: %+v: %v", Quantity(q), p, v.Value[q])
		}
	}
	for kind, n := range compared {
		t.Logf("kind %d: %d points, worst relative errors 2^%.1f 2^%.1f 2^%.1f", kind, n,
			math.Log2(worst[kind][Loss]), math.Log2(worst[kind][Grad]), math.Log2(worst[kind][Hess]))
		require.Greater(t, n, 100)
	}
}

func TestAt32Corners(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		u, gamma float64
		want     [Quantities]float64
	}{
		{inf, 0, [...]float64{inf, 1, 0, 0, 1, 1, inf}},
		{inf, 2, [...]float64{inf, 1, 0, 0, 1, 1, inf}},
		{-inf, 0, [...]float64{0, 0, 0, 0, 0, 0, 0}},
		{-inf, 0.5, [...]float64{0, 0, 0, 0, 0, 0, 0}},
		{0, 0, [...]float64{math.Ln2, 0.5, 0.25, 0.25, 0.5, 0.5, math.Ln2}},
		{math.MaxFloat32, 1000, [...]float64{math.MaxFloat32, 1, 0, 0, 1, 1, math.MaxFloat32}},
	} {
		v := At32(c.u, c.gamma)
		require.Equal(t, c.want, v.Value, "%v", c)
		require.Equal(t, c.want, v.Mag, "%v", c)
	}
	for _, gamma := range []float64{0, 2} {
		for _, v := range At32(math.NaN(), gamma).Value {
			require.True(t, math.IsNaN(v))
		}
	}
}

func TestAt64Corners(t *testing.T) {
	floats := func(v Values64) (all [Quantities]float64) {
		for q, r := range v.Value {
			all[q] = r.Float64()
		}
		return all
	}
	const huge = math.MaxFloat64
	for _, gamma := range []float64{0, 0.5, 2, 5, 1e-300} {
		require.Equal(t, [...]float64{huge, 1, 0, 0, 1, 1, huge}, floats(At64(huge, gamma)))
		require.Equal(t, [Quantities]float64{}, floats(At64(-huge, gamma)))
	}
	require.Equal(t, [...]float64{math.Ln2, 0.5, 0.25, 0.25, 0.5, 0.5, math.Ln2}, floats(At64(0, 0)))
}

func TestErr32(t *testing.T) {
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
		require.Equal(t, c.err, Err32(c.got, c.want, c.want), "%v %v", c.got, c.want)
	}
	require.Equal(t, 0.5, Err32(1+0x1p-23, 1, 2))
	require.Equal(t, 4.0, Err32(1+0x1p-23, 1, 0.25))
	require.Equal(t, inf, Err32(float32(nan), 1, 2))
}

func TestErr64(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	const tiny, huge = math.SmallestNonzeroFloat64, math.MaxFloat64
	for _, c := range []struct {
		got  float64
		want DD
		err  float64
	}{
		{1, DD{1, 0}, 0},
		{1, DD{1, 0x1p-54}, 0.25},
		{1, DD{1, -0x1p-54}, 0.5}, // just below a power of two
		{-1, DD{-1, 0x1p-54}, 0.5},
		{-1, DD{-1, -0x1p-54}, 0.25},
		{1 + 0x1p-52, DD{1, 0x1p-54}, 0.75},
		{1.5, DD{1.5 + 0x1p-51, -0x1p-54}, 1.75},
		{0, DD{0, 0}, 0},
		{tiny, DD{0, 0}, 1},
		{0, DD{3 * tiny, 0}, 3},
		{0x1p-1022, DD{0x1p-1022 - tiny, 0}, 1},
		{0x1p-1022, DD{0x1p-1022 + tiny, 0}, 1},
		{huge, DD{huge, 0}, 0},
		{inf, DD{huge, 0}, inf},
		{inf, DD{huge, 0x1p960}, 0},
		{-inf, DD{-huge, -0x1p960}, 0},
		{inf, DD{huge, -0x1p960}, inf},
		{inf, DD{inf, 0}, 0},
		{-inf, DD{inf, 0}, inf},
		{huge, DD{inf, 0}, inf},
		{inf, DD{1, 0}, inf},
		{nan, DD{1, 0}, inf},
		{1, DD{nan, 0}, inf},
		{nan, DD{nan, 0}, 0},
	} {
		w := Real{c.want, 0}
		require.Equal(t, c.err, Err64(c.got, w, w), "%v %v", c.got, c.want)
	}
	require.Equal(t, 0.5, Err64(1+0x1p-52, Real{one, 0}, Real{DD{2, 0}, 0}))
	require.Equal(t, 1.0, Err64(1+0x1p-52, Real{one, 0}, Real{DD{2, -0x1p-60}, 0}))
	// What no float64 holds.
	require.Equal(t, 0.25, Err64(0, Real{one, -1076}, Real{one, -1076}))
	require.Equal(t, 1.25, Err64(tiny, Real{DD{-1, 0}, -1076}, Real{one, -1076}))
	require.Equal(t, 0.0, Err64(inf, Real{one, 1024}, Real{one, 1024}))
	require.Equal(t, 0.75, Err64(3*tiny, Real{DD{1.125, 0}, -1073}, Real{DD{1.125, 0}, -1073}))
}

func TestScale(t *testing.T) {
	require.Equal(t, DD{1.5, 0x1p-61}, Real{DD{3, 0x1p-60}, 0}.Scale(1, 2).dd())
	third := Real{one, 0}.Scale(1, 3).dd()
	require.Equal(t, 1.0/3, third.Hi)
	require.InEpsilon(t, math.FMA(-3, third.Hi, 1)/3, third.Lo, 1e-12)
	require.Equal(t, DD{}, Real{one, 0}.Scale(0, 1).dd())
}

func TestErrors(t *testing.T) {
	var e, other Errors
	require.Equal(t, "nothing measured", e.String())
	e.Merge(other)
	require.Equal(t, "nothing measured", e.String())
	e.Add(0, 1, 2, 2)
	e.Add(1.5, 7, 8, 9)
	other.Add(3, 4, 5, 6)
	for _, e := range []Errors{merged(e, other), merged(other, e)} {
		require.Equal(t, "worst 3.000 mean 1.500 ULP of 3, at 4 (0x1p+02): 5, exact 6", e.String())
	}
}

func TestErrorsKeepNaN(t *testing.T) {
	var e, other Errors
	e.Add(math.NaN(), 1, 2, 3)
	e.Add(5, 4, 5, 6)
	require.True(t, math.IsNaN(e.Worst))
	other.Add(7, 7, 8, 9)
	require.True(t, math.IsNaN(merged(e, other).Worst))
	require.True(t, math.IsNaN(merged(other, e).Worst))
	require.Equal(t, 1.0, merged(other, e).At)
}

func merged(a, b Errors) Errors {
	a.Merge(b)
	return a
}

func TestPromised(t *testing.T) {
	require.Equal(t, general, Promised(5))
	require.Equal(t, usual, Promised(2, 1, 0.25))
	require.Equal(t, Promised(2), Promised(2, 1, 0.3))
	require.Equal(t, general, Promised(2.1, 1))
	more := func(b, per Bounds) Bounds {
		for q := range b {
			b[q] += 95 * per[q]
		}
		return b
	}
	require.Equal(t, more(general, perGamma), Promised(100))
	require.Equal(t, more(soft, softPerGamma), PromisedSoft(100))
	require.Equal(t, 2.0, Promised(100)[Sigmoid])
}

func TestParseMPFR(t *testing.T) {
	good := append([]byte("focal64\n"), 0, 0, 0, 0, 1, 0, 0, 0 /* γ */, 0, 0, 0, 0, 0, 0, 0, 64)
	o, err := parseMPFR(good)
	require.NoError(t, err)
	require.Equal(t, []float64{2}, o.Gammas)
	for _, tt := range []struct {
		bad  []byte
		want string
	}{
		{nil, "oracle: not a file of values"},
		{good[:12], "oracle: not a file of values"},
		{append([]byte("x"), good...), "oracle: not a file of values"},
		{good[:len(good)-1], "oracle: 7 bytes follow the counts 0 and 1, want 8"},
		{append(good[:len(good):len(good)], 0), "oracle: 9 bytes follow the counts 0 and 1, want 8"},
	} {
		_, err := parseMPFR(tt.bad)
		require.EqualError(t, err, tt.want)
	}
}

func TestParseTargets(t *testing.T) {
	good := append([]byte("focalt64"), make([]byte, 4+84)...)
	good[8] = 1
	points, err := parseTargets(good)
	require.NoError(t, err)
	require.Len(t, points, 1)
	kind := append([]byte{}, good...)
	kind[12] = byte(kinds)
	for _, tt := range []struct {
		bad  []byte
		want string
	}{
		{nil, "oracle: not a file of values for targets"},
		{good[:11], "oracle: not a file of values for targets"},
		{append([]byte("x"), good...), "oracle: not a file of values for targets"},
		{good[:len(good)-1], "oracle: 83 bytes follow the count 1, want 84"},
		{append(good[:len(good):len(good)], 0), "oracle: 85 bytes follow the count 1, want 84"},
		{kind, "oracle: record 0 is of kind 4, want less than 4"},
	} {
		_, err := parseTargets(tt.bad)
		require.EqualError(t, err, tt.want)
	}
}

func BenchmarkAt32(b *testing.B) {
	for i := range b.N {
		sink += At32(float64(i%64)-32, 2.3).Value[Loss]
	}
}

func BenchmarkAt64(b *testing.B) {
	for i := range b.N {
		sink += At64(float64(i%64)-32, 2.3).Value[Loss].Hi
	}
}

var sink float64

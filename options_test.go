package focal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/effort"
	"github.com/gofocal/focal/internal/oracle"
)

// options are a batch of logits [images, c, size], what is said of it by the public functions, and what that means.
type options[T Float] struct {
	images, c, size int
	x               []T
	label           []int32 // nil: target
	target          []T
	ignore          int32 // of target too
	score           []T
	quality         Quality
	row, neg, pos   []T
	element         []T
	p               Params
	y               Target
}

func (o *options[T]) String() string {
	text := fmt.Sprintf("%d×%d×%d", o.images, o.c, o.size)
	if o.score != nil {
		text += " " + o.quality.String()
	}
	if o.p.NegGamma != nil {
		text += fmt.Sprintf(" NegGamma %v", *o.p.NegGamma)
	}
	return text + fmt.Sprintf(" labels %v row %v neg %v pos %v element %v %+v",
		o.label != nil, o.row != nil, o.neg != nil, o.pos != nil, o.element != nil, o.p)
}

// someOptions returns what a seed stands for.
func someOptions[T Float](seed uint64) *options[T] {
	rng := rand.New(rand.NewPCG(seed, 31))
	half := func() bool { return rng.IntN(2) == 0 }
	o := &options[T]{c: 1 + rng.IntN(25), size: 1, ignore: -1}
	if half() {
		o.size = 1 + rng.IntN(70)
	}
	o.images = 1 + rng.IntN(1+3000/(o.c*o.size))
	rows, n := o.images*o.size, o.images*o.c*o.size
	for range n {
		v := 5 * rng.NormFloat64()
		if rng.IntN(50) == 0 {
			v *= 30
		}
		o.x = append(o.x, T(v))
	}
	some := func(n int) []T {
		if rng.IntN(3) > 0 {
			return nil
		}
		v := make([]T, n)
		for i := range v {
			if v[i] = T(math.Exp2(8*rng.Float64() - 6)); rng.IntN(7) == 0 {
				v[i] = 0
			}
		}
		return v
	}
	o.row, o.neg, o.pos, o.element = some(rows), some(o.c), some(o.c), some(n)

	gammas := []float64{0, 0.5, 1, 2, 2, 2.3, 4}
	o.p = Params{Gamma: gammas[rng.IntN(len(gammas))], Alpha: []float64{0.25, 0.25, 0, 1, NoAlpha}[rng.IntN(5)], Norm: float64(rng.IntN(3))}
	o.p.Frozen = half()
	if half() {
		o.p.NegGamma = &gammas[rng.IntN(len(gammas))]
	}
	if half() {
		o.ignore = 100
	}
	if half() {
		o.label = make([]int32, rows)
		for i := range o.label {
			if o.label[i] = rng.Int32N(int32(o.c) + 1); rng.IntN(9) == 0 {
				o.label[i] = o.ignore
			}
		}
		o.y = Labels(o.label).Ignoring(o.ignore)
		if half() {
			zero := make([]int16, rows)
			for i, v := range o.label {
				switch v {
				case 0:
					zero[i] = int16(o.c)
				case o.ignore:
					zero[i] = int16(v)
				default:
					zero[i] = int16(v - 1)
				}
			}
			o.y = ZeroBased(zero).Ignoring(o.ignore)
		}
		if half() {
			o.p.NegGamma, o.quality = nil, Quality(rng.IntN(3))
			o.score = make([]T, rows)
			for i := range o.score {
				o.score[i] = T(math.Round(20*rng.Float64()) / 20)
				if o.label[i] == 0 || o.label[i] == o.ignore {
					o.score[i] = T(math.NaN()) // nobody looks at it
				}
			}
			o.y = Scored(o.y, o.score, o.quality)
		}
	} else {
		soft := o.p.NegGamma == nil && half()
		o.target = make([]T, n)
		for i := range o.target {
			switch o.target[i] = T(rng.IntN(2)); {
			case rng.IntN(9) == 0:
				o.target[i] = T(o.ignore)
			case rng.IntN(9) == 0:
				o.target[i] = T(math.NaN())
			case soft && half():
				o.target[i] = T(rng.Float64())
			}
		}
		o.y = Dense(o.target).IgnoringNaN().Ignoring(o.ignore)
	}
	if o.size > 1 || half() {
		o.y = o.y.Planes(o.size)
	}
	if half() {
		o.y = o.y.Classes(o.c)
	}
	o.y = WeighElements(WeighClasses(WeighRows(o.y, o.row), o.neg, o.pos), o.element)
	return o
}

// at returns what an element is: whether it is ignored, its target, and what its base weight is multiplied with as a negative and
// as a positive.
func (o *options[T]) at(i int) (ignored bool, t T, row int, neg, pos []T) {
	row, col := i/(o.c*o.size)*o.size+i%o.size, i/o.size%o.c
	if o.label != nil {
		ignored = o.label[row] == o.ignore
		if !ignored && int(o.label[row]) == col+1 {
			t = 1
		}
	} else {
		t = o.target[i]
		ignored = t != t || t == T(o.ignore)
	}
	both := func(w []T, i int) {
		if w != nil {
			neg, pos = append(neg, w[i]), append(pos, w[i])
		}
	}
	both(o.row, row)
	both(o.element, i)
	if o.neg != nil {
		neg = append(neg, o.neg[col])
	}
	if o.pos != nil {
		pos = append(pos, o.pos[col])
	}
	return ignored, t, row, neg, pos
}

// Every option, and any of them together, against the formulas of its documentation, evaluated with more digits.
func TestOptions(t *testing.T) { forFloats(t, testOptions[float32], testOptions[float64]) }

func testOptions[T Float](t *testing.T) {
	seeds := 100
	switch {
	case effort.Least():
		seeds = 4
	case testing.Short():
		seeds = 40
	case effort.Full():
		seeds = 300
	}
	for seed := range uint64(seeds) {
		o := someOptions[T](seed)
		n := len(o.x)
		out := Out[T]{make([]T, n), make([]T, n), make([]T, n), make([]T, n)}
		sum, err := Fused(out, o.x, o.y, o.p)
		require.NoError(t, err, "seed %d: %v", seed, o)
		kept, fore := 0, 0
		keptRows, foreRows := map[int]bool{}, map[int]bool{}
		for i := range o.x {
			ignored, target, row, _, _ := o.at(i)
			if ignored {
				requireZero(t, out, i, "seed %d: %v", seed, o)
				continue
			}
			kept, keptRows[row] = kept+1, true
			if target > 0 {
				fore, foreRows[row] = fore+1, true
			}
			requireElement(t, o, out, i, seed)
		}
		if o.label != nil {
			kept, fore = len(keptRows), len(foreRows)
		}
		require.Equal(t, kept, o.y.Kept())
		require.Equal(t, fore, o.y.Classes(o.c).Foreground())
		requireSameCalls(t, o, out, sum, seed)
	}
}

func requireZero[T Float](t *testing.T, out Out[T], i int, format string, args ...any) {
	t.Helper()
	for k, v := range []T{out.Loss[i], out.Grad[i], out.Hess[i], out.Curv[i]} {
		if math.Float64bits(float64(v)) != 0 {
			require.Failf(t, "not zero", "output %d of element %d is %v, %s", k, i, v, fmt.Sprintf(format, args...))
		}
	}
}

// requireElement compares an element with the exact values.
func requireElement[T Float](t *testing.T, o *options[T], out Out[T], i int, seed uint64) {
	t.Helper()
	_, target, row, neg, pos := o.at(i)
	x, norm := o.x[i], max(1, o.p.Norm)
	negGamma := o.p.Gamma
	if o.p.NegGamma != nil {
		negGamma = *o.p.NegGamma
	}
	alpha, rest := o.p.Alpha, 1-o.p.Alpha
	if alpha == NoAlpha {
		alpha, rest = 1, 1
	}
	times := func(v float64, factors []T) float64 {
		for _, f := range factors {
			v *= float64(f)
		}
		return v
	}

	u, gamma, base, factors, sign := x, negGamma, rest, neg, T(1)
	var exact oracle.Exact[T]
	bounds := oracle.Promised(max(o.p.Gamma, negGamma))
	direct := true // the weight is base/norm and the factors; otherwise it is in exact
	if target == 1 {
		u, gamma, base, factors, sign = -x, o.p.Gamma, alpha, pos, -1
	}
	score := T(-1)
	if o.score != nil {
		if target == 1 {
			score = o.score[row]
		}
		switch {
		case o.quality == QualityFocal:
			base = 1
			if score == 0 { // a positive still, which has the weights of one
				u, sign = x, 1
			}
		case score == 0 && o.quality == Varifocal:
			u, base, factors, sign = x, rest, neg, 1
		case score >= 0:
			gamma, base = 0, 1
			if score == 0 {
				u, sign = x, 1
			}
		}
	}
	switch {
	case score > 0 && score < 1 && o.quality == QualityFocal:
		direct, sign = false, 1
		if times(1, factors) == 0 {
			break
		}
		var parts float64
		exact, parts = oracle.QualityAt(x, score, o.p.Gamma, times(1, factors), norm)
		if parts > 1e3 { // p and the score cancel
			return
		}
		bounds = oracle.PromisedQuality()
	case score > 0 && score < 1:
		direct, sign = false, 1
		w := times(1, factors)
		if o.quality == Varifocal {
			w *= float64(score)
		}
		exact, bounds = oracle.SoftAt(x, score, 0, w, w, norm), oracle.PromisedSoft(0)
		base = w
	case target > 0 && target < 1:
		direct, sign = false, 1
		exact, bounds = oracle.SoftAt(x, target, o.p.Gamma, times(alpha, pos), times(rest, neg), norm), oracle.PromisedSoft(o.p.Gamma)
		base, factors = times(alpha, pos)*float64(target)+times(rest, neg)*float64(1-target), nil
	default:
		exact = oracle.At(u, gamma)
	}
	if times(base, factors) == 0 {
		requireZero(t, out, i, "seed %d: x %v t %v score %v of %v", seed, x, target, score, o)
		return
	}

	grad, hess := oracle.Grad, oracle.Hess
	if o.p.Frozen {
		grad, hess = oracle.Frozen, oracle.Curv
	}
	for k, v := range []struct {
		q   oracle.Quantity
		got T
	}{{oracle.Loss, out.Loss[i]}, {grad, sign * out.Grad[i]}, {hess, out.Hess[i]}, {oracle.Curv, out.Curv[i]}} {
		var err, want float64
		if direct {
			err, want = exact.Err(v.q, v.got, base, norm, factors...)
		} else {
			err, want = exact.Err(v.q, v.got, 1, 1)
		}
		// Each product of weights is rounded, which the bounds do not know of.
		if bound := bounds[v.q] + 2*float64(len(neg)+1); !(err <= bound) {
			require.Failf(t, "wrong", "seed %d: output %d of element %d is %v, want %v: %.1f ULP, want %v at most; x %v t %v score %v of %v",
				seed, k, i, v.got, want, err, bound, x, target, score, o)
		}
	}
}

// requireSameCalls compares all other functions with what Fused has given, and several goroutines with one.
func requireSameCalls[T Float](t *testing.T, o *options[T], out Out[T], sum float64, seed uint64) {
	t.Helper()
	n := len(o.x)
	p := o.p
	p.Workers = 3
	again := Out[T]{make([]T, n), make([]T, n), make([]T, n), make([]T, n)}
	sum2, err := Fused(again, o.x, o.y, p)
	require.NoError(t, err)
	require.Equal(t, sum, sum2)
	sum2, err = Sum(o.x, o.y, o.p)
	require.NoError(t, err)
	require.Equal(t, sum, sum2)
	for k, want := range [][]T{out.Loss, out.Grad, out.Hess, out.Curv} {
		requireSameBits(t, want, [][]T{again.Loss, again.Grad, again.Hess, again.Curv}[k])
		alone := Out[T]{}
		*[]*[]T{&alone.Loss, &alone.Grad, &alone.Hess, &alone.Curv}[k] = again.Loss
		_, err := Fused(alone, o.x, o.y, o.p)
		require.NoError(t, err)
		requireSameBits(t, want, again.Loss)
	}
	require.NoError(t, Loss(again.Loss, o.x, o.y, o.p))
	requireSameBits(t, out.Loss, again.Loss)
	require.NoError(t, Grad(again.Grad, o.x, o.y, nil, o.p))
	requireSameBits(t, out.Grad, again.Grad)

	// Rows and Score add what Loss writes.
	rows := o.images * o.size
	perRow, sums := make([]T, rows), make([]accumulator, rows)
	require.NoError(t, Rows(perRow, o.x, o.y, o.p))
	for i, v := range out.Loss {
		_, _, row, _, _ := o.at(i)
		sums[row].add(float64(v))
	}
	for row, got := range perRow {
		require.Equal(t, T(sums[row].result()), got, "seed %d: row %d of %v", seed, row, o)
	}
	p.Norm = 0
	part, err := Score(o.x, o.y, p)
	require.NoError(t, err)
	require.NoError(t, Loss(again.Loss, o.x, o.y, p))
	want, _ := oracle.Sum(again.Loss).Float64()
	require.Equal(t, want, part.Loss(1), "seed %d: %v", seed, o)
	require.EqualValues(t, o.y.Classes(o.c).Foreground(), part.Foreground())
	require.EqualValues(t, o.y.Kept(), part.Rows()-part.Ignored())
}

// An option that changes nothing leaves all bits as they are.
func TestOptionsWithoutEffect(t *testing.T) {
	forFloats(t, testOptionsWithoutEffect[float32], testOptionsWithoutEffect[float64])
}

func testOptionsWithoutEffect[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	shapes := [][2]int{{3, 1}, {1200, 1}, {400, 3}, {110, 80}}
	if effort.Least() {
		shapes = [][2]int{{3, 1}, {70, 3}, {5, 80}}
	}
	for _, shape := range shapes {
		rows, c := shape[0], shape[1]
		n := rows * c
		_, labels := batch[T](rows, c)
		x := mixedLogits[T](rng, n)
		dout := mixedDout[T](rng, n)
		soft, hard := mixedTargets[T](rng, n), make([]T, n)
		for i := range hard {
			hard[i] = T(rng.IntN(2))
		}
		ones := func(n int) []T { return slices.Repeat([]T{1}, n) }
		for _, p := range []Params{Default(), {Gamma: 2.3, Alpha: NoAlpha, Norm: 7}, {Gamma: 0, Alpha: 0.25}, {Gamma: 2, Alpha: 1}} {
			for k, y := range []Target{labels, Dense(soft), Dense(hard)} {
				want := compute(t, x, y, dout, p)
				for name, same := range map[string]Target{
					"rows":     WeighRows(y, ones(rows)),
					"classes":  WeighClasses(y, ones(c), ones(c)),
					"negative": WeighClasses(y, ones(c), nil),
					"positive": WeighClasses(y, nil, ones(c)),
					"elements": WeighElements(y, ones(n)),
					"all":      WeighElements(WeighClasses(WeighRows(y, ones(rows)), ones(c), ones(c)), ones(n)),
					"nil":      WeighElements[T](WeighClasses[T](WeighRows[T](y, nil), nil, nil), nil),
					"NaN":      y.IgnoringNaN(),
					"planes":   y.Planes(1),
					"classes?": y.Classes(c),
				} {
					t.Run(name, func(t *testing.T) { requireSameResults(t, want, compute(t, x, same, dout, p)) })
				}
				if k > 0 {
					requireSameResults(t, want, compute(t, x, y.Ignoring(-100), dout, p))
				}
				same := p
				same.NegGamma = &p.Gamma
				requireSameResults(t, want, compute(t, x, y, dout, same))
			}
		}
	}
}

// A mistake in an option is an error of every function, and nothing is written.
func TestOptionErrors(t *testing.T) {
	forFloats(t, testOptionErrors[float32], testOptionErrors[float64])
}

func testOptionErrors[T Float](t *testing.T) {
	const rows, c, n = 30, 4, 120
	nan, inf, large := T(math.NaN()), T(math.Inf(1)), T(constantsOf[T]().MaxWeight)
	with := func(n int, at int, v T) []T {
		w := slices.Repeat([]T{1}, n)
		w[at] = v
		return w
	}
	y := ZeroBased(slices.Repeat([]uint16{1}, rows))
	type wrong struct {
		y    Target
		p    Params
		want error
		text string
	}
	var all []wrong
	for _, v := range []T{-1, nan, inf, -inf, T(math.Copysign(math.SmallestNonzeroFloat32, -1)), 8 * large} {
		text := "[7] = " + fmt.Sprint(v)
		all = append(all,
			wrong{WeighRows(y, with(rows, 7, v)), Default(), ErrTarget, "WeighRows: w" + text},
			wrong{WeighElements(y, with(n, 7, v)), Default(), ErrTarget, "WeighElements: w" + text},
			wrong{WeighElements(WeighRows(y, with(rows, 3, 0.5)), with(n, 7, v)), Default(), ErrTarget, "WeighElements: w" + text},
			wrong{WeighClasses(y, with(c, 2, v), nil), Default(), ErrTarget, "WeighClasses: neg[2]"},
			wrong{WeighClasses(y, nil, with(c, 3, v)), Default(), ErrTarget, "WeighClasses: pos[3]"})
		if !(v >= 0 && v <= 1) {
			all = append(all, wrong{Scored(y, with(rows, 7, v), Aligned), Default(), ErrTarget, "Scored: score" + text})
		}
	}
	other := WeighRows(y, make([]float64, rows))
	if !isFloat32[T]() {
		other = WeighRows(y, make([]float32, rows))
	}
	zero := 0.0
	dense := Dense(with(n, 9, 0.5))
	above := fromBits[T](toBits[T](1) + 1)
	all = append(all,
		wrong{Scored(y, with(rows, 7, above), Aligned), Default(), ErrTarget, "Scored: score[7] = " + fmt.Sprint(above)},
		wrong{other, Default(), ErrTarget, "WeighRows: w is of"},
		wrong{WeighElements(WeighRows(y, with(rows, 3, large)), with(n, 7, 4)), Default(), ErrTarget, "WeighElements: w[7] = 4"},
		wrong{WeighRows(y, make([]T, rows+1)), Default(), ErrShape, "WeighRows"},
		wrong{WeighRows(y, []T{}), Default(), ErrShape, "WeighRows"},
		wrong{WeighClasses(y, make([]T, c-1), nil), Default(), ErrShape, "WeighClasses: neg"},
		wrong{WeighClasses(y, make([]T, c), make([]T, c+1)), Default(), ErrShape, "WeighClasses: pos"},
		wrong{WeighElements(y, make([]T, n-1)), Default(), ErrShape, "WeighElements"},
		wrong{Scored(y, make([]T, rows-1), Varifocal), Default(), ErrShape, "Scored"},
		wrong{Scored[T](y, nil, Varifocal), Default(), ErrShape, "Scored"},
		wrong{Scored(y, make([]T, rows), -1), Default(), ErrTarget, "q = -1"},
		wrong{Scored(y, make([]T, rows), Varifocal), Params{Gamma: 2, NegGamma: &zero}, ErrTarget, "NegGamma"},
		wrong{Scored(dense, make([]T, rows), Varifocal), Default(), ErrTarget, "Dense"},
		wrong{dense, Params{Gamma: 2, NegGamma: &zero}, ErrTarget, "t[9] = 0.5 is soft"},
		wrong{Dense(with(n, 9, nan)), Default(), ErrTarget, "t[9] = NaN"},
		wrong{Dense(with(n, 9, nan)).Ignoring(-1), Default(), ErrTarget, "t[9] = NaN"},
		wrong{Dense(with(n, 9, 255)).IgnoringNaN(), Default(), ErrTarget, "t[9] = 255"},
		wrong{Dense(with(n, 9, 255)).Ignoring(254), Default(), ErrTarget, "t[9] = 255"},
		wrong{y.Planes(0), Default(), ErrTarget, "Planes(0)"},
		wrong{y.Planes(7), Default(), ErrShape, "Planes' size = 7"},
		wrong{y.Classes(c + 1), Default(), ErrShape, "Classes"},
		wrong{y.Classes(-1), Default(), ErrTarget, "Classes(-1)"},
		wrong{WeighRows(dense, make([]T, 7)), Default(), ErrShape, "WeighRows"},
		wrong{WeighClasses(WeighRows(dense, make([]T, rows)), make([]T, c+1), nil), Default(), ErrShape, "Weigh"})

	x := make([]T, n)
	for _, tt := range all {
		for _, op := range operations[T]() {
			dst := [3][]T{filled[T](n), filled[T](n), filled[T](n)}
			err := op.call(dst, x, tt.y, tt.p)
			require.ErrorIs(t, err, tt.want, tt.text)
			require.ErrorContains(t, err, tt.text)
			require.ErrorContains(t, err, "focal: "+op.name+": ")
			requireUntouched(t, dst[:]...)
		}
		perRow := filled[T](rows)
		require.ErrorIs(t, Rows(perRow, x, tt.y, tt.p), tt.want, tt.text)
		requireUntouched(t, perRow)
		part, err := Score(x, tt.y, tt.p)
		require.ErrorIs(t, err, tt.want, tt.text)
		require.Equal(t, Partial{}, part)
	}
}

// No output may overlap a slice of the target.
// A weight that is negative, not finite or too large is found among others of any size, whatever the weights of positives and
// negatives are: 0 among them.
func TestWeightsOutOfRange(t *testing.T) {
	forFloats(t, testWeightsOutOfRange[float32], testWeightsOutOfRange[float64])
}

func testWeightsOutOfRange[T Float](t *testing.T) {
	const rows, c = 70, 3
	x, label := make([]T, rows*c), make([]int32, rows)
	smallest, infinity := fromBits[T](1), T(math.Inf(1))
	options := map[string]struct {
		n  int
		on func(w []T) Target
	}{
		"WeighRows: w":      {rows, func(w []T) Target { return WeighRows(Labels(label), w) }},
		"WeighClasses: neg": {c, func(w []T) Target { return WeighClasses(Labels(label), w, nil) }},
		"WeighClasses: pos": {c, func(w []T) Target { return WeighClasses(Labels(label), nil, w) }},
		"WeighElements: w":  {rows * c, func(w []T) Target { return WeighElements(Labels(label), w) }},
	}
	for _, path := range availablePaths() {
		withPath(path, func() {
			for _, alpha := range []float64{0, 1e-300, 0.25, 1, NoAlpha} {
				for _, norm := range []float64{1, 1e30, math.MaxFloat64} {
					p := Params{Gamma: 2, Alpha: alpha, Norm: norm}
					for name, o := range options {
						for _, usual := range []T{0, smallest, 1, 1000} {
							w := slices.Repeat([]T{usual}, o.n)
							_, err := Sum(x, o.on(w), p)
							require.NoError(t, err, "%v %v %s %v", path, p, name, usual)
							for _, bad := range []T{-smallest, -1, -infinity, infinity, -fromBits[T](toBits(infinity) - 1), T(math.NaN()), fromBits[T](toBits(infinity) - 1)} {
								i := o.n / 2
								w[i] = bad
								_, err := Sum(x, o.on(w), p)
								require.ErrorIs(t, err, ErrTarget, "%v %v %s %v among %v", path, p, name, bad, usual)
								require.ErrorContains(t, err, fmt.Sprintf("%s[%d] = %v, ", name, i, bad))
							}
						}
					}
				}
			}
		})
	}
}

func TestOptionOverlaps(t *testing.T) {
	const rows, c, n = 6, 2, 12
	y, x := Labels(make([]int32, rows)), make([]float32, n)
	for name, target := range map[string]func(w []float32) Target{
		"w of WeighRows":      func(w []float32) Target { return WeighRows(y, w[:rows]) },
		"neg of WeighClasses": func(w []float32) Target { return WeighClasses(y, w[:c], nil) },
		"pos of WeighClasses": func(w []float32) Target { return WeighClasses(y, nil, w[:c]) },
		"w of WeighElements":  func(w []float32) Target { return WeighElements(y, w) },
		"score of Scored":     func(w []float32) Target { return Scored(y, w[:rows], Aligned) },
	} {
		w := make([]float32, n)
		for _, op := range operations[float32]() {
			for i, output := range op.outputs {
				dst := [3][]float32{filled[float32](n), filled[float32](n), filled[float32](n)}
				dst[i] = w
				err := op.call(dst, x, target(w), Default())
				require.ErrorIs(t, err, ErrOverlap)
				require.ErrorContains(t, err, output+" overlaps "+name)
				require.Equal(t, make([]float32, n), w)
			}
		}
		require.ErrorIs(t, Rows(w[:rows], x, target(w), Default()), ErrOverlap)
		require.NoError(t, Loss(make([]float32, n), w, target(w), Default()), "inputs may overlap each other")
	}
}

// Without labels that tell, the background of ZeroBased is not known.
func TestForeground(t *testing.T) {
	label := []int64{0, 1, 2, -1, 5, 1 << 40}
	assert.Equal(t, 4, Labels(label).Foreground())
	assert.Equal(t, 2, Labels(label).Classes(2).Foreground())
	assert.Equal(t, -1, ZeroBased(label).Foreground())
	assert.Equal(t, 2, ZeroBased(label).Classes(2).Foreground())
	assert.Equal(t, 2, WeighClasses(ZeroBased(label), []float32{1, 1}, nil).Foreground())
	assert.Equal(t, 2, WeighClasses(ZeroBased(label), nil, []float32{1, 1}).Foreground())
	assert.Equal(t, 3, Labels(label).Ignoring(5).Foreground())
	assert.Equal(t, 0, ZeroBased([]int32{-1, -1}).Foreground())
	assert.Equal(t, 5, ZeroBased(label).Kept())
	assert.Equal(t, 5, Labels(label).Ignoring(1).Kept())
	assert.Equal(t, 2, Labels([]uint8{255, 0, 3}).Ignoring(255).Kept())

	nan := float32(math.NaN())
	dense := Dense([]float32{0, 1, 0.5, nan, 255, -1})
	assert.Equal(t, 3, dense.Foreground())
	assert.Equal(t, 6, dense.Kept())
	assert.Equal(t, 2, dense.Ignoring(255).Foreground())
	assert.Equal(t, 4, dense.Ignoring(255).IgnoringNaN().Kept())
	for _, y := range []Target{{}, Labels[int](nil), ZeroBased[int](nil), Dense[float64](nil)} {
		assert.Zero(t, y.Foreground())
		assert.Zero(t, y.Kept())
	}
	part := mustScore(t, make([]float32, 0), ZeroBased[int](nil), Default())
	assert.Zero(t, part.Foreground())
	_, err := Sum(make([]float32, 2), ZeroBased([]int{1}), Params{Norm: float64(ZeroBased([]int{1}).Foreground())})
	assert.ErrorIs(t, err, ErrParam)
}

// A target of options is as much on the stack as a plain one.
// A score of 0 leaves a positive what it is, with the weights of positives; but of Varifocal it makes a negative.
func TestScoreOfZero(t *testing.T) {
	x, zero, neg, pos := []float64{-0.5}, []float64{0}, []float64{2}, []float64{8}
	loss := func(y Target, p Params) float64 {
		sum, err := Sum(x, y, p)
		require.NoError(t, err)
		return sum
	}
	negative := func(gamma, alpha float64, weight []float64) float64 {
		return loss(WeighClasses(Labels([]int{0}), weight, nil), Params{Gamma: gamma, Alpha: alpha})
	}
	for quality, want := range map[Quality]float64{
		Varifocal: negative(2, 0.25, neg), Aligned: negative(0, NoAlpha, pos), QualityFocal: negative(2, NoAlpha, pos),
	} {
		y := Scored(WeighClasses(Labels([]int{1}), neg, pos), zero, quality)
		require.Equal(t, want, loss(y, Default()), quality)
	}
}

func TestPlaneSize(t *testing.T) {
	y := Labels([]int32{1, 0})
	require.Equal(t, 1, y.PlaneSize())
	require.Equal(t, 2, y.Planes(2).PlaneSize())
	require.Equal(t, 1, y.Planes(-3).PlaneSize(), "the calls refuse it")
}

func TestOptionAllocations(t *testing.T) {
	forFloats(t, testOptionAllocations[float32], testOptionAllocations[float64])
}

func testOptionAllocations[T Float](t *testing.T) {
	const rows, c, size = 300, 20, 4
	n := rows * c
	x, dst, perRow := make([]T, n), Out[T]{make([]T, n), make([]T, n), make([]T, n), make([]T, n)}, make([]T, rows)
	label, dense, ones := make([]uint16, rows), make([]T, n), slices.Repeat([]T{1}, n)
	for i := range label {
		label[i] = uint16(i % (c + 1))
	}
	for i := range dense {
		dense[i] = T(i%5) / 4
	}
	four := 4.0
	for name, call := range map[string]func() error{
		"weights": func() error {
			y := WeighElements(WeighClasses(WeighRows(Labels(label), ones[:rows]), ones[:c], ones[:c]), ones)
			_, err := Fused(dst, x, y.Planes(size), Default())
			return err
		},
		"scores": func() error {
			_, err := Fused(dst, x, Scored(ZeroBased(label), dense[:rows], QualityFocal), Default())
			return err
		},
		"dense": func() error {
			_, err := Fused(dst, x, WeighRows(Dense(dense).Ignoring(1).IgnoringNaN(), ones[:rows]), Default())
			return err
		},
		"gammas": func() error { return Loss(dst.Loss, x, Labels(label), Params{NegGamma: &four, Frozen: true}) },
		"rows":   func() error { return Rows(perRow, x, Labels(label).Planes(size), Default()) },
		"score": func() error {
			_, err := Score(x, Scored(Labels(label), dense[:rows], Varifocal), Default())
			return err
		},
		"counts": func() error {
			if Labels(label).Foreground()+Dense(dense).Ignoring(1).Kept() == 0 {
				return ErrTarget
			}
			return nil
		},
	} {
		assert.Zero(t, testing.AllocsPerRun(5, func() { must(call()) }), name)
	}
}

// Weights of 0 are found beside large ones, and so are products that are 0 on their way, whatever the factors to come are.
func TestWeightsNextToNothing(t *testing.T) {
	forFloats(t, testWeightsNextToNothing[float32], testWeightsNextToNothing[float64])
}

func testWeightsNextToNothing[T Float](t *testing.T) {
	const rows, c = 40, 3
	n := rows * c
	all := func(n int, v float64) []T {
		w := make([]T, n)
		for i := range w {
			w[i] = T(v)
		}
		return w
	}
	label, target, x := make([]int32, rows), make([]T, n), all(n, math.Inf(1))
	for i := range label {
		if label[i] = int32(i % (c + 1)); label[i] > 0 {
			at := i*c + int(label[i]) - 1
			target[at], x[at] = 1, T(math.Inf(-1))
		}
	}
	bits := constantsOf[T]().MantissaBits + 2
	tiny := math.Exp2(math.Floor(math.Log2(smallestNormal[T]())-float64(bits)) / 2) // times itself it is 0
	huge := math.Exp2(float64(bits) + 3)                                            // times the smallest number it is a normal one
	for _, y := range []Target{Labels(label), Dense(target).Classes(c), Dense(all(n, 0.5)).Classes(c), Scored(Labels(label), all(rows, 0.5), Aligned)} {
		for k, w := range []struct {
			y    Target
			norm float64
		}{
			{WeighRows(WeighClasses(y, all(c, tiny), all(c, tiny)), all(rows, huge)), 1 / tiny},
			{WeighElements(WeighClasses(y, all(c, tiny), all(c, tiny)), all(n, huge)), 1 / tiny},
			{WeighElements(WeighRows(y, all(rows, tiny)), all(n, huge)), 1 / tiny},
			{WeighElements(WeighRows(y, all(rows, huge)), all(n, 0)), 1},
			{WeighRows(WeighClasses(y, all(c, huge), all(c, huge)), all(rows, 0)), 1},
		} {
			out := Out[T]{all(n, 1), all(n, 1), all(n, 1), all(n, 1)}
			_, err := Fused(out, x, w.y, Params{Gamma: 2, Alpha: NoAlpha, Norm: w.norm})
			require.NoError(t, err)
			for i := range x {
				requireZero(t, out, i, "weights %d", k)
			}
		}
	}
}

package focal

import (
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/exact"
	"github.com/gofocal/focal/internal/oracle"
)

var (
	_ encoding.BinaryMarshaler   = Partial{}
	_ encoding.BinaryAppender    = Partial{}
	_ encoding.BinaryUnmarshaler = (*Partial)(nil)
)

// hostileLogits returns logits of every kind, ordinary, adversarial, and not finite ones if asked to.
func hostileLogits[T Float](rng *rand.Rand, n int, finite bool) []T {
	adversarial := adversarialLogits[T](1)
	x := make([]T, n)
	for i := range x {
		switch rng.IntN(4) {
		case 0:
			x[i] = adversarial[rng.IntN(len(adversarial))]
		case 1:
			x[i] = specialValues[T]()[rng.IntN(len(specialValues[T]()))]
		default:
			x[i] = T(4 * rng.NormFloat64())
		}
		if finite && !isFinite(float64(x[i])) {
			x[i] = -100
		}
	}
	return x
}

// scored is a batch with targets of one sort, which can be cut into shards.
type scored[T Float] struct {
	name  string
	x     []T
	c     int
	shard func(from, to int) ([]T, Target) // by rows
}

func scoredBatches[T Float](rng *rand.Rand, rows, c int, finite bool) []scored[T] {
	x := hostileLogits[T](rng, rows*c, finite)
	label, zeroBased := make([]int32, rows), make([]int32, rows)
	hard, soft := make([]T, rows*c), make([]T, rows*c)
	for i := range label {
		label[i] = rng.Int32N(int32(c)+2) - 1
		zeroBased[i] = rng.Int32N(int32(c) + 1)
		if rng.IntN(5) == 0 {
			zeroBased[i] = 255
		}
	}
	for i := range hard {
		hard[i] = T(rng.IntN(2))
		soft[i] = hard[i]
		if rng.IntN(3) == 0 {
			soft[i] = T(rng.Float64())
		}
	}
	at := func(from, to int) []T { return x[from*c : to*c] }
	return []scored[T]{
		{"labels", x, c, func(a, b int) ([]T, Target) { return at(a, b), Labels(label[a:b]) }},
		{"zero-based", x, c, func(a, b int) ([]T, Target) { return at(a, b), ZeroBased(zeroBased[a:b]).Ignoring(255) }},
		{"dense", x, c, func(a, b int) ([]T, Target) { return at(a, b), Dense(hard[a*c : b*c]) }},
		{"dense, soft", x, c, func(a, b int) ([]T, Target) { return at(a, b), Dense(soft[a*c : b*c]) }},
	}
}

func mustScore[T Float](t *testing.T, x []T, y Target, p Params) Partial {
	t.Helper()
	part, err := Score(x, y, p)
	require.NoError(t, err)
	return part
}

func mustMerge(t *testing.T, parts ...Partial) (all Partial) {
	t.Helper()
	for _, part := range parts {
		require.NoError(t, all.Merge(part))
	}
	return all
}

var scoredParams = []Params{{Gamma: 2, Alpha: 0.25}, {Gamma: 2.3, Alpha: 0.75}, {Gamma: 0, Alpha: NoAlpha}, {Gamma: 2, Alpha: 1}}

// fewerIfShort returns the first two: under emulation all would take minutes.
func fewerIfShort[E any](all []E) []E {
	if testing.Short() {
		return all[:2]
	}
	return all
}

// Score is the exact sum of what Loss writes.
func TestScore(t *testing.T) { forFloats(t, testScore[float32], testScore[float64]) }

func testScore[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 4))
	for _, shape := range [][2]int{{1, 1}, {7, 3}, {pieceLen, 1}, {1, blockLen + 5}, {40, 80}} {
		rows, c := shape[0], shape[1]
		if testing.Short() && rows*c > blockLen {
			continue
		}
		for _, finite := range []bool{true, false} {
			for _, b := range scoredBatches[T](rng, rows, c, finite) {
				x, y := b.shard(0, rows)
				for _, p := range fewerIfShort(scoredParams) {
					loss := make([]T, len(x))
					require.NoError(t, Loss(loss, x, y, p))
					var inf, nan uint64
					for i, v := range loss {
						require.False(t, math.Signbit(float64(v)) && v == v, "%s: loss[%d] = %v", b.name, i, v)
						switch {
						case v != v:
							nan++
						case math.IsInf(float64(v), 0):
							inf++
						default:
							continue
						}
						loss[i] = 0
					}
					p.Norm = 17 // plays no part
					part := mustScore(t, x, y, p)
					require.Zero(t, part.sum.Big().Cmp(oracle.Sum(loss)), "%s %v %+v", b.name, shape, p)
					require.Equal(t, [2]uint64{inf, nan}, [2]uint64{part.inf, part.nan}, b.name)
					for _, workers := range []int{2, 3, -1} {
						p.Workers = workers
						require.Equal(t, part, mustScore(t, x, y, p), b.name)
					}
					require.Equal(t, Params{Gamma: p.Gamma, Alpha: p.Alpha, Norm: 1}, part.Params())
				}
			}
		}
	}
}

func TestScorePaths(t *testing.T) { forFloats(t, testScorePaths[float32], testScorePaths[float64]) }

func testScorePaths[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 5))
	for _, b := range scoredBatches[T](rng, 300, 7, false) {
		x, y := b.shard(0, 300)
		want := make([]T, 300)
		part := mustScore(t, x, y, Default())
		require.NoError(t, Rows(want, x, y, Default()))
		for _, path := range availablePaths() {
			withPath(path, func() {
				got := make([]T, 300)
				require.Equal(t, part, mustScore(t, x, y, Default()), "%v, %s", path, b.name)
				require.NoError(t, Rows(got, x, y, Default()))
				requireSameBits(t, want, got)
			})
		}
	}
}

// Any sharding, any order, any grouping, through the encoding or not: the same bits.
func TestSharding(t *testing.T) { forFloats(t, testSharding[float32], testSharding[float64]) }

func testSharding[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 6))
	const rows, c = 700, 5
	for _, finite := range []bool{true, false} {
		for _, b := range scoredBatches[T](rng, rows, c, finite) {
			for _, p := range fewerIfShort(scoredParams) {
				x, y := b.shard(0, rows)
				want := mustScore(t, x, y, p)
				for _, shards := range fewerIfShort([]int{7, 64, 1, 2, rows}) {
					cuts := []int{0, rows}
					for range shards - 1 {
						cuts = append(cuts, rng.IntN(rows+1)) // some are empty
					}
					slices.Sort(cuts)
					parts := make([]Partial, shards)
					for i := range parts {
						x, y := b.shard(cuts[i], cuts[i+1])
						encoded, err := mustScore(t, x, y, p).MarshalBinary()
						require.NoError(t, err)
						require.NoError(t, parts[i].UnmarshalBinary(encoded))
					}
					rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
					require.Equal(t, want, mustMerge(t, parts...), b.name)

					for len(parts) > 1 { // in a tree of random shape
						i, j := rng.IntN(len(parts)), rng.IntN(len(parts)-1)
						if j >= i {
							j++
						}
						parts[i] = mustMerge(t, parts[i], parts[j])
						parts = slices.Delete(parts, j, j+1)
					}
					require.Equal(t, want, parts[0], b.name)
				}
			}
		}
	}
}

// What the sum is not: float64 arithmetic in any order.
func TestPartialExact(t *testing.T) {
	x := []float64{-1e300, 1e-300, -1000, -1, 30}
	y := Labels([]int32{1, 0, 0, 0, 0})
	p := Params{Alpha: NoAlpha} // cross-entropy: losses from 1e300 to 9e-14 and 0
	part := mustScore(t, x, y, p)
	without := mustScore(t, x[1:], Labels(labelsOf(y)[1:]), p)
	require.Equal(t, 1e300, part.Loss(1))
	loss := make([]float64, 5)
	require.NoError(t, Loss(loss, x, y, p))
	rest := oracle.Sum(loss[1:])
	require.Zero(t, without.sum.Big().Cmp(rest))
	require.Zero(t, new(big.Float).Sub(part.sum.Big(), big.NewFloat(1e300)).Cmp(rest), "nothing of the small ones is lost beside the large one")
}

func TestPartialNotFinite(t *testing.T) {
	forFloats(t, testPartialNotFinite[float32], testPartialNotFinite[float64])
}

func testPartialNotFinite[T Float](t *testing.T) {
	inf, nan := T(math.Inf(1)), T(math.NaN())
	for _, tt := range []struct {
		x        []T
		label    []int32
		inf, nan uint64
		want     float64
	}{
		{[]T{inf, -inf, 0}, []int32{1, 0, -1}, 0, 0, 0},
		{[]T{-inf, inf, 0}, []int32{1, 0, -1}, 2, 0, math.Inf(1)},
		{[]T{inf, nan, inf}, []int32{0, 1, 0}, 2, 1, math.NaN()},
		{[]T{nan, -inf, nan}, []int32{-1, -1, -1}, 0, 0, 0},
	} {
		part := mustScore(t, tt.x, Labels(tt.label), Default())
		i, n := part.NotFinite()
		require.Equal(t, [2]uint64{tt.inf, tt.nan}, [2]uint64{i, n})
		requireSameBits(t, []float64{tt.want}, []float64{part.Loss(1)})
		requireSameBits(t, []float64{tt.want}, []float64{part.Loss(1e300)})
	}
}

func TestPartialLoss(t *testing.T) {
	part := mustScore(t, []float32{0, 0, 1}, Labels([]int32{1, 0, 0}), Default())
	require.Equal(t, part.Loss(1), part.Loss(0))
	require.Equal(t, part.Loss(1)/4, part.Loss(4))
	for _, norm := range []float64{-1, -5e-324, math.Inf(1), math.Inf(-1), math.NaN()} {
		require.True(t, math.IsNaN(part.Loss(norm)), "%v", norm)
	}
	require.Equal(t, math.Inf(1), part.Loss(5e-324), "too large")
	require.Zero(t, Partial{}.Loss(1))
	require.Zero(t, Partial{}.Loss(0))
	sum, err := Sum([]float32{0, 0, 1}, Labels([]int32{1, 0, 0}), Default())
	require.NoError(t, err)
	require.InEpsilon(t, sum, part.Loss(1), 0x1p-40)
}

func TestPartialCounts(t *testing.T) {
	counts := func(p Partial) [3]int64 { return [3]int64{p.Rows(), p.Foreground(), p.Ignored()} }
	x := make([]float64, 12)
	dense := []float64{0, 1, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0x1p-1074}
	for _, tt := range []struct {
		y    Target
		want [3]int64
	}{
		{Labels([]int32{-1, 0, 1, 2, 3, -1}[:4]), [3]int64{4, 2, 1}},
		{Labels([]int32{-1, -1}).Ignoring(-1), [3]int64{2, 0, 2}},
		{Labels([]int32{7, 0, 1}).Ignoring(7), [3]int64{3, 1, 1}},
		{Labels([]int32{1, 0, 1}).Ignoring(1), [3]int64{3, 0, 2}},
		{ZeroBased([]int32{0, 2, 3, -1}), [3]int64{4, 2, 1}},
		{Dense(dense), [3]int64{12, 3, 0}},
	} {
		require.Equal(t, tt.want, counts(mustScore(t, x, tt.y, Default())))
	}
	require.Equal(t, Partial{}, mustScore(t, []float64{}, Labels[int32](nil), Default()))
	require.Equal(t, Params{}, Partial{}.Params())
}

func TestScoreErrors(t *testing.T) {
	x := make([]float32, 4)
	for _, tt := range []struct {
		y    Target
		p    Params
		want error
	}{
		{Target{}, Default(), ErrTarget},
		{Labels([]int32{0, 0, 0}), Default(), ErrShape},
		{Labels([]int32{0, 3}), Default(), ErrLabel},
		{Dense([]float32{0, 0, 0, 2}), Default(), ErrTarget},
		{Dense([]float64{0, 0, 0, 0}), Default(), ErrTarget},
		{Labels([]int32{0, 0}), Params{Gamma: -1}, ErrParam},
		{Labels([]int32{0, 0}), Params{Alpha: 2}, ErrParam},
	} {
		part, err := Score(x, tt.y, tt.p)
		require.ErrorIs(t, err, tt.want)
		require.ErrorContains(t, err, "focal: Score: ")
		require.Equal(t, Partial{}, part)
	}
	_, err := Score(x, Labels([]int32{0, 0}), Params{Norm: math.NaN()})
	require.NoError(t, err, "the Norm plays no part")
}

func TestMergeErrors(t *testing.T) {
	x, y := []float32{1}, Labels([]int32{1})
	a, four := mustScore(t, x, y, Default()), 4.0
	for want, b := range map[string]Partial{
		"{Gamma: 2, Alpha: 0.25} and {Gamma: 2.5, Alpha: 0.25}":             mustScore(t, x, y, Params{Gamma: 2.5, Alpha: 0.25}),
		"{Gamma: 2, Alpha: 0.25} and {Gamma: 2, Alpha: 0}":                  mustScore(t, x, y, Params{Gamma: 2}),
		"{Gamma: 2, Alpha: 0.25} and {Gamma: 2, Alpha: NoAlpha}":            mustScore(t, x, y, Params{Gamma: 2, Alpha: NoAlpha}),
		"{Gamma: 2, Alpha: 0.25} and {Gamma: 2, NegGamma: 4, Alpha: 0.25}":  mustScore(t, x, y, Params{Gamma: 2, NegGamma: &four, Alpha: 0.25}),
		"{Gamma: 2, Alpha: 0.25} and {Gamma: 2, Alpha: 0.25, Varifocal}":    mustScore(t, x, Scored(y, x, Varifocal), Default()),
		"{Gamma: 2, Alpha: 0.25} and {Gamma: 2, Alpha: 0.25, Aligned}":      mustScore(t, x, Scored(y, x, Aligned), Default()),
		"{Gamma: 2, Alpha: 0.25} and {Gamma: 2, Alpha: 0.25, QualityFocal}": mustScore(t, x, Scored(y, x, QualityFocal), Default()),
	} {
		before := a
		err := a.Merge(b)
		require.ErrorIs(t, err, ErrParam)
		require.ErrorContains(t, err, want)
		require.Equal(t, before, a)
	}
	require.Equal(t, mustScore(t, x, y, Params{Gamma: math.Copysign(0, -1), Alpha: math.Copysign(0, -1)}), mustScore(t, x, y, Params{}))

	for name, change := range map[string]func(p *Partial){
		"rows": func(p *Partial) { p.rows = math.MaxInt64 },
		"inf":  func(p *Partial) { p.inf = math.MaxUint64 },
		"nan":  func(p *Partial) { p.nan = math.MaxUint64 },
		"sum":  func(p *Partial) { p.sum[exact.Words-1] = math.MaxUint64 },
	} {
		full, more := a, a
		change(&full)
		more.inf, more.nan, more.sum[exact.Words-1] = 1, 1, 1
		for _, order := range [][2]Partial{{full, more}, {more, full}} {
			into := order[0]
			require.ErrorIs(t, into.Merge(order[1]), ErrPartial, name)
			require.Equal(t, order[0], into)
		}
	}
}

// One row is not none.
func TestPartialOne(t *testing.T) {
	p := mustScore(t, []float64{0}, Labels([]int32{1}), Params{Alpha: NoAlpha})
	require.Equal(t, Params{Alpha: NoAlpha, Norm: 1}, p.Params())
	require.Equal(t, "1 rows, 1 foreground, 0 ignored; loss 0.693147 with Gamma: 0, Alpha: NoAlpha", p.String())
	require.Equal(t, "no rows", Partial{}.String())
	require.Equal(t, Params{}, Partial{}.Params())
}

// The encoding is a promise: files of today are read tomorrow.
func TestPartialEncoding(t *testing.T) {
	four := 4.0
	for _, tt := range []struct {
		part Partial
		want string
	}{
		{Partial{}, "666f63616c73756d" + "01000000" + "0000" + "0000" + "0000000000000000" + "0000000000000000" +
			"0000000000000000" + "0000000000000000" + "0000000000000000" + "0000000000000000" + "0000000000000000" + "78f70f48"},
		// One loss of log(2).
		{mustScore(t, []float64{0, math.NaN(), math.Inf(1), 5}, Labels([]int32{1, 0, 0, -1}), Params{Alpha: NoAlpha}),
			"666f63616c73756d" + "01000000" + "0f00" + "0200" + "0000000000000000" + "000000000000f0bf" +
				"0400000000000000" + "0100000000000000" + "0100000000000000" + "0100000000000000" + "0100000000000000" +
				"00000000000000e0" + "3d47df5fc8c50200" + "3e2beac8"},
		{mustScore(t, []float64{0}, Labels([]int32{1}), Params{Alpha: NoAlpha, NegGamma: &four}),
			"666f63616c73756d" + "02000000" + "0f00" + "0200" + "0000000000000000" + "000000000000f0bf" +
				"0100000000000000" + "0100000000000000" + "0000000000000000" + "0000000000000000" + "0000000000000000" +
				"0000000000001040" + "0000000000000000" + "00000000000000e0" + "3d47df5fc8c50200" + "1971fb65"},
		{mustScore(t, []float64{0}, Scored(Labels([]int32{1}), []float64{1}, Aligned), Params{Alpha: NoAlpha}),
			"666f63616c73756d" + "02000000" + "0f00" + "0200" + "0000000000000000" + "000000000000f0bf" +
				"0100000000000000" + "0100000000000000" + "0000000000000000" + "0000000000000000" + "0000000000000000" +
				"0000000000000000" + "0200000000000000" + "00000000000000e0" + "3d47df5fc8c50200" + "3de4dd69"},
	} {
		b, err := tt.part.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, tt.want, hex.EncodeToString(b))
		appended, err := tt.part.AppendBinary([]byte("before"))
		require.NoError(t, err)
		require.Equal(t, "before"+string(b), string(appended))
		var back Partial
		require.NoError(t, back.UnmarshalBinary(b))
		require.Equal(t, tt.part, back)

		// Every cut, every extra byte and every other bit is noticed.
		other := mustScore(t, []float64{5}, Labels([]int32{0}), Default())
		for n := range b {
			p := other
			require.ErrorIs(t, p.UnmarshalBinary(b[:n]), ErrPartial)
			require.Equal(t, other, p)
		}
		p := other
		require.ErrorIs(t, p.UnmarshalBinary(append(slices.Clone(b), 0)), ErrPartial)
		for i := range 8 * len(b) {
			damaged := slices.Clone(b)
			damaged[i/8] ^= 1 << (i % 8)
			require.ErrorIs(t, p.UnmarshalBinary(damaged), ErrPartial, "bit %d", i)
			require.Equal(t, other, p)
		}
	}
}

// asVersion2 changes the encoding to version 2.
func asVersion2(b []byte, negGamma float64, quality uint64) []byte {
	b[8] = 2
	var more [16]byte
	binary.LittleEndian.PutUint64(more[:], math.Float64bits(negGamma))
	binary.LittleEndian.PutUint64(more[8:], quality)
	return slices.Insert(b, partialHeader, more[:]...)
}

// withChecksum corrects the checksum, as an attacker would.
func withChecksum(b []byte) []byte {
	b = slices.Clone(b)
	n := len(b) - partialTrailer
	binary.LittleEndian.PutUint32(b[n:], crc32.Checksum(b[:n], castagnoli))
	return b
}

func TestPartialHostile(t *testing.T) {
	part := mustScore(t, []float64{-1, 0, 0}, Labels([]int32{1, 0, -1}), Default())
	good, err := part.MarshalBinary()
	require.NoError(t, err)
	le := binary.LittleEndian
	for want, change := range map[string]func(b []byte) []byte{
		"begins with":                         func(b []byte) []byte { b[0] = 'F'; return b },
		"version 3, want 1":                   func(b []byte) []byte { b[8] = 3; return b },
		"want 108 with 2 words":               func(b []byte) []byte { b[8] = 2; return b },
		"version 2, want 1":                   func(b []byte) []byte { return asVersion2(b, 2, 0) },
		"NegGamma: NaN":                       func(b []byte) []byte { return asVersion2(b, math.NaN(), 0) },
		"NegGamma: -0":                        func(b []byte) []byte { return asVersion2(b, math.Copysign(0, -1), 0) },
		"Quality(3)":                          func(b []byte) []byte { return asVersion2(b, 2, 4) },
		"NegGamma: 1, Alpha: 0.25, Varifocal": func(b []byte) []byte { return asVersion2(b, 1, 1) },
		"words 33 to":                         func(b []byte) []byte { le.PutUint16(b[12:], 33); return b },
		"words 65535 to":                      func(b []byte) []byte { le.PutUint16(b[12:], math.MaxUint16); return b },
		"with 65535 words":                    func(b []byte) []byte { le.PutUint16(b[14:], math.MaxUint16); return b },
		"a word of 0":                         func(b []byte) []byte { clear(b[partialHeader : partialHeader+8]); return b },
		"Gamma: NaN":                          func(b []byte) []byte { le.PutUint64(b[16:], math.Float64bits(math.NaN())); return b },
		"Gamma: -0":                           func(b []byte) []byte { le.PutUint64(b[16:], 1<<63); return b },
		"Alpha: -0":                           func(b []byte) []byte { le.PutUint64(b[24:], 1<<63); return b },
		"Alpha: 2":                            func(b []byte) []byte { le.PutUint64(b[24:], math.Float64bits(2)); return b },
		"9223372036854775808 ":                func(b []byte) []byte { le.PutUint64(b[32:], 1<<63); return b },
		"4 of them foreground":                func(b []byte) []byte { le.PutUint64(b[40:], 4); return b },
		"and 3 ignored":                       func(b []byte) []byte { le.PutUint64(b[48:], 3); return b },
		"no rows":                             func(b []byte) []byte { clear(b[32:56]); return b },
	} {
		var p Partial
		err := p.UnmarshalBinary(withChecksum(change(slices.Clone(good))))
		require.ErrorIs(t, err, ErrPartial)
		require.ErrorContains(t, err, want)
		require.Equal(t, Partial{}, p)
	}
}

// FuzzUnmarshalBinary: what is accepted is what MarshalBinary returns, and can be used; what is not leaves p as it was.
func FuzzUnmarshalBinary(f *testing.F) {
	for _, x := range [][]float64{{}, {-1, 0, 30}, {math.Inf(1), math.NaN(), -700}} {
		part, err := Score(x, Labels([]int32{1, 0, 0}[:len(x)]), Default())
		if err != nil {
			f.Fatal(err)
		}
		b, _ := part.MarshalBinary()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= partialTrailer {
			b = withChecksum(b)
		}
		var p Partial
		if err := p.UnmarshalBinary(b); err != nil {
			require.ErrorIs(t, err, ErrPartial)
			require.Equal(t, Partial{}, p)
			return
		}
		again, err := p.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, b, again)
		twice := p
		if err := twice.Merge(p); err == nil {
			require.Equal(t, 2*p.Rows(), twice.Rows())
		} else {
			require.ErrorIs(t, err, ErrPartial)
		}
		require.False(t, p.Loss(3) < 0)
	})
}

func TestScoreAllocations(t *testing.T) {
	forFloats(t, testScoreAllocations[float32], testScoreAllocations[float64])
}

func testScoreAllocations[T Float](t *testing.T) {
	x, y := batch[T](1000, 20)
	rows := make([]T, 1000)
	var err error
	assert.Zero(t, testing.AllocsPerRun(10, func() { _, err = Score(x, y, Default()) }))
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(10, func() { err = Rows(rows, x, y, Default()) }))
	require.NoError(t, err)
}

func TestRows(t *testing.T) { forFloats(t, testRows[float32], testRows[float64]) }

func testRows[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 7))
	for _, shape := range [][2]int{{1, 1}, {9, 1}, {7, 3}, {40, 77}, {2, pieceLen}, {1, pieceLen + 1}, {2, blockLen + 1}, {blockLen + 1, 1}} {
		rows, c := shape[0], shape[1]
		if testing.Short() && rows*c > pieceLen+1 {
			continue
		}
		for _, finite := range []bool{true, false} {
			for _, b := range scoredBatches[T](rng, rows, c, finite) {
				x, y := b.shard(0, rows)
				for _, p := range scoredParams[:2] {
					p.Norm = 3
					loss, dst := make([]T, len(x)), make([]T, rows)
					require.NoError(t, Loss(loss, x, y, p))
					require.NoError(t, Rows(dst, x, y, p))
					for r, got := range dst {
						row := loss[r*c : (r+1)*c]
						want, finite := 0.0, true
						for _, v := range row {
							want += float64(v)
							finite = finite && isFinite(float64(v))
						}
						if !finite {
							requireSameBits(t, []T{T(want)}, []T{got})
							continue
						}
						// Compensated, the sum is as good as exact; two roundings are left.
						exact, _ := oracle.Sum(row).Float64()
						next := math.Abs(float64(T(exact))) * 0x1p-52
						if isFloat32[T]() {
							next = math.Abs(float64(T(exact))) * 0x1p-24
						}
						require.InDelta(t, exact, float64(got), next, "%s, row %d of %v", b.name, r, shape)
					}
					for _, workers := range []int{2, 3, -1} {
						p.Workers = workers
						got := make([]T, rows)
						require.NoError(t, Rows(got, x, y, p))
						requireSameBits(t, dst, got)
					}
					for range 3 { // in any shard
						from := rng.IntN(rows)
						to := from + 1 + rng.IntN(rows-from)
						x, y := b.shard(from, to)
						got := make([]T, to-from)
						require.NoError(t, Rows(got, x, y, p))
						requireSameBits(t, dst[from:to], got)
					}
				}
			}
		}
	}
}

// With planes, rows are those of the same logits with the channels last.
func TestRowsPlanes(t *testing.T) { forFloats(t, testRowsPlanes[float32], testRowsPlanes[float64]) }

func testRowsPlanes[T Float](t *testing.T) {
	for _, shape := range [][3]int{{3, 2, 5}, {1, 1, 1}, {40, 3, 7}, {2, 20, rowTile}, {2, 3, rowTile + 1}, {3, 1, 2*rowTile + 5}, {1, 7, 3000}} {
		images, c, size := shape[0], shape[1], shape[2]
		last, y := batch[T](images*size, c)
		first, dense, denseLast := make([]T, len(last)), make([]T, len(last)), make([]T, len(last))
		for i := range last {
			row, col := i/c, i%c
			at := (row/size*c+col)*size + row%size
			first[at] = last[i]
			denseLast[i] = T(i%11) / 10
			dense[at] = denseLast[i]
		}
		p := Default()
		want, got := make([]T, images*size), make([]T, images*size)
		for _, p.Workers = range []int{1, 3} {
			require.NoError(t, Rows(want, last, y, p))
			require.NoError(t, Rows(got, first, y.Planes(size), p))
			requireSameBits(t, want, got)
			require.NoError(t, Rows(want, last, Dense(denseLast), p))
			require.NoError(t, Rows(got, first, Dense(dense).Planes(size), p))
			requireSameBits(t, want, got)
		}
	}
}

func TestRowsInPlace(t *testing.T) {
	x, y := batch[float32](20000, 1)
	want := make([]float32, len(x))
	require.NoError(t, Rows(want, x, y, Default()))
	p := Default()
	p.Workers = 3
	require.NoError(t, Rows(x, x, y, p))
	requireSameBits(t, want, x)
}

func TestRowsErrors(t *testing.T) {
	buf := make([]float32, 12)
	x := buf[:6]
	label := []int32{0, 0}
	for _, tt := range []struct {
		dst, x []float32
		y      Target
		p      Params
		want   error
		text   string
	}{
		{filled[float32](3), x, Labels(label), Default(), ErrShape, "len(dst) = 3, want len(label) = 2"},
		{nil, x, Labels(label), Default(), ErrShape, "len(dst) = 0, want len(label) = 2"},
		{filled[float32](1), nil, Labels[int32](nil), Default(), ErrShape, "len(dst) = 1, want len(label) = 0"},
		{filled[float32](4), x, Dense(make([]float32, 6)), Default(), ErrShape, "len(dst) = 4, want a number of rows that divides len(x) = 6"},
		{nil, x, Dense(make([]float32, 6)), Default(), ErrShape, "len(dst) = 0, want a number of rows"},
		{filled[float32](1), nil, Dense([]float32{}), Default(), ErrShape, "len(dst) = 1, want len(x) = 0"},
		{filled[float32](2), x, Dense(make([]float32, 5)), Default(), ErrShape, "len(t) = 5"},
		{filled[float32](2), x, Labels([]int32{0, 4}), Default(), ErrLabel, "label[1] = 4"},
		{filled[float32](2), x, Dense([]float32{0, 0, 0, -1, 0, 0}), Default(), ErrTarget, "t[3] = -1"},
		{filled[float32](2), x, Target{}, Default(), ErrTarget, "zero Target"},
		{filled[float32](2), x, Labels(label), Params{Gamma: -1}, ErrParam, "Gamma"},
		{filled[float32](2), x, Labels(label), Params{Norm: 1e-300, Alpha: 1}, ErrParam, "Norm"},
		{buf[5:7], x, Labels(label), Default(), ErrOverlap, "dst overlaps x"},
		{buf[:2], x, Labels(label), Default(), ErrOverlap, "dst overlaps x"},
		{buf[10:12], x, Dense(buf[6:12]), Default(), ErrOverlap, "dst overlaps t"},
	} {
		err := Rows(tt.dst, tt.x, tt.y, tt.p)
		require.ErrorIs(t, err, tt.want, tt.text)
		require.ErrorContains(t, err, tt.text)
		require.ErrorContains(t, err, "focal: Rows: ")
		for _, v := range tt.dst {
			require.True(t, v == untouched || v == 0, "written")
		}
	}
	require.NoError(t, Rows(nil, []float32{}, Labels[int32](nil), Default()))
	require.NoError(t, Rows(nil, []float32{}, Dense([]float32{}), Default()))
}

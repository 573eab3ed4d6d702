package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/gofocal/focal"
)

// GoldenHash is what Hash returns on every path and every GOARCH. It changes only if the arithmetic does, or Hash itself.
const GoldenHash = "8d65aa9687d2b9c63ac7747edbfe5b89b55f7cff5298c18b1e0c2a7c903a9dad"

// Hash computes everything that package focal can, by the path in use, over a fixed set of arguments, and returns the
// SHA-256 of all results in hexadecimal. The arguments are made with integers and exact operations, so they too are
// the same everywhere. A NaN counts as a NaN, whatever its payload.
func Hash() (string, error) {
	h := sha256.New()
	if err := hashAll[float32](h); err != nil {
		return "", fmt.Errorf("float32: %w", err)
	}
	if err := hashAll[float64](h); err != nil {
		return "", fmt.Errorf("float64: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashAll[T focal.Float](h hash.Hash) error {
	g := golden[T]{Hash: h, rng: rand.New(rand.NewPCG(2017, 1708_02002))}
	weights := []focal.Params{
		{Alpha: 0.25, Norm: 1}, {Alpha: 0.25, Norm: 37}, {Alpha: focal.NoAlpha}, {Alpha: 0.75, Norm: 0x1p-30},
		{Alpha: 0, Norm: 3}, {Alpha: 1, Norm: 0.1}, {Alpha: 0.3, Norm: 0x1p130},
	}
	for i, gamma := range []float64{0, 0.5, 1, 2, 2.3, 5, 100, 1e6} {
		shapes := [][2]int{{1, 1}, {3, 7}, {40, 10}, {9, 80}, {130, 1}}
		// More than a block, but at γ = 2.3 not: Bochs 2.7, which stands for AVX-512, makes a float64 FMA 0 whose sum is below
		// 2^-62 of its product, and among so many elements one needs it.
		if gamma == 2 {
			shapes = append(shapes, [2]int{2, 4100})
		}
		for k, shape := range shapes {
			p := weights[(i+k)%len(weights)]
			p.Gamma, p.Workers = gamma, 1+k%3
			rows, c := shape[0], shape[1]
			g.call(rows, c, focal.Labels(g.labels(rows, 0, c, -1)), p)
			g.call(rows, c, focal.ZeroBased(g.labels(rows, 0, c, -1)), p)
			g.call(rows, c, focal.Labels(g.labels(rows, 0, c, 255)).Ignoring(255), p)
			g.call(rows, c, focal.Dense(g.targets(rows*c)), p)

			weigh := func(y focal.Target) focal.Target {
				y = focal.WeighClasses(focal.WeighRows(y, g.shares(rows)), g.shares(c), g.shares(c))
				return focal.WeighElements(y, g.shares(rows*c))
			}
			y := focal.Labels(g.labels(rows, 0, c, -1))
			g.call(rows, c, weigh(y), p)
			g.call(rows, c, weigh(focal.Dense(g.targets(rows*c))), p)
			g.call(rows, c, focal.Scored(y, g.shares(rows), focal.Quality(k%3)), p)
			g.call(rows*4, c, focal.Labels(g.labels(rows*4, 0, c, -1)).Planes(4), p)
			negGamma := []float64{0, 2, 4.5}[i%3]
			p.NegGamma = &negGamma
			g.call(rows, c, y, p)
		}
	}
	return g.err
}

// golden makes arguments and hashes results.
type golden[T focal.Float] struct {
	hash.Hash
	pending []byte // to be hashed, at the end of a call
	rng     *rand.Rand
	err     error // the first one
}

// call hashes all operations on one batch.
func (g *golden[T]) call(rows, c int, y focal.Target, p focal.Params) {
	n := rows * c
	x, dout := g.logits(n), g.logits(n)
	dst := make([]T, n)
	hashed := func(err error, results ...[]T) {
		if err != nil && g.err == nil {
			g.err = err
		}
		for _, r := range results {
			for _, v := range r {
				g.float(float64(v))
			}
		}
	}
	hashed(focal.Loss(dst, x, y, p), dst)
	hashed(focal.Grad(dst, x, y, nil, p), dst)
	hashed(focal.Grad(dst, x, y, dout, p), dst)
	hashed(focal.Sigmoid(dst, x), dst)
	hashed(focal.Softplus(dst, x), dst)

	sum, err := focal.Sum(x, y, p)
	hashed(err)
	g.float(sum)
	perRow := make([]T, rows)
	hashed(focal.Rows(perRow, x, y, p), perRow)
	score, err := focal.Score(x, y, p)
	hashed(err)
	g.float(score.Loss(1))
	g.integers(uint64(score.Rows()), uint64(score.Foreground()), uint64(score.Ignored()))

	out := focal.Out[T]{Loss: make([]T, n), Grad: make([]T, n), Hess: make([]T, n), Curv: make([]T, n)}
	sum, err = focal.Fused(out, x, y, p)
	hashed(err, out.Loss, out.Grad, out.Hess, out.Curv)
	g.float(sum)
	p.Frozen = true
	_, err = focal.Fused(out, x, y, p)
	hashed(err, out.Grad, out.Hess)
	p.Frozen = false
	hashed(focal.Loss(x, x, y, p), x) // in place
	g.Write(g.pending)
	g.pending = g.pending[:0]
}

func (g *golden[T]) integers(values ...uint64) {
	for _, v := range values {
		g.pending = binary.LittleEndian.AppendUint64(g.pending, v)
	}
}

func (g *golden[T]) float(v float64) {
	bits := math.Float64bits(v)
	if math.IsNaN(v) {
		bits = 0x7ff8_0000_0000_0000
	}
	g.integers(bits)
}

// labels returns labels from least to most, and some of them ignored.
func (g *golden[T]) labels(n, least, most int, ignored int32) []int32 {
	label := make([]int32, n)
	for i := range label {
		if g.rng.Uint64()%8 == 0 {
			label[i] = ignored
		} else {
			label[i] = int32(least) + int32(g.rng.Uint64()%uint64(most-least+1))
		}
	}
	return label
}

// fraction returns a multiple of 2^-23 in [-1, 1).
func (g *golden[T]) fraction() T { return T(int64(g.rng.Uint64())>>40) * 0x1p-23 }

// logits returns mostly what a model gives, and all else that there is.
func (g *golden[T]) logits(n int) []T {
	x := make([]T, n)
	for i := range x {
		switch g.rng.Uint64() % 16 {
		case 0, 1:
			x[i] = g.bits(g.rng.Uint64()) // any number, infinities and NaN
		case 2:
			x[i] = 1024 * g.fraction()
		case 3, 4:
			x[i] = 128 * g.fraction()
		case 5:
			x[i] = g.special()
		default:
			x[i] = 16 * g.fraction()
		}
	}
	return x
}

func (g *golden[T]) special() T {
	special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 0x1p-126, -0x1p-149, 0x1p-1022, 0x1p-1074,
		87, -87, 88, -88, 103, -103, 104, 708, -708, 710, -745, 746, 0x1p100, -0x1p100}
	return T(special[g.rng.Uint64()%uint64(len(special))])
}

// targets returns soft targets, and many hard ones.
func (g *golden[T]) targets(n int) []T {
	t := make([]T, n)
	for i := range t {
		switch u := g.rng.Uint64(); u % 4 {
		case 0:
			t[i] = T(u >> 63)
		case 1:
			t[i] = T(u>>60) * 0x1p-60
		default:
			t[i] = T(u>>40) * 0x1p-24
		}
	}
	return t
}

// shares returns weights or scores: multiples of 2^-8 from 0 to 1.
func (g *golden[T]) shares(n int) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = T(g.rng.Uint64()%257) * 0x1p-8
	}
	return v
}

// bits returns the number of T that has these bits.
func (g *golden[T]) bits(b uint64) T {
	if unsafe.Sizeof(T(0)) == 4 {
		return T(math.Float32frombits(uint32(b)))
	}
	return T(math.Float64frombits(b))
}

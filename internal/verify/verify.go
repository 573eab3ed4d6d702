// Package verify proves on the machine that it runs on what the documentation of package focal promises: that all
// paths return the bits of the reference, and that these are as near to the exact values as package oracle says.
//
// Float32 sweeps over bit patterns of logits, all of them if asked to; Float64 draws logits where things go wrong;
// Hardest evaluates the logits with the largest errors that were ever found, and their neighbourhoods; Corners checks
// the values that are no matter of accuracy. Each returns a Report, whose Err says whether everything holds.
//
// All of them switch the path that the process uses, by package control: nothing else may use package focal meanwhile.
package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/oracle"
)

// Reference is the path that the others are compared with.
const Reference = "generic"

// Options say how to go about it. The zero value is usable.
type Options struct {
	Paths   []string // to be compared with the reference; nil: all that there are
	Workers int      // goroutines; 0: GOMAXPROCS

	// WithoutSigmoid leaves sigmoid and softplus out, which do not depend on the parameters.
	WithoutSigmoid bool

	// Sparse measures the first of the paths instead of the reference, which is much slower, and compares all others with it in one
	// of 251 chunks of logits only, two of each two binades.
	Sparse bool

	Progress func(done, total uint64) // if not nil, called now and then with the number of logits; never concurrently
}

// Quantities are what is measured, in the order in which it is shown.
var Quantities = []oracle.Quantity{oracle.Loss, oracle.Grad, oracle.Hess, oracle.Curv, oracle.Frozen, oracle.Sigmoid, oracle.Softplus}

// maxDifferences is how many differences a report keeps. It counts all.
const maxDifferences = 20

// A Difference is a result that has other bits than the reference's, or another value than the wanted one.
type Difference struct {
	Path, What string // What is the function that was called, and which result
	X          float64
	Got, Want  float64
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: %s at x = %v (%x) is %v (%x), want %v (%x)", d.Path, d.What, d.X, d.X, d.Got, d.Got, d.Want, d.Want)
}

// A Report is what was found.
type Report struct {
	Params      focal.Params
	Paths       []string     // that were compared, without the reference
	Logits      uint64       // each as a positive and as a negative
	Differing   uint64       // results that differ from the reference
	Differences []Difference // the first of them

	// Errors of the reference, which are those of all paths unless results differ, in ULP. At is the logit as u, x of a
	// negative and -x of a positive; of soft targets it is x.
	Errors [oracle.Quantities]oracle.Errors
	Bounds oracle.Bounds // what is promised for them
}

// Err returns nil if the promises hold, and what does not hold otherwise.
func (r *Report) Err() error {
	var broken []string
	if r.Logits == 0 {
		broken = append(broken, "nothing was compared")
	}
	if r.Differing > 0 {
		broken = append(broken, fmt.Sprintf("%d results differ from the reference, the first: %v", r.Differing, r.Differences[0]))
	}
	for q, e := range r.Errors {
		if bound := r.Bounds[q]; e.N > 0 && !(e.Worst <= bound) {
			broken = append(broken, fmt.Sprintf("%v: %v, more than %.4g", oracle.Quantity(q), e, bound))
		}
	}
	if broken == nil {
		return nil
	}
	return errors.New("verify: " + strings.Join(broken, "; "))
}

// Merge adds what another report of the same paths and parameters has found.
func (r *Report) Merge(other *Report) {
	r.Logits += other.Logits
	r.Differing += other.Differing
	r.Differences = append(r.Differences, other.Differences...)
	r.Differences = r.Differences[:min(len(r.Differences), maxDifferences)]
	for q := range r.Errors {
		r.Errors[q].Merge(other.Errors[q])
	}
}

// MergeNearest adds what a report with other parameters, and so other bounds, has found: of each quantity it keeps the error that is
// nearest to its bound, or above it.
func (r *Report) MergeNearest(other *Report) {
	errors, bounds := r.Errors, r.Bounds
	r.Merge(other)
	r.Errors, r.Bounds = errors, bounds
	for q, e := range other.Errors {
		r.mergeNearest(oracle.Quantity(q), e, other.Bounds[q])
	}
}

func (r *Report) mergeNearest(q oracle.Quantity, e oracle.Errors, bound float64) {
	mine := &r.Errors[q]
	if mine.N > 0 && !(e.Worst*r.Bounds[q] > mine.Worst*bound) && !math.IsNaN(e.Worst) || e.N == 0 {
		mine.Sum, mine.N = mine.Sum+e.Sum, mine.N+e.N
		return
	}
	e.Sum, e.N = e.Sum+mine.Sum, e.N+mine.N
	*mine, r.Bounds[q] = e, bound
}

func (r *Report) differ(d Difference) {
	r.Differing++
	if len(r.Differences) < maxDifferences {
		r.Differences = append(r.Differences, d)
	}
}

// paths returns the paths to compare, without the reference.
func (o *Options) paths() ([]string, error) {
	available := control.Paths()
	paths := o.Paths
	if paths == nil {
		paths = available
	}
	var compared []string
	for _, p := range paths {
		if !slices.Contains(available, p) {
			return nil, fmt.Errorf("verify: this machine or build has no path %q, but %q", p, available)
		}
		if p != Reference {
			compared = append(compared, p)
		}
	}
	return compared, nil
}

func (o *Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// chunkLen is how many logits are evaluated on one path, and then on the next: so many that switching costs nothing,
// and so few that they stay in the cache.
const chunkLen = 1 << 15

// roundChunks is the number of chunks in flight, for each worker.
const roundChunks = 4

// points appends those of chunk number i, fewer than or exactly chunkLen: logits as a negative has them, and, unless t is nil,
// their soft targets. Both are evaluated as they are and with the other sign: -u, as a positive or with the target 1-t.
type points[T focal.Float] func(i uint64, u, t []T) ([]T, []T)

// run evaluates chunks of points. All workers work on the same path at a time.
func run[T focal.Float](ctx context.Context, o Options, p focal.Params, soft bool, chunks, total uint64, fill points[T]) (*Report, error) {
	paths, err := o.paths()
	if err != nil {
		return nil, err
	}
	if p.Norm == 0 {
		p.Norm = 1
	}
	report := &Report{Params: p, Paths: paths, Bounds: bounds(p, soft)}
	workers := o.workers()
	measured, thorough, sparse := Reference, uint64(thoroughEvery), o.Sparse && len(paths) > 0
	if sparse {
		measured, paths, thorough = paths[0], append(paths[1:len(paths):len(paths)], Reference), sparseEvery
	}
	room := make([]*chunk[T], min(uint64(workers*roundChunks), chunks))
	for i := range room {
		room[i] = newChunk[T](int(min(chunkLen, total)), soft, o.WithoutSigmoid || soft)
	}
	for next := uint64(0); next < chunks; {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		n := min(uint64(len(room)), chunks-next)
		round := room[:n]
		parallel := func(path string, f func(i uint64, c *chunk[T]) error) error {
			defer control.SetPath(path)()
			var taken atomic.Uint64
			var all sync.WaitGroup
			errs := make([]error, workers)
			for w := range workers {
				all.Add(1)
				go func() {
					defer all.Done()
					for i := taken.Add(1) - 1; i < n && errs[w] == nil; i = taken.Add(1) - 1 {
						errs[w] = f(next+i, round[i])
					}
				}()
			}
			all.Wait()
			return errors.Join(errs...)
		}
		if err := parallel(measured, func(i uint64, c *chunk[T]) error {
			c.report = Report{}
			c.u, c.t = fill(i, c.u[:0], c.t[:0])
			if err := c.reference(p, !sparse || i%thorough == 0); err != nil || i%thorough > 0 {
				return err
			}
			return c.compare(measured, p)
		}); err != nil {
			return report, err
		}
		for _, path := range paths {
			if err := parallel(path, func(i uint64, c *chunk[T]) error {
				if sparse && i%thorough > 0 {
					return nil
				}
				return c.compare(path, p)
			}); err != nil {
				return report, err
			}
		}
		for _, c := range round {
			report.Merge(&c.report)
		}
		next += n
		if o.Progress != nil {
			o.Progress(min(report.Logits, total), total)
		}
	}
	return report, nil
}

// bounds are those for the weights of p.
func bounds(p focal.Params, soft bool) oracle.Bounds {
	if soft {
		return oracle.PromisedSoft(p.Gamma)
	}
	return oracle.Promised(p.Gamma, weight(p, 0)/p.Norm, weight(p, 1)/p.Norm)
}

// A chunk is some points, and what was computed from them.
type chunk[T focal.Float] struct {
	soft   bool
	u, t   []T // as a negative has it
	x      [2][]T
	label  [2][]int32
	target [2][]T // instead of labels
	want   [2]results[T]
	got    results[T]
	calls  []call[T]
	report Report
}

// results are those of one label, by quantity. What has no label is evaluated with that of negatives.
type results[T focal.Float] [oracle.Quantities][]T

func newResults[T focal.Float](n int) (r results[T]) {
	for q := range r {
		r[q] = make([]T, n)
	}
	return r
}

func newChunk[T focal.Float](n int, soft, withoutSigmoid bool) *chunk[T] {
	c := &chunk[T]{soft: soft, u: make([]T, 0, n), t: make([]T, 0, n)}
	c.want, c.got = [2]results[T]{newResults[T](n), newResults[T](n)}, newResults[T](n)
	for _, call := range calls[T]() {
		if !(call.unlabelled && withoutSigmoid) {
			c.calls = append(c.calls, call)
		}
	}
	for label := range c.x {
		c.x[label], c.target[label] = make([]T, n), make([]T, n)
		c.label[label] = slices.Repeat([]int32{int32(label)}, n)
	}
	return c
}

// A call is one public function and what it writes.
type call[T focal.Float] struct {
	name       string
	run        func(r *results[T], x []T, y focal.Target, p focal.Params) error
	of         []oracle.Quantity
	first      bool // its quantities are those of no other call that comes first
	unlabelled bool
}

// calls go through all kernels: one of them alone computes all that a call asks for.
func calls[T focal.Float]() []call[T] {
	return []call[T]{
		{"Fused", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			n := len(x)
			_, err := focal.Fused(focal.Out[T]{
				Loss: r[oracle.Loss][:n], Grad: r[oracle.Grad][:n], Hess: r[oracle.Hess][:n], Curv: r[oracle.Curv][:n],
			}, x, y, p)
			return err
		}, []oracle.Quantity{oracle.Loss, oracle.Grad, oracle.Hess, oracle.Curv}, true, false},
		{"Fused, frozen", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			p.Frozen = true
			_, err := focal.Fused(focal.Out[T]{Grad: r[oracle.Frozen][:len(x)]}, x, y, p)
			return err
		}, []oracle.Quantity{oracle.Frozen}, true, false},
		{"Fused, frozen", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			n := len(x)
			p.Frozen = true
			_, err := focal.Fused(focal.Out[T]{Loss: r[oracle.Loss][:n], Hess: r[oracle.Curv][:n]}, x, y, p)
			return err
		}, []oracle.Quantity{oracle.Loss, oracle.Curv}, false, false},
		{"Loss", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			return focal.Loss(r[oracle.Loss][:len(x)], x, y, p)
		}, []oracle.Quantity{oracle.Loss}, false, false},
		{"Grad", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			return focal.Grad(r[oracle.Grad][:len(x)], x, y, nil, p)
		}, []oracle.Quantity{oracle.Grad}, false, false},
		{"Sigmoid", func(r *results[T], x []T, _ focal.Target, _ focal.Params) error {
			return focal.Sigmoid(r[oracle.Sigmoid][:len(x)], x)
		}, []oracle.Quantity{oracle.Sigmoid}, true, true},
		{"LogSigmoid", func(r *results[T], x []T, _ focal.Target, _ focal.Params) error { // of -x it is -softplus(x)
			dst := r[oracle.Softplus][:len(x)]
			for i, v := range x {
				dst[i] = -v
			}
			err := focal.LogSigmoid(dst, dst)
			for i, v := range dst {
				dst[i] = -v
			}
			return err
		}, []oracle.Quantity{oracle.Softplus}, false, true},
		{"Softplus", func(r *results[T], x []T, _ focal.Target, _ focal.Params) error {
			return focal.Softplus(r[oracle.Softplus][:len(x)], x)
		}, []oracle.Quantity{oracle.Softplus}, true, true},
	}
}

// thoroughEvery: in each so-many-th chunk the reference computes what it does in other ways otherwise. It is the
// reference that takes nearly all of the time.
//
// It has shorter ways for less than all outputs. And where both weights are the same a positive has the results of a
// negative, the gradients' signs apart, by the same instructions.
const thoroughEvery = 16

// sparseEvery: so many chunks are less than a binade, and the places in it vary.
const sparseEvery = 251

// reference computes what all paths must compute, and measures it. Unless they are compared, positives whose errors are those of
// negatives are left out.
func (c *chunk[T]) reference(p focal.Params, compared bool) error {
	n, labels := len(c.u), 2
	if !compared && p.Alpha == focal.NoAlpha && !c.soft {
		labels = 1
	}
	for label := range labels {
		for i, u := range c.u {
			if label == 1 {
				u = -u
			}
			c.x[label][i] = u
		}
		for i, t := range c.t {
			if label == 1 {
				t = 1 - t
			}
			c.target[label][i] = t
		}
		for _, call := range c.calls {
			if !call.first || call.unlabelled && label == 1 {
				continue
			}
			if label == 1 && p.Alpha == focal.NoAlpha && !c.soft {
				for _, q := range call.of {
					for i, v := range c.want[0][q][:n] {
						c.want[1][q][i] = signed(q, label, v)
					}
				}
			} else if err := call.run(&c.want[label], c.x[label][:n], c.targets(label), p); err != nil {
				return err
			}
		}
	}
	c.report.Logits += uint64(n)
	c.measure(p)
	return nil
}

// signed returns a derivative with respect to x as one with respect to u, and the other way round.
func signed[T focal.Float](q oracle.Quantity, label int, v T) T {
	if label == 1 && (q == oracle.Grad || q == oracle.Frozen) {
		return -v
	}
	return v
}

func (c *chunk[T]) targets(label int) focal.Target {
	if c.soft {
		return focal.Dense(c.target[label][:len(c.u)])
	}
	return focal.Labels(c.label[label][:len(c.u)])
}

// compare computes the same on another path.
func (c *chunk[T]) compare(path string, p focal.Params) error {
	for label := range c.x {
		for _, call := range c.calls {
			if call.unlabelled && label == 1 {
				continue
			}
			if err := call.run(&c.got, c.x[label][:len(c.u)], c.targets(label), p); err != nil {
				return err
			}
			c.diff(path, &call, label)
		}
	}
	return nil
}

// diff compares bits.
func (c *chunk[T]) diff(path string, call *call[T], label int) {
	kind := func(i int) string {
		if c.soft {
			return fmt.Sprintf("%s, target of %v", call.name, c.target[label][i])
		}
		return call.name + [...]string{", negative", ", positive"}[label]
	}
	n := len(c.u)
	for _, q := range call.of {
		compareBits(&c.report, path, kind, q, c.x[label][:n], c.got[q][:n], c.want[label][q][:n])
	}
}

// compareBits notes what differs. A NaN is a NaN.
func compareBits[T focal.Float](r *Report, path string, what func(i int) string, q oracle.Quantity, x, got, want []T) {
	if bytes.Equal(bytesOf(got), bytesOf(want)) {
		return
	}
	for i, g := range got {
		w := want[i]
		if g == w && g != 0 || g != g && w != w || g == 0 && w == 0 && math.Signbit(float64(g)) == math.Signbit(float64(w)) {
			continue
		}
		r.differ(Difference{path, fmt.Sprintf("%v of %s", q, what(i)), float64(x[i]), float64(g), float64(w)})
	}
}

func bytesOf[T focal.Float](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(T(0))))
}

// weight returns the numerator of the weights of negatives and positives; the denominator is p.Norm.
func weight(p focal.Params, label int) float64 {
	switch {
	case p.Alpha == focal.NoAlpha:
		return 1
	case label == 1:
		return p.Alpha
	}
	return 1 - p.Alpha
}

// measure compares the reference with the exact values. NaN and infinite logits are no matter of accuracy.
func (c *chunk[T]) measure(p focal.Params) {
	labels := 2
	if p.Alpha == focal.NoAlpha && !c.soft {
		labels = 1 // the results are the same
	}
	if single, ok := any(c).(*chunk[float32]); ok && !c.soft {
		measureLabels(single, p, labels)
		return
	}
	var exact oracle.Exact[T]
	for i, u := range c.u {
		if u-u != 0 {
			continue
		}
		if !c.soft {
			exact = oracle.At(u, p.Gamma)
		}
		for label := range labels {
			at, num, den := u, weight(p, label), p.Norm
			if c.soft {
				at, num, den = c.x[label][i], 1, 1
				exact = oracle.SoftAt(at, c.target[label][i], p.Gamma, weight(p, 1), weight(p, 0), p.Norm)
			}
			for _, call := range c.calls {
				if !call.first || call.unlabelled && label == 1 {
					continue
				}
				for _, q := range call.of {
					got := c.want[label][q][i]
					if !c.soft {
						got = signed(q, label, got)
					}
					err, want := exact.Err(q, got, num, den)
					c.report.Errors[q].Add(err, float64(at), float64(got), want)
				}
			}
		}
	}
}

// measureLabels does it for labels and float32, of which there are so many that it matters how long it takes.
func measureLabels(c *chunk[float32], p focal.Params, labels int) {
	exact := oracle.NewQuick32(p.Gamma)
	type column struct {
		q      oracle.Quantity
		got    []float32
		sign   float32
		weight float64
	}
	var columns []column
	for label := range labels {
		for _, call := range c.calls {
			for _, q := range call.of {
				switch {
				case !call.first || call.unlabelled && label == 1:
				case call.unlabelled:
					columns = append(columns, column{q, c.want[0][q], 1, 1})
				default:
					columns = append(columns, column{q, c.want[label][q], signed[float32](q, label, 1), weight(p, label) / p.Norm})
				}
			}
		}
	}
	var v, vLast oracle.Values32
	// Most of the results at tiny logits, and at huge ones, are equal: then the errors at both ends say all.
	if n := len(c.u); evenlySpaced(c.u) && exact.Linear(float64(c.u[0]), float64(c.u[n-1])) {
		first, last := float64(c.u[0]), float64(c.u[n-1])
		exact.At(&v, first)
		exact.At(&vLast, last)
		columns = slices.DeleteFunc(columns, func(col column) bool {
			bits := bytesOf(col.got[:n])
			return bytes.Equal(bits[4:], bits[:4*n-4]) &&
				c.report.Errors[col.q].AddRun32(&v, &vLast, col.q, first, last, col.sign*col.got[0], col.weight, n)
		})
	}
	for i, u := range c.u {
		if len(columns) == 0 {
			break
		}
		if u-u != 0 {
			continue
		}
		exact.At(&v, float64(u))
		for k := range columns {
			col := &columns[k]
			c.report.Errors[col.q].Add32(&v, col.q, float64(u), col.sign*col.got[i], col.weight)
		}
	}
}

// evenlySpaced reports whether the numbers, of one binade, are.
func evenlySpaced(u []float32) bool {
	if len(u) < 2 || math.Float32bits(u[0])>>23 != math.Float32bits(u[len(u)-1])>>23 {
		return false
	}
	step := u[1] - u[0]
	for i := 2; i < len(u); i++ {
		if u[i]-u[i-1] != step {
			return false
		}
	}
	return true
}

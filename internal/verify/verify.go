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

	// WithoutSigmoid leaves the sigmoid out, which does not depend on the parameters.
	WithoutSigmoid bool

	Progress func(done, total uint64) // if not nil, called now and then with the number of logits; never concurrently
}

// Quantity is one thing that the package computes.
type Quantity int

const (
	Loss Quantity = iota
	Grad
	Hess
	Sigmoid
	quantities
)

func (q Quantity) String() string { return [...]string{"loss", "gradient", "Hessian", "sigmoid"}[q] }

// Quantities are all of them, in the order of Report.Errors.
var Quantities = []Quantity{Loss, Grad, Hess, Sigmoid}

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

	// Errors of the reference, which are those of all paths unless results differ, in ULP. At is the logit as u: x of a
	// negative, -x of a positive.
	Errors [quantities]oracle.Errors
	Bounds oracle.Bounds // what is promised for them
}

// Bound returns what is promised for a quantity.
func (r *Report) Bound(q Quantity) float64 {
	return [...]float64{r.Bounds.Loss, r.Bounds.Grad, r.Bounds.Hess, r.Bounds.Sigmoid}[q]
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
		if bound := r.Bound(Quantity(q)); e.N > 0 && !(e.Worst <= bound) {
			broken = append(broken, fmt.Sprintf("%v: %v, more than %v", Quantity(q), e, bound))
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

// run evaluates chunks of logits, as fill makes them: it appends those of chunk number i, fewer than or exactly
// chunkLen. If target is not nil it is that of the logits as they are, and 1 less it that of those with the other sign.
// All workers work on the same path at a time.
func run[T focal.Float](ctx context.Context, o Options, p focal.Params, target *float64, chunks, total uint64, fill func(i uint64, u []T) []T) (*Report, error) {
	paths, err := o.paths()
	if err != nil {
		return nil, err
	}
	norm := p.Norm
	if norm == 0 {
		norm = 1
	}
	report := &Report{Params: p, Paths: paths, Bounds: oracle.Promised(p.Gamma, weight(p, 0)/norm, weight(p, 1)/norm)}
	if target != nil && *target != 0 && *target != 1 {
		report.Bounds = oracle.PromisedSoft(p.Gamma)
		report.Bounds.Sigmoid = oracle.Promised(p.Gamma).Sigmoid
	}
	workers := o.workers()
	room := make([]*chunk[T], min(uint64(workers*roundChunks), chunks))
	for i := range room {
		room[i] = newChunk[T](o.WithoutSigmoid)
		if target != nil {
			t := T(*target)
			room[i].target = [2][]T{slices.Repeat([]T{t}, chunkLen), slices.Repeat([]T{1 - t}, chunkLen)}
		}
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
		if err := parallel(Reference, func(i uint64, c *chunk[T]) error {
			c.report = Report{}
			c.u = fill(i, c.u[:0])
			return c.reference(p, i%thoroughEvery == 0)
		}); err != nil {
			return report, err
		}
		for _, path := range paths {
			if err := parallel(path, func(_ uint64, c *chunk[T]) error { return c.compare(path, p) }); err != nil {
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

// A chunk is some logits, and what was computed from them.
type chunk[T focal.Float] struct {
	u      []T // as a negative has it
	x      [2][]T
	label  [2][]int32
	target [2][]T // instead of labels; nil: none
	want   [2]results[T]
	got    results[T]
	calls  []call[T]
	report Report
}

// results are those of one label; the sigmoid is evaluated with that of negatives.
type results[T focal.Float] struct{ loss, grad, hess, sigmoid []T }

func newResults[T focal.Float]() results[T] {
	return results[T]{make([]T, chunkLen), make([]T, chunkLen), make([]T, chunkLen), make([]T, chunkLen)}
}

func newChunk[T focal.Float](withoutSigmoid bool) *chunk[T] {
	c := &chunk[T]{calls: calls[T](), u: make([]T, 0, chunkLen), want: [2]results[T]{newResults[T](), newResults[T]()}, got: newResults[T]()}
	if withoutSigmoid {
		c.calls = c.calls[:len(c.calls)-1]
	}
	for label := range c.x {
		c.x[label] = make([]T, chunkLen)
		c.label[label] = slices.Repeat([]int32{int32(label)}, chunkLen)
	}
	return c
}

// A call is one public function and what it writes.
type call[T focal.Float] struct {
	name string
	run  func(r *results[T], x []T, y focal.Target, p focal.Params) error
	of   []Quantity
}

// calls go through all kernels: one of them alone computes all that a call asks for. The first computes all that depends
// on a label, the last is that of the sigmoid.
func calls[T focal.Float]() []call[T] {
	return []call[T]{
		{"Fused", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			n := len(x)
			_, err := focal.Fused(focal.Out[T]{Loss: r.loss[:n], Grad: r.grad[:n], Hess: r.hess[:n]}, x, y, p)
			return err
		}, []Quantity{Loss, Grad, Hess}},
		{"Loss", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			return focal.Loss(r.loss[:len(x)], x, y, p)
		}, []Quantity{Loss}},
		{"Grad", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			return focal.Grad(r.grad[:len(x)], x, y, nil, p)
		}, []Quantity{Grad}},
		{"Sigmoid", func(r *results[T], x []T, y focal.Target, p focal.Params) error {
			return focal.Sigmoid(r.sigmoid[:len(x)], x)
		}, []Quantity{Sigmoid}},
	}
}

func (r *results[T]) of(q Quantity) []T { return [...][]T{r.loss, r.grad, r.hess, r.sigmoid}[q] }

// thoroughEvery: in each so-many-th chunk the reference computes what it does in other ways otherwise. It is the
// reference that takes nearly all of the time.
//
// It has shorter ways for less than all outputs. And where both weights are the same a positive has the results of a
// negative, the gradient's sign apart, by the same instructions.
const thoroughEvery = 16

// reference computes what all paths shall compute, and measures it.
func (c *chunk[T]) reference(p focal.Params, thorough bool) error {
	n := len(c.u)
	for label := range c.x {
		x := c.x[label][:n]
		for i, u := range c.u {
			if label == 1 {
				u = -u
			}
			x[i] = u
		}
	}
	for label := range c.x {
		if label == 1 && p.Alpha == focal.NoAlpha && c.target[0] == nil {
			copy(c.want[1].loss, c.want[0].loss[:n])
			copy(c.want[1].hess, c.want[0].hess[:n])
			for i, g := range c.want[0].grad[:n] {
				c.want[1].grad[i] = -g
			}
		} else if err := c.calls[0].run(&c.want[label], c.x[label][:n], c.labels(label), p); err != nil { // Fused
			return err
		}
	}
	for _, call := range c.calls {
		if call.name == "Sigmoid" {
			if err := call.run(&c.want[0], c.x[0][:n], c.labels(0), p); err != nil {
				return err
			}
		}
	}
	c.report.Logits += uint64(n)
	c.measure(p)
	if thorough {
		return c.compare(Reference, p)
	}
	return nil
}

func (c *chunk[T]) labels(label int) focal.Target {
	if c.target[0] != nil {
		return focal.Dense(c.target[label][:len(c.u)])
	}
	return focal.Labels(c.label[label][:len(c.u)])
}

// compare computes the same on another path.
func (c *chunk[T]) compare(path string, p focal.Params) error {
	for label := range c.x {
		for _, call := range c.calls {
			if call.name == "Sigmoid" && label == 1 {
				continue // it has no label
			}
			if err := call.run(&c.got, c.x[label][:len(c.u)], c.labels(label), p); err != nil {
				return err
			}
			c.diff(path, &call, label)
		}
	}
	return nil
}

// diff compares bits. A NaN is a NaN.
func (c *chunk[T]) diff(path string, call *call[T], label int) {
	for _, q := range call.of {
		got, want := c.got.of(q)[:len(c.u)], c.want[label].of(q)[:len(c.u)]
		if bytes.Equal(bytesOf(got), bytesOf(want)) {
			continue
		}
		for i, g := range got {
			w := want[i]
			if g == w && g != 0 || g != g && w != w || g == 0 && w == 0 && math.Signbit(float64(g)) == math.Signbit(float64(w)) {
				continue
			}
			kind := [...]string{"negative", "positive"}[label]
			if c.target[0] != nil {
				kind = fmt.Sprintf("target of %v", c.target[label][i])
			}
			c.report.differ(Difference{path, fmt.Sprintf("%s, %v of a %s", call.name, q, kind), float64(c.x[label][i]), float64(g), float64(w)})
		}
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
	norm := p.Norm
	if norm == 0 {
		norm = 1
	}
	if c.target[0] != nil {
		c.measureSoft(p, norm)
		return
	}
	labels := 2
	if p.Alpha == focal.NoAlpha {
		labels = 1 // the results are the same
	}
	sigmoid := c.calls[len(c.calls)-1].name == "Sigmoid"
	e := &c.report.Errors
	for i, u := range c.u {
		if u-u != 0 {
			continue
		}
		at := float64(u)
		exact := valuesAt(u, p.Gamma)
		for label := range labels {
			want := &c.want[label]
			got := [...]T{want.loss[i], want.grad[i], want.hess[i]}
			if label == 1 {
				got[Grad] = -got[Grad]
			}
			errs, values := exact.errors(got, weight(p, label), norm)
			for q, err := range errs {
				e[q].Add(err, at, float64(got[q]), values[q])
			}
		}
		if sigmoid {
			s := c.want[0].sigmoid[i]
			err, value := exact.sigmoid(s)
			e[Sigmoid].Add(err, at, float64(s), value)
		}
	}
}

// values are the exact values of either type, at a finite logit.
type values[T focal.Float] struct {
	v32 oracle.Values32
	v64 oracle.Values64
}

func valuesAt[T focal.Float](u T, gamma float64) (v values[T]) {
	if unsafe.Sizeof(u) == 4 {
		v.v32 = oracle.At32(float64(u), gamma)
	} else {
		v.v64 = oracle.At64(float64(u), gamma)
	}
	return v
}

// errors returns the errors of loss, gradient and Hessian, which have the weight num/den, and the exact values.
func (v *values[T]) errors(got [3]T, num, den float64) (errs, want [3]float64) {
	if unsafe.Sizeof(got[0]) == 4 {
		return v.v32.Errors(float32(got[0]), float32(got[1]), float32(got[2]), num, den)
	}
	return v.v64.Errors(float64(got[0]), float64(got[1]), float64(got[2]), num, den)
}

func (v *values[T]) sigmoid(got T) (err, want float64) {
	if unsafe.Sizeof(got) == 4 {
		return oracle.Err32(float32(got), v.v32.Sigmoid, v.v32.Sigmoid), v.v32.Sigmoid
	}
	return oracle.Err64(float64(got), v.v64.Sigmoid, v.v64.Sigmoid), v.v64.Sigmoid.Float64()
}

// measureSoft is measure for targets. At is x.
func (c *chunk[T]) measureSoft(p focal.Params, norm float64) {
	wPos, wNeg := weight(p, 1), weight(p, 0)
	for label := range c.x {
		want := &c.want[label]
		for i, x := range c.x[label][:len(c.u)] {
			if x-x != 0 {
				continue
			}
			at := float64(x)
			got := [...]T{want.loss[i], want.grad[i], want.hess[i]}
			errs, exact := oracle.SoftErrors(got[Loss], got[Grad], got[Hess], at, float64(c.target[label][i]), p.Gamma, wPos, wNeg, norm)
			for q, err := range errs {
				c.report.Errors[q].Add(err, at, float64(got[q]), exact[q])
			}
		}
	}
}

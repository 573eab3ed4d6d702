package focal

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
	"unsafe"

	"github.com/gofocal/focal/internal/measure"
)

// Measurements. Benchmarks are for benchstat, and name their parameters as key=value. The performance table, asked for
// with -performance, interleaves all its cases and takes medians, since a shared machine changes its speed.

var performance = flag.Bool("performance", false, "measure and print the performance table of the documentation")

// workload is a call's arguments: logits of a detector in training, the given share of the rows foreground and ignored.
type workload[T Float] struct {
	x, dst, grad, hess []T
	label              []int32
	hard, soft         []T // targets: as the labels have it, and smoothed
	p                  Params
}

func newWorkload[T Float](n, c int, gamma, foreground, ignored float64) *workload[T] {
	b := &workload[T]{dst: make([]T, n*c), grad: make([]T, n*c), hess: make([]T, n*c)}
	b.x, b.label = measure.Logits[T](n*c), measure.Labels(n, c, foreground, ignored)
	b.hard, b.soft = make([]T, n*c), make([]T, n*c)
	for i := range b.hard {
		if int(b.label[i/c]) == i%c+1 {
			b.hard[i] = 1
		}
		b.soft[i] = 0.9*b.hard[i] + 0.05
	}
	b.p = Params{Gamma: gamma, Alpha: 0.25, Norm: float64(FgNum(b.label))}
	return b
}

// operation returns a function that does one call. The operation is one with labels, or "hard" or "soft" and one.
func (b *workload[T]) operation(op string) func() {
	y := Labels(b.label)
	if kind, of, ok := strings.Cut(op, " "); ok {
		op = of
		y = Dense(map[string][]T{"hard": b.hard, "soft": b.soft}[kind])
	}
	switch op {
	case "loss":
		return func() { must(Loss(b.dst, b.x, y, b.p)) }
	case "loss+grad":
		return func() { mustFused(Fused(Out[T]{Loss: b.dst, Grad: b.grad}, b.x, y, b.p)) }
	case "grad":
		return func() { must(Grad(b.grad, b.x, y, nil, b.p)) }
	case "sum+grad":
		return func() { mustFused(Fused(Out[T]{Grad: b.grad}, b.x, y, b.p)) }
	case "sum":
		return func() { mustFused(Sum(b.x, y, b.p)) }
	case "loss+grad+hess":
		return func() { mustFused(Fused(Out[T]{Loss: b.dst, Grad: b.grad, Hess: b.hess}, b.x, y, b.p)) }
	case "sigmoid":
		return func() { must(Sigmoid(b.dst, b.x)) }
	case "obvious":
		return func() { obviousLoss(b.dst, b.x, b.label, b.p) }
	}
	panic(op)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func mustFused(_ float64, err error) { must(err) }

// obviousLoss is the loss as one would write it in Go.
func obviousLoss[T Float](dst, x []T, label []int32, p Params) {
	c := len(x) / len(label)
	for i, l := range label {
		for j := range c {
			k := i*c + j
			u, w := float64(x[k]), (1-p.Alpha)/p.Norm
			if int(l) == j+1 {
				u, w = -u, p.Alpha/p.Norm
			}
			e := math.Exp(-math.Abs(u))
			s := 1 / (1 + e)
			if u < 0 {
				s *= e
			}
			dst[k] = T(w * math.Pow(s, p.Gamma) * (max(u, 0) + math.Log1p(e)))
		}
	}
}

func withPath(p kernelPath, f func()) {
	defer func(old kernelPath) { path = old }(path)
	path = p
	f()
}

func typeName[T Float]() string { return fmt.Sprintf("f%d", 8*unsafe.Sizeof(T(0))) }

func BenchmarkFocal(b *testing.B) {
	benchmarkType[float32](b)
	benchmarkType[float64](b)
}

func benchmarkType[T Float](b *testing.B) {
	for _, op := range []string{"loss", "grad", "loss+grad", "sum+grad", "loss+grad+hess", "sigmoid", "hard loss", "hard loss+grad", "soft loss+grad", "soft loss+grad+hess", "obvious"} {
		for _, p := range availablePaths() {
			for _, shape := range [][2]int{{1024, 80}, {32, 10}, {8192, 1}} {
				for _, gamma := range []float64{2, 2.3} {
					if op == "sigmoid" && gamma != 2 || op == "obvious" && p != pathGeneric {
						continue
					}
					n, c := shape[0], shape[1]
					name := fmt.Sprintf("op=%s/type=%s/path=%v/n=%d/c=%d/gamma=%v", op, typeName[T](), p, n, c, gamma)
					b.Run(name, func(b *testing.B) {
						withPath(p, func() { benchmarkCall(b, newWorkload[T](n, c, gamma, 0.5, 0), op) })
					})
				}
			}
		}
	}
}

func benchmarkCall[T Float](b *testing.B, data *workload[T], op string) {
	f := data.operation(op)
	b.SetBytes(int64(len(data.x)) * int64(unsafe.Sizeof(data.x[0])))
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
	ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(len(data.x))
	b.ReportMetric(ns, "ns/elem")
	b.ReportMetric(ns/measure.NanosecondsPerCycle(), "cycles/elem")
}

// A contender is one case of an interleaved measurement.
type contender struct {
	name     string
	elements int
	call     func()
	wall     bool      // time on the clock, for calls with workers, rather than on the CPU
	ns       []float64 // per element
}

// interleave measures all in turn, again and again, and returns the median of each: time and cycles per element. What
// slows the machine down for a while slows all of them.
func interleave(rounds int, cs []*contender) (cycle float64) {
	var clock []float64
	for range rounds {
		clock = append(clock, measure.NanosecondsPerCycle())
		for _, c := range cs {
			timed := measure.TimeOnCPU
			if c.wall {
				timed = measure.Time
			}
			calls, elapsed := timed(300*time.Microsecond, c.call)
			c.ns = append(c.ns, float64(elapsed.Nanoseconds())/float64(calls*c.elements))
		}
	}
	return median(clock)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func add[T Float](cs *[]*contender, p kernelPath, op string, b *workload[T]) *contender {
	f := b.operation(op)
	call := f
	if op != "obvious" {
		call = func() { withPath(p, f) }
	}
	c := &contender{name: fmt.Sprintf("%s %s %v", op, typeName[T](), p), elements: len(b.x), call: call}
	*cs = append(*cs, c)
	return c
}

func TestPerformanceTable(t *testing.T) {
	if !*performance {
		t.Skip("asked for with -performance")
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(w, "| "+strings.Join(cells, "\t| ")+"\t|") }
	vector := availablePaths()[:len(availablePaths())-1]

	var cs []*contender
	type line struct {
		op    string
		gamma float64
		cells []*contender
	}
	var lines []*line
	for _, gamma := range []float64{2, 2.3} {
		for _, op := range []string{"loss", "loss+grad", "sum+grad", "loss+grad+hess", "sigmoid",
			"hard loss", "soft loss", "hard loss+grad", "soft loss+grad", "soft loss+grad+hess"} {
			if op == "sigmoid" && gamma != 2 {
				continue
			}
			l := &line{op: op, gamma: gamma}
			for _, p := range vector {
				l.cells = append(l.cells, add(&cs, p, op, newWorkload[float32](1024, 80, gamma, 0.5, 0)))
			}
			for _, p := range vector {
				l.cells = append(l.cells, add(&cs, p, op, newWorkload[float64](1024, 80, gamma, 0.5, 0)))
			}
			lines = append(lines, l)
		}
	}
	cycle := interleave(41, cs)
	fmt.Printf("%s, %s, %.2f GHz; 1024×80, half the rows background; cycles per element (nanoseconds)\n\n", runtime.GOOS+"/"+runtime.GOARCH, runtime.Version(), 1/cycle)
	head, rule := []string{""}, []string{"---"}
	for _, typ := range []string{"f32", "f64"} {
		for _, p := range vector {
			head, rule = append(head, fmt.Sprintf("%v %s", p, typ)), append(rule, "---")
		}
	}
	row(head...)
	row(rule...)
	for _, l := range lines {
		cells := []string{fmt.Sprintf("%s, γ = %v", l.op, l.gamma)}
		for _, c := range l.cells {
			ns := median(c.ns)
			cells = append(cells, fmt.Sprintf("%.2f (%.3f)", ns/cycle, ns))
		}
		row(cells...)
	}
	w.Flush()
	performanceOfShapes(vector)
	performanceOfGeneric()
}

// performanceOfShapes compares other shapes with that of the table: float32, the loss at γ = 2.
func performanceOfShapes(vector []kernelPath) {
	for _, p := range vector {
		var cs []*contender
		shape := func(name string, rows, c, workers int, foreground, ignored float64) *contender {
			b := newWorkload[float32](rows, c, 2, foreground, ignored)
			b.p.Workers = workers
			k := add(&cs, p, "loss", b)
			k.name = name
			return k
		}
		base := shape("1024×80", 1024, 80, 1, 0.5, 0)
		for _, c := range []int{1, 2, 3, 7, 10, 15, 20, 80, 91, 1203} {
			shape(fmt.Sprintf("C = %d, half foreground, a tenth ignored", c), 81920/c, c, 1, 0.5, 0.1)
		}
		shape("32×10", 32, 10, 1, 0.5, 0)
		shape("100,000×80", 100_000, 80, 1, 0.5, 0)
		one := shape("100,000×80, on the clock", 100_000, 80, 1, 0.5, 0)
		two := shape("100,000×80, two workers, on the clock", 100_000, 80, 2, 0.5, 0)
		one.wall, two.wall = true, true
		interleave(21, cs)
		fmt.Printf("\n%v, loss f32, γ = 2\n", p)
		for _, k := range cs {
			ns := median(k.ns)
			fmt.Printf("  %-42s %6.3f ns per element, %5.2f of 1024×80; a call %.0f ns\n", k.name, ns, ns/median(base.ns), ns*float64(k.elements))
		}
		fmt.Printf("  two workers do %.2f times as much as one\n", median(one.ns)/median(two.ns))
	}
	fmt.Println()
}

// performanceOfGeneric compares the reference with the loop that one would write with package math.
func performanceOfGeneric() {
	var cs []*contender
	for _, gamma := range []float64{2, 2.3} {
		add(&cs, pathGeneric, "loss", newWorkload[float32](128, 80, gamma, 0.5, 0))
		add(&cs, pathGeneric, "obvious", newWorkload[float32](128, 80, gamma, 0.5, 0))
		add(&cs, pathGeneric, "loss", newWorkload[float64](128, 80, gamma, 0.5, 0))
		add(&cs, pathGeneric, "obvious", newWorkload[float64](128, 80, gamma, 0.5, 0))
	}
	interleave(21, cs)
	for i := 0; i < len(cs); i += 2 {
		ours, obvious := median(cs[i].ns), median(cs[i+1].ns)
		fmt.Printf("%s: %.1f ns per element; the obvious loop over package math: %.1f, %.2f times as long\n",
			cs[i].name, ours, obvious, obvious/ours)
	}
}

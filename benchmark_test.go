package focal

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/gofocal/focal/internal/measure"
)

// Benchmarks, for benchstat: their names have the parameters as key=value. `focal bench` measures more, and bench/peers against others.

// workload is a call's arguments: logits of a detector in training, half of the rows background.
type workload[T Float] struct {
	x, dst, grad, hess []T
	label              []int32
	hard, soft         []T // targets: as the labels have it, and smoothed
	p                  Params
}

func newWorkload[T Float](n, c int, gamma float64) *workload[T] {
	b := &workload[T]{dst: make([]T, n*c), grad: make([]T, n*c), hess: make([]T, n*c)}
	b.x, b.label = measure.Logits[T](n*c), measure.Labels(n, c, 0.5, 0)
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
	case "grad":
		return func() { must(Grad(b.grad, b.x, y, nil, b.p)) }
	case "loss+grad":
		return func() { mustFused(Fused(Out[T]{Loss: b.dst, Grad: b.grad}, b.x, y, b.p)) }
	case "sum+grad":
		return func() { mustFused(Fused(Out[T]{Grad: b.grad}, b.x, y, b.p)) }
	case "loss+grad+hess":
		return func() { mustFused(Fused(Out[T]{Loss: b.dst, Grad: b.grad, Hess: b.hess}, b.x, y, b.p)) }
	case "rows":
		return func() { must(Rows(b.dst[:len(b.label)], b.x, y, b.p)) }
	case "score":
		return func() { _, err := Score(b.x, y, b.p); must(err) }
	case "sigmoid":
		return func() { must(Sigmoid(b.dst, b.x)) }
	}
	panic(op)
}

func BenchmarkFocal(b *testing.B) {
	benchmarkType[float32](b)
	benchmarkType[float64](b)
}

func benchmarkType[T Float](b *testing.B) {
	for _, op := range []string{"loss", "grad", "loss+grad", "sum+grad", "loss+grad+hess", "rows", "score", "sigmoid",
		"hard loss", "hard loss+grad", "soft loss+grad", "soft loss+grad+hess"} {
		for _, p := range availablePaths() {
			for _, shape := range [][2]int{{1024, 80}, {32, 10}, {8192, 1}} {
				for _, gamma := range []float64{2, 2.3} {
					if op == "sigmoid" && gamma != 2 {
						continue
					}
					n, c := shape[0], shape[1]
					name := fmt.Sprintf("op=%s/type=f%d/path=%v/n=%d/c=%d/gamma=%v", op, 8*unsafe.Sizeof(T(0)), p, n, c, gamma)
					b.Run(name, func(b *testing.B) {
						withPath(p, func() { benchmarkCall(b, newWorkload[T](n, c, gamma), op) })
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

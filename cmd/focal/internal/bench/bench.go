// Package bench measures, and writes the format of Go's benchmarks.
package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/perf/benchfmt"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/cmd/focal/internal/results"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/measure"
)

// A Case is what one line of the results is about.
type Case struct {
	Name     string
	Elements int // 0: not a loss
	bytes    int // read and written by a call
	path     string
	wall     bool // timed by the wall clock
	call     func() error
}

// Options say what is measured.
type Options struct {
	Ops, Types, Paths []string
	Shapes            [][2]int
	Gammas            []float64
	Workers           []int
	Count             int
	Quick, OnlyShapes bool
	Name              string    // of the machine, for reports; "" is none
	Step              io.Reader // nil, or each sample waits for a line of this, and no hash is computed
}

// Run measures all cases and writes a line for each as soon as it has been measured. It calls progress before each. It
// returns what was done, in a sentence.
func Run(ctx context.Context, w io.Writer, o Options, progress func(done, total int)) (summary string, err error) {
	begin, load := time.Now(), machine.WatchLoad()
	buffer := bufio.NewWriter(w)
	m := machine.This()
	if err := writeHeader(buffer, m, o); err != nil {
		return "", err
	}
	cases := Cases(o)
	out := benchfmt.NewWriter(buffer)
	for _, unit := range []string{"Gelem/s", "GB/s"} {
		key := benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}
		if err := out.Write(&benchfmt.UnitMetadata{UnitMetadataKey: key, OrigUnit: unit, Value: "higher"}); err != nil {
			return "", err
		}
	}
	config := configOf(m, o.Name)

	var step *bufio.Scanner
	if o.Step != nil {
		step = bufio.NewScanner(o.Step)
	}
	const atLeast = 500 * time.Microsecond // short, so few samples are interrupted by other programs
	for round := range o.Count {
		for i, c := range cases {
			progress(round*len(cases)+i, o.Count*len(cases))
			if err := ctx.Err(); err != nil {
				return "", err
			}
			if step != nil && !step.Scan() {
				return "", errors.New("the lines to step by have ended")
			}
			result, err := c.measure(atLeast)
			if err != nil {
				return "", err
			}
			result.Config = config
			if err := out.Write(result); err != nil {
				return "", err
			}
			if err := buffer.Flush(); err != nil {
				return "", err
			}
		}
	}
	summary = fmt.Sprintf("%d benchmarks, %d times each, in %v", len(cases), o.Count, time.Since(begin).Round(100*time.Millisecond))
	if others, ok := load.Others(); ok {
		fmt.Fprintf(buffer, "# %s: other programs took %.0f%% of the CPUs' time\n", results.LoadKey, 100*others)
		summary += fmt.Sprintf("; other programs took %.0f%% of the CPUs' time", 100*others)
		if others > 0.1 {
			summary += ", so times are too long; -against compares programs even then"
		}
	}
	return summary, buffer.Flush()
}

// writeHeader writes the lines that benchstat takes for comments.
func writeHeader(w io.Writer, m machine.Machine, o Options) error {
	fmt.Fprintf(w, "# focal bench: every case %d times, in turn\n", o.Count)
	clock := "wall clock"
	if measure.HasThreadTime {
		clock = "of the thread on a CPU, or by the wall clock where the name says so"
	}
	fmt.Fprintf(w, "# time: %s\n", clock)
	fmt.Fprintf(w, "# mhz: %.0f\n", 1e3/measure.NanosecondsPerCycle())
	fmt.Fprintf(w, "# go: %s\n", runtime.Version())
	fmt.Fprintf(w, "# commit: %s\n", m.Commit)
	fmt.Fprintf(w, "# date: %s\n", time.Now().UTC().Format(time.DateOnly))
	if o.Step != nil {
		return nil
	}
	for _, path := range o.Paths {
		hash, err := machine.Hash(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "# %s%s: %s\n", results.GoldenKey, path, hash)
	}
	return nil
}

// configOf is the configuration that all results have. It is the same whenever this machine is measured.
func configOf(m machine.Machine, name string) []benchfmt.Config {
	emulated := m.Emulated
	if emulated == "" {
		emulated = "no"
	}
	var config []benchfmt.Config
	for _, kv := range [][2]string{
		{"goos", runtime.GOOS},
		{"goarch", runtime.GOARCH},
		{"pkg", "github.com/gofocal/focal"},
		{"name", name},
		{"cpu", m.CPU},
		{"cpu-id", m.ID},
		{"cores", strconv.Itoa(m.Cores)},
		{"caches", fmt.Sprintf("l1d=%d l2=%d l3=%d", m.Caches.L1, m.Caches.L2, m.Caches.L3)},
		{"features", strings.Join(m.Features, " ")},
		{"paths", strings.Join(m.Paths, " ")},
		{"emulated", emulated},
	} {
		if kv[1] != "" {
			config = append(config, benchfmt.Config{Key: kv[0], Value: []byte(kv[1]), File: true})
		}
	}
	return config
}

// measure measures a case once.
func (c *Case) measure(atLeast time.Duration) (*benchfmt.Result, error) {
	if c.path != "" {
		defer control.SetPath(c.path)()
	}
	var failed error
	cycle := measure.NanosecondsPerCycle()
	timer := measure.TimeOnCPU
	if c.wall {
		timer = measure.Time
	}
	before := referenceTime()
	calls, elapsed := timer(atLeast, func() {
		if err := c.call(); err != nil {
			failed = err
		}
	})
	reference := (before + referenceTime()) / 2
	if failed != nil {
		return nil, failed
	}
	ns := float64(elapsed.Nanoseconds()) / float64(calls)
	r := &benchfmt.Result{Name: benchfmt.Name(c.Name), Iters: calls}
	add := func(v float64, unit string) {
		r.Values = append(r.Values, benchfmt.Value{Value: significant(v), Unit: unit})
	}
	add(ns, "ns/op")
	if c.Elements > 0 {
		add(ns/float64(c.Elements), "ns/elem")
		add(ns/float64(c.Elements)/cycle, "cycles/elem")
		add(float64(c.Elements)/ns, "Gelem/s")
	}
	add(float64(c.bytes)/ns, "GB/s")
	add(reference, "ns/ref")
	return r, nil
}

// referenceTime returns the nanoseconds of a load that is the same in every program: how fast the machine is just now. It
// keeps the floating-point units busy out of the first cache, so another program on the same core shows.
func referenceTime() float64 {
	const n = 512
	var x [n]float64
	for i := range x {
		x[i] = float64(i)
	}
	var sum float64
	calls, elapsed := measure.TimeOnCPU(40*time.Microsecond, func() { sum += squares(x[:]) })
	runtime.KeepAlive(sum)
	return float64(elapsed.Nanoseconds()) / float64(calls)
}

// squares adds squares in eight independent sums.
//
//go:noinline
func squares(x []float64) float64 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float64
	for ; len(x) >= 8; x = x[8:] {
		s0 += x[0] * x[0]
		s1 += x[1] * x[1]
		s2 += x[2] * x[2]
		s3 += x[3] * x[3]
		s4 += x[4] * x[4]
		s5 += x[5] * x[5]
		s6 += x[6] * x[6]
		s7 += x[7] * x[7]
	}
	return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
}

// significant rounds to six digits: more are noise.
func significant(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	return r
}

// largest is the size of what no cache holds, in bytes read and written.
func (o *Options) largest() int {
	if o.Quick {
		return 32 << 20
	}
	return 256 << 20
}

// Cases returns what is measured.
func Cases(o Options) []*Case {
	b := &benchSet{has: map[string]bool{}}
	workers := []int{1}
	if o.OnlyShapes {
		workers = o.Workers
	}
	for _, shape := range o.Shapes {
		for _, typ := range o.Types {
			for _, op := range o.Ops {
				for _, gamma := range o.Gammas {
					for _, path := range o.Paths {
						for _, n := range workers {
							b.add(op, typ, path, shape, gamma, n, len(workers) > 1)
						}
					}
				}
			}
		}
	}
	if o.OnlyShapes {
		return b.cases
	}

	typ, gamma, largest := o.Types[0], o.Gammas[0], o.largest()
	size := map[string]int{"f32": 4, "f64": 8}[typ]
	step := 2
	if o.Quick {
		step = 4
	}
	for working := 16 << 10; working <= largest; working *= step {
		shape := [2]int{working / (2 * size * results.SweepClasses), results.SweepClasses}
		for _, path := range o.Paths {
			if path != "generic" || working <= 1<<20 { // it is slow, and the same at every size
				b.add(results.SweepOp, typ, path, shape, gamma, 1, false)
			}
		}
	}
	shape := [2]int{largest / (2 * size * results.SweepClasses), results.SweepClasses}
	for _, path := range o.Paths {
		if path == "generic" && len(o.Paths) > 1 {
			continue
		}
		for _, n := range o.Workers {
			b.add(results.SweepOp, typ, path, shape, gamma, n, true)
		}
	}
	for working := 16 << 10; working <= largest; working *= step {
		b.addStreams(working, largest)
	}
	return b.cases
}

// benchSet collects cases. All of them share their arrays.
type benchSet struct {
	cases  []*Case
	has    map[string]bool
	f32    arrays[float32]
	f64    arrays[float64]
	stream []byte
}

// add adds a case, unless it is there already. If it is to be compared with other numbers of workers, it is timed by the
// wall clock, as these are. The sigmoid has neither gammas nor workers.
func (b *benchSet) add(op, typ, path string, shape [2]int, gamma float64, workers int, wall bool) {
	n, c := shape[0], shape[1]
	name := fmt.Sprintf("%s/op=%s/type=%s/path=%s/n=%d/c=%d/gamma=%v/workers=%d", results.Loss, op, typ, path, n, c, gamma, workers)
	if wall {
		name += "/clock=wall"
	}
	if op == "sigmoid" {
		wall = false
		name = fmt.Sprintf("%s/op=%s/type=%s/path=%s/n=%d/c=%d/workers=1", results.Loss, op, typ, path, n, c)
	}
	if b.has[name] {
		return
	}
	b.has[name] = true
	var k *Case
	if typ == "f32" {
		k = lossCase(&b.f32, op, n, c, gamma, workers)
	} else {
		k = lossCase(&b.f64, op, n, c, gamma, workers)
	}
	k.Name, k.path, k.wall = name, path, wall
	b.cases = append(b.cases, k)
}

// arrays are the logits and outputs of all cases of one type: each takes as much of them as it needs.
type arrays[T focal.Float] struct {
	x, t, loss, grad, hess []T
}

func grow[T focal.Float](v *[]T, n int) []T {
	if len(*v) < n {
		*v = make([]T, n)
		for i := 0; i < n; i += 512 {
			(*v)[i] = 1 // now, and not in the measurement, the operating system gives the memory
		}
	}
	return (*v)[:n]
}

// lossCase returns a case with half of its rows background. The arrays are taken when it is called first.
func lossCase[T focal.Float](a *arrays[T], op string, n, c int, gamma float64, workers int) *Case {
	label := measure.Labels(n, c, 0.5, 0)
	p := focal.Params{Gamma: gamma, Alpha: 0.25, Norm: float64(focal.FgNum(label)), Workers: workers}
	y := focal.Labels(label)
	x := func() []T {
		if len(a.x) < n*c {
			a.x = measure.Logits[T](n * c)
		}
		return a.x[:n*c]
	}
	soft := func() focal.Target {
		if len(a.t) < n*c {
			a.t = make([]T, n*c)
			for i := range a.t {
				a.t[i] = T(i%9) / 8
			}
		}
		return focal.Dense(a.t[:n*c])
	}
	loss := func() []T { return grow(&a.loss, n*c) }
	grad := func() []T { return grow(&a.grad, n*c) }
	hess := func() []T { return grow(&a.hess, n*c) }
	arrays, labels := 2, 1
	var call func() error
	fused := func(out func() focal.Out[T]) func() error {
		return func() error {
			_, err := focal.Fused(out(), x(), y, p)
			return err
		}
	}
	switch op {
	case "loss":
		call = func() error { return focal.Loss(loss(), x(), y, p) }
	case "grad":
		call = func() error { return focal.Grad(grad(), x(), y, nil, p) }
	case "sum":
		arrays = 1
		call = func() error { _, err := focal.Sum(x(), y, p); return err }
	case "sum+grad":
		call = fused(func() focal.Out[T] { return focal.Out[T]{Grad: grad()} })
	case "loss+grad":
		arrays = 3
		call = fused(func() focal.Out[T] { return focal.Out[T]{Loss: loss(), Grad: grad()} })
	case "loss+grad+hess":
		arrays = 4
		call = fused(func() focal.Out[T] { return focal.Out[T]{Loss: loss(), Grad: grad(), Hess: hess()} })
	case "soft-loss":
		arrays, labels = 3, 0
		call = func() error { return focal.Loss(loss(), x(), soft(), p) }
	case "soft-loss+grad":
		arrays, labels = 4, 0
		call = func() error {
			_, err := focal.Fused(focal.Out[T]{Loss: loss(), Grad: grad()}, x(), soft(), p)
			return err
		}
	case "sigmoid":
		labels = 0
		call = func() error { return focal.Sigmoid(loss(), x()) }
	}
	moved := arrays*n*c*int(unsafe.Sizeof(*new(T))) + labels*4*n
	return &Case{Elements: n * c, bytes: moved, call: call}
}

// addStreams adds the bandwidths of memory of the given size. The functions are those of Go's runtime, which are as fast
// as the machine on amd64 and arm64.
func (b *benchSet) addStreams(size, largest int) {
	memory := func() []byte {
		if b.stream == nil {
			b.stream = make([]byte, largest)
			clear(b.stream)
		}
		return b.stream[:size]
	}
	add := func(kind string, f func(v []byte) bool) {
		b.cases = append(b.cases, &Case{
			Name:  fmt.Sprintf("%s/kind=%s/bytes=%d", results.Stream, kind, size),
			bytes: size,
			call: func() error {
				if !f(memory()) {
					return errors.New("memory is not as it was written")
				}
				return nil
			},
		})
	}
	add("read", func(v []byte) bool { return bytes.IndexByte(v, 1) < 0 })
	add("write", func(v []byte) bool { clear(v); return true })
	add("copy", func(v []byte) bool { return copy(v[:size/2], v[size/2:]) == size/2 })
}

// MaxElements is the most that a shape may have: the bytes of all arrays of such a case are an int.
const MaxElements = min(1<<31, (math.MaxInt>>6)+1)

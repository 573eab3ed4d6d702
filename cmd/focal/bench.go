package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/perf/benchfmt"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/measure"
	"github.com/gofocal/focal/internal/shards"
)

const (
	benchSynopsis = "[-o FILE] [flags]"
	benchText     = `
Measures this machine and writes the results in the format of Go's benchmarks: for "focal report", "focal compare" and
benchstat. It takes a minute or two, with -quick some seconds. The machine should have nothing else to do.

Four groups are measured, all cases in turn and -count times over, so that what disturbs the machine for a while
disturbs all of them:

    operations   -ops × -types × -paths × -gammas, one worker, at -shapes; soft- is with a target for each element
    sizes        the loss at sizes from the first cache to the memory
    workers      -workers goroutines on logits that no cache holds
    streaming    the bandwidth of reading, writing and copying at such sizes

Sizes and workers are measured with the first of -types and the first of -gammas.
If -shapes is given, these are measured with each of -workers, and no other sizes.

Times are those of the thread on a CPU, where the operating system tells them, so that other programs disturb less; where
numbers of workers are compared they are by the wall clock (clock=wall). Beside ns/op there are ns/elem, cycles/elem (by
a clock measured just before), Gelem/s, and GB/s: the bytes that the operation has to read and to write.

The lines that begin with # say what differs between runs on one machine, and which bits the paths return; for benchstat,
which would take runs apart by them, they are comments.
`
)

// The names of the benchmarks, without their parameters.
const (
	lossName   = "Focal" // as in the benchmarks of package focal
	streamName = "Stream"
)

// A benchCase is what one line of the results is about.
type benchCase struct {
	name     string
	elements int // 0: not a loss
	bytes    int // read and written by a call
	path     string
	wall     bool // timed by the wall clock
	call     func() error
}

// benchOptions say what is measured.
type benchOptions struct {
	ops, types, paths []string
	shapes            [][2]int
	gammas            []float64
	workers           []int
	count             int
	quick, onlyShapes bool
}

var benchOps = []string{"loss", "grad", "loss+grad", "sum", "sum+grad", "loss+grad+hess", "soft-loss", "soft-loss+grad", "sigmoid"}

func runBench(e *env, args []string) error {
	fs := e.flags(benchText)
	out := fs.String("o", "-", "write to this `file`; - is the standard output")
	quick := fs.Bool("quick", false, "fewer cases, shorter, 6 times")
	count := fs.Int("count", 10, "how often each case is measured; a confidence interval of 95 % takes 6")
	paths := fs.String("paths", "all", "`list` of paths, of "+strings.Join(control.Paths(), ","))
	types := fs.String("types", "f32,f64", "`list` of types")
	ops := fs.String("ops", "", "`list` of operations, of "+strings.Join(benchOps, ",")+" (default all)")
	shapes := fs.String("shapes", "", "`list` of shapes such as 1024x80")
	gammas := fs.String("gammas", "2,2.3", "`list` of gammas")
	workers := fs.String("workers", "", "`list` of numbers of goroutines, max being GOMAXPROCS (default 1,2,4 … max)")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	o := benchOptions{count: *count, quick: *quick, onlyShapes: given["shapes"]}
	if o.quick && !given["count"] {
		o.count = 6
	}
	if o.count < 1 {
		return usagef("-count %d, want at least 1", o.count)
	}
	if *ops == "" {
		*ops = strings.Join(benchOps, ",")
		if o.quick {
			*ops = "loss,loss+grad"
		}
	}
	if o.quick && !given["gammas"] {
		*gammas = "2"
	}
	if *shapes == "" {
		*shapes = "1024x80,32x10,8192x1"
		if o.quick {
			*shapes = "1024x80"
		}
	}
	var err error
	if o.ops, err = parseList("-ops", *ops, benchOps); err != nil {
		return err
	}
	if o.types, err = parseList("-types", *types, []string{"f32", "f64"}); err != nil {
		return err
	}
	if o.paths, err = parsePaths(*paths); err != nil {
		return err
	}
	if o.shapes, err = parseShapes(*shapes); err != nil {
		return err
	}
	if o.gammas, err = parseGammas(*gammas); err != nil {
		return err
	}
	if o.workers, err = parseWorkerList(*workers); err != nil {
		return err
	}
	return e.output(*out, func(w io.Writer) error { return bench(e, w, o) })
}

// bench measures all cases and writes a line for each as soon as it has been measured.
func bench(e *env, w io.Writer, o benchOptions) error {
	buffer := bufio.NewWriter(w)
	m := thisMachine()
	if m.emulated != "" {
		fmt.Fprintf(e.stderr, "focal bench: this CPU is emulated by %s: the times mean nothing, and are marked\n", m.emulated)
	}
	if err := writeHeader(buffer, m, o); err != nil {
		return err
	}
	cases := benchCases(o)
	out := benchfmt.NewWriter(buffer)
	for _, unit := range []string{"Gelem/s", "GB/s"} {
		key := benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}
		if err := out.Write(&benchfmt.UnitMetadata{UnitMetadataKey: key, OrigUnit: unit, Value: "higher"}); err != nil {
			return err
		}
	}
	config := m.config()

	const atLeast = 500 * time.Microsecond // short, so that few samples are interrupted by other programs
	bar := e.progress(o.count*len(cases), "bench")
	for range o.count {
		for _, c := range cases {
			if err := e.ctx.Err(); err != nil {
				return err
			}
			result, err := c.measure(atLeast)
			if err != nil {
				return err
			}
			result.Config = config
			if err := out.Write(result); err != nil {
				return err
			}
			if err := buffer.Flush(); err != nil {
				return err
			}
			bar.Add(1)
		}
	}
	bar.Finish()
	return nil
}

// goldenKey, with a path, is the key of the hash of its results.
const goldenKey = "golden-"

// writeHeader writes the lines that benchstat takes for comments.
func writeHeader(w io.Writer, m machine, o benchOptions) error {
	fmt.Fprintf(w, "# focal bench: every case %d times, in turn\n", o.count)
	clock := "wall clock"
	if measure.HasThreadTime {
		clock = "of the thread on a CPU, or by the wall clock where the name says so"
	}
	fmt.Fprintf(w, "# time: %s\n", clock)
	fmt.Fprintf(w, "# mhz: %.0f\n", 1e3/measure.NanosecondsPerCycle())
	fmt.Fprintf(w, "# go: %s\n", runtime.Version())
	fmt.Fprintf(w, "# commit: %s\n", m.commit)
	fmt.Fprintf(w, "# date: %s\n", time.Now().UTC().Format(time.DateOnly))
	for _, path := range o.paths {
		hash, err := hashOf(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "# %s%s: %s\n", goldenKey, path, hash)
	}
	return nil
}

// config is the configuration that all results have. It is the same whenever this machine is measured.
func (m *machine) config() []benchfmt.Config {
	emulated := m.emulated
	if emulated == "" {
		emulated = "no"
	}
	var config []benchfmt.Config
	for _, kv := range [][2]string{
		{"goos", runtime.GOOS},
		{"goarch", runtime.GOARCH},
		{"pkg", "github.com/gofocal/focal"},
		{"cpu", m.cpu},
		{"cores", strconv.Itoa(m.cores)},
		{"caches", fmt.Sprintf("l1d=%d l2=%d l3=%d", m.caches.L1, m.caches.L2, m.caches.L3)},
		{"features", strings.Join(m.features, " ")},
		{"paths", strings.Join(m.paths, " ")},
		{"emulated", emulated},
	} {
		if kv[1] != "" {
			config = append(config, benchfmt.Config{Key: kv[0], Value: []byte(kv[1]), File: true})
		}
	}
	return config
}

// measure measures a case once.
func (c *benchCase) measure(atLeast time.Duration) (*benchfmt.Result, error) {
	if c.path != "" {
		defer control.SetPath(c.path)()
	}
	var failed error
	cycle := measure.NanosecondsPerCycle()
	timer := measure.TimeOnCPU
	if c.wall {
		timer = measure.Time
	}
	calls, elapsed := timer(atLeast, func() {
		if err := c.call(); err != nil {
			failed = err
		}
	})
	if failed != nil {
		return nil, failed
	}
	ns := float64(elapsed.Nanoseconds()) / float64(calls)
	r := &benchfmt.Result{Name: benchfmt.Name(c.name), Iters: calls}
	add := func(v float64, unit string) {
		r.Values = append(r.Values, benchfmt.Value{Value: significant(v), Unit: unit})
	}
	add(ns, "ns/op")
	if c.elements > 0 {
		add(ns/float64(c.elements), "ns/elem")
		add(ns/float64(c.elements)/cycle, "cycles/elem")
		add(float64(c.elements)/ns, "Gelem/s")
	}
	add(float64(c.bytes)/ns, "GB/s")
	return r, nil
}

// significant rounds to six digits: more are noise.
func significant(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	return r
}

// A sweep is what the groups of sizes and workers are about: sweepOp of one type and gamma. bench measures that of the first
// type and gamma it is given, and report shows all that results have.
type sweep struct{ typ, gamma string }

const (
	sweepOp      = "loss"
	sweepClasses = 80
)

// params are the parameters of all results of the sweep, and more.
func (s sweep) params(more ...string) []string {
	return append([]string{"op=" + sweepOp, "type=" + s.typ, "gamma=" + s.gamma}, more...)
}

// sizes are the parameters of its results by size, and more.
func (s sweep) sizes(more ...string) []string {
	return append(s.params("c="+strconv.Itoa(sweepClasses), "workers=1", "clock="), more...)
}

// largest is the size of what no cache holds, in bytes read and written.
func (o *benchOptions) largest() int {
	if o.quick {
		return 32 << 20
	}
	return 256 << 20
}

func benchCases(o benchOptions) []*benchCase {
	b := &benchSet{has: map[string]bool{}}
	workers := []int{1}
	if o.onlyShapes {
		workers = o.workers
	}
	for _, shape := range o.shapes {
		for _, typ := range o.types {
			for _, op := range o.ops {
				for _, gamma := range o.gammas {
					for _, path := range o.paths {
						for _, n := range workers {
							b.add(op, typ, path, shape, gamma, n, len(workers) > 1)
						}
					}
				}
			}
		}
	}
	if o.onlyShapes {
		return b.cases
	}

	typ, gamma, largest := o.types[0], o.gammas[0], o.largest()
	size := map[string]int{"f32": 4, "f64": 8}[typ]
	step := 2
	if o.quick {
		step = 4
	}
	for working := 16 << 10; working <= largest; working *= step {
		shape := [2]int{working / (2 * size * sweepClasses), sweepClasses}
		for _, path := range o.paths {
			if path != "generic" || working <= 1<<20 { // it is slow, and the same at every size
				b.add(sweepOp, typ, path, shape, gamma, 1, false)
			}
		}
	}
	shape := [2]int{largest / (2 * size * sweepClasses), sweepClasses}
	for _, path := range o.paths {
		if path == "generic" && len(o.paths) > 1 {
			continue
		}
		for _, n := range o.workers {
			b.add(sweepOp, typ, path, shape, gamma, n, true)
		}
	}
	for working := 16 << 10; working <= largest; working *= step {
		b.addStreams(working, largest)
	}
	return b.cases
}

// benchSet collects cases. All of them share their arrays.
type benchSet struct {
	cases  []*benchCase
	has    map[string]bool
	f32    arrays[float32]
	f64    arrays[float64]
	stream []byte
}

// add adds a case, unless it is there already. If it is to be compared with other numbers of workers, it is timed by the
// wall clock, as these are. The sigmoid has neither gammas nor workers.
func (b *benchSet) add(op, typ, path string, shape [2]int, gamma float64, workers int, wall bool) {
	n, c := shape[0], shape[1]
	name := fmt.Sprintf("%s/op=%s/type=%s/path=%s/n=%d/c=%d/gamma=%v/workers=%d", lossName, op, typ, path, n, c, gamma, workers)
	if wall {
		name += "/clock=wall"
	}
	if op == "sigmoid" {
		wall = false
		name = fmt.Sprintf("%s/op=%s/type=%s/path=%s/n=%d/c=%d/workers=1", lossName, op, typ, path, n, c)
	}
	if b.has[name] {
		return
	}
	b.has[name] = true
	var k *benchCase
	if typ == "f32" {
		k = lossCase(&b.f32, op, n, c, gamma, workers)
	} else {
		k = lossCase(&b.f64, op, n, c, gamma, workers)
	}
	k.name, k.path, k.wall = name, path, wall
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
func lossCase[T focal.Float](a *arrays[T], op string, n, c int, gamma float64, workers int) *benchCase {
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
	return &benchCase{elements: n * c, bytes: moved, call: call}
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
		b.cases = append(b.cases, &benchCase{
			name:  fmt.Sprintf("%s/kind=%s/bytes=%d", streamName, kind, size),
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

// parseList splits a list and returns an error if a part is none of the known ones.
func parseList(name, list string, known []string) ([]string, error) {
	parts := strings.Split(list, ",")
	for _, p := range parts {
		if !slices.Contains(known, p) {
			return nil, usagef("%s %q, want some of %s", name, p, strings.Join(known, ","))
		}
	}
	return parts, nil
}

// parsePaths returns the paths of a list, or all that this machine has.
func parsePaths(list string) ([]string, error) {
	if list == "all" {
		return control.Paths(), nil
	}
	return parseList("-paths", list, control.Paths())
}

// maxElements is the most that a shape may have: the bytes of all arrays of such a case are an int.
const maxElements = min(1<<31, (math.MaxInt>>6)+1)

func parseShapes(list string) (shapes [][2]int, err error) {
	for _, s := range strings.Split(list, ",") {
		n, c, _ := strings.Cut(s, "x")
		rows, err1 := strconv.Atoi(n)
		classes, err2 := strconv.Atoi(c)
		if err1 != nil || err2 != nil || rows < 1 || classes < 1 || rows > maxElements/classes {
			return nil, usagef("-shapes %q, want rows and classes such as 1024x80, at most 2^%d elements", s, bits.Len(maxElements)-1)
		}
		shapes = append(shapes, [2]int{rows, classes})
	}
	return shapes, nil
}

func parseGammas(list string) (gammas []float64, err error) {
	for _, s := range strings.Split(list, ",") {
		gamma, err := strconv.ParseFloat(s, 64)
		if err != nil || shards.CheckGamma(gamma) != nil {
			return nil, usagef("-gammas %q, want numbers, finite and ≥ 0", s)
		}
		gammas = append(gammas, gamma)
	}
	return gammas, nil
}

// parseWorkerList returns the numbers of a list; of an empty one the powers of two below GOMAXPROCS, and that.
func parseWorkerList(list string) (workers []int, err error) {
	most := runtime.GOMAXPROCS(0)
	if list == "" {
		for n := 1; n < most; n *= 2 {
			workers = append(workers, n)
		}
		return append(workers, most), nil
	}
	for _, s := range strings.Split(list, ",") {
		n, err := parseWorkers(s)
		if err != nil {
			return nil, err
		}
		if n < 0 {
			n = most
		}
		if !slices.Contains(workers, n) {
			workers = append(workers, n)
		}
	}
	return workers, nil
}

package focal

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/effort"
)

// TestMain holds the machine against the environment, whichever tests are chosen: a run that is meant for a path cannot
// pass on another one.
//
//	FOCAL_EXPECT_PATH=avx2           this must be the path in use
//	FOCAL_REQUIRE_PATH=avx512,avx2   all of these must be there
//
// With -v it names the path. The gate counts the tests of each.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := checkPaths(os.Getenv("FOCAL_EXPECT_PATH"), os.Getenv("FOCAL_REQUIRE_PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if testing.Verbose() && flag.Lookup("test.list").Value.String() == "" {
		fmt.Printf("path %s on %s/%s\n", Path(), runtime.GOOS, runtime.GOARCH)
	}
	os.Exit(m.Run())
}

// checkPaths returns an error if the path in use is not expect, or if one of require, a list with commas, is not there.
func checkPaths(expect, require string) error {
	var available []string
	for _, p := range availablePaths() {
		available = append(available, p.String())
	}
	if expect != "" && Path() != expect {
		return fmt.Errorf("FOCAL_EXPECT_PATH is %s, but the path in use is %s", expect, Path())
	}
	for name := range strings.SplitSeq(require, ",") {
		if name != "" && !slices.Contains(available, name) {
			return fmt.Errorf("FOCAL_REQUIRE_PATH names %s, but there are %v only", name, available)
		}
	}
	return nil
}

func TestCheckPaths(t *testing.T) {
	require.NoError(t, checkPaths("", ""))
	require.NoError(t, checkPaths(Path(), Path()+",generic"))
	require.EqualError(t, checkPaths("mmx", ""), "FOCAL_EXPECT_PATH is mmx, but the path in use is "+Path())
	require.ErrorContains(t, checkPaths("", "generic,mmx"), "FOCAL_REQUIRE_PATH names mmx, but there are [")
}

// The path in use is the best that there is.
func TestPathExpected(t *testing.T) {
	require.Equal(t, bestPath(), path, "a test has left another path behind")
	require.Equal(t, path, availablePaths()[0])
	if expected := map[string]string{"amd64": " generic avx2 avx512 ", "arm64": " generic neon "}[runtime.GOARCH]; expected != "" {
		require.Contains(t, expected, " "+Path()+" ")
	} else {
		require.Equal(t, "generic", Path())
	}
}

// GODEBUG steps down one path at a time. It is read when the program starts: the test starts itself again.
func TestPathGODEBUG(t *testing.T) {
	if os.Getenv("FOCAL_EXPECT_PATH") != "" {
		t.Skip("started by itself, or for one path")
	}
	executable, err := os.Executable()
	require.NoError(t, err)
	for _, tt := range []struct {
		godebug string
		needs   kernelPath // of the machine
		want    kernelPath
	}{
		{"cpu.avx512f=off", pathAVX512, pathAVX2},
		{"cpu.avx512f=off", pathAVX2, pathAVX2},
		{"cpu.avx512f=off,cpu.avx2=off", pathAVX2, pathGeneric},
		{"cpu.avx2=off", pathAVX2, pathGeneric}, // AVX-512 too
		{"cpu.fma=off", pathAVX2, pathGeneric},
		{"cpu.avx512vl=off", pathAVX512, pathAVX2},
		{"cpu.avx512dq=off", pathAVX512, pathAVX2},
		{"cpu.avx512bw=off", pathAVX512, pathAVX2},
		{"cpu.avx512=off", pathAVX512, pathAVX2},
	} {
		if bestPath() < tt.needs {
			continue
		}
		cmd := exec.Command(executable, "-test.run=^(TestPathExpected|TestPathKernels)$", "-test.v")
		godebug := tt.godebug
		if old := os.Getenv("GODEBUG"); old != "" {
			godebug = old + "," + godebug
		}
		cmd.Env = append(os.Environ(), "GODEBUG="+godebug, "FOCAL_EXPECT_PATH="+tt.want.String(), "FOCAL_REQUIRE_PATH=")
		out, err := cmd.CombinedOutput()
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, exec.ErrNotFound) {
			t.Skip(err)
		}
		require.NoError(t, err, "GODEBUG=%s: %s", godebug, out)
		require.Contains(t, string(out), "--- PASS: TestPathExpected")
	}
}

// Neither with -tags purego, nor with a compiler other than Go's own, whose assembler is another one, is there assembly, or
// a function without a body.
func TestNoAssembly(t *testing.T) {
	purego, gccgo, ordinary := build.Default, build.Default, build.Default
	purego.BuildTags = []string{"purego"}
	gccgo.Compiler = "gccgo"
	found := 0
	require.NoError(t, filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if dir == "." {
		} else if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || d.Name()[0] == '.' {
			return fs.SkipDir // another module, or no package
		}
		for _, arch := range []string{"amd64", "arm64", "386"} {
			for name, context := range map[string]build.Context{"purego": purego, "gccgo": gccgo, "": ordinary} {
				context.GOARCH = arch
				p, err := context.ImportDir(dir, 0)
				if no := new(build.NoGoError); errors.As(err, &no) {
					continue
				}
				require.NoError(t, err)
				declared := withoutBody(t, dir, p.GoFiles)
				if name == "" {
					found += len(p.SFiles) + len(declared)
					continue
				}
				require.Empty(t, p.SFiles, "%s on %s: %s", name, arch, dir)
				require.Empty(t, declared, "%s on %s: %s", name, arch, dir)
			}
		}
		return nil
	}))
	require.Greater(t, found, 8, "files of assembly and functions in it")
}

// withoutBody returns the functions that files declare for assembly.
func withoutBody(t *testing.T, dir string, files []string) (names []string) {
	t.Helper()
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, f), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// batch returns logits and labels of every kind, the same ones in every run.
func batch[T Float](rows, c int) ([]T, Target) {
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(c)))
	x := make([]T, rows*c)
	for i := range x {
		x[i] = T(4 * rng.NormFloat64())
	}
	label := make([]int32, rows)
	for i := range label {
		label[i] = rng.Int32N(int32(c)+2) - 1
	}
	return x, Labels(label)
}

func sameBits[T Float](a, b T) bool {
	return math.Float64bits(float64(a)) == math.Float64bits(float64(b)) || a != a && b != b
}

// withPath calls f while p is the path in use.
func withPath(p kernelPath, f func()) {
	defer func(old kernelPath) { path = old }(path)
	path = p
	f()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func mustFused(_ float64, err error) { must(err) }

func requireSameBits[T Float](t *testing.T, want, got []T) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	for i := range want {
		if !sameBits(want[i], got[i]) {
			require.Failf(t, "bits differ", "element %d: want %v, got %v", i, want[i], got[i])
		}
	}
}

// labelsOf returns the labels of a batch.
func labelsOf(y Target) []int32 { return sliceOf[int32](&y.label) }

// results is all that the package computes of one batch.
type results[T Float] struct {
	loss, grad, fusedLoss, fusedGrad, fusedHess []T
	sum, fusedSum                               float64
}

func compute[T Float](t *testing.T, x []T, y Target, dout []T, p Params) results[T] {
	t.Helper()
	n := len(x)
	r := results[T]{make([]T, n), make([]T, n), make([]T, n), make([]T, n), make([]T, n), 0, 0}
	require.NoError(t, Loss(r.loss, x, y, p))
	require.NoError(t, Grad(r.grad, x, y, dout, p))
	var err error
	r.sum, err = Sum(x, y, p)
	require.NoError(t, err)
	r.fusedSum, err = Fused(Out[T]{Loss: r.fusedLoss, Grad: r.fusedGrad, Hess: r.fusedHess}, x, y, p)
	require.NoError(t, err)
	return r
}

func requireSameResults[T Float](t *testing.T, want, got results[T]) {
	t.Helper()
	requireSameBits(t, want.loss, got.loss)
	requireSameBits(t, want.grad, got.grad)
	requireSameBits(t, want.fusedLoss, got.fusedLoss)
	requireSameBits(t, want.fusedGrad, got.fusedGrad)
	requireSameBits(t, want.fusedHess, got.fusedHess)
	requireSameBits(t, []float64{want.sum, want.fusedSum}, []float64{got.sum, got.fusedSum})
}

// borderShapes are batches whose sizes are around the borders of blocks.
func borderShapes() [][2]int {
	shapes := [][2]int{{1, 1}, {5, 3}, {1, 3*blockLen + 1}, {2, blockLen}, {300, 80}}
	for _, blocks := range []int{1, 2} {
		for d := -1; d <= 1; d++ {
			shapes = append(shapes, [2]int{blocks*blockLen + d, 1})
		}
	}
	return shapes
}

// publicBatch is a batch with all kinds of logits and labels, and upstream gradients.
func publicBatch[T Float](rows, c int) (x []T, y Target, dout []T) {
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(c)))
	label := make([]int32, rows)
	for i := range label {
		label[i] = rng.Int32N(int32(c)+2) - 1
	}
	return mixedLogits[T](rng, rows*c), Labels(label), mixedDout[T](rng, rows*c)
}

// All paths and numbers of workers give the same results, through the public functions.
func TestPathsClasses(t *testing.T) {
	columns := []int{91, 128, 255, 1203}
	for c := 1; c <= 70; c++ {
		columns = append(columns, c)
	}
	var shapes [][2]int
	for i, c := range columns {
		if !effort.Full() && i%8 != 0 || effort.Least() && i%3 != 0 {
			continue
		}
		shapes = append(shapes, [2]int{blockLen/c + 2, c})
	}
	testPathsShapes(t, shapes)
}

func TestPathsBorders(t *testing.T) {
	shapes := borderShapes()
	if testing.Short() {
		shapes = shapes[:2]
	}
	for n := range 64 {
		shapes = append(shapes, [2]int{1, n + 1})
	}
	testPathsShapes(t, shapes)
}

func testPathsShapes(t *testing.T, shapes [][2]int) {
	forFloats(t,
		func(t *testing.T) { testPathsShapesOf[float32](t, shapes) },
		func(t *testing.T) { testPathsShapesOf[float64](t, shapes) })
}

func testPathsShapesOf[T Float](t *testing.T, shapes [][2]int) {
	params := []Params{
		{Gamma: 2, Alpha: 0.25, Norm: 17},
		{Gamma: 2.3, Alpha: 0.25, Norm: 17},
		{Gamma: 2, Alpha: NoAlpha},
		{Gamma: 0, Alpha: 0, Norm: 3},
		{Gamma: 2, Alpha: 1, Norm: 1},
	}
	for i, shape := range shapes {
		x, y, dout := publicBatch[T](shape[0], shape[1])
		p := params[i%len(params)]
		var want, got results[T]
		wantSigmoid, gotSigmoid := make([]T, len(x)), make([]T, len(x))
		withPath(pathGeneric, func() {
			want = compute(t, x, y, dout, p)
			require.NoError(t, Sigmoid(wantSigmoid, x))
		})
		for _, path := range comparedPaths() {
			withPath(path, func() {
				require.Equal(t, path.String(), Path())
				require.NoError(t, Sigmoid(gotSigmoid, x))
				requireSameBits(t, wantSigmoid, gotSigmoid)
				for _, workers := range []int{1, 2, 3, 8} {
					if path == pathGeneric && workers != 3 || workers != 1+i%3 && i%4 != 0 && i >= 12 {
						continue // not all for each shape
					}
					p.Workers = workers
					got = compute(t, x, y, dout, p)
					requireIdentical(t, want, got)
				}
			})
			if t.Failed() {
				t.Fatalf("path %v, shape %v, %+v", path, shape, p)
			}
		}
	}
}

// requireIdentical compares the bits of NaNs too; those of sums excepted.
func requireIdentical[T Float](t *testing.T, want, got results[T]) {
	t.Helper()
	for k, w := range [][]T{want.loss, want.grad, want.fusedLoss, want.fusedGrad, want.fusedHess} {
		g := [][]T{got.loss, got.grad, got.fusedLoss, got.fusedGrad, got.fusedHess}[k]
		require.Equal(t, len(w), len(g))
		for i := range w {
			if toBits(w[i]) != toBits(g[i]) {
				require.Failf(t, "bits differ", "result %d, element %d: want %v (%#x), got %v (%#x)", k, i, w[i], toBits(w[i]), g[i], toBits(g[i]))
			}
		}
	}
	requireSameBits(t, []float64{want.sum, want.fusedSum}, []float64{got.sum, got.fusedSum})
}

//go:build unix

package focal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gofocal/focal/internal/effort"
)

// No kernel reads or writes a byte outside of what it is given: here everything it is given ends at a page that can be
// neither read nor written, or begins behind one. Where inside a page something is written beside a slice, the frames
// of kernel_test.go show it.

// A fence is memory between two such pages.
type fence struct {
	mem []byte
}

func newFence(t testing.TB, size int) *fence {
	t.Helper()
	page := unix.Getpagesize()
	size = (size + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(all)) })
	require.NoError(t, unix.Mprotect(all[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(all[page+size:], unix.PROT_NONE))
	return &fence{all[page : page+size : page+size]}
}

// fenced returns n elements at the end of the fence's memory, or at its beginning.
func fenced[E any](f *fence, n int, atEnd bool) []E {
	size := int(unsafe.Sizeof(*new(E)))
	start := 0
	if atEnd {
		start = len(f.mem) - n*size
	}
	if n == 0 { // of which no pointer may be made that is outside
		return unsafe.Slice((*E)(unsafe.Pointer(&f.mem[0])), 0)
	}
	return unsafe.Slice((*E)(unsafe.Pointer(&f.mem[start])), n)
}

// put copies v to where fenced says.
func put[E any](f *fence, v []E, atEnd bool) []E {
	if v == nil {
		return nil
	}
	to := fenced[E](f, len(v), atEnd)
	copy(to, v)
	return to
}

// faults runs f and returns what it touched that it must not, or nil.
func faults(f func()) (fault error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			growStack(1)
			fault = fmt.Errorf("%v", r)
			if at, ok := r.(interface{ Addr() uintptr }); ok {
				fault = fmt.Errorf("%v at %#x", r, at.Addr())
			}
		}
	}()
	f()
	return nil
}

// growStack makes the runtime copy the stack, for which it must know all frames that are on it.
//
//go:noinline
func growStack(depth int) byte {
	var room [64 << 10]byte
	if depth > 0 {
		room[depth] = growStack(depth - 1)
	}
	return room[depth]
}

// What the other tests rely on: a fence is noticed.
func TestFence(t *testing.T) {
	f := newFence(t, 100)
	for _, atEnd := range []bool{false, true} {
		v := fenced[byte](f, 10, atEnd)
		require.Len(t, v, 10)
		require.NoError(t, faults(func() { v[0], v[9] = 1, 2 }))
	}
	first, last := unsafe.Pointer(&f.mem[0]), unsafe.Pointer(&f.mem[len(f.mem)-1])
	require.Error(t, faults(func() { *(*byte)(unsafe.Add(first, -1)) = 1 }))
	require.Error(t, faults(func() { *(*byte)(unsafe.Add(last, 1)) = 1 }))
	sum := byte(0)
	require.Error(t, faults(func() { sum += *(*byte)(unsafe.Add(last, 1)) }))
}

// In a kernel a fence is noticed too, and the runtime can walk over the kernel's frames then.
func TestFenceKernels(t *testing.T) {
	forKernels(t, testFenceKernel[float32], testFenceKernel[float64])
	f := newFence(t, 4096)
	const n = 128 // one group at least
	x32, x64 := fenced[float32](f, n, true), fenced[float64](f, n, true)
	room := make([]float64, 2*n)
	dst32, dst64 := (*float32)(unsafe.Pointer(&room[0])), &room[0]
	for _, p := range comparedPaths() {
		if p == pathGeneric {
			continue
		}
		for i, f := range []func(){
			func() { sigmoidF32(p, dst32, &x32[0], 2*n) },
			func() { softplusF32(p, dst32, &x32[0], 2*n) },
			func() { sigmoidF64(p, dst64, &x64[0], 2*n) },
			func() { softplusF64(p, dst64, &x64[0], 2*n) },
		} {
			require.Error(t, faults(f), "%v %d", p, i)
		}
	}
}

func testFenceKernel[T Float](t *testing.T, k testKernel[T]) {
	n := k.group()
	x := fenced[T](newFence(t, 4096), n, true)
	room := make([]T, 2*n)
	c := kernelCall[T]{weight: 1, weightPos: 1, plan: newPlan[T](2)}
	a := c.args(x, room, nil, nil, [4][]T{room, room, room, room})
	a.N = 2 * n
	require.Error(t, faults(func() { k.run(a) }))
}

const fencedMost = 300 // elements

func skipLength(n int) bool {
	return !effort.Full() && n > 70 && n%7 != 0 || effort.Least() && n > 17 && n%5 != 0
}

// skipEmulated skips a test where an emulator of x86 touches what a masked load or store leaves out, as no CPU does.
func skipEmulated(t *testing.T) {
	if os.Getenv("FOCAL_EMULATED") != "" && runtime.GOARCH == "amd64" {
		t.Skip("qemu touches what a masked load leaves out")
	}
}

func TestBoundaryKernels(t *testing.T) {
	skipEmulated(t)
	forKernels(t, testBoundaryKernels[float32], testBoundaryKernels[float64])
}

func testBoundaryKernels[T Float](t *testing.T, k testKernel[T]) {
	rng := rand.New(rand.NewPCG(11, 12))
	const size = 5 * maxGroup * 8
	var ins, outs [4]*fence
	for i := range ins {
		ins[i], outs[i] = newFence(t, size), newFence(t, size)
	}
	gammas := k.gammas()
	for groups := 1; groups <= 5; groups++ {
		n := groups * k.group()
		for variant := range 8 {
			atEnd := variant%2 == 0
			c := k.call(rng, mixedLogits[T](rng, n), gammas[(groups+variant)%len(gammas)], variant)
			want := k.reference(c)
			var in, out [4][]T
			for i, v := range [4][]T{c.u, c.target, c.w, c.wPos} {
				if v != nil {
					in[i] = put(ins[i], v, atEnd)
				}
			}
			for o, written := range k.writes() {
				if written {
					out[o] = fenced[T](outs[o], n, atEnd)
				}
			}
			require.NoError(t, faults(func() { k.run(c.args(in[0], in[1], in[2], in[3], out)) }), "%v at the end: %v", c, atEnd)
			for o, written := range k.writes() {
				if written {
					requireSameBits(t, want[o], out[o])
				}
			}
		}
	}
}

// What prepares masks, and the public functions on every path, the reference included.
func TestBoundaryCalls(t *testing.T) {
	skipEmulated(t)
	forFloats(t, testBoundaryCalls[float32], testBoundaryCalls[float64])
}

func testBoundaryCalls[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	x, dout, target := mixedLogits[T](rng, fencedMost), mixedDout[T](rng, fencedMost), mixedTargets[T](rng, fencedMost)
	label := make([]int32, fencedMost)
	const size = fencedMost * 8
	xs, douts, targets, labels := newFence(t, size), newFence(t, size), newFence(t, size), newFence(t, size)
	hards, losses, grads, hesses := newFence(t, size), newFence(t, size), newFence(t, size), newFence(t, size)
	for _, path := range availablePaths() {
		withPath(path, func() {
			for n := range fencedMost + 1 {
				if skipLength(n) {
					continue
				}
				for _, c := range []int{1, 2, 3, 7, 15, 16, n} {
					if c == 0 || n%c != 0 {
						continue
					}
					rows := n / c
					for i := range rows {
						label[i] = rng.Int32N(int32(c)+2) - 1
					}
					p := Params{Gamma: []float64{2, 2.3}[n%2], Alpha: 0.25, Norm: 3}
					for _, atEnd := range []bool{false, true} {
						fx, fdout := put(xs, x[:n], atEnd), put(douts, dout[:n], atEnd)
						out := Out[T]{Loss: fenced[T](losses, n, atEnd), Grad: fenced[T](grads, n, atEnd), Hess: fenced[T](hesses, n, atEnd)}
						hard := slices.Clone(target[:n])
						for i := range hard {
							hard[i] = T(i % 2)
						}
						for kind, y := range []Target{
							Labels(put(labels, label[:rows], atEnd)), Dense(put(targets, target[:n], atEnd)),
							Dense(put(hards, hard, atEnd)),
						} {
							require.NoError(t, faults(func() {
								must(Loss(out.Loss, fx, y, p))
								must(Grad(out.Grad, fx, y, fdout, p))
								mustFused(Sum(fx, y, p))
								mustFused(Fused(out, fx, y, p))
								must(Sigmoid(out.Loss, fx))
							}), "%v, %d elements in rows of %d, target %d, at the end: %v", path, n, c, kind, atEnd)
						}
					}
				}
			}
		})
	}
}

// So are weights, scores and labels of other types: whatever is said of a batch, and whichever way it is computed.
func TestBoundaryElements(t *testing.T) {
	skipEmulated(t)
	forFloats(t, testBoundaryElements[float32], testBoundaryElements[float64])
}

func testBoundaryElements[T Float](t *testing.T) {
	count := uint64(60)
	if testing.Short() {
		count = 15
	}
	const size = 1 << 20
	var fences [12]*fence
	for i := range fences {
		fences[i] = newFence(t, size)
	}
	for seed := range count {
		rng := rand.New(rand.NewPCG(seed, 18))
		s := say[T](rng)
		if len(s.x)*8 > size {
			continue
		}
		n, inPlace := len(s.x), rng.IntN(8)
		for _, path := range comparedPaths() {
			for _, atEnd := range []bool{false, true} {
				j := s.job(-1)
				j.x, j.dout = put(fences[0], s.x, atEnd), put(fences[1], s.dout, atEnd)
				for i, v := range []*numbers{&j.y.label, &j.y.dense, &j.y.score, &j.y.row, &j.y.neg, &j.y.pos, &j.y.element} {
					if v.len > 0 {
						mem := put(fences[2+i], unsafe.Slice((*byte)(v.first), v.len*v.of.size()), atEnd)
						v.first = unsafe.Pointer(&mem[0])
					}
				}
				outputs := j.places.all()
				for k, out := range outputs {
					switch {
					case out == nil:
					case k == inPlace:
						outputs[k] = j.x
					case k < 3:
						outputs[k] = fenced[T](fences[9+k], n, atEnd)
					}
				}
				withPath(path, func() {
					withPatchShare([]int{1, patchShare, 1 << 30}[seed%3], func() {
						require.NoError(t, faults(func() { j.run(blockCount(n), nil) }), "%v, seed %d, at the end: %v, %s", path, seed, atEnd, s.text)
					})
				})
				for i := 0; i < n; i += 1 + i/64 {
					want := s.element(i)
					for k, out := range outputs {
						require.True(t, out == nil || sameBits(want[k], out[i]), "%v, seed %d, %s: output %d of element %d", path, seed, s.text, k, i)
					}
				}
			}
		}
	}
}

//go:build linux

package stress

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gofocal/focal"
)

// Signals arrive in the middle of kernels: those of the profiler, which looks at the stack from there, and those by which
// the runtime preempts. Neither may change a result.

// interrupt sends a signal to the thread, ten thousand times a second, until stop is called, which returns how many
// have been sent.
func interrupt(thread int, signals ...unix.Signal) (stop func() int) {
	var done atomic.Bool
	sent := make(chan int)
	go func() {
		n := 0
		for next := time.Now(); !done.Load(); next = next.Add(100 * time.Microsecond) {
			if unix.Tgkill(unix.Getpid(), thread, signals[n%len(signals)]) == nil {
				n++
			}
			for time.Now().Before(next) {
				runtime.Gosched()
			}
		}
		sent <- n
	}()
	return func() int {
		done.Store(true)
		return <-sent
	}
}

func TestSignals(t *testing.T) {
	duration := 300 * time.Millisecond // for each path and type
	switch {
	case os.Getenv("FOCAL_MEASURE") != "":
		duration = 10 * time.Second
	case testing.Short():
		duration = 50 * time.Millisecond
	}
	forFloats(t,
		func(t *testing.T) { testSignals[float32](t, duration) },
		func(t *testing.T) { testSignals[float64](t, duration) })
}

func testSignals[T focal.Float](t *testing.T, duration time.Duration) {
	b := newBatch[T](1000, 20)
	forPaths(func(path string) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var want [2]results[T]
		params := [2]focal.Params{{Gamma: 2, Alpha: 0.25, Norm: 3}, {Gamma: 2.3, Alpha: 0.25, Norm: 3}}
		for i, p := range params {
			want[i] = b.compute(b.labels, p)
		}
		profile := new(bytes.Buffer)
		require.NoError(t, pprof.StartCPUProfile(profile)) // so that the handler has something to do
		stop := interrupt(unix.Gettid(), unix.SIGPROF, unix.SIGURG)
		calls := 0
		for start := time.Now(); time.Since(start) < duration; calls++ {
			got := b.compute(b.labels, params[calls%2])
			requireSame(t, want[calls%2], got)
		}
		sent := stop()
		pprof.StopCPUProfile()
		t.Logf("%v: %d rounds of calls under %d signals", path, calls, sent)
		require.Positive(t, sent)
	})
}

// kernelCaller is looked for in profiles.
//
//go:noinline
func kernelCaller(stop *atomic.Bool, f func()) {
	for !stop.Load() {
		f()
	}
}

// A profile that is taken while kernels run leads from them to who has called them.
func TestProfileUnwinds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second, and a machine that is not emulated")
	}
	b := newBatch[float64](4000, 20)
	dst := make([]float64, len(b.x))
	forAssembly(func(path string) {
		in, whole := 0, 0
		for attempt := 0; attempt < 10 && in < 20; attempt++ {
			profile := new(bytes.Buffer)
			require.NoError(t, pprof.StartCPUProfile(profile))
			var stop atomic.Bool
			var caller sync.WaitGroup
			caller.Add(1)
			go func() {
				defer caller.Done()
				kernelCaller(&stop, func() {
					must(focal.Loss(dst, b.x, b.labels, focal.Params{Gamma: 2.3, Alpha: 0.25, Norm: 1}))
					must(focal.Grad(dst, b.x, b.labels, nil, focal.Default()))
				})
			}()
			time.Sleep(500 * time.Millisecond)
			stop.Store(true)
			caller.Wait()
			pprof.StopCPUProfile()
			for _, stack := range stacksOf(t, profile.Bytes()) {
				if !strings.HasSuffix(stack[0], strings.ToUpper(path)) {
					continue
				}
				in++
				for _, f := range stack {
					if strings.HasSuffix(f, ".kernelCaller") {
						whole++
					}
				}
			}
		}
		t.Logf("%v: %d samples in kernels, %d of them lead to the caller", path, in, whole)
		require.Positive(t, in)
		require.Equal(t, in, whole, "%v: stacks that end in a kernel", path)
	})
}

// stacksOf returns the samples' stacks, innermost function first, of a profile in the format of
// github.com/google/pprof/proto/profile.proto.
func stacksOf(t *testing.T, profile []byte) (stacks [][]string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(profile))
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)

	var texts []string
	var samples [][]uint64               // locations
	locations := map[uint64][]uint64{}   // functions
	functionNames := map[uint64]uint64{} // indices of texts
	fields(t, b, func(field int, v uint64, message []byte) {
		switch field {
		case 2: // sample
			var at []uint64
			fields(t, message, func(field int, v uint64, packed []byte) {
				if field != 1 {
					return
				}
				if packed == nil {
					at = append(at, v)
				}
				for len(packed) > 0 {
					v, n := binary.Uvarint(packed)
					at, packed = append(at, v), packed[n:]
				}
			})
			samples = append(samples, at)
		case 4: // location
			var id uint64
			var functions []uint64
			fields(t, message, func(field int, v uint64, line []byte) {
				switch field {
				case 1:
					id = v
				case 4:
					fields(t, line, func(field int, v uint64, _ []byte) {
						if field == 1 {
							functions = append(functions, v)
						}
					})
				}
			})
			locations[id] = functions
		case 5: // function
			var id, name uint64
			fields(t, message, func(field int, v uint64, _ []byte) {
				switch field {
				case 1:
					id = v
				case 2:
					name = v
				}
			})
			functionNames[id] = name
		case 6:
			texts = append(texts, string(message))
		}
	})
	for _, sample := range samples {
		var stack []string
		for _, l := range sample {
			for _, f := range locations[l] {
				stack = append(stack, texts[functionNames[f]])
			}
		}
		if len(stack) > 0 {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// fields calls f for each field of an encoded protocol buffer: with the number, or with the bytes.
func fields(t *testing.T, b []byte, f func(field int, v uint64, message []byte)) {
	t.Helper()
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		require.Positive(t, n)
		b = b[n:]
		v, n := binary.Uvarint(b)
		require.Positive(t, n)
		b = b[n:]
		switch key & 7 {
		case 0:
			f(int(key>>3), v, nil)
		case 2:
			f(int(key>>3), 0, b[:v:v])
			b = b[v:]
		default:
			require.Fail(t, "a wire type that profiles do not have")
		}
	}
}

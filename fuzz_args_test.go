package focal

import (
	"errors"
	"math"
	"slices"
	"testing"
	"unsafe"
)

// FuzzArguments cuts all slices from one buffer, so that they alias each other in every way, and calls every function.
// None may panic, and none may write on an error or outside its outputs.
func FuzzArguments(f *testing.F) {
	f.Add(uint8(12), uint8(4), []byte{0, 1, 2, 3}, 2.0, 0.25, 1.0, 1, uint8(0), uint8(12), uint8(24), uint8(36), uint8(12), uint8(1))
	f.Add(uint8(12), uint8(4), []byte{0, 255, 2, 3}, 0.0, -1.0, 0.0, 3, uint8(0), uint8(0), uint8(1), uint8(5), uint8(11), uint8(0))
	f.Add(uint8(0), uint8(0), []byte{}, 1000.0, 1.0, 1e300, -1, uint8(0), uint8(0), uint8(0), uint8(0), uint8(0), uint8(1))
	f.Add(uint8(7), uint8(2), []byte{9}, math.NaN(), 2.0, -1.0, math.MaxInt, uint8(1), uint8(2), uint8(3), uint8(4), uint8(6), uint8(1))
	f.Add(uint8(12), uint8(12), []byte{0, 100, 50, 0}, 2.0, 0.25, 1.0, 1, uint8(0), uint8(12), uint8(24), uint8(36), uint8(12), uint8(2))
	f.Add(uint8(12), uint8(12), []byte{0, 101}, 2.3, 0.25, 1.0, 1, uint8(0), uint8(12), uint8(24), uint8(36), uint8(12), uint8(2))
	f.Add(uint8(12), uint8(3), []byte{1}, 2.0, 0.25, 1.0, 2, uint8(0), uint8(12), uint8(24), uint8(36), uint8(12), uint8(3))
	f.Fuzz(func(t *testing.T, logits, rows uint8, labels []byte, gamma, alpha, norm float64, workers int,
		atX, atDst, atDout, atLabel, lenDst, kind uint8) {
		a := arguments{int(logits), int(rows), labels, Params{gamma, alpha, norm, workers}, int(atX), int(atDst), int(atDout),
			int(atLabel), int(lenDst), kind}
		fuzzArguments[float32](t, a)
		fuzzArguments[float64](t, a)
	})
}

type arguments struct {
	logits, rows                int
	labels                      []byte // repeated for the rows, as int8; of dense targets in hundredths
	p                           Params
	atX, atDst, atDout, atLabel int // elements of the buffer; label in int32s
	lenDst                      int
	kind                        uint8 // of the target: Labels, ZeroBased, Dense, Dense of the other type, none
}

func fuzzArguments[T Float](t *testing.T, a arguments) {
	const size = 256 * 3
	buf := make([]T, size)
	for i := range buf {
		buf[i] = T(i%37) - 18
	}
	words := unsafe.Slice((*int32)(unsafe.Pointer(&buf[0])), size)
	label := words[a.atLabel : a.atLabel+a.rows]
	for i := range label {
		label[i] = 0
		if len(a.labels) > 0 {
			label[i] = int32(int8(a.labels[i%len(a.labels)]))
		}
	}
	x := buf[a.atX : a.atX+a.logits]
	dst := buf[a.atDst : a.atDst+a.lenDst]
	dout := buf[a.atDout : a.atDout+a.logits]
	apart := filled[T](a.lenDst) // a second output, that overlaps nothing
	var y Target
	switch a.kind % 5 {
	case 0:
		y = Labels(label)
	case 1:
		y = ZeroBased(label)
	case 2: // in the same memory, of as many elements as there were rows
		target := buf[a.atLabel : a.atLabel+a.rows]
		for i := range target {
			target[i] = 0
			if len(a.labels) > 0 {
				target[i] = T(int8(a.labels[i%len(a.labels)])) / 100
			}
		}
		y = Dense(target)
	case 3:
		if isFloat64[T]() {
			y = Dense(make([]float32, a.rows))
		} else {
			y = Dense(make([]float64, a.rows))
		}
	}

	before := slices.Clone(buf)
	for name, call := range map[string]func() error{
		"Loss":    func() error { return Loss(dst, x, y, a.p) },
		"Grad":    func() error { return Grad(dst, x, y, dout, a.p) },
		"Grad1":   func() error { return Grad(dst, x, y, nil, a.p) },
		"Sum":     func() error { _, err := Sum(x, y, a.p); return err },
		"Fused":   func() error { _, err := Fused(Out[T]{Loss: dst, Hess: apart}, x, y, a.p); return err },
		"Fused2":  func() error { _, err := Fused(Out[T]{Grad: dst, Hess: dout}, x, y, a.p); return err },
		"Sigmoid": func() error { return Sigmoid(dst, x) },
	} {
		copy(buf, before)
		for i := range apart {
			apart[i] = untouched
		}
		err := call()
		if err != nil {
			if !isSentinel(err) {
				t.Errorf("%s: an error without a name: %v", name, err)
			}
			requireSameBits(t, before, buf)
			requireUntouched(t, apart)
			continue
		}
		written := func(i int) bool {
			return name != "Sum" && i >= a.atDst && i < a.atDst+a.lenDst ||
				name == "Fused2" && i >= a.atDout && i < a.atDout+a.logits
		}
		for i := range buf {
			if !written(i) && !sameBits(before[i], buf[i]) {
				t.Errorf("%s: wrote element %d: %v, before %v", name, i, buf[i], before[i])
			}
		}
	}
}

func isSentinel(err error) bool {
	for _, e := range []error{ErrShape, ErrLabel, ErrTarget, ErrParam, ErrOverlap} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

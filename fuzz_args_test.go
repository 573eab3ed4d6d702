package focal

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/gofocal/focal/internal/coef"
)

// FuzzArguments cuts all slices from one buffer, so that they alias each other in every way, and calls every function.
// None may panic or write on an error or outside its outputs, each returns the error that its documentation promises, and
// overlaps that are allowed do not change a result.
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
		a := arguments{int(logits), int(rows), labels, Params{Gamma: gamma, Alpha: alpha, Norm: norm, Workers: workers}, int(atX), int(atDst), int(atDout),
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
	kind                        uint8 // of the target, mod 5: Labels, ZeroBased, Dense, Dense of the other type, none; 128: nil if empty
}

// fuzzMemory is the memory of a call: one buffer that all its slices are cut from.
type fuzzMemory[T Float] struct {
	buf          []T
	x, dst, dout []T
	apart        []T // a second output, that overlaps nothing
	y            Target
}

// placeArguments cuts the slices that the arguments describe from a buffer that is always the same. Empty ones may be nil.
func placeArguments[T Float](a *arguments, m *fuzzMemory[T]) {
	const size = 256 * 3
	m.buf = make([]T, size)
	for i := range m.buf {
		m.buf[i] = T(i%37) - 18
	}
	words := unsafe.Slice((*int32)(unsafe.Pointer(&m.buf[0])), size)
	value := func(i int) int8 {
		if len(a.labels) == 0 {
			return 0
		}
		return int8(a.labels[i%len(a.labels)])
	}
	label := words[a.atLabel : a.atLabel+a.rows]
	target := m.buf[a.atLabel : a.atLabel+a.rows] // in the same memory, of as many elements as there were rows
	switch a.kind % 5 {
	case 2:
		for i := range target {
			target[i] = T(value(i)) / 100
		}
		m.y = Dense(target)
	case 3:
		if !isFloat32[T]() {
			m.y = Dense(make([]float32, a.rows))
		} else {
			m.y = Dense(make([]float64, a.rows))
		}
	default:
		for i := range label {
			label[i] = int32(value(i))
		}
		if a.kind&128 != 0 && len(label) == 0 {
			label = nil
		}
		switch a.kind % 5 {
		case 0:
			m.y = Labels(label)
		case 1:
			m.y = ZeroBased(label)
		}
	}
	m.x = m.buf[a.atX : a.atX+a.logits]
	m.dst = m.buf[a.atDst : a.atDst+a.lenDst]
	m.dout = m.buf[a.atDout : a.atDout+a.logits]
	if a.kind&128 != 0 {
		for _, v := range []*[]T{&m.x, &m.dst, &m.dout} {
			if len(*v) == 0 {
				*v = nil
			}
		}
	}
	m.apart = filled[T](a.lenDst)
}

// A fuzzCall is a public function, and what it takes.
type fuzzCall[T Float] struct {
	name    string
	run     func(m *fuzzMemory[T], p Params) error
	outputs func(m *fuzzMemory[T]) []*[]T
	dout    bool // takes dout as an input
	bare    bool // takes neither targets nor parameters
	rows    bool // writes a number for each row
	norm    bool // does not look at Norm
}

func fuzzCalls[T Float]() []fuzzCall[T] {
	none := func(*fuzzMemory[T]) []*[]T { return nil }
	dst := func(m *fuzzMemory[T]) []*[]T { return []*[]T{&m.dst} }
	return []fuzzCall[T]{
		{name: "Loss", outputs: dst, run: func(m *fuzzMemory[T], p Params) error { return Loss(m.dst, m.x, m.y, p) }},
		{name: "Grad", outputs: dst, dout: true, run: func(m *fuzzMemory[T], p Params) error { return Grad(m.dst, m.x, m.y, m.dout, p) }},
		{name: "Grad of ones", outputs: dst, run: func(m *fuzzMemory[T], p Params) error { return Grad(m.dst, m.x, m.y, nil, p) }},
		{name: "Sum", outputs: none, run: func(m *fuzzMemory[T], p Params) error {
			sum, err := Sum(m.x, m.y, p)
			return zeroOnError(sum, err)
		}},
		{name: "Fused, Loss and Hess", outputs: func(m *fuzzMemory[T]) []*[]T { return []*[]T{&m.dst, &m.apart} },
			run: func(m *fuzzMemory[T], p Params) error {
				sum, err := Fused(Out[T]{Loss: m.dst, Hess: m.apart}, m.x, m.y, p)
				return zeroOnError(sum, err)
			}},
		{name: "Fused, Grad and Hess", outputs: func(m *fuzzMemory[T]) []*[]T { return []*[]T{&m.dst, &m.dout} },
			run: func(m *fuzzMemory[T], p Params) error {
				sum, err := Fused(Out[T]{Grad: m.dst, Hess: m.dout}, m.x, m.y, p)
				return zeroOnError(sum, err)
			}},
		{name: "Rows", outputs: dst, rows: true, run: func(m *fuzzMemory[T], p Params) error { return Rows(m.dst, m.x, m.y, p) }},
		{name: "Score", outputs: none, norm: true, run: func(m *fuzzMemory[T], p Params) error {
			part, err := Score(m.x, m.y, p)
			if err != nil && part != (Partial{}) {
				return errors.New("a partial sum beside an error")
			}
			return err
		}},
		{name: "Sigmoid", outputs: dst, bare: true, run: func(m *fuzzMemory[T], _ Params) error { return Sigmoid(m.dst, m.x) }},
	}
}

// rightError returns the error that the documentation promises, or nil: it asks for the mistakes in the order in which
// they are reported.
func rightError[T Float](a *arguments, c *fuzzCall[T], m *fuzzMemory[T]) error {
	p, logits := a.p, len(m.x)
	if c.norm {
		p.Norm = 1
	}
	if !c.bare {
		inf := math.Inf(1)
		if !(p.Gamma >= 0 && p.Gamma < inf) || !(p.Alpha >= 0 && p.Alpha <= 1 || p.Alpha == -1) || !(p.Norm >= 0 && p.Norm < inf) {
			return ErrParam
		}
		most := coef.Layout32.MaxWeight
		if !isFloat32[T]() {
			most = coef.Layout64.MaxWeight
		}
		weight := max(p.Alpha, 1-p.Alpha)
		if p.Alpha == -1 {
			weight = 1
		}
		if p.Norm != 0 && float64(T(weight/p.Norm)) > most {
			return ErrParam
		}
		switch kind := a.kind % 5; {
		case kind == 3 || kind == 4:
			return ErrTarget
		case kind == 2 && a.rows != logits:
			return ErrShape
		case kind < 2 && (a.rows == 0) != (logits == 0), kind < 2 && a.rows > 0 && logits%a.rows != 0:
			return ErrShape
		}
	}
	outputs := c.outputs(m)
	for _, out := range outputs {
		n := len(*out)
		switch {
		case c.rows && a.kind%5 < 2:
			if n != a.rows {
				return ErrShape
			}
		case c.rows:
			if (n == 0) != (logits == 0) || n > 0 && logits%n != 0 {
				return ErrShape
			}
		case n != logits && (*out != nil || !strings.HasPrefix(c.name, "Fused")): // a nil output of Fused is not wanted
			return ErrShape
		}
	}

	// Where slices are, in bytes of the buffer.
	size := int(unsafe.Sizeof(T(0)))
	type span struct{ from, to int }
	at := func(start, n, size int) span { return span{start * size, (start + n) * size} }
	meet := func(a, b span) bool { return a.from < b.to && b.from < a.to && a.from < a.to && b.from < b.to }
	x, dst, dout := at(a.atX, a.logits, size), at(a.atDst, a.lenDst, size), at(a.atDout, a.logits, size)
	label := at(a.atLabel, a.rows, 4)
	if a.kind%5 == 2 {
		label = at(a.atLabel, a.rows, size)
	}
	var written []span
	for _, out := range outputs {
		switch out {
		case &m.dst:
			written = append(written, dst)
		case &m.dout:
			written = append(written, dout)
		}
	}
	for i, w := range written {
		if meet(w, x) && w != x || !c.bare && meet(w, label) || c.dout && meet(w, dout) || i > 0 && meet(w, written[0]) {
			return ErrOverlap
		}
	}
	if c.bare {
		return nil
	}
	for i := range a.rows {
		v := 0
		if len(a.labels) > 0 {
			v = int(int8(a.labels[i%len(a.labels)]))
		}
		switch kind := a.kind % 5; {
		case kind == 2 && (v < 0 || v > 100):
			return ErrTarget
		case kind < 2 && v != -1 && (v < 0 || v > logits/a.rows):
			return ErrLabel
		}
	}
	return nil
}

func fuzzArguments[T Float](t *testing.T, a arguments) {
	var pristine fuzzMemory[T]
	placeArguments(&a, &pristine)
	for _, c := range fuzzCalls[T]() {
		var m fuzzMemory[T]
		placeArguments(&a, &m)
		want := rightError(&a, &c, &m)
		err := c.run(&m, a.p)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: the error is %v, want one that is %v: %+v", c.name, err, want, a)
			continue
		}
		if err != nil {
			requireSameBits(t, pristine.buf, m.buf)
			requireUntouched(t, m.apart)
			continue
		}

		// Nothing is written beside the outputs, and they are what they are without any overlap.
		alone := pristine
		var fresh []*[]T
		for _, out := range c.outputs(&alone) {
			if *out != nil {
				*out = make([]T, len(*out))
			}
			fresh = append(fresh, out)
		}
		if err := c.run(&alone, a.p); err != nil {
			t.Errorf("%s: %v, where nothing overlaps", c.name, err)
			continue
		}
		outputs := c.outputs(&m)
		for i, out := range outputs {
			requireSameBits(t, *fresh[i], *out)
		}
		for i := range m.buf {
			if sameBits(m.buf[i], pristine.buf[i]) {
				continue
			}
			inside := slices.ContainsFunc(outputs, func(out *[]T) bool { return len(*out) > 0 && within(*out, &m.buf[i]) })
			if !inside {
				t.Errorf("%s: wrote element %d: %v, before %v", c.name, i, m.buf[i], pristine.buf[i])
			}
		}
	}
}

// within reports whether p points to an element of v, which is not empty.
func within[T Float](v []T, p *T) bool {
	at, from := uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&v[0]))
	return at >= from && at < from+uintptr(len(v))*unsafe.Sizeof(*p)
}

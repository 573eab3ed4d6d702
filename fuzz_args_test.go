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

// FuzzArguments cuts all slices from one buffer, so they alias each other in every way, and calls every function.
// None may panic or write on an error or outside its outputs, each returns the error that its documentation promises, and
// overlaps that are allowed do not change a result.
func FuzzArguments(f *testing.F) {
	add := func(logits, rows uint8, labels string, gamma, alpha, norm float64, workers int, at string, lenDst, kind uint8,
		option uint16, atOption, lenOption uint8, weights string, planes int8, negGamma float64) {
		f.Add(logits, rows, []byte(labels), gamma, alpha, norm, workers, at[0], at[1], at[2], at[3], lenDst, kind,
			option, atOption, lenOption, []byte(weights), planes, negGamma)
	}
	nan := math.NaN()
	add(12, 4, "\x00\x01\x02\x03", 2, 0.25, 1, 1, "\x00\x0c\x18\x24", 12, 1, 0, 0, 0, "", 0, 0)
	add(12, 4, "\x00\xff\x02\x03", 0, -1, 0, 3, "\x00\x00\x01\x05", 11, 0, 0, 0, 0, "", 0, 0)
	add(0, 0, "", 1000, 1, 1e300, -1, "\x00\x00\x00\x00", 0, 1, 0, 0, 0, "", 0, 0)
	add(7, 2, "\x09", nan, 2, -1, math.MaxInt, "\x01\x02\x03\x04", 6, 1, 0, 0, 0, "", 0, 0)
	add(12, 12, "\x00\x64\x32\x00", 2, 0.25, 1, 1, "\x00\x0c\x18\x24", 12, 2, 0, 0, 0, "", 0, 0)
	add(12, 12, "\x00\x65", 2.3, 0.25, 1, 1, "\x00\x0c\x18\x24", 12, 2, 0, 0, 0, "", 0, 0)
	add(12, 3, "\x01", 2, 0.25, 1, 2, "\x00\x0c\x18\x24", 12, 3, 0, 0, 0, "", 0, 0)
	add(12, 2, "\x01", 2, 1, 1, 3, "\x00\x0c\x18\x24", 2, 1, 52, 44, 12, "\xf3", 1, 4) // weights of elements below 0, of negatives that have none
	for option := range uint16(8) {                                                    // each slice of an option, in its place, and on top of others
		add(12, 4, "\x01\x00\x02\xff", 2, 0.25, 1, 1, "\x00\x0c\x18\x24", 12, 0, option, 64, 4, "\x10\x00\x08", 2, 0)
		add(12, 4, "\x01\x00\x02\xff", 2, 0.25, 1, 1, "\x00\x0c\x18\x24", 12, 0, option|optionFrozen, 64, 3, "\x10\x00\x08", 0, 0)
		add(12, 12, "\x64\x00\x05", 2.3, 0.25, 1, 1, "\x00\x0c\x18\x24", 12, 2, option|optionIgnoring, 0, 12, "\x10\xff", 0, 0)
		add(12, 4, "\x01\x05", 2, 0.25, 1, 3, "\x00\x0c\x18\x24", 4, 1, option|optionIgnoring|optionNegGamma, 12, 12, "\x10", 1, 4)
	}
	f.Fuzz(func(t *testing.T, logits, rows uint8, labels []byte, gamma, alpha, norm float64, workers int,
		atX, atDst, atDout, atLabel, lenDst, kind uint8, option uint16, atOption, lenOption uint8, weights []byte, planes int8, negGamma float64) {
		p := Params{Gamma: gamma, Alpha: alpha, Norm: norm, Workers: workers, Frozen: option&optionFrozen != 0}
		if option&optionNegGamma != 0 {
			p.NegGamma = &negGamma
		}
		a := arguments{int(logits), int(rows), labels, p, int(atX), int(atDst), int(atDout), int(atLabel), int(lenDst), kind,
			option, int(atOption), int(lenOption), weights, int(planes)}
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

	option              uint16 // mod 8 which slice there is, and what else is said
	atOption, lenOption int
	weights             []byte // repeated for the option, as int8 in sixteenths
	planes              int    // 0: Planes is not called
}

// The values of arguments.option.
const (
	noOption = iota
	rowOption
	negOption
	posOption
	elementOption
	scoreOption // of QualityFocal and more: of a Quality that there is not
	alignedOption
	wrongOption

	optionFrozen   = 8
	optionNegGamma = 16
	optionIgnoring = 32 // 5 is the ignored value
	optionNaN      = 64
)

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
	placeOption(a, m.buf[a.atOption:a.atOption+a.lenOption], &m.y)
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

// placeOption fills in the slice of an option, and adds it and whatever else is said to a target.
func placeOption[T Float](a *arguments, w []T, y *Target) {
	if a.planes != 0 {
		*y = y.Planes(a.planes)
	}
	if a.option&optionIgnoring != 0 {
		*y = y.Ignoring(5)
	}
	if a.option&optionNaN != 0 {
		*y = y.IgnoringNaN()
	}
	option := a.option % 8
	if option == noOption {
		return
	}
	for i := range w {
		w[i] = 1
		if len(a.weights) > 0 {
			w[i] = T(int8(a.weights[i%len(a.weights)])) / 16
		}
	}
	switch option {
	case rowOption:
		*y = WeighRows(*y, w)
	case negOption:
		*y = WeighClasses(*y, w, nil)
	case posOption:
		*y = WeighClasses(*y, nil, w)
	case elementOption:
		*y = WeighElements(*y, w)
	default:
		*y = Scored(*y, w, map[uint16]Quality{scoreOption: QualityFocal, alignedOption: Aligned, wrongOption: 3}[option])
	}
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
		{name: "Fused, Curv", outputs: dst, run: func(m *fuzzMemory[T], p Params) error {
			sum, err := Fused(Out[T]{Curv: m.dst}, m.x, m.y, p)
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
		{name: "LogSigmoid", outputs: dst, bare: true, run: func(m *fuzzMemory[T], p Params) error {
			return Parallel(m.dst, m.x, LogSigmoid, min(p.Workers, 8))
		}},
	}
}

// rightError returns the error that the documentation promises, or nil: it asks for the mistakes in the order in which
// they are reported.
func rightError[T Float](a *arguments, c *fuzzCall[T], m *fuzzMemory[T]) error {
	if !c.bare {
		if err := rightParamError(a, c, m); err != nil {
			return err
		}
		if err := rightShapeError(a, m); err != nil {
			return err
		}
	}
	logits, labels, size := len(m.x), a.kind%5 < 2, max(1, a.planes)
	outputs := c.outputs(m)
	for _, out := range outputs {
		n := len(*out)
		switch {
		case c.rows && labels:
			if n != a.rows {
				return ErrShape
			}
		case c.rows:
			rows := n
			switch a.option % 8 {
			case rowOption:
				rows = a.lenOption
			case negOption, posOption:
				rows = logits / max(1, a.lenOption)
			}
			if (n == 0) != (logits == 0) || n > 0 && (logits%n != 0 || n%size != 0 || n != rows) {
				return ErrShape
			}
		case n != logits && (*out != nil || !strings.HasPrefix(c.name, "Fused")): // a nil output of Fused is not wanted
			return ErrShape
		}
	}

	// Where slices are, in bytes of the buffer.
	bytes := int(unsafe.Sizeof(T(0)))
	type span struct{ from, to int }
	at := func(start, n, size int) span { return span{start * size, (start + n) * size} }
	meet := func(a, b span) bool { return a.from < b.to && b.from < a.to && a.from < a.to && b.from < b.to }
	x, dst, dout := at(a.atX, a.logits, bytes), at(a.atDst, a.lenDst, bytes), at(a.atDout, a.logits, bytes)
	label, option := at(a.atLabel, a.rows, 4), at(a.atOption, a.lenOption, bytes)
	if a.kind%5 == 2 {
		label = at(a.atLabel, a.rows, bytes)
	}
	if a.option%8 == noOption {
		option = span{}
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
		if meet(w, x) && w != x || !c.bare && (meet(w, label) || meet(w, option)) || c.dout && meet(w, dout) || i > 0 && meet(w, written[0]) {
			return ErrOverlap
		}
	}
	if c.bare {
		return nil
	}
	return rightValueError(a, c, m)
}

func rightParamError[T Float](a *arguments, c *fuzzCall[T], m *fuzzMemory[T]) error {
	p := a.p
	if c.norm {
		p.Norm = 1
	}
	finite := func(v float64) bool { return v >= 0 && v < math.Inf(1) }
	if !finite(p.Gamma) || p.NegGamma != nil && !finite(*p.NegGamma) || !(p.Alpha >= 0 && p.Alpha <= 1 || p.Alpha == -1) || !finite(p.Norm) {
		return ErrParam
	}
	scored := a.option%8 >= scoreOption
	if scored && p.NegGamma != nil && *p.NegGamma != p.Gamma {
		return ErrTarget
	}
	most := coef.Layout32.MaxWeight
	if !isFloat32[T]() {
		most = coef.Layout64.MaxWeight
	}
	weight := max(p.Alpha, 1-p.Alpha)
	if p.Alpha == -1 || scored {
		weight = 1
	}
	if p.Norm != 0 && float64(T(weight/p.Norm)) > most {
		return ErrParam
	}
	return nil
}

func rightShapeError[T Float](a *arguments, m *fuzzMemory[T]) error {
	logits, size, option := len(m.x), max(1, a.planes), a.option%8
	kind, n, c := a.kind%5, a.lenOption, 0
	rows := a.rows
	switch {
	case kind == 4 || a.planes < 0 || kind == 3:
		return ErrTarget
	case kind == 2:
		if a.rows != logits || logits%size != 0 {
			return ErrShape
		}
		rows = 0
		switch {
		case logits == 0:
		case option == rowOption:
			if n == 0 || n%size != 0 || logits%n != 0 {
				return ErrShape
			}
			rows, c = n, logits/n
		case option == negOption || option == posOption:
			if n == 0 || logits/size%n != 0 {
				return ErrShape
			}
			rows, c = logits/n, n
		}
	case rows%size != 0 || (rows == 0) != (logits == 0) || rows > 0 && logits%rows != 0:
		return ErrShape
	case rows > 0:
		c = logits / rows
	}
	switch option {
	case rowOption:
		if n != rows {
			return ErrShape
		}
	case negOption, posOption:
		if c > 0 && n != c {
			return ErrShape
		}
	case elementOption:
		if n != logits {
			return ErrShape
		}
	case scoreOption, alignedOption, wrongOption:
		if kind == 2 || option == wrongOption {
			return ErrTarget
		}
		if n != rows {
			return ErrShape
		}
	}
	return nil
}

// rightValueError looks at the memory, in which slices may be on top of each other.
func rightValueError[T Float](a *arguments, c *fuzzCall[T], m *fuzzMemory[T]) error {
	ignore, zeroBased := int32(-1), 0
	if a.option&optionIgnoring != 0 {
		ignore = 5
	}
	if a.kind%5 == 1 {
		zeroBased = 1
	}
	w := m.buf[a.atOption : a.atOption+a.lenOption]
	if a.kind%5 < 2 {
		label := unsafe.Slice((*int32)(unsafe.Pointer(&m.buf[0])), len(m.buf))[a.atLabel : a.atLabel+a.rows]
		for _, v := range label {
			if v != ignore && (v < 0 || int(v) > len(m.x)/a.rows) {
				return ErrLabel
			}
		}
		for i, v := range label {
			isClass := v != ignore && int(v) >= 1-zeroBased && int(v) <= len(m.x)/a.rows-zeroBased
			if a.option%8 >= scoreOption && isClass && !(w[i] >= 0 && w[i] <= 1) {
				return ErrTarget
			}
		}
	} else {
		target := m.buf[a.atLabel : a.atLabel+a.rows]
		for i, v := range target {
			gone := a.option&optionNaN != 0 && v != v || a.option&optionIgnoring != 0 && v == 5
			if !gone && !(v >= 0 && v <= 1) {
				return ErrTarget
			}
			if p := a.p; !gone && v != 0 && v != 1 && p.NegGamma != nil && *p.NegGamma != p.Gamma && i >= 0 {
				return ErrTarget
			}
		}
	}
	if option := a.option % 8; option != noOption && option < scoreOption {
		p := a.p
		if c.norm {
			p.Norm = 1
		}
		pos, neg := classWeights[T](p.Alpha, p.norm())
		base := max(pos, neg)
		switch option {
		case negOption:
			base = neg
		case posOption:
			base = pos
		}
		for _, v := range w {
			if most := constantsOf[T]().MaxWeight; !(v >= 0) || float64(v) > most || float64(v)*float64(base) > most {
				return ErrTarget
			}
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

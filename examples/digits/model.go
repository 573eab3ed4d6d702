package main

import (
	"math"
	"math/rand/v2"

	"github.com/gofocal/focal"
)

const momentum = 0.9

// A layer is y = W·x + b, with what SGD with momentum needs to train it.
type layer struct {
	in, out int
	w, b    param // w is [out, in]
}

// A param is a tensor that is learned.
type param struct{ val, grad, vel []float32 }

func newParam(n int) param {
	return param{make([]float32, n), make([]float32, n), make([]float32, n)}
}

// step moves the parameters against the gradient, and clears the gradient for the next batch.
func (p param) step(rate float32) {
	for i, g := range p.grad {
		p.vel[i] = float32(momentum*p.vel[i]) + g
		p.val[i] -= float32(rate * p.vel[i])
	}
	clear(p.grad)
}

// A network is a stack of layers with a ReLU between each two of them. With a single layer it is linear.
type network struct {
	layers []layer
	act    [][]float32 // act[k] is the input of layer k, of the last forward pass; the last one is the logits
	delta  [][]float32 // delta[k] is the gradient with respect to act[k]
}

// newNetwork makes a network of the given layer sizes, such as 64, 10. The weights are drawn uniformly, with the
// variance 2/in that keeps the scale of the activations through a ReLU; the biases are zero.
func newNetwork(rng *rand.Rand, sizes ...int) *network {
	m := &network{act: make([][]float32, len(sizes)), delta: make([][]float32, len(sizes))}
	for k, in := range sizes[:len(sizes)-1] {
		out := sizes[k+1]
		l := layer{in, out, newParam(in * out), newParam(out)}
		limit := math.Sqrt(6 / float64(in))
		for i := range l.w.val {
			l.w.val[i] = float32(limit * (2*rng.Float64() - 1))
		}
		m.layers = append(m.layers, l)
	}
	return m
}

// setPrior makes every logit start at log(π/(1-π)): the network then begins by finding each class with probability π
// everywhere. Without it, the first steps would do nothing but unlearn one half, under the gradient of all the
// background at once (Lin et al., Focal Loss for Dense Object Detection, section 3.3).
func (m *network) setPrior(pi float64) {
	last := m.layers[len(m.layers)-1]
	clear(last.w.val)
	for j := range last.b.val {
		last.b.val[j] = float32(math.Log(pi / (1 - pi)))
	}
}

// forward returns the logits, [rows, classes], of the rows of x. They are valid until the next call.
func (m *network) forward(x []float32) []float32 {
	rows := len(x) / m.layers[0].in
	m.act[0] = x
	for k, l := range m.layers {
		y := resize(m.act[k+1], rows*l.out)
		for i := range rows {
			in, out := m.act[k][i*l.in:][:l.in], y[i*l.out:][:l.out]
			for j := range out {
				out[j] = l.b.val[j] + dot(l.w.val[j*l.in:][:l.in], in)
			}
		}
		if k+1 < len(m.layers) {
			for i, v := range y {
				y[i] = max(v, 0)
			}
		}
		m.act[k+1] = y
	}
	return m.act[len(m.layers)]
}

// backward adds the gradient of every parameter, given that of the logits of the last forward pass.
func (m *network) backward(dlogits []float32) {
	m.delta[len(m.layers)] = dlogits
	for k := len(m.layers) - 1; k >= 0; k-- {
		l := m.layers[k]
		x, dy := m.act[k], m.delta[k+1]
		for i := range len(x) / l.in {
			in := x[i*l.in:][:l.in]
			for j, d := range dy[i*l.out:][:l.out] {
				if d != 0 { // it is, in ignored rows and behind a ReLU
					axpy(l.w.grad[j*l.in:][:l.in], d, in)
					l.b.grad[j] += d
				}
			}
		}
		if k == 0 {
			break // nobody asks for the gradient of the pixels
		}
		dx := resize(m.delta[k], len(x))
		clear(dx)
		for i := range len(x) / l.in {
			for j, d := range dy[i*l.out:][:l.out] {
				if d != 0 {
					axpy(dx[i*l.in:][:l.in], d, l.w.val[j*l.in:][:l.in])
				}
			}
		}
		for i, v := range x {
			if v == 0 { // the ReLU was shut
				dx[i] = 0
			}
		}
		m.delta[k] = dx
	}
}

// train takes one step of SGD with momentum on a batch, and returns its loss. This is all that a training loop has to
// do with package focal: count the foreground, and ask for the sum of the loss and its gradient in one pass.
func (m *network) train(x []float32, label []int32, p focal.Params, rate float32) (float64, error) {
	logits := m.forward(x)
	last := len(m.layers)
	m.delta[last] = resize(m.delta[last], len(logits))

	p.Norm = float64(focal.FgNum(label))
	loss, err := focal.Fused(focal.Out[float32]{Grad: m.delta[last]}, logits, focal.Labels(label), p)
	if err != nil {
		return 0, err
	}

	m.backward(m.delta[last])
	for _, l := range m.layers {
		l.w.step(rate)
		l.b.step(rate)
	}
	return loss, nil
}

// accuracy is the part of the rows whose largest logit is that of their class.
func (m *network) accuracy(x []float32, label []int32) float64 {
	logits := m.forward(x)
	hits := 0
	for i, class := range label {
		row := logits[i*classes:][:classes]
		best := 0
		for j, v := range row {
			if v > row[best] {
				best = j
			}
		}
		if int32(best)+1 == class {
			hits++
		}
	}
	return float64(hits) / float64(len(label))
}

// The products below are converted explicitly, which forbids the compiler to fuse them into multiply-adds. So every
// architecture computes the same bits, as package focal does, and prints the same table.

// dot is the inner product of two slices of one length, which is a multiple of four. It keeps four sums, because an
// addition has to wait for the one before it.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	for i := 0; i < len(a)-3; i += 4 {
		s0 += float32(a[i] * b[i])
		s1 += float32(a[i+1] * b[i+1])
		s2 += float32(a[i+2] * b[i+2])
		s3 += float32(a[i+3] * b[i+3])
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy adds a·x to y.
func axpy(y []float32, a float32, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float32(a * v)
	}
}

// resize returns a slice of length n, s itself if it is long enough. Its contents are arbitrary.
func resize(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

package main

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
)

func init() {
	add("focal", ours[float32], ours[float64])
	for _, path := range []string{"avx2", "generic"} {
		if focal.Path() != path && slices.Contains(control.Paths(), path) {
			name := "focal-" + path
			add(name, ours[float32], ours[float64])
			during[name] = func() (end func()) { return control.SetPath(path) }
		}
	}
	add("go", plain[float32], plain[float64])
}

func add(name string, f32 peer[float32], f64 peer[float64]) {
	peers[name] = struct {
		f32 peer[float32]
		f64 peer[float64]
	}{f32, f64}
}

// ours calls focal, on the path in use.
func ours[T focal.Float](b *batch[T]) (func() error, func(), error) {
	p := focal.Params{Gamma: b.gamma, Alpha: alpha, Norm: 1, Workers: b.threads}
	y, n, err := targetOf(b, &p)
	if err != nil {
		return nil, nil, err
	}
	x, loss := b.x[:n], b.loss[:n]
	if b.grad == nil {
		return func() error { return focal.Loss(loss, x, y, p) }, nil, nil
	}
	out := focal.Out[T]{Loss: loss, Grad: b.grad[:n]}
	return func() error {
		_, err := focal.Fused(out, x, y, p)
		return err
	}, nil, nil
}

// targetOf returns the target of a case and the number of logits that it is for: the labels; "…@C", other labels, half of
// them foreground, for as many rows of C classes as there are logits for; "soft" and "hard", a value for each element; "…:option",
// see options.go.
func targetOf[T focal.Float](b *batch[T], p *focal.Params) (y focal.Target, n int, err error) {
	kind, classes, reshaped := strings.Cut(b.op, "@")
	n = len(b.x)
	switch {
	case strings.Contains(kind, ":"):
		if optionTarget == nil {
			return y, 0, errors.New("it has no options")
		}
		return optionTarget(b, p)
	case reshaped:
		label, n, err := reshape(b, classes)
		return focal.Labels(label), n, err
	case kind == "soft":
		return focal.Dense(some(n, func(i int) T { return T(1+i*619%1021) / 1023 })), n, nil
	case kind == "hard":
		return focal.Dense(hard(b)), n, nil
	}
	return focal.Labels(b.label), n, nil
}

// optionTarget does it for "…:option", of a *batch. It is nil in the first edition, which has no options.
var optionTarget func(b any, p *focal.Params) (focal.Target, int, error)

// reshape returns labels for as many rows of so many classes as there are logits for, and for how many logits that is.
func reshape[T focal.Float](b *batch[T], classes string) (label []int32, n int, err error) {
	c, err := strconv.Atoi(classes)
	if err != nil {
		return nil, 0, err
	}
	label = some(len(b.x)/c, func(i int) int32 {
		if i*7%13%2 == 0 {
			return int32(1 + i*31%c)
		}
		return 0
	})
	return label, c * len(label), nil
}

func some[T any](n int, value func(i int) T) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = value(i)
	}
	return v
}

// hard returns the labels as a value for each element.
func hard[T focal.Float](b *batch[T]) []T {
	dense := make([]T, len(b.x))
	for i, v := range b.label {
		if v > 0 {
			dense[i*b.cols+int(v)-1] = 1
		}
	}
	return dense
}

// plain is the loop that one writes with package math.
func plain[T focal.Float](b *batch[T]) (func() error, func(), error) {
	if b.threads > 1 {
		return nil, nil, errOneThread
	}
	return func() error {
		for i, label := range b.label {
			for j := range b.cols {
				k := i*b.cols + j
				u, w, sign := float64(b.x[k]), 1-alpha, 1.0
				if int(label) == j+1 {
					u, w, sign = -u, alpha, -1
				}
				e := math.Exp(-math.Abs(u))
				s, q := 1/(1+e), e/(1+e)
				if u < 0 {
					s, q = q, s
				}
				softplus := max(u, 0) + math.Log1p(e)
				power := s * s
				if b.gamma != 2 {
					power = math.Pow(s, b.gamma)
				}
				b.loss[k] = T(w * power * softplus)
				if b.grad != nil {
					b.grad[k] = T(sign * w * power * (s + b.gamma*q*softplus))
				}
			}
		}
		return nil
	}, nil, nil
}

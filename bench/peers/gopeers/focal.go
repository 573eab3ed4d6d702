package main

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
)

func init() {
	add("focal", ours[float32](""), ours[float64](""))
	for _, path := range []string{"avx2", "generic"} {
		if focal.Path() != path && slices.Contains(control.Paths(), path) {
			add("focal-"+path, ours[float32](path), ours[float64](path))
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

// ours calls focal, on the given path, or on the one that it takes itself.
func ours[T focal.Float](path string) peer[T] {
	return func(b *batch[T]) (func() error, func(), error) {
		p := focal.Params{Gamma: b.gamma, Alpha: alpha, Norm: 1, Workers: b.threads}
		y, n, err := targetOf(b)
		if err != nil {
			return nil, nil, err
		}
		x, loss := b.x[:n], b.loss[:n]
		call := func() error { return focal.Loss(loss, x, y, p) }
		if b.grad != nil {
			out := focal.Out[T]{Loss: loss, Grad: b.grad[:n]}
			call = func() error {
				_, err := focal.Fused(out, x, y, p)
				return err
			}
		}
		if path == "" {
			return call, nil, nil
		}
		return func() error {
			defer control.SetPath(path)()
			return call()
		}, nil, nil
	}
}

// targetOf returns the target of a case and the number of logits that it is for: the labels; "…@C", other labels, half of
// them foreground, for as many rows of C classes as there are logits for; "soft" and "hard", a value for each element.
func targetOf[T focal.Float](b *batch[T]) (focal.Target, int, error) {
	kind, classes, reshaped := strings.Cut(b.op, "@")
	dense := make([]T, len(b.x))
	switch {
	case reshaped:
		c, err := strconv.Atoi(classes)
		if err != nil {
			return focal.Target{}, 0, err
		}
		label := make([]int32, len(b.x)/c)
		for i := range label {
			if i*7%13%2 == 0 {
				label[i] = int32(1 + i*31%c)
			}
		}
		return focal.Labels(label), len(label) * c, nil
	case kind == "soft":
		for i := range dense {
			dense[i] = T(1+i*619%1021) / 1023
		}
	case kind == "hard":
		for i, v := range b.label {
			if v > 0 {
				dense[i*b.cols+int(v)-1] = 1
			}
		}
	default:
		return focal.Labels(b.label), len(b.x), nil
	}
	return focal.Dense(dense), len(b.x), nil
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

package main

import (
	"math"
	"slices"

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
		y := focal.Labels(b.label)
		call := func() error { return focal.Loss(b.loss, b.x, y, p) }
		if b.grad != nil {
			call = func() error {
				_, err := focal.Fused(focal.Out[T]{Loss: b.loss, Grad: b.grad}, b.x, y, p)
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

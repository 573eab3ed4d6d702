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
		y, n, err := targetOf(b, &p)
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
// them foreground, for as many rows of C classes as there are logits for; "soft" and "hard", a value for each element. "…:option" is
// the operation with an option of the target or of p, see optionOf.
func targetOf[T focal.Float](b *batch[T], p *focal.Params) (y focal.Target, n int, err error) {
	op, classes, reshaped := strings.Cut(b.op, "@")
	_, option, _ := strings.Cut(op, ":")
	if reshaped {
		c, err := strconv.Atoi(classes)
		if err != nil {
			return y, 0, err
		}
		label := make([]int32, len(b.x)/c)
		for i := range label {
			if i*7%13%2 == 0 {
				label[i] = int32(1 + i*31%c)
			}
		}
		y, err = labelsOf(label, option)
		return y, len(label) * c, err
	}
	n = len(b.x)
	switch {
	case op == "soft":
		return focal.Dense(some(n, func(i int) T { return T(1+i*619%1021) / 1023 })), n, nil
	case op == "hard":
		return focal.Dense(hard(b)), n, nil
	}
	y, err = optionOf(b, p, option)
	return y, n, err
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

// labelsOf returns labels of a type.
func labelsOf(label []int32, typ string) (focal.Target, error) {
	switch typ {
	case "":
		return focal.Labels(label), nil
	case "int64":
		return focal.Labels(some(len(label), func(i int) int64 { return int64(label[i]) })), nil
	case "int":
		return focal.Labels(some(len(label), func(i int) int { return int(label[i]) })), nil
	case "uint8":
		return focal.Labels(some(len(label), func(i int) uint8 { return uint8(label[i]) })), nil
	}
	return focal.Target{}, errors.New("there are no labels of " + typ)
}

// optionOf returns the target of the data with an option, or changes p.
func optionOf[T focal.Float](b *batch[T], p *focal.Params, option string) (focal.Target, error) {
	y := focal.Labels(b.label)
	weight := func(i int) T { return T(1+i*619%1021) / 512 }
	oneIn100 := func(v T) focal.Target {
		dense := hard(b)
		for i := range dense {
			if uint32(i)*2654435761>>16%100 == 7 {
				dense[i] = v
			}
		}
		return focal.Dense(dense)
	}
	sparse := focal.Labels(some(b.rows, func(i int) int32 {
		if i%20 == 0 {
			return 1 + int32(i*31%b.cols)
		}
		return 0
	}))
	score := some(b.rows, func(i int) T { return T(1+i*619%1021) / 1023 })
	switch option {
	case "":
		return y, nil
	case "rows":
		return focal.WeighRows(y, some(b.rows, weight)), nil
	case "classes":
		return focal.WeighClasses(y, some(b.cols, weight), some(b.cols, weight)), nil
	case "elements":
		return focal.WeighElements(y, some(len(b.x), weight)), nil
	case "alpha0":
		p.Alpha = 0
		return y, nil
	case "alpha1":
		p.Alpha = 1
		return y, nil
	case "gamma0":
		p.Gamma = 0
		return y, nil
	case "sparse":
		return sparse, nil
	case "varifocal":
		return focal.Scored(sparse, score, focal.Varifocal), nil
	case "quality":
		return focal.Scored(sparse, score, focal.QualityFocal), nil
	case "dense":
		return focal.Dense(hard(b)), nil
	case "soft1":
		return oneIn100(0.3), nil
	case "ignored":
		return oneIn100(-100).Ignoring(-100), nil
	case "ignoredNaN":
		return oneIn100(T(math.NaN())).IgnoringNaN(), nil
	}
	return focal.Target{}, errors.New("there is no option " + option)
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

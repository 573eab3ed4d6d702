package main

import (
	"errors"
	"fmt"

	"github.com/viterin/vek"
	"github.com/viterin/vek/vek32"
)

func init() {
	add("vek", viaVek, func(*batch[float64]) (func() error, func(), error) {
		return nil, nil, errors.New("vek has Exp and Log for float32 alone")
	})
}

func info() string {
	return fmt.Sprintf("; vek accelerated: %v", vek.Info().Acceleration)
}

// viaVek composes the loss of vek's functions, in pieces that stay in the first-level cache. Vek has no log1p and no
// way to choose by sign, so s is 1/(1+exp(-u)) and the logarithm that of 1+exp(-|u|).
func viaVek(b *batch[float32]) (func() error, func(), error) {
	const piece = 1024
	if b.threads > 1 {
		return nil, nil, errOneThread
	}
	n := len(b.x)
	sign, weight := make([]float32, n), make([]float32, n)
	targets := func() {
		for i := range sign {
			sign[i], weight[i] = 1, 1-alpha
		}
		for i, label := range b.label {
			if label > 0 {
				k := i*b.cols + int(label) - 1
				sign[k], weight[k] = -1, alpha
			}
		}
	}
	targets()
	gamma := float32(b.gamma)
	var buf [5][piece]float32
	call := func() error {
		for from := 0; from < n; from += piece {
			to := min(from+piece, n)
			u, l, s, power, q := buf[0][:to-from], buf[1][:to-from], buf[2][:to-from], buf[3][:to-from], buf[4][:to-from]
			vek32.Mul_Into(u, b.x[from:to], sign[from:to])

			vek32.Abs_Into(l, u) // log(1+exp(-|u|))
			vek32.Neg_Inplace(l)
			vek32.Exp_Inplace(l)
			vek32.AddNumber_Inplace(l, 1)
			vek32.Log_Inplace(l)

			vek32.Neg_Into(s, u) // 1/(1+exp(-u))
			vek32.Exp_Inplace(s)
			vek32.AddNumber_Inplace(s, 1)
			vek32.Inv_Inplace(s)

			if gamma == 2 {
				vek32.Mul_Into(power, s, s)
			} else { // exp(γ·log s)
				vek32.MinimumNumber_Into(power, u, 0)
				vek32.Sub_Inplace(power, l)
				vek32.MulNumber_Inplace(power, gamma)
				vek32.Exp_Inplace(power)
			}
			vek32.Mul_Inplace(power, weight[from:to])
			vek32.MaximumNumber_Inplace(u, 0)
			vek32.Add_Inplace(l, u)
			vek32.Mul_Into(b.loss[from:to], power, l)
			if b.grad == nil {
				continue
			}
			vek32.Neg_Into(q, s) // power·(s + γ·(1-s)·l)
			vek32.AddNumber_Inplace(q, 1)
			vek32.Mul_Inplace(q, l)
			vek32.MulNumber_Inplace(q, gamma)
			vek32.Add_Inplace(q, s)
			vek32.Mul_Inplace(q, power)
			vek32.Mul_Into(b.grad[from:to], q, sign[from:to])
		}
		return nil
	}
	return call, targets, nil
}

// Command float32 calls all that a program that uses float32 alone would, for the test of how much assembly it links.
package main

import "github.com/gofocal/focal"

func main() {
	x, dense := make([]float32, 80), make([]float32, 80)
	out := focal.Out[float32]{Loss: x, Grad: dense, Hess: dense}
	for _, y := range []focal.Target{focal.Labels([]int32{0}), focal.Dense(dense)} {
		for _, gamma := range []float64{0, 2, 2.5} {
			p := focal.Params{Gamma: gamma, Alpha: focal.NoAlpha}
			focal.Fused(out, x, y, p)
			focal.Grad(x, x, y, dense, p)
		}
	}
	focal.Sigmoid(x, x)
}

package focalgonum_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"

	focalgonum "github.com/gofocal/focal/adapters/gonum"

	"github.com/gofocal/focal"
)

// Logistic regression: one row in a hundred is of the class. L-BFGS of package optimize asks for loss and gradient.
func Example() {
	const rows, features, every = 2000, 3, 100
	rng := rand.New(rand.NewPCG(1, 2))
	input := mat.NewDense(rows, features, nil)
	label := make([]int32, rows)
	for i := range rows {
		if i%every == 0 {
			label[i] = 1
		}
		input.Set(i, 0, 1) // the bias
		for j := 1; j < features; j++ {
			input.Set(i, j, rng.NormFloat64()+2.5*float64(label[i]))
		}
	}
	p := focal.Default()
	p.Norm = float64(focal.FgNum(label))
	y := focal.Labels(label)

	var logits, grad mat.Dense
	evaluate := func(weights []float64, gradient []float64) float64 {
		logits.Mul(input, mat.NewDense(features, 1, weights))
		sum, err := focalgonum.Fused(focalgonum.Out[*mat.Dense]{Grad: &grad}, &logits, y, p)
		if err != nil {
			log.Fatal(err)
		}
		if gradient != nil {
			mat.NewDense(features, 1, gradient).Mul(input.T(), &grad)
		}
		return sum
	}
	problem := optimize.Problem{
		Func: func(weights []float64) float64 { return evaluate(weights, nil) },
		Grad: func(gradient, weights []float64) { evaluate(weights, gradient) },
	}
	start := make([]float64, features)
	result, err := optimize.Minimize(problem, start, nil, &optimize.LBFGS{})
	if err != nil {
		log.Fatal(err)
	}

	found, raised := 0, 0
	logits.Mul(input, mat.NewDense(features, 1, result.X))
	for i, v := range label {
		if logits.At(i, 0) > 0 {
			raised++
			found += int(v)
		}
	}
	fmt.Printf("loss %.2f at first, %.2f at last\n", evaluate(start, nil), result.F)
	fmt.Printf("%d of %d rows found, with %d false alarms\n", found, focal.FgNum(label), raised-found)
	// Output:
	// loss 12.91 at first, 0.14 at last
	// 14 of 20 rows found, with 0 false alarms
}

package focalspago_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"
	"github.com/nlpodyssey/spago/nn"
	"github.com/nlpodyssey/spago/optimizers/adam"

	focalspago "github.com/gofocal/focal/adapters/spago"

	"github.com/gofocal/focal"
)

// Logistic regression with Adam: one row in fifty is of the class.
func Example() {
	const rows, features, every = 1000, 3, 50
	rng := rand.New(rand.NewPCG(1, 2))
	input, label := make([]float64, 0, rows*features), make([]int32, rows)
	for i := range rows {
		if i%every == 0 {
			label[i] = 1
		}
		input = append(input, 1) // the bias
		for range features - 1 {
			input = append(input, rng.NormFloat64()+2.5*float64(label[i]))
		}
	}
	p := focal.Default()
	p.Norm = float64(focal.FgNum(label))

	weights := nn.NewParam(mat.NewDense[float64](mat.WithShape(features, 1)))
	config := adam.NewDefaultConfig()
	config.StepSize = 0.1
	optimizer := adam.New(config) // used by itself: in spaGO v1.1.0 Optimizer.Optimize returns before it is done
	x := mat.NewDense[float64](mat.WithBacking(input), mat.WithShape(rows, features))
	for step := range 301 {
		cost, err := focalspago.Sum(ag.Mul(x, weights), focal.Labels(label), p)
		if err != nil {
			log.Fatal(err)
		}
		if step%100 == 0 {
			fmt.Printf("step %3d  loss %.2f\n", step, cost.Item().F64())
		}
		if err := ag.Backward(cost); err != nil {
			log.Fatal(err)
		}
		if err := optimizer.OptimizeParams(weights); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// step   0  loss 6.41
	// step 100  loss 0.15
	// step 200  loss 0.15
	// step 300  loss 0.15
}

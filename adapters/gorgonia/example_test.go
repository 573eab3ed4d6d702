package focalgorgonia_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	focalgorgonia "github.com/gofocal/focal/adapters/gorgonia"

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

	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(rows, features), tensor.WithBacking(input))))
	y := gorgonia.NewVector(g, tensor.Int32, gorgonia.WithName("label"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(rows), tensor.WithBacking(label))))
	weights := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("weights"), gorgonia.WithShape(features, 1),
		gorgonia.WithInit(gorgonia.Zeroes()))

	logits := gorgonia.Must(gorgonia.Mul(x, weights))
	loss, err := focalgorgonia.Loss(logits, y, focal.Labels, p)
	if err != nil {
		log.Fatal(err)
	}
	cost := gorgonia.Must(gorgonia.Sum(loss))
	if _, err := gorgonia.Grad(cost, weights); err != nil {
		log.Fatal(err)
	}

	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(weights))
	defer vm.Close()
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.1))
	for step := range 301 {
		if err := vm.RunAll(); err != nil {
			log.Fatal(err)
		}
		if step%100 == 0 {
			fmt.Printf("step %3d  loss %.2f\n", step, cost.Value().Data())
		}
		if err := solver.Step([]gorgonia.ValueGrad{weights}); err != nil {
			log.Fatal(err)
		}
		vm.Reset()
	}
	// Output:
	// step   0  loss 6.41
	// step 100  loss 0.18
	// step 200  loss 0.16
	// step 300  loss 0.15
}

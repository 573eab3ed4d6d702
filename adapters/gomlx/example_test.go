package focalgomlx_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego"
	. "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	focalgomlx "github.com/gofocal/focal/adapters/gomlx"

	"github.com/gofocal/focal"
)

// Logistic regression by gradient descent: one row in fifty is of the class.
func Example() {
	const n, features, every = 1000, 3, 50
	rng := rand.New(rand.NewPCG(1, 2))
	data, label := make([]float32, 0, n*features), make([]int32, n)
	for i := range n {
		if i%every == 0 {
			label[i] = 1
		}
		data = append(data, 1) // the bias
		for range features - 1 {
			data = append(data, float32(rng.NormFloat64()+2.5*float64(label[i])))
		}
	}
	p := focal.Default()
	p.Norm = float64(focal.FgNum(label))

	backend, err := backends.NewWithConfig("go")
	if err != nil {
		log.Fatal(err)
	}
	model := func(x, w *Node) *Node { return MatMul(x, w) }
	forward, err := NewExec(backend, model)
	if err != nil {
		log.Fatal(err)
	}
	update, err := NewExec(backend, func(x, w, d *Node) *Node {
		cost := focalgomlx.Surrogate(model(x, w), d)
		return Sub(w, MulScalar(Gradient(cost, w)[0], 0.5))
	})
	if err != nil {
		log.Fatal(err)
	}

	x := tensors.FromFlatDataAndDimensions(data, n, features)
	w := tensors.FromFlatDataAndDimensions(make([]float32, features), features, 1)
	for step := range 301 {
		logits, err := forward.Exec1(x, w)
		if err != nil {
			log.Fatal(err)
		}
		loss, d, err := focalgomlx.Fused(logits, focal.Labels(label), p)
		if err != nil {
			log.Fatal(err)
		}
		if step%100 == 0 {
			fmt.Printf("step %3d  loss %.2f\n", step, loss)
		}
		if w, err = update.Exec1(x, w, d); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// step   0  loss 6.41
	// step 100  loss 0.15
	// step 200  loss 0.14
	// step 300  loss 0.14
}

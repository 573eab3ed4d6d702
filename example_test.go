package focal_test

import (
	"fmt"
	"log"

	"github.com/gofocal/focal"
)

// The quick start of README.md: a linear classifier of points in the plane, trained by gradient descent.
func Example() {
	const classes = 2
	points := [][3]float64{{2, 0, 1}, {1, 1, 1}, {0, 2, 1}, {-1, 2, 1}, {-2, -1, 1}, {0, -2, 1}}
	label := []int32{1, 1, 2, 2, 0, 0} // 1..C is the class, 0 background, -1 ignored
	y := focal.Labels(label)
	p := focal.Default() // gamma 2, alpha 0.25
	p.Norm = float64(y.Foreground())

	var weight [classes][3]float64
	x := make([]float64, len(points)*classes) // logits: a row for each point, a column for each class
	grad := make([]float64, len(x))
	for step := range 301 {
		for i := range x {
			point, w := points[i/classes], weight[i%classes]
			x[i] = w[0]*point[0] + w[1]*point[1] + w[2]*point[2]
		}
		loss, err := focal.Fused(focal.Out[float64]{Grad: grad}, x, y, p)
		if err != nil {
			log.Fatal(err)
		}
		for i, g := range grad {
			for k, v := range points[i/classes] {
				weight[i%classes][k] -= g * v
			}
		}
		if step%100 == 0 {
			fmt.Printf("step %3d  loss %.4f\n", step, loss)
		}
	}
	// Output:
	// step   0  loss 0.3033
	// step 100  loss 0.0132
	// step 200  loss 0.0070
	// step 300  loss 0.0047
}

// Two anchors, three classes: the first is of class 2, the second is background.
func ExampleLoss() {
	x := []float32{
		-2, 1.5, -3,
		-1, -4, 0.5,
	}
	label := []int32{2, 0}
	p := focal.Default()
	p.Norm = float64(focal.FgNum(label))

	loss := make([]float32, len(x))
	if err := focal.Loss(loss, x, focal.Labels(label), p); err != nil {
		log.Fatal(err)
	}
	for row := range label {
		fmt.Printf("%.4f\n", loss[3*row:3*row+3])
	}
	// Output:
	// [0.0014 0.0017 0.0001]
	// [0.0170 0.0000 0.2831]
}

// A step of gradient descent on the logits themselves, half a step for the second row.
func ExampleGrad() {
	x := []float64{0, 0, 0, 0}
	label := []int32{1, 0}
	dout := []float64{1, 1, 0.5, 0.5}

	grad := make([]float64, len(x))
	if err := focal.Grad(grad, x, focal.Labels(label), dout, focal.Default()); err != nil {
		log.Fatal(err)
	}
	for i := range x {
		x[i] -= grad[i]
	}
	fmt.Printf("%.3f\n", grad)
	fmt.Printf("%.3f\n", x)
	// Output:
	// [-0.075 0.224 0.112 0.112]
	// [0.075 -0.224 -0.112 -0.112]
}

// All in one pass; the sum comes with it. The losses themselves are not wanted.
func ExampleFused() {
	x := []float32{-1, 2, 0.5, -0.5}
	label := []int32{2, -1} // the second row is ignored
	out := focal.Out[float32]{
		Grad: make([]float32, len(x)),
		Hess: make([]float32, len(x)),
	}
	sum, err := focal.Fused(out, x, focal.Labels(label), focal.Default())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("sum  %.4f\n", sum)
	fmt.Printf("grad %.4f\n", out.Grad)
	fmt.Printf("hess %.4f\n", out.Hess)
	// Output:
	// sum  0.0174
	// grad [0.0394 -0.0012 0.0000 0.0000]
	// hess [0.0830 0.0032 0.0000 0.0000]
}

// The cross-entropy is the focal loss with a gamma of 0 and without alpha.
func ExampleSum() {
	x := []float32{-1, 2, 0.5, -0.5}
	y := focal.Labels([]int32{2, 0})

	entropy, err := focal.Sum(x, y, focal.Params{Alpha: focal.NoAlpha})
	if err != nil {
		log.Fatal(err)
	}
	loss, err := focal.Sum(x, y, focal.Default())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("cross-entropy %.4f, focal loss %.4f\n", entropy, loss)
	// Output:
	// cross-entropy 1.8883, focal loss 0.3512
}

func ExampleSigmoid() {
	x := []float64{-100, -1, 0, 1, 100}
	if err := focal.Sigmoid(x, x); err != nil { // in place
		log.Fatal(err)
	}
	fmt.Printf("%.3g\n", x)
	// Output:
	// [3.72e-44 0.269 0.5 0.731 1]
}

// The same rows in both conventions: a first class, a second class, background, and an ignored row.
func ExampleZeroBased() {
	x := []float64{1, 2, 1, 2, 1, 2, 1, 2}
	zeroBased := focal.ZeroBased([]int32{0, 1, 2, 255}).Ignoring(255)
	paddle := focal.Labels([]int32{1, 2, 0, -1})

	for _, y := range []focal.Target{zeroBased, paddle} {
		loss := make([]float64, len(x))
		if err := focal.Loss(loss, x, y, focal.Default()); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.2f\n", loss)
	}
	// Output:
	// [0.01 1.24 0.53 0.00 0.53 1.24 0.00 0.00]
	// [0.01 1.24 0.53 0.00 0.53 1.24 0.00 0.00]
}

// Two machines score a shard each. The parts come together exactly, in any order, and give the bits of one Score.
func ExampleScore() {
	x := []float32{-1, 2, 0.5, -0.5, 3, -3}
	label := []int32{2, 0, -1}

	var total focal.Partial
	for _, row := range []int{2, 0, 1} {
		part, err := focal.Score(x[2*row:2*row+2], focal.Labels(label[row:row+1]), focal.Default())
		if err != nil {
			log.Fatal(err)
		}
		sent, err := part.MarshalBinary() // to another machine, or a file
		if err != nil {
			log.Fatal(err)
		}
		var received focal.Partial
		if err := received.UnmarshalBinary(sent); err != nil {
			log.Fatal(err)
		}
		if err := total.Merge(received); err != nil {
			log.Fatal(err)
		}
	}
	whole, err := focal.Score(x, focal.Labels(label), focal.Default())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(total.Rows(), "rows,", total.Foreground(), "foreground,", total.Ignored(), "ignored")
	fmt.Printf("loss %.6f, the same: %v\n", total.Loss(float64(total.Foreground())), total == whole)
	// Output:
	// 3 rows, 1 foreground, 1 ignored
	// loss 0.351183, the same: true
}

// The hardest row of a batch.
func ExampleRows() {
	x := []float32{
		-1, 2,
		0.5, -0.5,
		3, -3,
	}
	loss := make([]float32, 3)
	if err := focal.Rows(loss, x, focal.Labels([]int32{2, 0, 2}), focal.Default()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", loss)
	// Output:
	// [0.0174 0.3337 2.7663]
}

// Label smoothing turns hard targets into soft ones: a target for each element, instead of a label for each row.
func ExampleDense() {
	x := []float64{2.5, -1, -3, 0.5}
	target := []float64{0.95, 0.05, 0.05, 0.95} // 1 and 0, smoothed by 0.1

	grad := make([]float64, len(x))
	sum, err := focal.Fused(focal.Out[float64]{Grad: grad}, x, focal.Dense(target), focal.Default())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("loss %.6f\n", sum)
	fmt.Printf("gradient %.6f\n", grad)

	target[2] = 1.5
	fmt.Println(focal.Loss(grad, x, focal.Dense(target), focal.Default()))
	// Output:
	// loss 0.045336
	// gradient [-0.000936 0.040759 0.001069 -0.036315]
	// focal: Loss: t[2] = 1.5, want it in [0, 1]: invalid target
}

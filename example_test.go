package focal_test

import (
	"fmt"
	"log"
	"math"

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

// Labels as they come: any integer type, and another ignored value than -1.
func ExampleLabels() {
	x := []float32{-1, 2, 0.5, -0.5, 3, -3}
	for _, y := range []focal.Target{
		focal.Labels([]int64{2, 0, -1}),
		focal.Labels([]uint8{2, 0, 255}).Ignoring(255),
	} {
		sum, err := focal.Sum(x, y, focal.Default())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("loss %.6f\n", sum)
	}
	_, err := focal.Sum(x, focal.Labels([]int64{2, 0, 1 << 32}), focal.Default())
	fmt.Println(err)
	// Output:
	// loss 0.351183
	// loss 0.351183
	// focal: Sum: label[2] = 4294967296, want 0..C with C = 2, or -1 if ignored: label out of range
}

// Elements of a matrix of targets are ignored: the first by its value, the last because nobody knows it.
func ExampleTarget_Ignoring() {
	x := []float64{2.5, -1, -3, 0.5}
	y := focal.Dense([]float64{-100, 0, 1, math.NaN()}).Ignoring(-100).IgnoringNaN()

	grad := make([]float64, len(x))
	p := focal.Default()
	p.Norm = float64(y.Kept()) // the mean of those that are not ignored
	loss, err := focal.Fused(focal.Out[float64]{Grad: grad}, x, y, p)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.4f, gradient %.4f\n", loss, grad)
	// Output:
	// loss 0.3543, gradient [0.0000 0.0197 -0.1408 0.0000]
}

// Of four rows two have a class; one is background and one is ignored. The background of ZeroBased is label C.
func ExampleTarget_Foreground() {
	paddle := focal.Labels([]int32{2, 0, -1, 1})
	mmdetection := focal.ZeroBased([]int32{1, 2, -1, 0}).Classes(2)
	fmt.Println(paddle.Foreground(), mmdetection.Foreground())

	masks := focal.Dense([]float32{0, 1, 0.5, 0})
	fmt.Println(masks.Foreground(), "elements of", masks.Kept())
	// Output:
	// 2 2
	// 2 elements of 4
}

// The logits of two classes over three pixels, channels first.
func ExampleTarget_Planes() {
	x := []float32{
		3, -1, 0.5, // class 1
		-2, -1, 1.5, // class 2
	}
	pixels := focal.Labels([]uint8{1, 0, 2}).Planes(3)

	perPixel := make([]float32, 3)
	if err := focal.Rows(perPixel, x, pixels, focal.Default()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", perPixel)
	// Output:
	// [0.0014 0.0340 0.2847]
}

// A row counts twice, another not at all.
func ExampleWeighRows() {
	x := []float64{-1, 2, 0.5, -0.5, 3, -3}
	y := focal.WeighRows(focal.Labels([]int32{2, 0, 1}), []float64{1, 2, 0})

	perRow := make([]float64, 3)
	if err := focal.Rows(perRow, x, y, focal.Default()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", perRow)
	// Output:
	// [0.0174 0.6675 0.0000]
}

// PyTorch's BCEWithLogitsLoss with pos_weight: cross-entropy in which a positive of the second class counts for three.
func ExampleWeighClasses() {
	x := []float32{-1, 2, 0.5, -0.5}
	y := focal.WeighClasses(focal.Dense([]float32{0, 1, 1, 0}), nil, []float32{1, 3})

	loss := make([]float32, len(x))
	if err := focal.Loss(loss, x, y, focal.Params{Gamma: 0, Alpha: focal.NoAlpha}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", loss)
	// Output:
	// [0.3133 0.3808 0.4741 0.4741]
}

// CenterNet's loss: negatives near a centre, where the heatmap h is not 0, count (1-h)^4.
func ExampleWeighElements() {
	x := []float64{-2, 1, 3, 0}
	heat := []float64{0, 0.5, 1, 0.8}
	target, weight := make([]float64, len(x)), make([]float64, len(x))
	for i, h := range heat {
		weight[i] = math.Pow(1-h, 4)
		if h == 1 {
			target[i], weight[i] = 1, 1
		}
	}

	loss := make([]float64, len(x))
	y := focal.WeighElements(focal.Dense(target), weight)
	if err := focal.Loss(loss, x, y, focal.Params{Gamma: 2, Alpha: focal.NoAlpha}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.6f\n", loss)
	// Output:
	// [0.001804 0.043867 0.000109 0.000277]
}

// Varifocal loss: the target of a positive is how well its box fits. The third box fits perfectly, the last is background.
func ExampleScored() {
	x := []float32{
		2, -1,
		0.5, 0.3,
		-4, 3,
		-2, 1,
	}
	overlap := []float32{0.7, 0.4, 1, 0} // of the predicted box and the true one
	y := focal.Scored(focal.Labels([]int32{1, 2, 2, 0}), overlap, focal.Varifocal)

	loss := make([]float32, len(x))
	if err := focal.Loss(loss, x, y, focal.Default()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", loss)
	// Output:
	// [0.5088 0.0170 0.2831 0.2937 0.0000 0.0486 0.0014 0.5264]
}

// The asymmetric loss: an easy negative counts far less than an easy positive.
func ExampleParams_negGamma() {
	x := []float64{-1, 2}
	negGamma := 4.0
	p := focal.Params{Gamma: 1, NegGamma: &negGamma, Alpha: focal.NoAlpha}

	loss := make([]float64, len(x))
	if err := focal.Loss(loss, x, focal.Labels([]int32{2}), p); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", loss)
	// Output:
	// [0.0016 0.0151]
}

// The modulating factor taken for a constant: what remains is a weighted cross-entropy, with a Hessian that is never negative.
func ExampleParams_frozen() {
	x := []float64{-1, 2, 4}
	y := focal.Labels([]int32{2})
	grad, hess := make([]float64, len(x)), make([]float64, len(x))
	for _, frozen := range []bool{false, true} {
		p := focal.Default()
		p.Frozen = frozen
		if _, err := focal.Fused(focal.Out[float64]{Grad: grad, Hess: hess}, x, y, p); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("gradient %.4f, Hessian %.4f\n", grad, hess)
	}
	// Output:
	// gradient [0.0394 -0.0012 0.8148], Hessian [0.0830 0.0032 -0.0350]
	// gradient [0.0146 -0.0004 0.7103], Hessian [0.0107 0.0004 0.0128]
}

// A Newton step with Curv in the place of the Hessian goes downhill, wherever it starts.
func ExampleFused_curvature() {
	x := []float64{3} // a negative, and far on the wrong side
	y := focal.Labels([]int32{0})
	out := focal.Out[float64]{Grad: make([]float64, 1), Hess: make([]float64, 1), Curv: make([]float64, 1)}
	if _, err := focal.Fused(out, x, y, focal.Default()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("by the Hessian %.1f, by its Gauss-Newton part %.1f\n", -out.Grad[0]/out.Hess[0], -out.Grad[0]/out.Curv[0])
	// Output:
	// by the Hessian 56.1, by its Gauss-Newton part -27.5
}

func ExampleSoftplus() {
	x := []float64{-1000, -1, 0, 1, 1000}
	y := make([]float64, len(x))
	if err := focal.Softplus(y, x); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4g\n", y)
	// Output:
	// [0 0.3133 0.6931 1.313 1000]
}

func ExampleLogSigmoid() {
	x := []float64{-1000, -1, 0, 1, 40}
	y := make([]float64, len(x))
	if err := focal.LogSigmoid(y, x); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4g\n", y)
	// Output:
	// [-1000 -1.313 -0.6931 -0.3133 -4.248e-18]
}

// Probabilities of many logits, by all processors.
func ExampleParallel() {
	x := make([]float32, 1<<20)
	if err := focal.Parallel(x, x, focal.Sigmoid, -1); err != nil {
		log.Fatal(err)
	}
	fmt.Println(x[0], x[1<<20-1])
	// Output:
	// 0.5 0.5
}

// A Partial prints what it is.
func ExamplePartial_String() {
	part, err := focal.Score([]float32{-1, 2, 0.5, -0.5, 3, -3}, focal.Labels([]int32{2, 0, -1}), focal.Default())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(part)
	// Output:
	// 3 rows, 1 foreground, 1 ignored; loss 0.351183 with Gamma: 2, Alpha: 0.25
}

package docs

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
)

// The recipes of docs/recipes.md, each against the formula that it replaces, written out.

// textbook is torchvision's formula for one element.
func textbook(x, t, alpha, gamma float64) float64 {
	p := 1 / (1 + math.Exp(-x))
	entropy := -t*math.Log(p) - (1-t)*math.Log(1-p)
	weight := 1.0
	if alpha >= 0 {
		weight = alpha*t + (1-alpha)*(1-t)
	}
	return weight * math.Pow(1-(p*t+(1-p)*(1-t)), gamma) * entropy
}

const rows, classes = 12, 5

// batch returns logits, zero-based labels with some background, and the same as a matrix.
func batch() (x []float64, label []int32, hot []float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	x, label, hot = make([]float64, rows*classes), make([]int32, rows), make([]float64, rows*classes)
	for i := range x {
		x[i] = 6*rng.Float64() - 3
	}
	for row := range label {
		label[row] = classes
		if row%3 > 0 {
			label[row] = int32(rng.IntN(classes))
			hot[row*classes+int(label[row])] = 1
		}
	}
	return x, label, hot
}

// losses are the textbook's, one for each element.
func losses(x, t []float64, alpha, gamma float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = textbook(x[i], t[i], alpha, gamma)
	}
	return out
}

func sum(v []float64) (total float64) {
	for _, v := range v {
		total += v
	}
	return total
}

// requireSum requires that the loss of the recipe is the wanted number.
func requireSum(t *testing.T, want float64, x []float64, y focal.Target, p focal.Params) {
	t.Helper()
	got, err := focal.Sum(x, y, p)
	require.NoError(t, err)
	require.InEpsilon(t, want, got, 1e-12)
}

// requireGradient requires that the gradient of the recipe is that of the wanted loss, by differences.
func requireGradient(t *testing.T, loss func(x []float64) float64, grad, x []float64) {
	t.Helper()
	const h = 1e-5
	for i := range x {
		at := x[i]
		x[i] = at + h
		more := loss(x)
		x[i] = at - h
		less := loss(x)
		x[i] = at
		require.InDelta(t, (more-less)/(2*h), grad[i], 1e-8)
	}
}

func TestReductions(t *testing.T) {
	x, label, hot := batch()
	p, y := focal.Default(), focal.ZeroBased(label)
	all := losses(x, hot, 0.25, 2)

	requireSum(t, sum(all), x, y, p)
	p.Norm = float64(len(x))
	requireSum(t, sum(all)/float64(len(all)), x, y, p)
	p.Norm = float64(len(label))
	requireSum(t, sum(all)/rows, x, y, p)

	paddle := slices.Clone(label) // 1..C, 0 background
	for i := range paddle {
		paddle[i] = (paddle[i] + 1) % (classes + 1)
	}
	p.Norm = float64(focal.Labels(paddle).Foreground())
	require.Equal(t, sum(hot), p.Norm)
	requireSum(t, sum(all)/sum(hot), x, focal.Labels(paddle), p)

	perRow := make([]float64, rows)
	require.NoError(t, focal.Rows(perRow, x, y, focal.Default()))
	for row := range perRow {
		require.InEpsilon(t, sum(all[row*classes:(row+1)*classes]), perRow[row], 1e-12)
	}
}

func TestElementWeightsAsDout(t *testing.T) {
	x, label, hot := batch()
	weight := make([]float64, len(x))
	for i := range weight {
		weight[i] = float64(i%4) / 2
	}
	loss, grad := make([]float64, len(x)), make([]float64, len(x))
	require.NoError(t, focal.Loss(loss, x, focal.ZeroBased(label), focal.Default()))
	require.NoError(t, focal.Grad(grad, x, focal.ZeroBased(label), weight, focal.Default()))
	weighted := func(losses []float64) (total float64) {
		for i, l := range losses {
			total += weight[i] * l
		}
		return total
	}
	wanted := func(x []float64) float64 { return weighted(losses(x, hot, 0.25, 2)) }
	require.InEpsilon(t, wanted(x), weighted(loss), 1e-12)
	requireGradient(t, wanted, grad, x)
}

// [B, Q, C] with B = 3 images of Q = 4 queries.
func TestDETR(t *testing.T) {
	x, label, hot := batch()
	const queries, boxes = 4, 7
	all := losses(x, hot, 0.25, 2)
	total := 0.0
	for image := range rows / queries {
		for class := range classes {
			mean := 0.0
			for query := range queries {
				mean += all[(image*queries+query)*classes+class] / queries
			}
			total += mean
		}
	}
	p := focal.Default()
	p.Norm = boxes
	requireSum(t, total*queries/boxes, x, focal.ZeroBased(label), p)
}

// [B, Q, C] as above: matched queries have the IoU of their box as the score. RT-DETR's factor is detached.
func TestVarifocalDETR(t *testing.T) {
	x, label, hot := batch()
	score := make([]float64, rows)
	for row := range score {
		score[row] = 0.1 + float64(row)/20
	}
	const alpha, gamma, boxes = 0.75, 2.0, 7 // its alpha is the weight of the negatives
	varifocal := func(x []float64, weight func(i int, p, target float64) float64, power float64) (total float64) {
		for i := range x {
			p := 1 / (1 + math.Exp(-x[i]))
			target := hot[i] * math.Pow(score[i/classes], power)
			total += weight(i, p, target) * textbook(x[i], target, -1, 0) / boxes
		}
		return total
	}
	p := focal.Params{Gamma: gamma, Alpha: 1 - alpha, Norm: boxes, Frozen: true}
	vfl := func(i int, p, target float64) float64 { return alpha*math.Pow(p, gamma)*(1-hot[i]) + target }
	y := focal.Scored(focal.ZeroBased(label), score, focal.Varifocal)
	requireSum(t, varifocal(x, vfl, 1), x, y, p)

	detached := slices.Clone(x)
	grad := make([]float64, len(x))
	require.NoError(t, focal.Grad(grad, x, y, nil, p))
	requireGradient(t, func(x []float64) float64 {
		return varifocal(x, func(i int, _, target float64) float64 { return vfl(i, 1/(1+math.Exp(-detached[i])), target) }, 1)
	}, grad, x)

	// DEIM: the target is the score to the power of gamma, and the positives' weight 1.
	mal := func(i int, p, _ float64) float64 { return math.Pow(p, gamma)*(1-hot[i]) + hot[i] }
	want := varifocal(x, mal, gamma)
	for row := range score {
		score[row] = math.Pow(score[row], gamma)
	}
	p.Alpha = focal.NoAlpha
	requireSum(t, want, x, focal.Scored(focal.ZeroBased(label), score, focal.Aligned), p)
}

func TestQualityFocal(t *testing.T) {
	x, label, hot := batch()
	score := make([]float64, rows)
	total := 0.0
	for i := range x {
		score[i/classes] = float64(i/classes) / rows
		p, target := 1/(1+math.Exp(-x[i])), hot[i]*score[i/classes]
		total += math.Pow(math.Abs(p-target), 2) * textbook(x[i], target, -1, 0)
	}
	p := focal.Params{Gamma: 2, Alpha: focal.NoAlpha}
	requireSum(t, total, x, focal.Scored(focal.ZeroBased(label), score, focal.QualityFocal), p)
}

// ASL and timm: the factor's gradient is switched off, the loss is summed.
func TestAsymmetricLoss(t *testing.T) {
	x, _, hot := batch()
	pos, neg := 1.0, 4.0
	asymmetric := func(x, at []float64) (total float64) {
		for i := range x {
			p := 1 / (1 + math.Exp(-at[i]))
			m := hot[i]*math.Pow(1-p, pos) + (1-hot[i])*math.Pow(p, neg)
			total += m * textbook(x[i], hot[i], -1, 0)
		}
		return total
	}
	p := focal.Params{Gamma: pos, NegGamma: &neg, Alpha: focal.NoAlpha, Frozen: true}
	requireSum(t, asymmetric(x, x), x, focal.Dense(hot), p)
	grad := make([]float64, len(x))
	require.NoError(t, focal.Grad(grad, x, focal.Dense(hot), nil, p))
	detached := slices.Clone(x)
	requireGradient(t, func(x []float64) float64 { return asymmetric(x, detached) }, grad, x)
}

// Heat maps with Gaussian bumps: negatives near a centre count less.
func TestCenterNet(t *testing.T) {
	x, _, heat := batch()
	for i := range heat {
		if heat[i] == 0 {
			heat[i] = float64(i%7) / 8
		}
	}
	total, centres := 0.0, 0.0
	for i := range x {
		p := 1 / (1 + math.Exp(-x[i]))
		if heat[i] == 1 {
			total -= math.Pow(1-p, 2) * math.Log(p)
			centres++
		} else {
			total -= math.Pow(1-heat[i], 4) * math.Pow(p, 2) * math.Log(1-p)
		}
	}
	target, weight := make([]float64, len(heat)), make([]float64, len(heat))
	for i, v := range heat {
		weight[i] = math.Pow(1-v, 4)
		if v == 1 {
			target[i], weight[i] = 1, 1
		}
	}
	y := focal.WeighElements(focal.Dense(target), weight)
	p := focal.Params{Gamma: 2, Alpha: focal.NoAlpha, Norm: float64(y.Foreground())}
	require.Equal(t, centres, p.Norm)
	requireSum(t, total/centres, x, y, p)
}

// pos_weight[C] of BCEWithLogitsLoss, and kornia's weight for each class with an ignored value.
func TestClassWeights(t *testing.T) {
	x, label, hot := batch()
	pos, weight := []float64{1, 2, 3, 0.5, 4}, []float64{2, 1, 0.5, 1, 3}
	total := 0.0
	for i := range x {
		total += (pos[i%classes]*hot[i] + 1 - hot[i]) * textbook(x[i], hot[i], -1, 0)
	}
	requireSum(t, total, x, focal.WeighClasses(focal.ZeroBased(label), nil, pos), focal.Params{Gamma: 0, Alpha: focal.NoAlpha})

	total = 0
	both := make([]float64, classes)
	for j := range both {
		both[j] = weight[j] * pos[j]
	}
	hot[3] = -100
	for i := range x {
		if hot[i] != -100 {
			total += weight[i%classes] * (pos[i%classes]*hot[i] + 1 - hot[i]) * textbook(x[i], hot[i], 0.25, 2)
		}
	}
	requireSum(t, total, x, focal.WeighClasses(focal.Dense(hot).Ignoring(-100), weight, both), focal.Default())
}

// mmdetection's label weights, a row each, and avg_factor.
func TestRowWeights(t *testing.T) {
	x, label, hot := batch()
	all, weight := losses(x, hot, 0.25, 2), make([]float64, rows)
	total := 0.0
	for row := range weight {
		weight[row] = float64(row % 3)
		total += weight[row] * sum(all[row*classes:(row+1)*classes])
	}
	p := focal.Default()
	p.Norm = 5
	requireSum(t, total/5, x, focal.WeighRows(focal.ZeroBased(label), weight), p)
}

// Channels first: [2, C, 6] with labels [2, 6].
func TestPlanes(t *testing.T) {
	x, label, _ := batch()
	const size = 6
	planes := make([]float64, len(x))
	for row := range label {
		for c := range classes {
			planes[(row/size*classes+c)*size+row%size] = x[row*classes+c]
		}
	}
	want, err := focal.Sum(x, focal.ZeroBased(label), focal.Default())
	require.NoError(t, err)
	requireSum(t, want, planes, focal.ZeroBased(label).Planes(size), focal.Default())
}

func TestCrossEntropy(t *testing.T) {
	x, label, hot := batch()
	requireSum(t, sum(losses(x, hot, -1, 0)), x, focal.ZeroBased(label), focal.Params{Gamma: 0, Alpha: focal.NoAlpha})
}

func TestPosWeight(t *testing.T) {
	x, label, hot := batch()
	const w, n = 3.0, 10
	total := 0.0
	for i := range x {
		total += (w*hot[i] + 1 - hot[i]) * textbook(x[i], hot[i], -1, 2) / n
	}
	requireSum(t, total, x, focal.ZeroBased(label), focal.Params{Gamma: 2, Alpha: w / (1 + w), Norm: n / (1 + w)})
}

func TestApexLabels(t *testing.T) {
	x, label, hot := batch()
	apex := slices.Clone(label)
	for i, v := range label {
		if v == classes {
			apex[i] = -1
		}
	}
	apex[1] = -2
	clear(hot[classes : 2*classes])
	all := losses(x, hot, 0.25, 2)
	clear(all[classes : 2*classes])
	for i := range apex {
		apex[i]++
	}
	requireSum(t, sum(all), x, focal.Labels(apex), focal.Default())
}

func TestLabelSmoothing(t *testing.T) {
	x, _, hot := batch()
	const ε = 0.1
	for i := range hot {
		hot[i] = hot[i]*(1-ε) + ε/2
	}
	p := focal.Params{Gamma: 2, Alpha: focal.NoAlpha, Norm: float64(len(x))} // Keras
	requireSum(t, sum(losses(x, hot, -1, 2))/float64(len(x)), x, focal.Dense(hot), p)
}

func TestHardNegatives(t *testing.T) {
	x, label, hot := batch()
	const keep = 2
	p, y := focal.Default(), focal.ZeroBased(label)
	perRow := make([]float64, rows)
	require.NoError(t, focal.Rows(perRow, x, y, p))
	var background []int
	for row, v := range label {
		if v == classes {
			background = append(background, row)
		}
	}
	slices.SortFunc(background, func(a, b int) int { return int(math.Copysign(1, perRow[b]-perRow[a])) })
	all := losses(x, hot, 0.25, 2)
	for _, row := range background[keep:] {
		label[row] = -1
		clear(all[row*classes : (row+1)*classes])
	}
	requireSum(t, sum(all), x, y, p) // the target refers to the labels
}

func TestPriorLogit(t *testing.T) {
	const π = 0.25
	label := []int32{1, 0, 0, 0}
	x := slices.Repeat([]float64{math.Log(π / (1 - π))}, len(label))
	grad := make([]float64, len(x))
	require.NoError(t, focal.Grad(grad, x, focal.Labels(label), nil, focal.Params{Alpha: focal.NoAlpha}))
	require.InDelta(t, 0, sum(grad), 1e-15, "no constant has a smaller log-loss")
	require.NoError(t, focal.Sigmoid(x, x))
	require.InEpsilon(t, π, x[0], 1e-15)
}

package main

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/effort"
)

// TestRun asserts what the program shows.
func TestRun(t *testing.T) {
	cfg := defaults()
	if !effort.Full() {
		cfg.steps, cfg.scenes = 50, 10
	}
	var out bytes.Buffer
	res, err := run(cfg, &out)
	require.NoError(t, err)
	t.Logf("\n%s", &out)

	require.Len(t, res.loss, cfg.epochs)
	require.Len(t, res.accuracy, cfg.epochs)
	last := cfg.epochs - 1
	assert.Less(t, res.loss[last], res.loss[0]/4, "the classifier's loss falls")
	assert.Greater(t, res.accuracy[last], 0.9, "held-out accuracy")

	trained := map[string]int{}
	for _, d := range res.detectors {
		trained[d.name]++
		require.Len(t, d.loss, 10)
		assert.Less(t, d.loss[9], d.loss[0], "the loss of %s at rate %v falls", d.name, d.rate)
		assert.Greater(t, d.curve.ap, 0.0)
		assert.LessOrEqual(t, d.curve.ap, 1.0)
		assert.Len(t, d.curve.precision, len(recalls))
		for _, p := range d.curve.precision {
			assert.Greater(t, p, 0.0)
			assert.LessOrEqual(t, p, 1.0)
		}
	}
	assert.Equal(t, map[string]int{"focal": 3, "cross-entropy": 3}, trained)
	assert.Contains(t, out.String(), "average precision")
}

func TestRunIsDeterministic(t *testing.T) {
	cfg := config{seed: 7, epochs: 2, steps: 4, scenes: 2}
	var out [2]bytes.Buffer
	var res [2]results
	for i := range res {
		var err error
		res[i], err = run(cfg, &out[i])
		require.NoError(t, err)
	}
	assert.Equal(t, res[0], res[1])
	assert.Equal(t, out[0].String(), out[1].String())

	cfg.seed++
	other, err := run(cfg, io.Discard)
	require.NoError(t, err)
	assert.NotEqual(t, res[0].loss, other.loss, "the seed matters")
}

func TestLoadDigits(t *testing.T) {
	digits, err := loadDigits()
	require.NoError(t, err)
	require.Len(t, digits, 1797)
	seen := map[int32]int{}
	for _, d := range digits {
		seen[d.class]++
		for _, v := range d.pix {
			require.True(t, v >= 0 && v <= 1)
		}
	}
	require.Len(t, seen, classes)
	for class := int32(1); class <= classes; class++ {
		assert.Greater(t, seen[class], 170, "class %d", class)
	}
}

func TestCanvasLabels(t *testing.T) {
	digits, err := loadDigits()
	require.NoError(t, err)
	rng := defaults().rand(streamTestCanvases)
	for range 20 {
		c := newCanvas(digits, rng)
		x := c.appendWindows(nil)
		require.Len(t, x, windows*pixels)
		positive, ignored := 0, 0
		for _, class := range c.label {
			switch {
			case class > 0:
				positive++
			case class < 0:
				ignored++
			}
		}
		assert.Equal(t, digitsPerCanvas, positive)
		assert.Positive(t, ignored)
		assert.Less(t, ignored, digitsPerCanvas*49) // 7 × 7 places around a digit
	}
}

// TestBackward compares the gradients with differences of the loss, of a function without a kink nearby.
func TestBackward(t *testing.T) {
	m := newNetwork(defaults().rand(streamWeights), 4, 8, 4)
	x := []float32{0.5, -1, 0.25, 2, 1, 0.75, -0.5, 0.125}
	weight := []float32{1, -2, 0.5, 3, -1, 0.25, 2, -0.5} // the loss is the sum of weight · logits
	loss := func() (sum float64) {
		for i, v := range m.forward(x) {
			sum += float64(weight[i]) * float64(v)
		}
		return sum
	}
	loss()
	m.backward(weight)
	const h = 1.0 / 1024
	for k, l := range m.layers {
		for _, p := range []param{l.w, l.b} {
			for i, v := range p.val {
				p.val[i] = v + h
				up := loss()
				p.val[i] = v - h
				down := loss()
				p.val[i] = v
				assert.InDelta(t, (up-down)/(2*h), p.grad[i], 1e-2, "layer %d, parameter %d", k, i)
			}
		}
	}
}

func TestCurve(t *testing.T) {
	// Four digits. Ranked: hit, miss, hit, then a tie of a hit and a miss, then a hit.
	c := newCurve([]detection{{0.1, true}, {0.5, false}, {0.9, true}, {0.7, true}, {0.5, true}, {0.8, false}})
	assert.InDelta(t, 0.25*(1+2.0/3+3.0/5+4.0/6), c.ap, 1e-15)
	assert.Equal(t, []float64{2.0 / 3, 3.0 / 5, 4.0 / 6, 4.0 / 6, 4.0 / 6}, c.precision)
}

package main

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/effort"
)

func TestRun(t *testing.T) {
	cfg := defaults()
	cfg.splits, cfg.rounds = 1, 40
	var out [2]bytes.Buffer
	var mean [2]map[string]float64
	for i := range out {
		var err error
		mean[i], err = run(cfg, &out[i])
		require.NoError(t, err)
		if !effort.Full() {
			break
		}
	}
	t.Logf("\n%s", &out[0])
	for _, o := range objectives {
		// Guessing would have the share of positives, 0.01.
		assert.Greater(t, mean[0][o.name], 0.5, o.name)
		assert.Less(t, mean[0][o.name], 1.0, o.name)
	}
	if effort.Full() {
		assert.Equal(t, out[0].String(), out[1].String())
	}
}

// Where leaves are little regularized, the curvature is better than the floored Hessian, and that better than the Hessian.
func TestSecond(t *testing.T) {
	effort.Long(t)
	cfg := defaults()
	cfg.splits, cfg.rounds, cfg.lambda = 1, 40, 0.3
	var mean [3]map[string]float64
	for cfg.second = range hessian + 1 {
		var err error
		mean[cfg.second], err = run(cfg, io.Discard)
		require.NoError(t, err)
		assert.InDelta(t, mean[0]["log-loss"], mean[cfg.second]["log-loss"], 1e-12, "its Hessian is its curvature")
	}
	for _, name := range []string{"focal, gamma 1", "focal, gamma 2"} {
		assert.Greater(t, mean[curvature][name], mean[floored][name], name)
		assert.Greater(t, mean[floored][name], mean[hessian][name], name)
	}
	assert.Greater(t, mean[floored]["focal, gamma 2"], mean[hessian]["focal, gamma 2"]+0.2)
}

func TestAveragePrecision(t *testing.T) {
	assert.Equal(t, 1.0, averagePrecision([]float64{3, 1, 2}, []int32{1, 0, 1}))
	assert.Equal(t, 0.5, averagePrecision([]float64{1, 1}, []int32{1, 0}), "a tie")
	assert.InDelta(t, (1.0+2.0/3)/2, averagePrecision([]float64{4, 3, 2, 1}, []int32{1, 0, 1, 0}), 1e-15)
}

// One split of four rows by hand: two rows of paper are negatives, two of ink positives. The Newton step of the log-loss at
// p = 1/2 is 2·0.5 / (2·0.25 + lambda).
func TestBooster(t *testing.T) {
	var data rows
	for i := range 4 {
		var ink [64]uint8
		ink[7] = uint8(i / 2 * 16)
		data.ink = append(data.ink, ink)
		data.label = append(data.label, int32(i/2))
	}
	m, err := booster{rounds: 1, depth: 1, rate: 1, lambda: 1}.train(data, focal.Params{Alpha: focal.NoAlpha})
	require.NoError(t, err)
	for i := range data.ink {
		assert.InDelta(t, []float64{-1, 1}[i/2]*1/1.5, m.logit(&data.ink[i]), 1e-12)
	}
	require.Len(t, m.trees, 1)
	require.Len(t, m.trees[0], 3)
	assert.Equal(t, 7, m.trees[0][0].pixel)
}

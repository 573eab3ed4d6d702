package verify

import (
	"context"
	"testing"
	"time"

	"github.com/gofocal/focal"
	"github.com/stretchr/testify/require"
)

var gammas = []float64{0, 0.5, 1, 2, 2.3, 5}

// The sweep over all patterns (gen/exhaustive), with longer steps.
func TestFloat32(t *testing.T) {
	step := uint64(4099)
	if testing.Short() {
		step = 65537
	}
	for _, gamma := range gammas {
		start := time.Now()
		r, err := Float32(context.Background(), Sweep32{Step: step, Params: focal.Params{Gamma: gamma, Alpha: focal.NoAlpha}}, Options{})
		require.NoError(t, err)
		for _, q := range Quantities {
			t.Logf("γ = %v, %v: %v", gamma, q, r.Errors[q])
		}
		t.Log(time.Since(start))
		require.NoError(t, r.Err())
		require.Equal(t, (Patterns+step-1)/step, r.Logits)
	}
}

package oracle

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Quick32 is as near to the exact values as its comment proves.
func TestQuick32(t *testing.T) {
	for _, gamma := range []float64{0, 0.5, 1, 1.5, 2, 2.3, 3, 4.7105138175753485, 150, 1e6} {
		c := NewQuick32(gamma)
		worst := 0.0
		check := func(u, relative, absolute float64) {
			var got Values32
			c.At(&got, u)
			want := At64(u, gamma)
			for q := range want.Value {
				at := fmt.Sprintf("%v at u = %v, γ = %v", Quantity(q), u, gamma)
				unit := want.Mag[q].Float64()
				diff := math.Abs(want.Value[q].add(realOf(got.Value[q]).negate()).Float64())
				require.LessOrEqual(t, diff, relative*unit+absolute, at)
				require.InDelta(t, unit, got.Mag[q], relative*unit+absolute, at)
				if relative > 0 && diff > 0 {
					worst = max(worst, diff/unit)
				}
			}
			plain := At32(u, gamma)
			require.InDelta(t, plain.slack, got.slack, 1e-13*plain.slack+absolute)
			require.InDelta(t, plain.slackBelow, got.slackBelow, 1e-13*plain.slackBelow+absolute)
		}
		near := 0x1p-27 / (1 + gamma)
		for _, share := range []float64{0, 0x1p-100, 0.001, 0.3, 0.7, 1} {
			check(share*near, 0x1p-49, 0)
			check(-share*near, 0x1p-49, 0)
		}
		t.Logf("γ = %v: 2^%.1f", gamma, math.Log2(worst))
		for _, u := range []float64{math.Nextafter(256, 300), 300, 800, 1e5, math.MaxFloat32} {
			check(u, 0x1p-300, 0x1p-290)
			check(-u, 0, 0x1p-290)
		}

		// Elsewhere it is At32, and so it is where γ has no limits.
		var got Values32
		for _, u := range []float64{near * 1.001, -near * 1.001, 1, -20, 256, -256, math.NaN()} {
			c.At(&got, u)
			require.Equal(t, fmt.Sprint(At32(u, gamma)), fmt.Sprint(got))
		}
	}
	var got Values32
	NewQuick32(0x1p200).At(&got, 300)
	require.Equal(t, At32(300, 0x1p200), got)
}

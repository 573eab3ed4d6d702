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

// Errors that are counted at once, or in less time, are those that are counted one by one.
func TestAddRun32(t *testing.T) {
	const n = 1000
	for _, c := range []struct {
		q              Quantity
		first, step    float64
		got            float32
		w              float64
		linear, atOnce bool
	}{
		{Grad, 0x1p-40, 0x1p-60, 0.4, 1, true, true},
		{Hess, -0x1p-40, -0x1p-60, 0.3, 3, true, true},
		{Curv, 0x1p40, 0x1p20, 0, 1, true, true},
		{Frozen, -0x1p40, -0x1p20, 0, 1, true, true},
		{Softplus, 0x1p40, 0x1p20, 0x1p40 + 500*0x1p20, 1, true, false},  // it is right in the middle
		{Sigmoid, -n/2*0x1p-60 + 0x1p-61, 0x1p-60, 0.5, 1, false, false}, // the unit changes at 0
		{Loss, 0x1p-40, 0x1p-60, 0, 0x1p-130, true, false},               // some of the error is let off
		{Loss, -10, 0x1p-20, 0, 1, false, false},
		{Loss, 255.9, 0x1p-10, 0, 1, false, false},
	} {
		exact := NewQuick32(2.3)
		last := c.first + (n-1)*c.step
		require.Equal(t, c.linear, exact.Linear(c.first, last), "%+v", c)
		require.Equal(t, c.linear, exact.Linear(last, c.first), "%+v", c)
		var v, vLast Values32
		var oneByOne, quick, atOnce Errors
		for i := range n {
			u := c.first + float64(i)*c.step
			exact.At(&v, u)
			err, want := v.Err(c.q, c.got, c.w)
			oneByOne.Add(err, u, float64(c.got), want)
			quick.Add32(&v, c.q, u, c.got, c.w)
		}
		require.Equal(t, oneByOne, quick, "%+v", c)
		exact.At(&v, c.first)
		exact.At(&vLast, last)
		if !c.linear {
			continue
		}
		require.Equal(t, c.atOnce, atOnce.AddRun32(&v, &vLast, c.q, c.first, last, c.got, c.w, n), "%+v", c)
		if c.atOnce {
			require.InEpsilon(t, oneByOne.Sum+1, atOnce.Sum+1, 1e-9)
			atOnce.Sum = oneByOne.Sum
			require.Equal(t, oneByOne, atOnce, "%+v", c)
		} else {
			require.Equal(t, Errors{}, atOnce)
		}
	}
	require.False(t, NewQuick32(0).Linear(0x1p100, math.Inf(1)))
	require.False(t, NewQuick32(0x1p200).Linear(0x1p100, 0x1p101))
}

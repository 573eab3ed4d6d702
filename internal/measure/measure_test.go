package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTime(t *testing.T) {
	count := 0
	calls, elapsed := Time(20*time.Millisecond, func() { count++; time.Sleep(time.Millisecond) })
	assert.Equal(t, calls+2, count)
	assert.GreaterOrEqual(t, elapsed, time.Duration(calls)*time.Millisecond)
	assert.LessOrEqual(t, calls, 21)

	calls, _ = Time(0, func() { time.Sleep(time.Millisecond) })
	assert.Equal(t, 1, calls)
}

// What a thread waits for is no time on a CPU, what it computes is.
func TestTimeOnCPU(t *testing.T) {
	calls, elapsed := TimeOnCPU(time.Millisecond, func() { chainResult += chain(100_000, chainResult, 3) })
	assert.Greater(t, elapsed, time.Duration(calls)*20*time.Microsecond) // 800,000 cycles, at any clock
	if HasThreadTime {
		calls, elapsed = TimeOnCPU(0, func() { time.Sleep(50 * time.Millisecond) })
		assert.Equal(t, 1, calls)
		assert.Less(t, elapsed, 25*time.Millisecond)
	}
}

func TestInputs(t *testing.T) {
	assert.Equal(t, Logits[float32](100), Logits[float32](200)[:100])
	label := Labels(10_000, 7, 0.3, 0.2)
	assert.Equal(t, label, Labels(10_000, 7, 0.3, 0.2))
	var foreground, ignored int
	for _, v := range label {
		assert.True(t, v >= -1 && v <= 7)
		switch {
		case v > 0:
			foreground++
		case v < 0:
			ignored++
		}
	}
	assert.InDelta(t, 3000, foreground, 300)
	assert.InDelta(t, 2000, ignored, 300)
}

//go:build race

package stress

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
)

// raceMemory is what a call reads and writes.
type raceMemory struct {
	x, dst, dout, target, weights []float32
	label                         []int32
}

// raceCases are calls beside which another goroutine writes what is read, or reads what is written. Without a target of their own
// they have labels.
var raceCases = map[string]struct {
	other  func(m *raceMemory)
	target func(m *raceMemory) focal.Target
}{
	"x":       {other: func(m *raceMemory) { m.x[len(m.x)-1] = 1 }},
	"dst":     {other: func(m *raceMemory) { raceSink += m.dst[len(m.dst)-1] }},
	"dout":    {other: func(m *raceMemory) { m.dout[0] = 1 }},
	"labels":  {other: func(m *raceMemory) { m.label[len(m.label)-1] = 0 }},
	"targets": {func(m *raceMemory) { m.target[3] = 1 }, func(m *raceMemory) focal.Target { return focal.Dense(m.target) }},
	"weights of rows": {func(m *raceMemory) { m.weights[1] = 1 }, func(m *raceMemory) focal.Target {
		return focal.WeighRows(focal.Labels(m.label), m.weights[:len(m.label)])
	}},
	"weights of elements": {func(m *raceMemory) { m.weights[len(m.weights)-1] = 1 }, func(m *raceMemory) focal.Target {
		return focal.WeighElements(focal.Labels(m.label), m.weights)
	}},
}

var raceSink float32

// The detector is told what assembly reads and writes: races with a kernel are found, on every path. The test starts
// itself, since a race that is found makes a test fail.
func TestRacesAreFound(t *testing.T) {
	const caseOf = "FOCAL_RACE_CASE"
	if name, path, ok := strings.Cut(os.Getenv(caseOf), "@"); ok {
		const n = 64 // few, since the detector remembers only so much
		m := &raceMemory{make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]int32, n/4)}
		c, y := raceCases[name], focal.Labels(m.label)
		if c.target != nil {
			y = c.target(m)
		}
		control.SetPath(path)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if c.other != nil {
				c.other(m)
			}
		}()
		must(focal.Grad(m.dst, m.x, y, m.dout, focal.Default()))
		must(focal.Sigmoid(m.dst, m.x))
		<-done
		return
	}
	executable, err := os.Executable()
	require.NoError(t, err)
	for _, path := range control.Paths() {
		for name := range raceCases {
			out, err := raceCase(executable, caseOf+"="+name+"@"+path)
			require.Error(t, err, "%v, %s: %s", path, name, out)
			require.Contains(t, out, "DATA RACE", "%v, %s", path, name)
		}
		out, err := raceCase(executable, caseOf+"=none@"+path)
		require.NoError(t, err, "%v, without a race: %s", path, out)
	}
}

func raceCase(executable, env string) (string, error) {
	cmd := exec.Command(executable, "-test.run=^TestRacesAreFound$")
	cmd.Env = append(os.Environ(), env, "GORACE=history_size=7")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

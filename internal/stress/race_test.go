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

// raceCases are calls beside which another goroutine writes what is read, or reads what is written.
var raceCases = map[string]func(x, dst, dout []float32, label []int32, y focal.Target){
	"x":      func(x, _, _ []float32, _ []int32, _ focal.Target) { x[len(x)-1] = 1 },
	"dst":    func(_, dst, _ []float32, _ []int32, _ focal.Target) { raceSink += dst[len(dst)-1] },
	"dout":   func(_, _, dout []float32, _ []int32, _ focal.Target) { dout[0] = 1 },
	"labels": func(_, _, _ []float32, label []int32, _ focal.Target) { label[len(label)-1] = 0 },
}

var raceSink float32

// The detector is told what assembly reads and writes: races with a kernel are found, on every path. The test starts
// itself, since a race that is found makes a test fail.
func TestRacesAreFound(t *testing.T) {
	const caseOf = "FOCAL_RACE_CASE"
	if name, path, ok := strings.Cut(os.Getenv(caseOf), "@"); ok {
		const n = 64 // few, since the detector remembers only so much
		x, dst, dout, label := make([]float32, n), make([]float32, n), make([]float32, n), make([]int32, n/4)
		y := focal.Labels(label)
		control.SetPath(path)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if other := raceCases[name]; other != nil {
				other(x, dst, dout, label, y)
			}
		}()
		must(focal.Grad(dst, x, y, dout, focal.Default()))
		must(focal.Sigmoid(dst, x))
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

package main

import (
	"strings"

	"github.com/gofocal/focal/internal/abi"
)

// stagesOf returns the mathematics of a kernel.
func stagesOf(k abi.Kernel) []stage {
	switch k.Family() {
	case abi.Square:
		return square(k.Operation())
	case abi.SoftSquare, abi.SoftPower:
		return soft(k.Operation(), k.Family() == abi.SoftSquare)
	}
	return power(k.Operation(), k.Family() == abi.Zero)
}

// loopsOf returns loops for all stages, as the tunings say.
func loopsOf(t []tuning, stages []stage) (loops []loop) {
	for _, t := range t {
		n := t.stages
		if n == 0 {
			n = len(stages)
		}
		loops = append(loops, loop{t, stages[:n]})
		stages = stages[n:]
	}
	if len(stages) > 0 {
		panic("stages without a loop")
	}
	return loops
}

// sharedVectors is how many vectors have their operations interleaved in a loop that kernels share: as many as there are registers
// for.
func (s *isa) sharedVectors(stage string) int {
	switch {
	case stage == "ratio" && !s.wide:
		return 1
	case stage == "ratio", stage == "logRatio":
		return 2
	}
	return 4
}

// tuningOf returns how the loops of a kernel are scheduled, as was found by measuring; see docs/performance.md.
func tuningOf(s *isa, kernel string) []tuning {
	kernel = strings.ToLower(kernel)
	soft, power, grad := strings.HasPrefix(kernel, "soft"), strings.HasSuffix(kernel, "power"), strings.Contains(kernel, "loss") || strings.Contains(kernel, "grad")
	// turns returns a loop for each of some stages, which kernels share, and one for all the others.
	turns := func(vectors int, shared ...string) (t []tuning) {
		for _, stage := range shared {
			t = append(t, tuning{vectors: s.sharedVectors(stage), stages: 1})
		}
		return append(t, tuning{vectors: vectors})
	}
	switch {
	case soft && power && s.wide:
		return turns(2, "exp", "ratio", "logRatio")
	case soft && power:
		return turns(1, "exp", "ratio", "logRatio")
	case soft && s.wide:
		return turns(2, "exp")
	case soft:
		return turns(1, "exp", "ratio")
	case strings.HasSuffix(kernel, "zero"):
		return turns(2, "exp")
	case power && grad && s.wide:
		return turns(4, "exp", "log")
	case power:
		return turns(2, "exp", "log")
	case grad || strings.HasPrefix(kernel, "hess") && s.wide && !s.double:
		return turns(4)
	case strings.HasPrefix(kernel, "frozen"):
		return turns(1)
	}
	return turns(2)
}

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

// sharedVectors is how many vectors have their operations interleaved in the loops that kernels share.
func (s *isa) sharedVectors() int { return map[bool]int{false: 2, true: 4}[s.wide] }

// tuningOf returns how the loops of a kernel are scheduled, as was found by measuring; see docs/performance.md.
func tuningOf(s *isa, kernel string) []tuning {
	kernel = strings.ToLower(kernel)
	soft, power, grad := strings.HasPrefix(kernel, "soft"), strings.HasSuffix(kernel, "power"), strings.Contains(kernel, "loss") || strings.Contains(kernel, "grad")
	// turns returns a loop for each of some stages, which kernels share, and one for all the others.
	turns := func(shared, vectors int) (t []tuning) {
		for range shared {
			t = append(t, tuning{vectors: s.sharedVectors(), stages: 1})
		}
		return append(t, tuning{vectors: vectors})
	}
	switch {
	case soft && power:
		return turns(3, 2)
	case strings.HasSuffix(kernel, "zero"):
		return turns(1, 2)
	case soft && s.double:
		return turns(1, 1)
	case soft:
		return turns(1, 2)
	case power:
		return turns(2, 2)
	case grad || strings.HasPrefix(kernel, "hess") && s.wide && !s.double:
		return turns(0, 4)
	case strings.HasPrefix(kernel, "frozen"):
		return turns(0, 1)
	}
	return turns(0, 2)
}

package main

import (
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
	case stage != "ratio" && stage != "logRatio":
		return 4
	case s.wide:
		return 2
	}
	return 1
}

// tuningOf returns how the loops of a kernel are scheduled, as was found by measuring; see docs/performance.md.
func tuningOf(s *isa, k abi.Kernel) []tuning {
	// turns returns a loop for each of some stages, which kernels share, and one for all the others.
	turns := func(vectors int, shared ...string) (t []tuning) {
		for _, stage := range shared {
			t = append(t, tuning{vectors: s.sharedVectors(stage), stages: 1})
		}
		return append(t, tuning{vectors: vectors})
	}
	switch op := k.Operation(); k.Family() {
	case abi.Square:
		switch {
		case op == abi.Frozen:
			return turns(1)
		case s.wide:
			return turns(4)
		case op == abi.Hess:
			return turns(2)
		}
		return []tuning{{vectors: 4, spills: 4}}
	case abi.Power:
		switch {
		case op == abi.Hess || op == abi.Frozen:
			return turns(1, "expS", "log")
		case s.wide || s.double:
			return turns(4, "expS", "log")
		}
		return turns(2, "expS", "log")
	case abi.SoftSquare:
		switch {
		case op == abi.Hess || op == abi.Frozen: // used less: shorter
			return turns(1, "exp", "ratio")
		case s.wide && op == abi.Grad:
			return turns(2, "exp")
		}
		return turns(1, "exp")
	case abi.SoftPower:
		return turns(1, "exp", "ratio", "logRatio") // two would be a few hundredths faster, and longer
	}
	if k.Operation() == abi.Hess {
		return turns(1, "exp")
	}
	return turns(2, "exp") // abi.Zero
}

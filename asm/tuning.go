package main

import (
	"flag"
	"fmt"
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

// tuningOf returns how the loops of a kernel are scheduled.
func tuningOf(s *isa, kernel string) []tuning {
	if override != "" {
		var all []tuning
		for _, p := range strings.Split(override, ";") {
			var t tuning
			fmt.Sscanf(p, "%d,%d,%d,%d", &t.vectors, &t.limit, &t.skew, &t.stages)
			all = append(all, t)
		}
		return all
	}
	switch {
	case strings.HasPrefix(kernel, "soft") && strings.HasSuffix(kernel, "Power"):
		return []tuning{{vectors: 2, stages: 1}, {vectors: 2, stages: 1}, {vectors: 2, stages: 1}, {vectors: 2, stages: 1}}
	case strings.HasPrefix(kernel, "soft") && strings.HasSuffix(kernel, "Square"):
		return []tuning{{vectors: 2, stages: 1}, {vectors: 2, stages: 3}}
	case strings.HasSuffix(kernel, "Power") && !s.wide:
		return []tuning{{vectors: 2, stages: 1}, {vectors: 2, stages: 1}, {vectors: 2, stages: 1}}
	}
	return []tuning{{vectors: 2}}
}

var override string

func experiment(flags *flag.FlagSet) { flags.StringVar(&override, "tune", "", "") }

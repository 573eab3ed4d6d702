package main

import (
	"flag"
	"fmt"
	"strings"

	"github.com/gofocal/focal/internal/abi"
)

// stagesOf returns the mathematics of a kernel, nil if there is none yet.
func stagesOf(k abi.Kernel) []stage {
	if k.Operation() > abi.Grad {
		return nil
	}
	switch k.Family() {
	case abi.Square:
		return square(k.Operation())
	case abi.Power:
		return power(k.Operation())
	}
	return nil
}

// loopsOf returns the loops that the tunings say: one for all stages, or one for each.
func loopsOf(t []tuning, stages []stage) (loops []loop) {
	if len(t) == 1 {
		return []loop{{t[0], stages}}
	}
	for n, s := range stages {
		loops = append(loops, loop{t[n], []stage{s}})
	}
	return loops
}

// tuningOf returns how the loops of a kernel are scheduled.
func tuningOf(s *isa, kernel string) []tuning {
	if override != "" {
		var all []tuning
		for _, p := range strings.Split(override, ";") {
			var t tuning
			fmt.Sscanf(p, "%d,%d,%d", &t.vectors, &t.limit, &t.skew)
			all = append(all, t)
		}
		if !strings.Contains(kernel, "Power") {
			all = all[:1]
		}
		return all
	}
	if strings.Contains(kernel, "Power") && !s.wide {
		return []tuning{{vectors: 2}, {vectors: 2}, {vectors: 2}}
	}
	return []tuning{{vectors: 2}}
}

var override string

func experiment(flags *flag.FlagSet) { flags.StringVar(&override, "tune", "", "") }

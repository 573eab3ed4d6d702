package main

import (
	"flag"
	"fmt"
	"regexp"
	"strings"

	"github.com/gofocal/focal/internal/abi"
)

var variants, only string

func experiment(flags *flag.FlagSet) {
	flags.StringVar(&variants, "variants", "", "")
	flags.StringVar(&only, "only", "", "")
}

func (g *generator) variants(s *isa) {
	names := map[string][]stage{"sigmoid": {sigmoid}, "softplus": {softplus}}
	var order []string
	for _, k := range abi.Kernels() {
		names[k.String()] = stagesOf(k)
		order = append(order, k.String())
	}
	order = append(order, "sigmoid", "softplus")
	for _, name := range order {
		if ok, _ := regexp.MatchString(only, name+s.suffix); !ok {
			continue
		}
		for _, v := range strings.Split(variants, " ") {
			var all []tuning
			for _, p := range strings.Split(v, ";") {
				var t tuning
				fmt.Sscanf(p, "%d,%d,%d,%d", &t.vectors, &t.limit, &t.skew, &t.stages)
				all = append(all, t)
			}
			if v == "default" {
				all = tuningOf(s, name)
			}
			g.kernel(s, name+"_"+strings.NewReplacer(",", "_", ";", "__").Replace(v)+"_", loopsOf(all, names[name])...)
		}
	}
}

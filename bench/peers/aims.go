package main

import (
	"fmt"
	"math"
)

// An aim is what was meant to be shown, and what is said where it is not.
type aim struct {
	what     string
	least    float64
	measured func(r *results) float64
	missed   string // why, if it is not met
}

// fastest returns the smallest ratio of the peers of a class.
func fastest(r *results, typ, op string, c class) float64 {
	best := math.Inf(1)
	for _, p := range peers {
		if k := r.of(1, usual, typ, 2, op, p.id); p.class == c && k != nil {
			best = min(best, r.ratio(k))
		}
	}
	if math.IsInf(best, 1) {
		return math.NaN()
	}
	return best
}

func ratioOf(s shape, typ, op, id string) func(r *results) float64 {
	return func(r *results) float64 {
		if c := r.of(1, s, typ, 2, op, id); c != nil {
			return r.ratio(c)
		}
		return math.NaN()
	}
}

func fastestOf(typ, op string, c class) func(r *results) float64 {
	return func(r *results) float64 { return fastest(r, typ, op, c) }
}

var speedAims = []aim{
	{"torchvision, loss, as it comes", 27, ratioOf(usual, "f32", "loss", "torchvision"), ""},
	{"torchvision, loss, memory kept", 11, ratioOf(usual, "f32", "loss", "torchvision+pages"), ""},
	{"torchvision, loss + gradient, as it comes", 17, ratioOf(usual, "f32", "both", "torchvision"), ""},
	{"torchvision, loss, as it comes, 32×10", 100, ratioOf(shape{32, 10}, "f32", "loss", "torchvision"), ""},
	{"best scripted graph of torch, loss", 6, fastestOf("f32", "loss", graph), ""},
	{"fastest accurate C or C++, loss", 2, fastestOf("f32", "loss", accurate), ""},
	{"fastest accurate C or C++, loss, float64", 1.6, fastestOf("f64", "loss", accurate), ""},
	{"onnxruntime, best graph, loss", 8, fastestOf("f32", "loss", onnx), ""},
	{"Go with package math, loss", 80, ratioOf(usual, "f32", "loss", "go"), loop},
}

const (
	// loop is why the loop that one writes may be less slow.
	loop = "it depends on the processor: the loop computes one element after the other, focal 16 at once. The aim is that of a Zen 4."

	// nearby is why a peer's error is not twice ours.
	nearby = "Where an error is not twice ours, few roundings are left on either side. Fewer of ours would take low parts everywhere, at the cost of speed."
)

// aims compares what was aimed at with what was measured, and says why what was missed is missed: a list, or nothing.
func (r *results) aims() (t table, why string) {
	t = table{{"focal is so many times as fast as", "aim", "measured", ""}}
	add := func(what, measured string, least, v float64, missed string) {
		verdict := "met"
		switch {
		case math.IsNaN(v):
			verdict = "not measured"
		case !(v >= least):
			verdict = "missed"
			if missed != "" {
				why += fmt.Sprintf("- **%s**, %s: %s\n", what, measured, missed)
			}
		}
		t = append(t, []string{what, fmt.Sprintf("≥\u00a0%v×", least), measured, verdict})
	}
	for _, a := range speedAims {
		v := a.measured(r)
		add(a.what, times(v), a.least, v, a.missed)
	}
	before := len(why)
	for _, typ := range types {
		for _, limit := range limits {
			worst, where := r.errorRatio(typ, limit)
			add(fmt.Sprintf("error of the most accurate peer, %s, x to ±%v, against ours", typ, limit), figure(worst)+"×", 2, worst, where)
		}
	}
	if len(why) > before {
		why += "\n" + nearby + "\n"
	}
	return t, why
}

// errorRatio returns the smallest ratio of the most accurate peer's worst error and ours, over all γ, loss and
// gradient, and where that is. A peer that computes float32 in float64 is not compared with.
func (r *results) errorRatio(typ string, limit float64) (float64, string) {
	smallest, where := math.Inf(1), ""
	for _, output := range []string{"loss", "grad"} {
		for _, g := range gammas {
			mine, ok := r.errorOf(peers[0], typ, g, output, limit)
			if !ok {
				continue
			}
			for _, p := range peers {
				if p.class == ours || p.class == lower || p.id == "archsimd" || p.class == wide && typ == "f32" {
					continue // our own arithmetic, or another type's
				}
				if a, ok := r.errorOf(p, typ, g, output, limit); ok && a.worst/mine.worst < smallest {
					smallest = a.worst / mine.worst
					where = fmt.Sprintf("%s of %s at γ = %v, %s ULP against %s", map[string]string{"loss": "loss", "grad": "gradient"}[output],
						p.title, g, figure(a.worst), figure(mine.worst))
				}
			}
		}
	}
	if where == "" {
		return math.NaN(), ""
	}
	return smallest, where
}

package compare

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat/combin"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/gofocal/focal/cmd/focal/internal/results"
)

// A measure is one way to say how much slower the new samples are.
type measure struct {
	ratio      benchmath.Summary // new/old
	slower     float64           // by this part; +Inf from 0
	oneSided   float64           // the probability of such samples if they are not slower
	comparison benchmath.Comparison
}

// slowdown returns by which part b is slower than a.
func slowdown(a, b float64, higher bool) float64 {
	if higher {
		a, b = b, a
	}
	if a == b {
		return 0
	}
	return (b - a) / math.Abs(a)
}

// measuresOf compares independent samples by their medians, with the Mann-Whitney U test, and by the fastest of each, which
// other programs disturb least. The first is that of the medians.
func measuresOf(a, b []float64, higher bool) []measure {
	x, y := results.Sample(a), results.Sample(b)
	from := benchmath.AssumeNothing.Summary(x, results.Confidence).Center
	to := benchmath.AssumeNothing.Summary(y, results.Confidence).Center
	m := measure{comparison: benchmath.AssumeNothing.Compare(x, y), slower: slowdown(from, to, higher)}
	m.ratio = benchmath.Summary{Center: to / from, Lo: math.Inf(-1), Hi: math.Inf(1)}
	m.oneSided = oneSided(m.comparison.P, m.slower)
	fastest := slices.Min[[]float64]
	if higher {
		fastest = slices.Max[[]float64]
	}
	return []measure{m, {slower: slowdown(fastest(a), fastest(b), higher), oneSided: m.oneSided}}
}

// pairedMeasures compares pairs by the median of their ratios, with the sign test: distribution-free, as the interval is.
// Samples without a partner are left out.
func pairedMeasures(a, b []float64, higher bool) []measure {
	n := min(len(a), len(b))
	ratios := make([]float64, 0, n)
	var up, down int
	for i := range n {
		switch {
		case b[i] > a[i]:
			up++
		case b[i] < a[i]:
			down++
		}
		if a[i] != 0 {
			ratios = append(ratios, b[i]/a[i])
		}
	}
	m := measure{ratio: benchmath.Summary{Center: 1, Lo: 1, Hi: 1}}
	if len(ratios) > 0 {
		m.ratio = benchmath.AssumeNothing.Summary(results.Sample(ratios), results.Confidence)
	}
	p := 1.0
	if up+down > 0 {
		coin := distuv.Binomial{N: float64(up + down), P: 0.5}
		p = min(1, 2*coin.CDF(float64(min(up, down))))
	}
	m.slower = slowdown(1, m.ratio.Center, higher)
	m.comparison = benchmath.Comparison{P: p, N1: n, N2: n, Alpha: Alpha}
	m.oneSided = oneSided(p, m.slower)
	return []measure{m}
}

// oneSided turns the p of a test on any difference into that of a test on slowness.
func oneSided(p, slower float64) float64 {
	if slower > 0 {
		return p / 2
	}
	return 1 - p/2
}

// smallestP is the smallest p that samples of such numbers can have.
func smallestP(n1, n2 int, paired bool) float64 {
	if paired {
		return math.Pow(0.5, float64(min(n1, n2)))
	}
	n1, n2 = min(n1, 100), min(n2, 100)
	return 1 / combin.GeneralizedBinomial(float64(n1+n2), float64(n1))
}

// holm corrects the p of several tests for their number, by Holm's method: with these, the probability that any of the true
// hypotheses is rejected is at most the level, however the tests depend on each other.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case p[i] < p[j]:
			return -1
		case p[i] > p[j]:
			return 1
		}
		return 0
	})
	adjusted := make([]float64, len(p))
	largest := 0.0
	for rank, i := range order {
		largest = max(largest, min(1, p[i]*float64(len(p)-rank)))
		adjusted[i] = largest
	}
	return adjusted
}

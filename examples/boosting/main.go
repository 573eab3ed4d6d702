// Command boosting trains gradient-boosted trees with the focal loss as the objective: package focal gives the gradient
// and the second derivative of each row in one pass, which users of LightGBM and XGBoost otherwise write by hand.
//
// The task is real and imbalanced: to find one handwritten digit among all others, of which there are a hundred for each.
// The focal loss is compared with the log-loss, which is the same call with a gamma of 0 and without alpha.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/examples/internal/digits"
)

// config says what is run. The same config gives the same results, on every machine.
type config struct {
	seed   uint64
	splits int // how many times, for each digit, the data is divided into training and test
	booster
}

func defaults() config {
	return config{seed: 1, splits: 5, booster: booster{rounds: 200, depth: 2, rate: 0.2, lambda: 3}}
}

// imbalance is how many other digits there are to each of the wanted one.
const imbalance = 100

// objectives are what is compared. A Newton step does not depend on a factor of the loss, but for lambda: the Norm takes
// alpha out of the weight of the positives, which then is 1 in all of them.
var objectives = []struct {
	name   string
	params focal.Params
}{
	{"log-loss", focal.Params{Gamma: 0, Alpha: focal.NoAlpha}},
	{"focal, gamma 1", focal.Params{Gamma: 1, Alpha: 0.25, Norm: 0.25}},
	{"focal, gamma 2", focal.Params{Gamma: 2, Alpha: 0.25, Norm: 0.25}},
}

// seconds are the values of the flag -second.
var seconds = map[string]second{"curvature": curvature, "floor": floored, "hessian": hessian}

func main() {
	log.SetFlags(0)
	cfg := defaults()
	flag.Uint64Var(&cfg.seed, "seed", cfg.seed, "of the random splits")
	flag.IntVar(&cfg.splits, "splits", cfg.splits, "of the data, for each digit")
	flag.IntVar(&cfg.rounds, "rounds", cfg.rounds, "of boosting: trees")
	flag.IntVar(&cfg.depth, "depth", cfg.depth, "of a tree")
	flag.Float64Var(&cfg.rate, "rate", cfg.rate, "learning rate")
	flag.Float64Var(&cfg.lambda, "lambda", cfg.lambda, "regularization of the leaves")
	flag.Func("second", "derivative of a row: curvature, hessian, or floor, the Hessian but at least 1e-6 (default curvature)", func(s string) (err error) {
		ok := false
		if cfg.second, ok = seconds[s]; !ok {
			err = errors.New("want curvature, hessian or floor")
		}
		return err
	})
	flag.Parse()
	if _, err := run(cfg, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run returns the mean average precision of each objective.
func run(cfg config, w io.Writer) (map[string]float64, error) {
	all, err := digits.Load()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(w, "average precision on the test half, mean over %d splits, 1:%d\n\n%-8s", cfg.splits, imbalance, "digit")
	for _, o := range objectives {
		fmt.Fprintf(w, "%16s", o.name)
	}
	fmt.Fprintln(w)
	mean := map[string]float64{}
	for digit := range 10 {
		fmt.Fprintf(w, "%-8d", digit)
		aps := make([]float64, len(objectives))
		for i := range cfg.splits {
			rng := rand.New(rand.NewPCG(cfg.seed, uint64(100*digit+i)))
			train, test := split(all, digit, rng)
			for k, o := range objectives {
				ap, err := evaluate(cfg.booster, o.params, train, test)
				if err != nil {
					return nil, err
				}
				aps[k] += ap / float64(cfg.splits)
			}
		}
		for k, o := range objectives {
			fmt.Fprintf(w, "%16.3f", aps[k])
			mean[o.name] += aps[k] / 10
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%-8s", "mean")
	for _, o := range objectives {
		fmt.Fprintf(w, "%16.3f", mean[o.name])
	}
	fmt.Fprintln(w)
	return mean, nil
}

// rows are a data set: what is seen of each row, and its label, 1 for the wanted digit and 0 for the others.
type rows struct {
	ink   [][digits.Pixels]uint8
	label []int32
}

// split shuffles the digits, takes half for training, and of the wanted one only as many as the imbalance leaves.
func split(all []digits.Digit, digit int, rng *rand.Rand) (train, test rows) {
	order := rng.Perm(len(all))
	for i, half := range []*rows{&train, &test} {
		part := order[i*len(order)/2 : (i+1)*len(order)/2]
		others := 0
		for _, k := range part {
			if all[k].Value != digit {
				others++
			}
		}
		left := others / imbalance
		for _, k := range part {
			label := int32(0)
			if all[k].Value == digit {
				if left == 0 {
					continue
				}
				left--
				label = 1
			}
			half.ink = append(half.ink, all[k].Ink)
			half.label = append(half.label, label)
		}
	}
	return train, test
}

func evaluate(b booster, p focal.Params, train, test rows) (float64, error) {
	m, err := b.train(train, p)
	if err != nil {
		return 0, err
	}
	scores := make([]float64, len(test.label))
	for i := range scores {
		scores[i] = m.logit(&test.ink[i])
	}
	return averagePrecision(scores, test.label), nil
}

// averagePrecision is the area under precision against recall, with a step for each threshold.
func averagePrecision(score []float64, label []int32) (ap float64) {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	positives := focal.FgNum(label)
	hits, before := 0, 0
	for i, k := range order {
		hits += int(label[k])
		if i+1 < len(order) && score[order[i+1]] == score[k] {
			continue // no threshold parts the two
		}
		ap += float64(float64(hits) / float64(i+1) * float64(hits-before) / float64(positives))
		before = hits
	}
	return ap
}

// prior is the logit of the share of positives: where boosting begins.
func prior(label []int32) float64 {
	n := focal.FgNum(label)
	return math.Log(float64(n) / float64(len(label)-n))
}

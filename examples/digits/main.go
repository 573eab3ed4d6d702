// Command digits trains two kinds of model on real handwritten digits with package focal.
//
// The first is a classifier: one linear layer, and each digit is a row. The second is the case that focal loss was made
// for, a dense detector: the digits lie on larger canvases, and every window of a canvas is a row, some hundreds of
// windows of background to each digit. It is trained with focal loss and with plain cross-entropy, from the same
// weights, on the same canvases, at the same learning rates.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"github.com/gofocal/focal"
)

// A config says how long to train. The same config gives the same results, on every machine.
type config struct {
	seed   uint64
	epochs int // of the classifier, over the training digits
	steps  int // of the detectors, each on a canvas of its own
	scenes int // held-out canvases to compare the detectors on
}

func defaults() config { return config{seed: 1, epochs: 20, steps: 300, scenes: 50} }

// The streams of random numbers. One for each purpose, so that to change one part leaves the others as they are.
const (
	streamSplit = iota
	streamClassifier
	streamWeights
	streamTrainCanvases
	streamTestCanvases
)

func (cfg config) rand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(cfg.seed, stream)) }

// results are what run prints.
type results struct {
	loss, accuracy []float64 // of the classifier after each epoch: mean training loss, held-out accuracy
	detectors      []*detector
}

// A detector is one training of the dense detector.
type detector struct {
	name   string
	params focal.Params
	rate   float32
	loss   []float64 // mean training loss, over each tenth of the steps
	curve  curve     // on the held-out canvases
}

func main() {
	log.SetFlags(0)
	cfg := defaults()
	flag.Uint64Var(&cfg.seed, "seed", cfg.seed, "seed of all that is random")
	flag.IntVar(&cfg.epochs, "epochs", cfg.epochs, "epochs of the classifier")
	flag.IntVar(&cfg.steps, "steps", cfg.steps, "training steps of each detector")
	flag.IntVar(&cfg.scenes, "scenes", cfg.scenes, "held-out canvases to compare the detectors on")
	flag.Parse()
	if cfg.epochs < 1 || cfg.steps < 1 || cfg.scenes < 1 {
		log.Fatal("-epochs, -steps and -scenes must be positive")
	}
	if _, err := run(cfg, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run trains everything and prints to w.
func run(cfg config, w io.Writer) (results, error) {
	var res results
	digits, err := loadDigits()
	if err != nil {
		return res, err
	}
	train, test := split(digits, cfg.rand(streamSplit))
	fmt.Fprintf(w, "%d digits to train on, %d held out; kernels: %s\n", len(train), len(test), focal.Path())

	if res.loss, res.accuracy, err = trainClassifier(cfg, train, test, w); err != nil {
		return res, err
	}
	res.detectors, err = compareDetectors(cfg, train, test, w)
	return res, err
}

// trainClassifier trains a linear layer on mini-batches of digits.
func trainClassifier(cfg config, train, test []digit, w io.Writer) (losses, accuracies []float64, err error) {
	const (
		batchSize = 32
		rate      = 0.2
	)
	p := focal.Default() // gamma 2, alpha 0.25

	fmt.Fprintf(w, "\n1. Classifier: linear, %d pixels to %d logits, focal loss\n\n", pixels, classes)
	fmt.Fprintf(w, "epoch   mean loss   held-out accuracy\n")

	train = slices.Clone(train) // it is shuffled below, and the caller's is not
	rng := cfg.rand(streamClassifier)
	m := newNetwork(rng, pixels, classes)
	testX, testLabel := batch(test)
	for epoch := range cfg.epochs {
		rng.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
		sum := 0.0
		for i := 0; i < len(train); i += batchSize {
			part := train[i:min(i+batchSize, len(train))]
			x, label := batch(part)
			loss, err := m.train(x, label, p, rate)
			if err != nil {
				return nil, nil, err
			}
			sum += float64(loss * float64(len(part))) // the loss of a batch is a mean over its digits
		}
		losses = append(losses, sum/float64(len(train)))
		accuracies = append(accuracies, m.accuracy(testX, testLabel))
		fmt.Fprintf(w, "%5d %11.4f %17.1f %%\n", epoch+1, losses[epoch], 100*accuracies[epoch])
	}
	return losses, accuracies, nil
}

// newDetectors lists what is compared. The gradients of the two losses differ in scale, so no single learning rate is
// fair to both: each gets the same three, and the reader compares the best of each.
func newDetectors() []*detector {
	var ds []*detector
	for _, rate := range []float32{0.005, 0.015, 0.05} {
		ds = append(ds, &detector{name: "focal", params: focal.Default(), rate: rate})
	}
	for _, rate := range []float32{0.005, 0.015, 0.05} {
		p := focal.Params{Gamma: 0, Alpha: focal.NoAlpha} // plain cross-entropy
		ds = append(ds, &detector{name: "cross-entropy", params: p, rate: rate})
	}
	return ds
}

// compareDetectors trains all detectors side by side, each step on one new canvas, and compares them on canvases with
// digits that none has seen.
func compareDetectors(cfg config, train, test []digit, w io.Writer) ([]*detector, error) {
	const (
		hidden = 32
		prior  = 0.01
	)
	ds := newDetectors()
	models := make([]*network, len(ds))
	for i := range models {
		models[i] = newNetwork(cfg.rand(streamWeights), pixels, hidden, classes) // the same weights for all
		models[i].setPrior(prior)
	}

	fmt.Fprintf(w, "\n2. Dense detector: %d pixels to %d hidden units to %d logits, on each of the %d windows of a canvas\n\n",
		pixels, hidden, classes, windows)
	fmt.Fprintf(w, "%-11s", "mean loss")
	for _, d := range ds {
		fmt.Fprintf(w, " %13s", d.name)
	}
	fmt.Fprintf(w, "\n%-11s", "   step")
	for _, d := range ds {
		fmt.Fprintf(w, " %13s", fmt.Sprint("rate ", d.rate))
	}
	fmt.Fprintln(w)

	rng := cfg.rand(streamTrainCanvases)
	sums := make([]float64, len(ds))
	since := 0 // the last line of progress
	for step := range cfg.steps {
		c := newCanvas(train, rng)
		x := c.appendWindows(nil)
		schedule := rateAt(step, cfg.steps)
		err := parallel(len(ds), func(i int) error {
			loss, err := models[i].train(x, c.label[:], ds[i].params, ds[i].rate*schedule)
			sums[i] += loss
			return err
		})
		if err != nil {
			return nil, err
		}
		if done := step + 1; done*10/cfg.steps > step*10/cfg.steps { // another tenth
			fmt.Fprintf(w, "%7d    ", done)
			for i, d := range ds {
				d.loss = append(d.loss, sums[i]/float64(done-since))
				fmt.Fprintf(w, " %13.4f", d.loss[len(d.loss)-1])
			}
			fmt.Fprintln(w)
			clear(sums)
			since = done
		}
	}

	rng = cfg.rand(streamTestCanvases)
	var x []float32
	var label []int32
	for range cfg.scenes {
		c := newCanvas(test, rng)
		x = c.appendWindows(x)
		label = append(label, c.label[:]...)
	}
	err := parallel(len(ds), func(i int) error {
		found, err := models[i].detect(x, label)
		ds[i].curve = newCurve(found)
		return err
	})
	if err != nil {
		return nil, err
	}
	printCurves(w, ds, label)
	return ds, nil
}

// rateAt is the factor of the learning rate at a step: it rises for a tenth of the steps, because the first gradients
// are those of a network that knows nothing, and then falls to zero.
func rateAt(step, steps int) float32 {
	t := float32(step) / float32(steps)
	return min(10*t, 1) * (1 - t)
}

// parallel calls f(0) to f(n-1), each in a goroutine of its own, and returns the first error by index.
func parallel(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = f(i)
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func printCurves(w io.Writer, ds []*detector, label []int32) {
	background := 0
	for _, class := range label {
		if class == 0 {
			background++
		}
	}
	digits := focal.FgNum(label)
	fmt.Fprintf(w, "\nOn %d held-out canvases, %d digits among %d windows of background (%d to one):\n\n",
		len(label)/windows, digits, background, background/digits)

	fmt.Fprintf(w, "%23s%s\n%-13s  %5s ", "", "precision at a recall of", "loss", "rate")
	for _, r := range recalls {
		fmt.Fprintf(w, " %4.0f %%", 100*r)
	}
	fmt.Fprintf(w, "   average precision\n")
	for _, d := range ds {
		fmt.Fprintf(w, "%-13s  %5v ", d.name, d.rate)
		for _, p := range d.curve.precision {
			fmt.Fprintf(w, " %6.3f", p)
		}
		fmt.Fprintf(w, "   %17.3f\n", d.curve.ap)
	}
	fmt.Fprintf(w, "\nThe ranking depends on the number of steps, and on the input's scale: see README.md before you quote it.\n")
}

// Command exhaustive evaluates loss, gradient, Hessian and sigmoid at all 2^32 float32 logits, as negatives and as
// positives: it compares the bits of every path with those of the reference, and the reference with the exact values.
//
//	go run ./gen/exhaustive                       # γ = 2, weight 1
//	go run ./gen/exhaustive -gamma 0,0.5,1,2,2.3,5
//	go run ./gen/exhaustive -target 0.1           # soft targets, of 0.1 and 0.9
//
// It uses all cores, for half an hour or so for each exponent on two of them, and can be interrupted: the state is kept
// in a file, from which the same command resumes. The last lines are what docs/accuracy.md states. Its status is 1 if
// any result differs or an error is above its bound.
package main

import (
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/verify"
)

// slice is how many patterns are evaluated between two writes of the state.
const slice = 1 << 24

// state is how far the sweep for one exponent has come.
type state struct {
	Sweep  verify.Sweep32 // From is where to go on
	Report verify.Report
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("exhaustive: ")
	gammas := flag.String("gamma", "2", "exponents, separated by commas")
	alpha := flag.Float64("alpha", focal.NoAlpha, "weight of positives; -1: all weights are 1")
	norm := flag.Float64("norm", 1, "divisor of the weights")
	soft := flag.Float64("target", -1, "target of each logit, in [0, 1], instead of labels; of that with the other sign 1 less it")
	step := flag.Uint64("step", 1, "evaluate only each so-many-th bit pattern")
	file := flag.String("state", "exhaustive.state", "file, with the exponent appended, that the state is kept in and resumed from")
	workers := flag.Int("workers", 0, "goroutines; 0: as many as there are CPUs")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	failed := false
	for i, text := range strings.Split(*gammas, ",") {
		gamma, err := strconv.ParseFloat(text, 64)
		if err != nil {
			log.Fatalf("-gamma: %v", err)
		}
		sweep := verify.Sweep32{To: verify.Patterns, Step: *step, Params: focal.Params{Gamma: gamma, Alpha: *alpha, Norm: *norm}}
		if *soft >= 0 {
			sweep.Target = soft
		}
		report, err := resume(ctx, *file+"."+text, sweep, verify.Options{Workers: *workers, WithoutSigmoid: i > 0})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("γ = %v, α = %v, n = %v: %d logits, paths %v compared with the reference: %d results differ\n",
			gamma, *alpha, *norm, report.Logits, report.Paths, report.Differing)
		for _, q := range verify.Quantities {
			fmt.Printf("  %-9v %v\n", q, report.Errors[q])
		}
		if err := report.Err(); err != nil {
			log.Print(err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// resume does what is left of a sweep, and returns the report of all of it.
func resume(ctx context.Context, file string, sweep verify.Sweep32, o verify.Options) (*verify.Report, error) {
	s := state{Sweep: sweep}
	switch old, err := load(file); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		same := old.Sweep
		same.From = sweep.From
		if !reflect.DeepEqual(same, sweep) {
			return nil, fmt.Errorf("%s is the state of another sweep: %+v", file, old.Sweep)
		}
		s = *old
	}
	begin, from := time.Now(), s.Sweep.From
	for s.Sweep.From < s.Sweep.To {
		part := s.Sweep
		part.To = min(part.From+slice*part.Step, s.Sweep.To)
		report, err := verify.Float32(ctx, part, o)
		if err != nil {
			return nil, fmt.Errorf("stopped at pattern %#x of γ = %v; the same command goes on there: %w", s.Sweep.From, sweep.Params.Gamma, err)
		}
		if s.Report.Logits == 0 {
			s.Report.Params, s.Report.Paths, s.Report.Bounds = report.Params, report.Paths, report.Bounds
		}
		s.Report.Merge(report)
		s.Sweep.From = part.To
		if err := s.save(file); err != nil {
			return nil, err
		}
		done := float64(s.Sweep.From-from) / float64(s.Sweep.To-from)
		left := time.Duration(float64(time.Since(begin)) * (1 - done) / done)
		fmt.Fprintf(os.Stderr, "γ = %v: %5.1f %%, %v left; worst loss %.3f, gradient %.3f, Hessian %.3f, sigmoid %.3f; %d differ\n",
			sweep.Params.Gamma, 100*float64(s.Sweep.From)/float64(s.Sweep.To), left.Round(time.Second), s.Report.Errors[verify.Loss].Worst,
			s.Report.Errors[verify.Grad].Worst, s.Report.Errors[verify.Hess].Worst, s.Report.Errors[verify.Sigmoid].Worst, s.Report.Differing)
	}
	return &s.Report, nil
}

func load(file string) (*state, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := new(state)
	if err := gob.NewDecoder(f).Decode(s); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// save replaces the file at once, so that an interruption leaves the old one or the new one.
func (s *state) save(file string) error {
	f, err := os.Create(file + ".new")
	if err != nil {
		return err
	}
	if err := errors.Join(gob.NewEncoder(f).Encode(s), f.Close()); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// Command exhaustive evaluates all that package focal computes at all 2^32 float32 logits, as negatives and as positives, on the
// best path, and compares it with the exact values; and the bits of every other path with it, at some of the logits.
//
//	go run ./gen/exhaustive                       # γ = 2, weight 1
//	go run ./gen/exhaustive -gamma 0,0.5,1,2,2.3,5
//	go run ./gen/exhaustive -target 0.1           # soft targets, of 0.1 and 0.9
//	go run ./gen/exhaustive -thorough             # measures the reference, and compares every path with it at all logits
//
// It takes ten minutes or so of one core for each exponent, six times as many with -thorough and 20 times with -target, and uses
// all cores. It can be interrupted: the state is kept in a file, from which the same command resumes. The last lines are what
// docs/accuracy.md states. Its status is 1 if any result differs or an error is above its bound.
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
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/oracle"
	"github.com/gofocal/focal/internal/verify"
)

// The patterns are evaluated in slices; the state is written after each.
const (
	slicePatterns = 1 << 24
	slices        = verify.Patterns / slicePatterns
)

// slice returns the i-th slice to be evaluated. Those around ±1 come first, where most of the arithmetic happens, and
// the tiniest logits, the largest ones and the NaNs at the end, so even the beginning of a sweep tells something.
func slice(i int) (from, to uint64) {
	const half, one = slices / 2, 0x3f // of the positive patterns, and the one that holds 1
	order := make([]uint64, half)
	for k := range order {
		order[k] = uint64(k)
	}
	distance := func(k uint64) uint64 { return max(k, one) - min(k, one) }
	sort.SliceStable(order, func(a, b int) bool { return distance(order[a]) < distance(order[b]) })
	k := order[i/2] + uint64(i%2)*half
	return k * slicePatterns, (k + 1) * slicePatterns
}

// state is how far the sweep for one exponent has come.
type state struct {
	Sweep    verify.Sweep32
	Thorough bool
	Targets  bool // Sweep.Target is not nil: gob leaves a pointer to 0 out
	Slices   int  // that are done
	Report   verify.Report
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("exhaustive: ")
	gammas := flag.String("gamma", "2", "exponents, separated by commas")
	alpha := flag.Float64("alpha", focal.NoAlpha, "weight of positives; -1: all weights are 1")
	norm := flag.Float64("norm", 1, "divisor of the weights")
	soft := flag.Float64("target", -1, "target of each logit, in [0, 1], instead of labels; of that with the other sign 1 less it")
	thorough := flag.Bool("thorough", false, "measure the reference, and compare every path with it at all logits")
	step := flag.Uint64("step", 1, "evaluate only each so-many-th bit pattern")
	file := flag.String("state", "exhaustive.state", "file, with the exponent appended, that the state is kept in and resumed from")
	parts := flag.Int("parts", slices, "stop after so many of the parts of each exponent, the first of which are around ±1; without it the same command goes on")
	workers := flag.Int("workers", 0, "goroutines; 0: as many as there are CPUs")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if *parts < 1 || *parts > slices {
		log.Fatalf("-parts: %d, want 1 to %d", *parts, slices)
	}

	failed := false
	for i, text := range strings.Split(*gammas, ",") {
		gamma, err := strconv.ParseFloat(text, 64)
		if err != nil {
			log.Fatalf("-gamma: %v", err)
		}
		sweep := verify.Sweep32{Step: max(*step, 1), Params: focal.Params{Gamma: gamma, Alpha: *alpha, Norm: *norm}}
		if *soft >= 0 {
			sweep.Target = soft
		}
		report, err := resume(ctx, *file+"."+text, sweep, *parts, verify.Options{Workers: *workers, WithoutSigmoid: i > 0, Sparse: !*thorough})
		if err != nil {
			log.Fatal(err)
		}
		of := "labels"
		if sweep.Target != nil {
			of = fmt.Sprintf("targets of %v and 1 less that", *soft)
		}
		fmt.Printf("γ = %v, α = %v, n = %v, %s: %d logits, paths %v and the reference compared: %d results differ\n",
			gamma, *alpha, *norm, of, report.Logits, report.Paths, report.Differing)
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

// resume does what is left of the first parts of a sweep, and returns the report of all that has been done.
func resume(ctx context.Context, file string, sweep verify.Sweep32, parts int, o verify.Options) (*verify.Report, error) {
	s := state{Sweep: sweep, Thorough: !o.Sparse}
	switch old, err := load(file); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !reflect.DeepEqual(old.Sweep, sweep) || old.Thorough == o.Sparse:
		return nil, fmt.Errorf("%s is the state of another sweep: %+v", file, old.Sweep)
	default:
		s = *old
	}
	begin, before := time.Now(), s.Slices
	for s.Slices < parts {
		part := s.Sweep
		part.From, part.To = slice(s.Slices)
		part.From = (part.From + part.Step - 1) / part.Step * part.Step
		report, err := verify.Float32(ctx, part, o)
		if err != nil {
			return nil, fmt.Errorf("stopped after %d of %d parts of γ = %v; the same command goes on there: %w", s.Slices, parts, sweep.Params.Gamma, err)
		}
		if s.Slices == 0 {
			s.Report.Params, s.Report.Paths, s.Report.Bounds = report.Params, report.Paths, report.Bounds
		}
		s.Report.Merge(report)
		s.Slices++
		if err := s.save(file); err != nil {
			return nil, err
		}
		left := time.Since(begin) / time.Duration(s.Slices-before) * time.Duration(parts-s.Slices)
		e := s.Report.Errors
		fmt.Fprintf(os.Stderr, "γ = %v: %d of %d parts, %v left; worst loss %.3f, gradient %.3f, Hessian %.3f, sigmoid %.3f; %d differ\n",
			sweep.Params.Gamma, s.Slices, parts, left.Round(time.Second), e[oracle.Loss].Worst, e[oracle.Grad].Worst,
			e[oracle.Hess].Worst, e[oracle.Sigmoid].Worst, s.Report.Differing)
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
	if s.Targets && s.Sweep.Target == nil {
		s.Sweep.Target = new(float64)
	}
	return s, nil
}

// save replaces the file at once, so an interruption leaves the old one or the new one.
func (s *state) save(file string) error {
	s.Targets = s.Sweep.Target != nil
	f, err := os.Create(file + ".new")
	if err != nil {
		return err
	}
	if err := errors.Join(gob.NewEncoder(f).Encode(s), f.Close()); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// Command search looks for the float64 logits with the largest errors: it draws ten million and more, log-uniformly and
// around all the places where the kernels take another turn, and then searches around the worst that it has found. It
// also compares the bits of every path with those of the reference.
//
//	go run ./gen/search -gamma 0,0.5,1,2,2.3,5
//
// With -soft it looks for logits and soft targets with the largest errors of the reference, for float32 and float64 and
// several pairs of weights:
//
//	go run ./gen/search -soft -gamma 0.5,2,2.3,5
//
// The exact values are those of package oracle, in pairs of float64. With -dump it writes such values instead, for
// gen/oracle/compare.c to hold against MPFR:
//
//	gcc -O2 gen/oracle/compare.c -o compare -lmpfr -lgmp -lm
//	go run ./gen/search -dump -points 1000000 | ./compare
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/oracle"
	"github.com/gofocal/focal/internal/verify"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("search: ")
	gammas := flag.String("gamma", "0,0.5,1,2,2.3,5", "exponents, separated by commas")
	points := flag.Uint64("points", 10_000_000, "logits to draw for each exponent, before the directed search")
	seed := flag.Uint64("seed", 1, "of the random numbers")
	soft := flag.Bool("soft", false, "look for logits and soft targets instead")
	dump := flag.Bool("dump", false, "write logits and their exact values to standard output instead")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	failed := false
	for _, text := range strings.Split(*gammas, ",") {
		gamma, err := strconv.ParseFloat(text, 64)
		if err != nil {
			log.Fatalf("-gamma: %v", err)
		}
		if *soft {
			if !searchSoft(ctx, gamma, *seed) {
				failed = true
			}
			continue
		}
		s := verify.Sweep64{Points: *points, Seed: *seed, Params: focal.Params{Gamma: gamma, Alpha: focal.NoAlpha, Norm: 1}}
		if *dump {
			if err := write(s); err != nil {
				log.Fatal(err)
			}
			continue
		}
		report, err := verify.Float64(ctx, s, verify.Options{})
		if err == nil {
			err = verify.Refine(ctx, report, *seed, verify.Options{})
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("γ = %v: %d logits, paths %v compared with the reference: %d results differ\n",
			gamma, report.Logits, report.Paths, report.Differing)
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

// weights are alpha and norm: without rounding, with some, of which the last makes the weights of the classes differ much.
var weights = [][2]float64{{focal.NoAlpha, 1}, {0.25, 1}, {focal.NoAlpha, 0.98131754}, {0.25, 37}, {0.647, 0.665}, {0.2, 0.8}, {0.99, 1}, {1e-3, 1000}}

// searchSoft prints the largest errors of soft targets, and returns whether they are within their bounds.
func searchSoft(ctx context.Context, gamma float64, seed uint64) (ok bool) {
	ok = true
	for _, w := range weights {
		p := focal.Params{Gamma: gamma, Alpha: w[0], Norm: w[1]}
		bounds := oracle.PromisedSoft(gamma, false)
		worst32, err := verify.SearchSoft[float32](ctx, p, 1<<16, seed)
		if err != nil {
			log.Fatal(err)
		}
		worst64, err := verify.SearchSoft[float64](ctx, p, 1<<11, seed)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("γ = %v, α = %v, n = %v\n", gamma, w[0], w[1])
		for q, bound := range []float64{bounds.Loss, bounds.Grad, bounds.Hess} {
			fmt.Printf("  %-9v float32: %v\n  %-9v float64: %v\n", verify.Quantity(q), worst32[q], "", worst64[q])
			ok = ok && worst32[q].Err <= bound && worst64[q].Err <= bound
		}
	}
	if !ok {
		log.Print("above the bound")
	}
	return ok
}

// write writes records of little-endian float64: u, γ, and Hi, Lo and Exp of loss, gradient, Hessian, the sum of its
// terms' magnitudes, and the sigmoid.
func write(s verify.Sweep64) error {
	out := bufio.NewWriter(os.Stdout)
	for u := range s.Logits() {
		v := oracle.At64(u, s.Params.Gamma)
		record := []float64{u, s.Params.Gamma}
		for _, r := range []oracle.Real{v.Loss, v.Grad, v.Hess, v.HMag, v.Sigmoid} {
			record = append(record, r.Hi, r.Lo, float64(r.Exp))
		}
		for _, f := range record {
			if err := binary.Write(out, binary.LittleEndian, math.Float64bits(f)); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

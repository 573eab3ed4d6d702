// Command search looks for the float64 logits with the largest errors: it draws ten million and more, log-uniformly and
// around all the places where the kernels take another turn, and then searches around the worst that it has found. It
// also compares the bits of every path with those of the reference.
//
//	go run ./gen/search -gamma 0,0.5,1,2,2.3,5
//
// With -climb it climbs for that long instead, from the worst that are known and from many random starts: over logits, gamma, alpha, norm, and soft targets, together,
// for float32 and float64, below and above γ = 5. Hours of it found what docs/accuracy.md states, and package verify has noted:
//
//	go run ./gen/search -climb 1h
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
	"time"

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
	climb := flag.Duration("climb", 0, "climb for so long instead, over all variables")
	dump := flag.Bool("dump", false, "write logits and their exact values to standard output instead")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	if *climb > 0 {
		if !climbAll(ctx, *climb, *seed) {
			os.Exit(1)
		}
		return
	}
	failed := false
	for _, text := range strings.Split(*gammas, ",") {
		gamma, err := strconv.ParseFloat(text, 64)
		if err != nil {
			log.Fatalf("-gamma: %v", err)
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

// climbAll prints the summits of all kinds, and returns whether they are within their bounds.
func climbAll(ctx context.Context, long time.Duration, seed uint64) (ok bool) {
	ok = true
	for _, c := range verify.Climbs {
		c.Seed = seed
		of := "labels"
		if c.Soft {
			of = "soft targets"
		}
		for i, summits := range []func(context.Context, verify.Climb) ([oracle.Quantities]verify.Summit, error){verify.Summits[float32], verify.Summits[float64]} {
			ctx, cancel := context.WithTimeout(ctx, long/time.Duration(2*len(verify.Climbs)))
			worst, err := summits(ctx, c)
			cancel()
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%v ≤ γ ≤ %v, %s, float%d\n", c.Gamma[0], c.Gamma[1], of, 32<<i)
			for q, s := range worst {
				if s.Bound > 0 {
					fmt.Printf("  %-15v %v\n", oracle.Quantity(q), s)
					ok = ok && s.Err <= s.Bound
				}
			}
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
		for _, r := range []oracle.Real{v.Value[oracle.Loss], v.Value[oracle.Grad], v.Value[oracle.Hess], v.Mag[oracle.Hess], v.Value[oracle.Sigmoid]} {
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

// Command asm generates kernel_amd64.s, the AVX2 and AVX-512 kernels, with Avo:
//
//	go run ./asm -out kernel_amd64.s
//
// lanes.go holds the vectors and their constants, math.go the mathematics (the steps of kernel_generic.go), kernels.go the
// loops around it and the kernels of labels, soft.go those of soft targets (kernel_generic_soft.go), and labels.go what
// makes masks of labels. dead.go, slots.go and registers.go are what comes between Avo's instructions and the text.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/mmcloughlin/avo/build"

	"github.com/gofocal/focal/internal/coef"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("asm: ")
	flags := flag.NewFlagSet("asm", flag.ExitOnError) // Avo has flags of its own in the common set
	out := flags.String("out", "kernel_amd64.s", "`file` to write")
	flags.Parse(os.Args[1:])

	ctx := build.NewContext()
	ctx.ConstraintExpr("gc,!purego")
	single := constantsOf(&coef.F32, coef.Layout32)
	double := constantsOf(&coef.F64, coef.Layout64)
	for _, s := range []isa{
		{suffix: "F32AVX512", wide: true, table: single, inFlight: flight{{4, 3}, {3, 2}, {2, 2}, {4}}, softInFlight: flight{{3, 2}, {3, 1}, {1, 1}}},
		{suffix: "F64AVX512", wide: true, double: true, table: double, inFlight: flight{{3, 3}, {3, 2}, {2, 2}, {4}}, softInFlight: flight{{3, 2}, {2, 1}, {1, 1}}},
		{suffix: "F32AVX2", table: single, inFlight: flight{{2, 2}, {2, 2}, {2, 2}, {3}}, softInFlight: flight{{2, 2}, {2, 2}, {2, 2}}},
		{suffix: "F64AVX2", double: true, table: double, inFlight: flight{{2, 2}, {2, 2}, {2, 2}, {2}}, softInFlight: flight{{2, 2}, {2, 2}, {2, 2}}},
	} {
		g := &generator{Context: ctx, isa: &s}
		kernels(g)
		targets(g)
	}

	labels(ctx, true, "AVX512")
	labels(ctx, false, "AVX2")

	f, err := ctx.Result()
	if err != nil {
		if all, ok := err.(build.ErrorList); ok {
			for _, e := range all {
				log.Print(e)
			}
		}
		log.Fatal(err)
	}
	if err := compile.Execute(f); err != nil {
		log.Fatal(err)
	}
	src, err := print(f)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, src, 0o644); err != nil {
		log.Fatal(err)
	}
}

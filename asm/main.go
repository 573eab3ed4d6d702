// Command asm generates kernel_amd64.s.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/printer"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("asm: ")
	flags := flag.NewFlagSet("asm", flag.ExitOnError) // Avo has flags of its own in the common set
	out := flags.String("out", "kernel_amd64.s", "`file` to write")
	u := flags.Int("u", 3, "")
	limit := flags.Int("limit", 0, "")
	skew := flags.Int("skew", 0, "")
	flags.Parse(os.Args[1:])

	ctx := build.NewContext()
	ctx.ConstraintExpr("!purego")
	g := &generator{Context: ctx, globals: map[string]operand.Mem{}}
	for _, s := range []*isa{{suffix: "F32AVX2"}, {suffix: "F32AVX512", wide: true}, {suffix: "F64AVX2", double: true}, {suffix: "F64AVX512", wide: true, double: true}} {
		t := tuning{*u, *limit, *skew}
		if s.double { g.helpers(s); continue }
		g.kernel(s, "lossSquare", 0, loop{"loop", t, tm(false)})
		g.helpers(s)
		g.kernel(s, "gradSquare", 0, loop{"loop", t, tm(true)})
	}

	g.labels(&isa{suffix: "AVX2"})
	g.labels(&isa{suffix: "AVX512", wide: true})
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
	src, err := printer.NewGoAsm(printer.Config{Name: "asm", Argv: []string{"asm"}}).Print(f)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, src, 0o644); err != nil {
		log.Fatal(err)
	}
}


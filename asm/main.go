// Command asm generates the assembly for amd64 with Avo, and the declarations and switches of all assembly:
//
//	go run ./asm
//
// math.go is the mathematics, line by line that of kernel_generic.go, in operations on values (value.go). schedule.go puts the
// operations of several vectors in order, allocate.go gives them registers and instructions, generator.go writes the loops around
// them. labels.go has what is not mathematics, and list.go writes the Go files.
package main

import (
	"flag"
	"log"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/printer"

	"github.com/gofocal/focal/internal/abi"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("asm: ")
	flags := flag.NewFlagSet("asm", flag.ExitOnError) // Avo has flags of its own in the common set
	dir := flags.String("dir", ".", "`folder` to write to, with kernel_arm64.s in it")
	flags.Parse(os.Args[1:])
	all, err := files(*dir)
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(*dir, name), text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// files returns what is generated, by name. What there is for arm64 is read from the root folder's assembly.
func files(root string) (all map[string][]byte, err error) {
	all = map[string][]byte{}
	if all["kernel_amd64.s"], err = assembly(); err != nil {
		return nil, err
	}
	arm64, err := os.ReadFile(filepath.Join(root, "kernel_arm64.s"))
	if err != nil {
		return nil, err
	}
	if all["kernels_amd64.go"], err = list(all["kernel_amd64.s"], path{"pathAVX512", "AVX512", groups(true)}, path{"pathAVX2", "AVX2", groups(false)}); err != nil {
		return nil, err
	}
	if all["kernels_arm64.go"], err = list(arm64, path{"pathNEON", "NEON", [2]int{abi.Lanes, abi.Lanes}}); err != nil {
		return nil, err
	}
	return all, nil
}

var isas = []*isa{
	{suffix: "F32AVX2", constants: constants32},
	{suffix: "F32AVX512", wide: true, constants: constants32},
	{suffix: "F64AVX2", double: true, constants: constants64},
	{suffix: "F64AVX512", wide: true, double: true, constants: constants64},
}

// groups returns how many elements, float32 and float64, the kernels of an instruction set process at a time.
func groups(wide bool) (g [2]int) {
	for _, s := range isas {
		if s.wide == wide {
			i := map[bool]int{false: 0, true: 1}[s.double]
			g[i] = abi.Lanes
			for _, k := range abi.Kernels() {
				for _, t := range tuningOf(s, k) {
					g[i] = max(g[i], t.vectors*s.lanes()) // powers of two
				}
			}
		}
	}
	return g
}

// assembly returns kernel_amd64.s.
func assembly() ([]byte, error) {
	ctx := build.NewContext()
	ctx.ConstraintExpr("gc,!purego")
	g := &generator{Context: ctx, globals: map[string]operand.Mem{}, sharedLoops: map[string]*instructions{}}
	for _, s := range isas {
		for _, k := range abi.Kernels() {
			g.kernel(s, k.String(), loopsOf(tuningOf(s, k), stagesOf(k))...)
		}
		g.kernel(s, "sigmoid", loop{tuning{vectors: 4}, []stage{sigmoid}})
		g.kernel(s, "softplus", loop{tuning{vectors: 2}, []stage{softplus}})
		g.helpers(s)
	}
	g.labels(&isa{suffix: "AVX2"})
	g.labels(&isa{suffix: "AVX512", wide: true})

	f, err := ctx.Result()
	if err != nil {
		return nil, err
	}
	if err := compile.Execute(f); err != nil {
		return nil, err
	}
	return printer.NewGoAsm(printer.Config{Name: "asm", Argv: []string{"asm"}}).Print(f)
}

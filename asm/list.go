package main

import (
	"bytes"
	"fmt"
	"go/format"
	"strings"

	"github.com/gofocal/focal/internal/abi"
)

// A path is what the list of kernels needs to know of one: the constant that names it, how its functions' names end, and how many
// elements of each type its kernels process at a time.
type path struct {
	constant, suffix string
	group            [2]int
}

// A helper is a function in assembly that is no kernel.
type helper struct {
	comment, name, params string // T stands for the element type
	answers               string // what the bool is called that it returns, if it does
	untyped               bool   // one for both element types
}

var helpers = []helper{
	{name: "sigmoid", params: "dst, x *T, n int", comment: "sigmoid evaluates whole groups; dst may be x."},
	{name: "softplus", params: "dst, x *T, n int", comment: "softplus evaluates whole groups; dst may be x."},
	{name: "sum", params: "s *laneSums, loss *T, n int", comment: "sum adds losses to lanes as addToLane does. Here and below n is a positive multiple of abi.Lanes."},
	{name: "mul", params: "dst, dout *T, n int", comment: "mul multiplies dst by dout; every NaN is the quiet one without a sign."},
	{name: "expand", params: "u, w, x *T, pos *uint64, n int, wNeg, wPos T", comment: "expand makes a kernel's arguments of bits: u = -x and w = wPos where pos is set, otherwise x and wNeg. u may be x."},
	{name: "expandRowsF32", params: "u, w, x *float32, label *int32, rows *float32, table *rowEntry, from, entries, n int, ignore int32, some bool, wNeg, wPos float32", untyped: true, comment: "expandRowsF32 makes them of labels, as the entries of a table tell: from the given one on, and after the last the first again. If some\n// is false no label is ignore, and wNeg and wPos are all weights; otherwise the table has them. If rows is not nil, w is multiplied by\n// weights of rows. Each window of labels and rows is read whole."},
	{name: "flip", params: "dst *T, pos *uint64, n int", comment: "flip changes the sign where pos is set."},
	{name: "flipAsF32", params: "dst, u, x *float32, n int", untyped: true, comment: "flipAsF32 changes the sign where those of u and x differ."},
	{name: "mask", params: "dst *T, keep *uint64, n int", comment: "mask makes 0 of what is not kept."},
	{name: "blend", params: "dst, other *T, which *uint64, n int", comment: "blend writes other to dst where which is set."},
	{name: "weigh", params: "dst, src *T, n int, by *T, rows int", comment: "weigh writes src·by[r] to dst+n·r, for each row r. It takes whole vectors: up to a multiple of abi.Lanes elements, what stands\n// behind the n of src is read, and what stands behind those of dst is written."},
	{name: "wholeWithin", params: "v *T, n int, plus, lo, hi T", answers: "ok", comment: "wholeWithin reports whether all elements, plus a number, are in lo..hi, where lo ≥ 0. NaN is not."},
	{name: "wholeTargetMasks", params: "pos, soft *uint64, t *T, n int", answers: "softs", comment: "wholeTargetMasks makes two masks: which targets are 1, and which are neither 0 nor 1. It reports whether any is the latter."},
	{name: "wholeLabelsValid", params: "label *int32, n int, limit uint32, ignore int32", answers: "ok", untyped: true, comment: "wholeLabelsValid reports whether all labels are at most limit, taken as unsigned, or ignore."},
	{name: "wholeLabelList", params: "index *uint16, count *int, label *int32, n, c, limit int, first, offset, ignore int32", answers: "ignored", untyped: true, comment: "wholeLabelList lists the positives of whole rows among the elements 0..limit-1, the first row of which begins at element first. It\n// adds their number to count, writes up to abi.Lanes numbers more, and reports whether any row is ignored."},
	{name: "wholeLabelMasks", params: "pos, keep *uint64, label *int32, n, c int, offset, ignore int32", answers: "ignored", untyped: true, comment: "wholeLabelMasks makes the masks of whole rows, and reports whether any is ignored."},
	{name: "wholeFromInt8", params: "dst *int32, src *int8, n int, mask, limit uint32, ignore int32", answers: "ok", untyped: true, comment: "wholeFromInt8 makes int32 of other integers, without the bits that mask lacks. If dst is nil, it reports whether all are at most\n// limit, taken as unsigned, or ignore, instead."},
	{name: "wholeFromInt16", params: "dst *int32, src *int16, n int, mask, limit uint32, ignore int32", answers: "ok", untyped: true, comment: "wholeFromInt16 is wholeFromInt8 for int16."},
	{name: "wholeFromInt64", params: "dst *int32, src *int64, n int, limit uint64, ignore int64", answers: "ok", untyped: true, comment: "wholeFromInt64 is wholeFromInt8 for int64, of which dst has the lower halves."},
}

// arguments returns the names of the parameters.
func (h helper) arguments() string {
	var names []string
	for _, p := range strings.Split(h.params, ", ") {
		name, _, _ := strings.Cut(p, " ")
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// list returns the Go file that declares the functions of an assembly file and chooses among them, for the paths that it has, the
// best first. Which kernels there may be is said by abi.Kernels alone; those that the assembly lacks are done in Go.
func list(assembly []byte, paths ...path) ([]byte, error) {
	var w bytes.Buffer
	p := func(f string, args ...any) { fmt.Fprintf(&w, f+"\n", args...) }
	has := func(name string) bool { return bytes.Contains(assembly, []byte("TEXT ·"+name+"(SB)")) }
	declare := func(name, params, result string) {
		if has(name) {
			p("\n//go:noescape\nfunc %s(%s)%s", name, params, result)
		}
	}
	p("// Code generated by asm. DO NOT EDIT.\n\n//go:build gc && !purego\n\npackage focal\n\nimport \"github.com/gofocal/focal/internal/abi\"\n")
	p("// Calls are switches because one through a function variable would make the arguments escape. Each element type has its own, so")
	p("// that a program that uses one does not link the kernels of the other.\n")
	// choose writes a function that does something for each path.
	choose := func(signature string, do func(p path)) {
		p("func %s {", signature)
		for _, pa := range paths[:len(paths)-1] {
			p("if p == %s {", pa.constant)
			do(pa)
			p("}")
		}
		do(paths[len(paths)-1])
		p("}")
	}
	p("// builtPath is the best path that is built, whatever the machine has.\nconst builtPath = %s\n", paths[0].constant)
	p("// labelKernels says whether the assembly checks labels and targets and makes masks of them; see the end of masks.go.")
	p("const labelKernels = %v", has("wholeLabelMasks"+paths[0].suffix))
	if bytes.Contains(assembly, []byte(packTable().Symbol.Name+"+0(SB)")) {
		p(packTableInGo)
	}
	types := []struct{ name, suffix string }{{"float32", "F32"}, {"float64", "F64"}}
	for d, t := range types {
		p("\n// group%s returns how many elements the kernels process at a time.", t.suffix)
		choose("group"+t.suffix+"(p kernelPath) int", func(pa path) { p("return %d", pa.group[d]) })
		p("\n// kernel%s calls a kernel.", t.suffix)
		choose(fmt.Sprintf("kernel%s(p kernelPath, k abi.Kernel, a *abi.Args[%s]) bool", t.suffix, t.name), func(pa path) {
			p("switch k {")
			for _, k := range abi.Kernels() {
				if name := k.String() + t.suffix + pa.suffix; has(name) {
					p("case %d:\n%s(a)", k, name)
				}
			}
			p("default:\nreturn false\n}\nreturn true")
		})
		for _, pa := range paths {
			for _, k := range abi.Kernels() {
				declare(k.String()+t.suffix+pa.suffix, "a *abi.Args["+t.name+"]", "")
			}
		}
	}
	for _, h := range helpers {
		for d, t := range types {
			if h.untyped {
				if t.suffix = ""; d == 1 {
					continue
				}
			}
			params, result := strings.ReplaceAll(h.params, "T", t.name), ""
			if h.answers != "" {
				result = fmt.Sprintf(" (%s bool)", h.answers)
			}
			p("\n// %s%s%s", h.name, t.suffix, strings.TrimPrefix(h.comment, h.name))
			choose(fmt.Sprintf("%s%s(p kernelPath, %s) bool", h.name, t.suffix, params), func(pa path) {
				name := h.name + t.suffix + pa.suffix
				switch call := fmt.Sprintf("%s(%s)", name, h.arguments()); {
				case !has(name):
					p("return false")
				case h.answers != "":
					p("return %s", call)
				default:
					p("%s\nreturn true", call)
				}
			})
			for _, pa := range paths {
				declare(h.name+t.suffix+pa.suffix, params, result)
			}
		}
	}
	return format.Source(w.Bytes())
}

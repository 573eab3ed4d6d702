package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What options of a target cost, against the call without them. The operations are those of gopeers.

// optionRows returns what is compared on a path.
func optionRows(path string) (rows []ceiling) {
	add := func(what, typ, op, base string, aim float64) {
		rows = append(rows, ceiling{what, typ, 2, op, path, path, base, aim, false})
	}
	for _, op := range [][2]string{{"loss", "loss"}, {"both", "loss + gradient + sum"}} {
		add("f32 "+op[1]+", weights of rows", "f32", op[0]+":rows", op[0], 1.10)
		add("f32 "+op[1]+", weights of classes", "f32", op[0]+":classes", op[0], 1.15)
		add("f32 "+op[1]+", weights of elements", "f32", op[0]+":elements", op[0], 1.15)
	}
	add("f32 loss, α = 0", "f32", "loss:alpha0", "loss", 1.10)
	add("f32 loss, α = 1", "f32", "loss:alpha1", "loss", 1.10)
	add("f32 loss, γ = 0", "f32", "loss:gamma0", "loss", 0.90)
	for _, quality := range []string{"varifocal", "quality"} {
		add("f32 loss, "+quality+" scores, 1 positive in 20 rows, against its labels", "f32", "loss:"+quality, "loss:sparse", 1.20)
	}
	add("f32 loss, dense, 1 % soft, against hard", "f32", "loss:soft1", "loss:dense", 1.30)
	for _, typ := range types {
		add(typ+" loss, dense, 1 % ignored, against hard", typ, "loss:ignored", "loss:dense", 0)
		add(typ+" loss, dense, 1 % ignored as NaN, against hard", typ, "loss:ignoredNaN", "loss:dense", 0)
	}
	for _, c := range []int{1, 3, 10} {
		base := fmt.Sprintf("loss@%d", c)
		add(fmt.Sprintf("f32 loss, weights of rows, C = %d", c), "f32", fmt.Sprintf("loss:rows@%d", c), base, 1.10)
		add(fmt.Sprintf("f32 loss, weights of classes, C = %d", c), "f32", fmt.Sprintf("loss:classes@%d", c), base, 1.15)
	}
	for _, c := range []int{1, 3, 10, 80} {
		for _, labels := range []string{"int64", "int", "uint8"} {
			add(fmt.Sprintf("f32 loss, []%s, C = %d, against []int32", labels, c), "f32", fmt.Sprintf("loss:%s@%d", labels, c), fmt.Sprintf("loss@%d", c), 1.10)
		}
	}
	return rows
}

// runOptions measures the options, and writes the tables into docs/performance.md.
func runOptions() error {
	paths := []peer{{id: "focal", worker: "focal"}, {id: "focal-avx2", worker: "focal"}}
	sections := []section{{usual, "f32", []float64{2}, nil, 0.8, time.Millisecond}, {usual, "f64", []float64{2}, nil, 0.2, time.Millisecond}}
	for i := range sections {
		s := &sections[i]
		for _, row := range optionRows("") {
			for _, op := range []string{row.overOp, row.op} {
				if row.typ == s.typ && !slices.Contains(s.ops, op) {
					s.ops = append(s.ops, op)
				}
			}
		}
	}
	return runInto(optionTables, paths, sections, func(r *results) string {
		var b strings.Builder
		b.WriteString(r.where())
		if r.of(1, usual, "f32", 2, "loss", "focal-avx2") == nil { // the path that the machine takes by itself
			b.WriteString(r.ceilings("AVX2", optionRows("focal")).String())
			return b.String()
		}
		b.WriteString(r.ceilings("AVX2", optionRows("focal-avx2")).String() + "\n")
		b.WriteString(r.ceilings("AVX-512", optionRows("focal")).String())
		return b.String()
	})
}

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/abi"
)

// These tests hold the dispatch against the assembly, by reading both.

// cpuFlags are the names that x/sys/cpu gives to what Avo calls an instruction set. The baseline of amd64 needs none.
var cpuFlags = map[string]string{
	"POPCNT": "HasPOPCNT",
	"AVX":    "HasAVX", "AVX2": "HasAVX2", "FMA3": "HasFMA",
	"AVX512F": "HasAVX512F", "AVX512DQ": "HasAVX512DQ", "AVX512BW": "HasAVX512BW", "AVX512VL": "HasAVX512VL",
	"SSE": "", "SSE2": "", "CMOV": "", "MMX+": "", // MMX+ is what came with SSE, such as prefetches
}

// An asmFunction is a function of the assembly file.
type asmFunction struct {
	name     string
	local    bool     // called by kernels alone
	requires []string // from the comment above it
	body     []string // instructions, without comments
}

var (
	requiresLine = regexp.MustCompile(`^// Requires: (.*)$`)
	textLine     = regexp.MustCompile(`^TEXT ·(\w+)(<>)?\(SB\)`)
)

func parseAssembly(t *testing.T) (functions []asmFunction) {
	t.Helper()
	source, err := os.ReadFile("../kernel_amd64.s")
	require.NoError(t, err)
	var requires []string
	for line := range strings.Lines(string(source)) {
		line = strings.TrimSpace(line)
		if m := requiresLine.FindStringSubmatch(line); m != nil {
			requires = strings.Split(m[1], ", ")
			continue
		}
		if m := textLine.FindStringSubmatch(line); m != nil {
			functions = append(functions, asmFunction{name: m[1], local: m[2] != "", requires: requires})
			requires = nil
			continue
		}
		line, _, _ = strings.Cut(line, "//")
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "DATA") || strings.HasPrefix(line, "GLOBL") {
			continue // constants stand behind a function
		}
		if line != "" && len(functions) > 0 {
			f := &functions[len(functions)-1]
			f.body = append(f.body, line)
		}
	}
	return functions
}

// dispatch is dispatch.go and kernels_amd64.go, taken apart.
type dispatch struct {
	declared  []string            // functions without a body
	functions map[string]ast.Node // bodies of the others
	flags     map[string][]string // by path: what must be there for bestPath to choose it
}

func parseDispatch(t *testing.T) dispatch {
	t.Helper()
	d := dispatch{functions: map[string]ast.Node{}, flags: map[string][]string{}}
	for _, name := range []string{"dispatch.go", "kernels_amd64.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), "../"+name, nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				if f.Body == nil {
					d.declared = append(d.declared, f.Name.Name)
				} else {
					d.functions[f.Name.Name] = f.Body
				}
			}
		}
	}
	ast.Inspect(d.functions["bestPath"], func(n ast.Node) bool {
		if c, ok := n.(*ast.CaseClause); ok {
			require.Len(t, c.List, 1)
			path := c.Body[0].(*ast.ReturnStmt).Results[0].(*ast.Ident).Name
			d.flags[path] = d.flagsIn(t, c.List[0])
			return false
		}
		return true
	})
	return d
}

// flagsIn returns the flags that must be set for an expression to be true: it is a conjunction of them, and of calls of
// functions that return one.
func (d *dispatch) flagsIn(t *testing.T, n ast.Node) (flags []string) {
	t.Helper()
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			require.Equal(t, token.LAND, n.Op)
		case *ast.UnaryExpr:
			require.Fail(t, "an operator that this test does not understand", n.Op)
		case *ast.CallExpr:
			flags = append(flags, d.flagsIn(t, d.functions[n.Fun.(*ast.Ident).Name])...)
		case *ast.SelectorExpr:
			if strings.HasPrefix(n.Sel.Name, "Has") {
				flags = append(flags, n.Sel.Name)
			}
		}
		return true
	})
	return flags
}

func TestDispatchRequires(t *testing.T) {
	d := parseDispatch(t)
	for _, f := range parseAssembly(t) {
		require.NotEmpty(t, f.requires, f.name)
		flags := d.flags["path"+f.path()]
		require.NotEmpty(t, flags, f.name)
		for _, isa := range f.requires {
			flag, known := cpuFlags[isa]
			require.True(t, known, "%s requires %s, which this test does not know", f.name, isa)
			if flag != "" {
				assert.Contains(t, flags, flag, "%s requires %s", f.name, isa)
			}
			if f.path() == "AVX2" {
				assert.NotContains(t, isa, "AVX512", f.name)
			}
		}
	}
	// The umbrella, by which GODEBUG=cpu.avx512=off takes effect, and the path below.
	assert.Contains(t, d.flags["pathAVX512"], "HasAVX512")
	for _, flag := range d.flags["pathAVX2"] {
		assert.Contains(t, d.flags["pathAVX512"], flag)
		assert.NotContains(t, flag, "AVX512")
	}
}

func (f *asmFunction) path() string {
	switch {
	case strings.HasSuffix(f.name, "AVX512"):
		return "AVX512"
	case strings.HasSuffix(f.name, "AVX2"):
		return "AVX2"
	}
	return ""
}

// besideKernels are the functions that have a switch of their own.
func besideKernels() (names []string) {
	for _, name := range []string{"sigmoid", "softplus", "sum", "mul", "expand", "flip", "mask", "blend", "weigh", "wholeWithin", "wholeTargetMasks"} {
		names = append(names, name+"F32", name+"F64")
	}
	return append(names, "expandRowsF32", "flipAsF32", "wholeLabelsValid", "wholeLabelMasks", "wholeLabelList",
		"wholeFromInt8", "wholeFromInt16", "wholeFromInt64")
}

// All kernels of the list are there, and declared.
func TestDispatchDeclared(t *testing.T) {
	var defined, wanted []string
	for _, f := range parseAssembly(t) {
		if !f.local {
			defined = append(defined, f.name)
		}
	}
	names := besideKernels()
	for _, k := range abi.Kernels() {
		names = append(names, k.String()+"F32", k.String()+"F64")
	}
	for _, name := range names {
		wanted = append(wanted, name+"AVX2", name+"AVX512")
	}
	assert.ElementsMatch(t, wanted, defined)
	assert.ElementsMatch(t, wanted, parseDispatch(t).declared)
}

// Each case of a switch calls the kernel that it numbers, of the path in question.
func TestDispatchSwitch(t *testing.T) {
	d := parseDispatch(t)
	called := map[string]bool{}
	// each finds the calls of assembly functions, each with the case it is in and the path under whose condition it is.
	each := func(body ast.Node, found func(clause *ast.CaseClause, path, function string)) {
		path := "AVX2"
		var clause *ast.CaseClause
		var visit func(n ast.Node) bool
		visit = func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt:
				cond := n.Cond.(*ast.BinaryExpr)
				require.Equal(t, token.EQL, cond.Op)
				require.Equal(t, "pathAVX512", cond.Y.(*ast.Ident).Name)
				require.Nil(t, n.Else)
				require.IsType(t, &ast.ReturnStmt{}, n.Body.List[len(n.Body.List)-1])
				path = "AVX512"
				ast.Inspect(n.Body, visit)
				path = "AVX2"
				return false
			case *ast.CaseClause:
				clause = n
				if n.List == nil { // default: there is no such kernel
					require.IsType(t, &ast.ReturnStmt{}, n.Body[0])
				} else {
					require.Len(t, n.List, 1)
					require.Len(t, n.Body, 1)
				}
			case *ast.CallExpr:
				found(clause, path, n.Fun.(*ast.Ident).Name)
			}
			return true
		}
		ast.Inspect(body, visit)
	}
	for _, element := range []string{"F32", "F64"} {
		each(d.functions["kernel"+element], func(clause *ast.CaseClause, path, function string) {
			number, err := strconv.Atoi(clause.List[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			assert.Equal(t, abi.Kernel(number).String()+element+path, function)
			called[function] = true
		})
	}
	assert.Len(t, called, 4*len(abi.Kernels()), "%v", slices.Sorted(maps.Keys(called)))
	for _, name := range besideKernels() {
		paths := map[string]bool{}
		each(d.functions[name], func(_ *ast.CaseClause, path, function string) {
			assert.Equal(t, name+path, function)
			paths[path] = true
		})
		assert.Len(t, paths, 2, name)
	}
}

var (
	beyondAVX2  = regexp.MustCompile(`\b(Z\d+|K[0-7]|[XY](1[6-9]|2\d|3[01]))\b`)
	basePointer = regexp.MustCompile(`\b(R?E?BP|BPL|BPB)\b`)
)

// What assembly must take care of by itself.
func TestDispatchConventions(t *testing.T) {
	functions := parseAssembly(t)
	locals := map[string]string{} // the functions that may be called, by how a call names them: their paths
	for _, f := range functions {
		if f.local {
			locals["·"+f.name+"<>(SB)"] = f.path()
		}
	}
	for _, f := range functions {
		returns := 0
		for i, line := range f.body {
			mnemonic, operands, _ := strings.Cut(line, " ")
			if mnemonic == "RET" {
				returns++
			}
			if mnemonic == "RET" && !f.local { // the caller of a local function still needs its registers
				require.Positive(t, i)
				assert.Equal(t, "VZEROUPPER", f.body[i-1], "%s: in front of RET, or SSE code is slow from then on", f.name)
			}
			assert.NotRegexp(t, basePointer, line, "%s: BP is the caller's frame pointer", f.name)
			if f.path() == "AVX2" {
				assert.NotRegexp(t, beyondAVX2, line, "%s: a register that AVX2 does not have", f.name)
			}
			assert.NotContains(t, []string{"SYSCALL", "CLD", "STD"}, mnemonic, f.name)
			if mnemonic == "CALL" {
				assert.False(t, f.local, "%s: one level of calls is all that a kernel's frame is made for", f.name)
				assert.Equal(t, f.path(), locals[strings.TrimSpace(operands)], "%s: %s", f.name, line)
			}
			for _, approximate := range []string{"VRCP", "VRSQRT", "RCPPS", "RSQRT", "VEXP2"} {
				assert.False(t, strings.HasPrefix(mnemonic, approximate), "%s: %s differs between vendors", f.name, mnemonic)
			}
		}
		assert.Positive(t, returns, f.name)
	}
}

// vet wants the size of a frame as a number at its TEXT, so it stands there and in frame.go.
func TestFrameSizes(t *testing.T) {
	read := func(name, pattern string) map[string]string {
		text, err := os.ReadFile("../" + name)
		require.NoError(t, err)
		sizes := map[string]string{}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			sizes[m[1]] = m[2]
		}
		return sizes
	}
	want := read("frame.go", `(?m)^\tframe(F\d+) += (\d+)$`)
	require.Len(t, want, 2)
	require.Equal(t, want, read("frame.s", `(?m)^TEXT ·inFrame(F\d+)\(SB\), 0, \$(\d+)-\d+$`))
}

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// instead are the instructions of amd64 that another one stands in for: the same operands, another result. A prefix is
// enough.
var instead = []struct{ old, new string }{
	{"VFMADD", "VFMSUB"}, {"VFMADD", "VFNMADD"}, {"VFNMADD", "VFMADD"}, {"VFNMSUB", "VFMSUB"}, {"VFMSUB", "VFMADD"},
	{"VADDP", "VSUBP"}, {"VSUBP", "VADDP"}, {"VMULP", "VADDP"}, {"VDIVP", "VMULP"}, {"VMINP", "VMAXP"}, {"VMAXP", "VMINP"},
	{"VPMINU", "VPMAXU"}, {"VPADD", "VPSUB"}, {"VPSUB", "VPADD"}, {"VANDP", "VORP"}, {"VORP", "VXORP"}, {"VXORP", "VORP"},
	{"VPAND", "VPOR"}, {"VPOR", "VPXOR"}, {"VPXOR", "VPOR"}, {"VPSLL", "VPSRL"}, {"VPSRL", "VPSLL"},
	{"VUNPCKL", "VUNPCKH"}, {"VUNPCKH", "VUNPCKL"}, {"KAND", "KOR"}, {"KOR", "KAND"}, {"KXOR", "KOR"},
	{"JEQ", "JNE"}, {"JNE", "JEQ"}, {"JLT", "JLE"}, {"JLE", "JLT"}, {"JGE", "JGT"}, {"JGT", "JGE"}, {"JB", "JBE"}, {"JA", "JAE"},
	{"ADDQ", "SUBQ"}, {"SUBQ", "ADDQ"}, {"ANDQ", "ORQ"}, {"ORQ", "ANDQ"}, {"XORQ", "ORQ"}, {"SHRQ", "SHLQ"}, {"SHLQ", "SHRQ"},
	{"CMOVQGT", "CMOVQLT"}, {"CMOVQLT", "CMOVQGT"},
}

// insteadARM64 are those of arm64 that Go's assembler knows. Those that kernel_arm64.h encodes are in otherArgument.
var insteadARM64 = map[string]string{
	"ADD": "SUB", "SUB": "ADD", "SUBS": "ADDS", "AND": "ORR", "LSR": "LSL", "LSL": "LSR",
	"BEQ": "BNE", "BNE": "BEQ", "BLT": "BLE", "BGE": "BGT", "CBZ": "CBNZ", "CBNZ": "CBZ",
}

var (
	textLine     = regexp.MustCompile(`^TEXT ·(\w+)\(SB\)`)
	instruction  = regexp.MustCompile(`^\t([A-Z]\w*(?:\.\w+)*)(\s+.*)?$`)
	immediate    = regexp.MustCompile(`\$(0x[0-9a-f]+|-?\d+)`)
	memory       = regexp.MustCompile(`(\b\d+)\((\w+)\)`)
	maskRegister = regexp.MustCompile(`\bK([1-7])\b`)
	// Those of arm64 stand side by side in macros.
	statement = regexp.MustCompile(`\b(\w+)[ (]([^;]*)(?:;|\\|$)`)
	// A name that is an argument of a macro: of an instruction, of a choice, of a slot.
	argument = regexp.MustCompile(`\b(?:[A-Z]+0?|slot\w+)\b`)
	dataLine = regexp.MustCompile(`^(DATA .*, \$)(0x[0-9a-f]+)$`)
)

// assemblyMutants returns all the mutants of an assembly file that we know to make.
func assemblyMutants(root, name string) (mutants []*mutant, err error) {
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	function := ""
	for i, line := range strings.Split(string(b), "\n") {
		add := func(new string) {
			if new != line {
				mutants = append(mutants, &mutant{name, function, i + 1, line, new})
			}
		}
		if m := textLine.FindStringSubmatch(line); m != nil {
			function = m[1]
			continue
		}
		if m := dataLine.FindStringSubmatch(line); m != nil { // a constant: its last bit, and one in the middle
			function = ""
			v, err := strconv.ParseUint(m[2], 0, 64)
			if err != nil {
				return nil, err
			}
			for _, bit := range []int{0, 2 * (len(m[2]) - 2)} {
				add(fmt.Sprintf("%s0x%0*x", m[1], len(m[2])-2, v^1<<bit))
			}
			continue
		}
		if strings.Contains(name, "_arm64.") {
			for _, new := range argumentMutants(line) {
				add(new)
			}
			code, _, _ := strings.Cut(line, "//")
			for _, at := range statement.FindAllStringSubmatchIndex(code, -1) {
				op := line[at[2]:at[3]]
				other, ok := insteadARM64[op]
				if !ok {
					other, ok = otherArgument[op]
				}
				if ok {
					add(line[:at[2]] + other + line[at[3]:])
				}
				if m := immediate.FindStringSubmatchIndex(line[at[4]:at[5]]); m != nil {
					from, to := at[4]+m[2], at[4]+m[3]
					if v, err := strconv.ParseInt(line[from:to], 0, 64); err == nil {
						add(fmt.Sprintf("%s%d%s", line[:from], v^1, line[to:]))
					}
				}
			}
			continue
		}
		code, comment, _ := strings.Cut(line, "//")
		m := instruction.FindStringSubmatch(strings.TrimRight(code, " "))
		if m == nil || m[1] == "RET" || strings.HasPrefix(m[1], "PCALIGN") {
			continue
		}
		if comment != "" {
			comment = " //" + comment
		}
		op, operands := m[1], m[2]
		if !strings.HasPrefix(op, "J") && op != "B" { // leave it out
			add("\tNOP // " + strings.TrimSpace(line))
		}
		for _, s := range instead {
			if strings.HasPrefix(op, s.old) {
				add("\t" + s.new + strings.TrimPrefix(op, s.old) + operands + comment)
			}
		}
		if m := immediate.FindStringSubmatchIndex(operands); m != nil && !strings.HasPrefix(op, "J") {
			v, err := strconv.ParseInt(operands[m[2]:m[3]], 0, 64)
			if err == nil {
				add(fmt.Sprintf("\t%s%s$%#x%s%s", op, operands[:m[0]], v^1, operands[m[1]:], comment))
			}
		}
		if m := memory.FindStringSubmatchIndex(operands); m != nil && operands[m[4]:m[5]] != "SB" && operands[m[4]:m[5]] != "FP" {
			v, _ := strconv.Atoi(operands[m[2]:m[3]])
			add(fmt.Sprintf("\t%s%s%d%s%s", op, operands[:m[2]], v+4, operands[m[3]:], comment))
		}
		if m := maskRegister.FindStringSubmatchIndex(operands); m != nil {
			k := int(operands[m[2]] - '0')
			add(fmt.Sprintf("\t%s%sK%d%s%s", op, operands[:m[0]], k%7+1, operands[m[1]:], comment))
		}
	}
	return mutants, nil
}

// otherArgument is what stands in for an argument of a macro, or for the macro.
var otherArgument = map[string]string{
	"FADD": "FSUB", "FSUB": "FADD", "FMUL": "FADD", "FDIV": "FMUL", "FMLA": "FMLS", "FMLS": "FMLA", "FMAX": "FMIN", "FMIN": "FMAX",
	"FCMEQ": "FCMGT", "FCMGT": "FCMEQ", "FABS": "FNEG", "FNEG": "FABS", "CMLT0": "FABS", "CMTST": "VAND", "CMHI": "CMTST",
	"VADD": "VSUB", "VSUB": "VADD", "VAND": "VEOR", "VBIC": "VAND", "VEOR": "VAND", "BSL": "BIT", "BIT": "BIF", "BIF": "BIT",
	"YES": "NO", "NO": "YES", "TINY": "NORMAL", "NORMAL": "TINY", "SMALL": "TINY",
	"LABEL": "SOFT", "SOFT": "LABEL",
	"slotK": "slotF", "slotF": "slotK", "slotS": "slotQ", "slotQ": "slotS", "slotBigQ": "slotQ", "slotWNeg": "slotWPos",
	"slotWPos": "slotWNeg", "slotPowHi": "slotPowLo", "slotPowLo": "slotPowHi", "slotSwap": "slotFlip", "slotFlip": "slotSwap",
	"slotBeta": "slotTheta", "slotTheta": "slotBeta", "slotHiR": "slotLoR", "slotLoR": "slotHiR", "slotRest": "slotLost",
}

// argumentMutants returns the lines in which one argument of a macro of kernel_arm64.h is another. An instruction's own
// encoding is not changed: asm/arm64 decodes it.
func argumentMutants(line string) (mutants []string) {
	code, _, _ := strings.Cut(line, "//")
	if strings.Contains(code, "WORD $") || !strings.Contains(code, "(") {
		return nil
	}
	for _, at := range argument.FindAllStringIndex(code, -1) {
		other, ok := otherArgument[code[at[0]:at[1]]]
		if before := strings.TrimRight(code[:at[0]], " "); ok && (strings.HasSuffix(before, "(") || strings.HasSuffix(before, ",")) {
			mutants = append(mutants, line[:at[0]]+other+line[at[1]:])
		}
	}
	return mutants
}

var otherOperator = map[token.Token][]string{
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"+"}, token.QUO: {"*"}, token.REM: {"/"},
	token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"|"}, token.AND_NOT: {"&"}, token.SHL: {">>"}, token.SHR: {"<<"},
	token.LAND: {"||"}, token.LOR: {"&&"}, token.EQL: {"!="}, token.NEQ: {"=="},
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.ADD_ASSIGN: {"-="}, token.SUB_ASSIGN: {"+="}, token.OR_ASSIGN: {"&="}, token.AND_NOT_ASSIGN: {"|="},
	token.INC: {"--"}, token.NOT: {""},
}

// goMutants returns those of the functions of a Go file: other operators, other numbers, statements left out.
func goMutants(root, name string) (mutants []*mutant, err error) {
	src, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(src), "\n")
	replace := func(from, to token.Position, with string) {
		if from.Line != to.Line {
			return
		}
		old := lines[from.Line-1]
		mutants = append(mutants, &mutant{name, "", from.Line, old, old[:from.Column-1] + with + old[to.Column-1:]})
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ExprStmt: // a call for its effect
				replace(files.Position(n.Pos()), files.Position(n.End()), "_ = 0")
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE && len(n.Lhs) == 1 {
					l, r := src[files.Position(n.Lhs[0].Pos()).Offset:files.Position(n.Lhs[0].End()).Offset],
						src[files.Position(n.Rhs[0].Pos()).Offset:files.Position(n.Rhs[0].End()).Offset]
					replace(files.Position(n.Pos()), files.Position(n.End()), fmt.Sprintf("_, _ = %s, %s", l, r))
				}
			}
			return true
		})
		// Operators and literals, by tokens.
		var s scanner.Scanner
		fs := token.NewFileSet()
		from, to := files.Position(f.Body.Pos()), files.Position(f.Body.End())
		body := src[from.Offset:to.Offset]
		sf := fs.AddFile(name, fs.Base(), len(body))
		s.Init(sf, body, nil, 0)
		at := func(p token.Pos, more int) token.Position {
			return files.Position(f.Body.Pos() + token.Pos(sf.Offset(p)+more))
		}
		for before := token.EOF; ; {
			pos, tok, lit := s.Scan()
			if tok == token.EOF {
				break
			}
			operand := before == token.IDENT || before.IsLiteral() || before == token.RPAREN || before == token.RBRACK
			before = tok
			if tok == token.AND && !operand || tok == token.MUL && !operand {
				continue // an address, or what is there
			}
			for _, other := range otherOperator[tok] {
				replace(at(pos, 0), at(pos, len(tok.String())), other)
			}
			if tok == token.INT {
				if v, err := strconv.ParseInt(lit, 0, 64); err == nil {
					replace(at(pos, 0), at(pos, len(lit)), strconv.FormatInt(v+1, 10))
				}
			}
			if tok == token.IDENT && (lit == "true" || lit == "false") {
				replace(at(pos, 0), at(pos, len(lit)), strconv.FormatBool(lit == "false"))
			}
		}
	}
	return mutants, nil
}

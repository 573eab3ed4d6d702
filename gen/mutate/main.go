// Command mutate breaks Go and assembly files on purpose, in one place at a time (another operator, instruction, number,
// offset, condition, or a statement left out), and sees whether the tests notice:
//
//	go run ./gen/mutate -n 100 kernel_amd64.s blocks.go
//	go run ./gen/mutate -n 40 kernel_arm64.s -- -exec qemu-aarch64-static -short -run 'Kernels|Golden' .
//	FOCAL_EXPECT_PATH=avx512 go run ./gen/mutate -n 10 -only AVX512 kernel_amd64.s -- -exec "$PWD/.ci/bochs" -short -run Golden .
//
// What stands behind -- is for go test. If there is nothing, the least of the tests of the file's package is run, which finds
// most, and then -short ./... The files are not touched: go test is given the
// mutant in place of the file, by -overlay. A file of another architecture (…_arm64…) is tested for that one.
//
// A mutant is killed if a test fails, crashes or does not end. One that does not build does not count. The last lines are
// the score and the survivors: each is either a gap in the tests or equivalent to the original.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"go/build"
	"go/scanner"
	"go/token"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("mutate: ")
	n := flag.Int("n", 100, "mutants to draw, of all that there are")
	from := flag.Int("from", 0, "the first of those to test, to go on with an interrupted run")
	seed := flag.Uint64("seed", 1, "of the draw")
	only := flag.String("only", "", "mutate only in functions, or lines outside of them, that match this regular expression")
	list := flag.Bool("list", false, "list the mutants and end")
	flag.Parse()
	var args []string
	files := flag.Args()
	if i := slices.Index(files, "--"); i >= 0 {
		files, args = files[:i], files[i+1:]
	}
	if err := run(files, args, *n, *from, *seed, *only, *list); err != nil {
		log.Fatal(err)
	}
}

func run(files, args []string, n, from int, seed uint64, only string, list bool) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var all []mutant
	for _, f := range files {
		found, err := mutants(f, match)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return fmt.Errorf("nothing to mutate in the files %v", files)
	}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(n, len(all))]
	if list {
		for _, m := range all {
			fmt.Println(m)
		}
		return nil
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tested := map[string]bool{}
	for _, f := range files { // the files as they are, on each architecture
		if arch := archOf(f); !tested[arch] && from == 0 {
			tested[arch] = true
			if verdict, how := (&mutant{file: f}).test(dir, args); verdict != survived {
				return fmt.Errorf("the tests fail without a mutant: %s", how)
			}
		}
	}
	count := map[string]int{}
	var survivors []mutant
	for i, m := range all {
		if i < from {
			continue
		}
		verdict, how := m.test(dir, args)
		fmt.Printf("%d of %d: %s: %v (%s)\n", i, len(all), verdict, m, how)
		if count[verdict]++; verdict == survived {
			survivors = append(survivors, m)
		}
	}
	fmt.Printf("%d killed, %d survived, %d did not build\n", count[killed], count[survived], count[notBuilt])
	for _, m := range survivors {
		fmt.Println("survived:", m)
	}
	return nil
}

// A mutant is one change of a file: what stands at an offset becomes something else.
type mutant struct {
	file     string
	offset   int
	old, new string
	line     int    // from 1
	text     string // of the line, for the reader
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s => %s in: %s", m.file, m.line, m.old, cmp.Or(m.new, "nothing"), m.text)
}

const (
	killed   = "killed"
	survived = "survived"
	notBuilt = "not built"
)

// test runs go test with these arguments, or the usual ones, with the mutant in place of the file.
func (m *mutant) test(dir string, args []string) (verdict, how string) {
	if len(args) > 0 {
		return m.goTest(dir, args)
	}
	verdict, how = m.goTest(dir, []string{"-short", "./" + filepath.Dir(m.file)}, "FOCAL_LEAST=1")
	if verdict == survived {
		verdict, how = m.goTest(dir, []string{"-short", "./..."})
	}
	return verdict, how
}

func (m *mutant) goTest(dir string, args []string, env ...string) (verdict, how string) {
	src, err := os.ReadFile(m.file)
	if err != nil {
		log.Fatal(err)
	}
	changed := filepath.Join(dir, filepath.Base(m.file))
	overlay := filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {m.file: changed}})
	if err != nil {
		log.Fatal(err)
	}
	write(changed, slices.Concat(src[:m.offset], []byte(m.new), src[m.offset+len(m.old):]))
	write(overlay, replace)

	test := exec.Command("go", append([]string{"test", "-overlay", overlay, "-count=1", "-failfast", "-vet=off", "-timeout", "10m"}, args...)...)
	test.Env = append(append(os.Environ(), "GOARCH="+archOf(m.file)), env...)
	if archOf(m.file) != runtime.GOARCH || slices.Contains(args, "-exec") {
		test.Env = append(test.Env, "CGO_ENABLED=0")
	}
	out, err := test.CombinedOutput()
	switch {
	case err == nil:
		return survived, "all tests pass"
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return notBuilt, firstLine(out, ".*:.*:.*")
	}
	return killed, firstLine(out, `--- FAIL.*|panic: .*|fatal error: .*|SIG\w+: .*|.*FAIL.*`)
}

func write(file string, content []byte) {
	if err := os.WriteFile(file, content, 0o666); err != nil {
		log.Fatal(err)
	}
}

// firstLine returns the first line of an output that matches.
func firstLine(out []byte, pattern string) string {
	return string(regexp.MustCompile(`(?m)^\s*(?:` + pattern + `)$`).Find(out))
}

// archOf returns the architecture for which a file is tested.
func archOf(file string) string {
	for _, arch := range []string{"amd64", "arm64"} {
		if strings.Contains(filepath.Base(file), "_"+arch+".") {
			return arch
		}
	}
	return runtime.GOARCH
}

// instead has the instructions that another one stands in for, with the same operands, by how their names begin: the longest
// one counts.
var instead = map[string]string{
	// amd64
	"VFMADD": "VFMSUB", "VFMSUB": "VFMADD", "VFNMADD": "VFMADD", "VFNMSUB": "VFMSUB",
	"VADDP": "VSUBP", "VSUBP": "VADDP", "VMULP": "VADDP", "VDIVP": "VMULP", "VMINP": "VMAXP", "VMAXP": "VMINP",
	"VPMINU": "VPMAXU", "VPMINS": "VPMAXS", "VPADD": "VPSUB", "VPSUB": "VPADD", "VPSLL": "VPSRL", "VPSRL": "VPSLL",
	"VANDP": "VORP", "VANDNP": "VANDP", "VORP": "VXORP", "VXORP": "VORP", "VPAND": "VPOR", "VPANDN": "VPAND", "VPOR": "VPXOR", "VPXOR": "VPOR",
	"VUNPCKL": "VUNPCKH", "VUNPCKH": "VUNPCKL", "KAND": "KOR", "KOR": "KAND", "KXOR": "KOR",
	"JEQ": "JNE", "JNE": "JEQ", "JLT": "JLE", "JLE": "JLT", "JGE": "JGT", "JGT": "JGE", "JB": "JBE", "JA": "JAE",
	"ADDQ": "SUBQ", "SUBQ": "ADDQ", "ANDQ": "ORQ", "ORQ": "ANDQ", "XORQ": "ORQ", "SHRQ": "SHLQ", "SHLQ": "SHRQ",
	"CMOVQGT": "CMOVQLT", "CMOVQLT": "CMOVQGT",
	// arm64
	"VFMLA": "VFMLS", "VFMLS": "VFMLA", "FMLA": "FMLS", "FMLS": "FMLA", "FADD": "FSUB", "FSUB": "FADD", "FMUL": "FADD", "FDIV": "FMUL",
	"FMAX": "FMIN", "FMIN": "FMAX", "FCMEQ": "FCMGT", "FCMGT": "FCMEQ", "FCMGE": "FCMGT", "FABS": "FNEG", "FNEG": "FABS",
	"VADD": "VSUB", "VSUB": "VADD", "VAND": "VEOR", "VORR": "VEOR", "VEOR": "VAND", "VBIC": "VAND", "VBSL": "VBIT", "VBIT": "VBIF", "VBIF": "VBIT",
	"BSL": "BIT", "BIT": "BIF", "BIF": "BIT", "ADD": "SUB", "SUB": "ADD", "AND": "ORR", "LSR": "LSL", "LSL": "LSR",
	"BEQ": "BNE", "BNE": "BEQ", "BLT": "BLE", "BGE": "BGT", "CBZ": "CBNZ", "CBNZ": "CBZ",
}

var otherOperator = map[token.Token][]string{
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"+"}, token.QUO: {"*"}, token.REM: {"/"},
	token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"|"}, token.AND_NOT: {"&"}, token.SHL: {">>"}, token.SHR: {"<<"},
	token.LAND: {"||"}, token.LOR: {"&&"}, token.EQL: {"!="}, token.NEQ: {"=="},
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.ADD_ASSIGN: {"-="}, token.SUB_ASSIGN: {"+="}, token.OR_ASSIGN: {"&="}, token.AND_NOT_ASSIGN: {"|="},
	token.INC: {"--"}, token.NOT: {""},
}

var (
	function = regexp.MustCompile(`^(?:TEXT ·|func (?:\([^)]*\) )?)(\w+)`)
	// No code: comments, directives, declarations. What is in them is not changed.
	noCode = regexp.MustCompile(`^\s*(?://|#|TEXT|GLOBL|PCALIGN|RET\b|package|import|func |type |case |default:|\w+:$)`)
	// A call, or an assignment to what there is already: may be left out.
	statement = regexp.MustCompile(`^\s+[\w.\[\]*&]+(?:\(.*\)| [-+*/|&^]?=[^=].*)$`)
	opcode    = regexp.MustCompile(`^\t[A-Z][\w.]*(?:\s|$)`)
)

// mutants returns all changes that we know to make in those lines, or in all lines of those functions, that match.
func mutants(file string, only *regexp.Regexp) (all []mutant, err error) {
	if ext := filepath.Ext(file); ext != ".go" && ext != ".s" {
		return nil, fmt.Errorf("%s: neither .go nor .s, and -overlay leaves other files alone", file)
	}
	target := build.Default
	target.GOARCH, target.CgoEnabled = archOf(file), false
	if ok, err := target.MatchFile(filepath.Split(file)); err != nil {
		return nil, err
	} else if !ok {
		return nil, fmt.Errorf("%s is not compiled for %s: no test could notice", file, target.GOARCH)
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	assembly, within, offset := filepath.Ext(file) != ".go", "", 0
	number := 0
	for text := range strings.Lines(string(src)) {
		number++
		begin := offset
		offset += len(text)
		line := strings.TrimRight(text, "\n")
		if m := function.FindStringSubmatch(line); m != nil {
			within = m[1]
		} else if assembly && strings.HasPrefix(line, "DATA") || line == "}" {
			within = ""
		}
		if noCode.MatchString(line) || !assembly && !strings.HasPrefix(line, "\t") || !only.MatchString(within) && !only.MatchString(line) {
			continue
		}
		add := func(at int, before, after string) {
			all = append(all, mutant{file, begin + at, before, after, number, strings.TrimSpace(line)})
		}
		if statement.MatchString(line) || opcode.MatchString(line) && !regexp.MustCompile(`^\t(J|B\b)`).MatchString(line) {
			add(1, line[1:], "")
		}
		for _, t := range tokens(line) {
			for _, other := range t.others(assembly, line) {
				add(t.at, t.text, other)
			}
		}
	}
	return all, nil
}

// An item is a token of a line.
type item struct {
	at      int
	token   token.Token
	text    string
	operand bool // it stands behind an operand
}

// tokens splits a line, of Go or of assembly, whose own signs become illegal tokens that nobody asks for.
func tokens(line string) (items []item) {
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(line))
	var s scanner.Scanner
	s.Init(file, []byte(line), nil, 0)
	operand := false
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF || tok == token.SEMICOLON && literal == "\n" {
			return items
		}
		if literal == "" {
			literal = tok.String()
		}
		items = append(items, item{file.Offset(pos), tok, literal, operand})
		operand = tok == token.IDENT || tok.IsLiteral() || tok == token.RPAREN || tok == token.RBRACK
	}
}

// others returns what may stand in for a token.
func (t item) others(assembly bool, line string) []string {
	switch {
	case t.token == token.INT:
		v, err := strconv.ParseUint(t.text, 0, 64)
		if err != nil {
			return nil
		}
		switch {
		case strings.HasPrefix(line, "DATA"): // a constant: its last bit, and one in the middle
			if t.at < strings.IndexByte(line, '$') {
				return nil
			}
			return []string{fmt.Sprintf("%#x", v^1), fmt.Sprintf("%#x", v^1<<(2*(len(t.text)-2)))}
		case !assembly:
			return []string{strconv.FormatUint(v+1, 10)}
		case t.at > 0 && line[t.at-1] == '$' || t.at > 1 && line[t.at-2:t.at] == "$-":
			return []string{strconv.FormatUint(v^1, 10)}
		case strings.HasPrefix(line[t.at+len(t.text):], "(SB)"), strings.HasSuffix(line[:t.at], "*"): // all places of a constant hold the same; a scale
			return nil
		}
		return []string{strconv.FormatUint(v+4, 10)} // of memory
	case t.token == token.IDENT && assembly:
		for n := len(t.text); n > 1; n-- {
			if other, ok := instead[t.text[:n]]; ok {
				return []string{other + t.text[n:]}
			}
		}
		if len(t.text) == 2 && t.text[0] == 'K' && t.text[1] >= '1' && t.text[1] <= '7' { // a mask
			return []string{"K" + string('1'+(t.text[1]-'0')%7)}
		}
	case t.token == token.IDENT && (t.text == "true" || t.text == "false"):
		return []string{strconv.FormatBool(t.text == "false")}
	case assembly, !t.operand && (t.token == token.AND || t.token == token.MUL || t.token == token.SUB): // an address, what is there, a sign
	default:
		return otherOperator[t.token]
	}
	return nil
}

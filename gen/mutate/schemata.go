package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// To assemble and link a hundred times takes long, and so mutants of functions in amd64 assembly are built at once: each
// function becomes a jump to the original, or to one of its copies with a change, as an environment variable says. A
// constant is changed in the binary itself.

const selector = "FOCAL_MUTANT"

var asmError = regexp.MustCompile(`kernel_amd64\.s:(\d+):`)

// A schemata is a test binary that holds many mutants.
type schemata struct {
	binary string
	number map[*mutant]int // from 1; those that could not be assembled are not there
}

// withConstant writes a copy of the binary in which a constant is changed, as the mutant's DATA line says. It is false
// if the mutant is none of a constant.
func (s *schemata) withConstant(m *mutant) (binary string, ok bool, err error) {
	f := constantLine.FindStringSubmatch(m.new)
	if m.file != "kernel_amd64.s" || f == nil {
		return "", false, nil
	}
	offset, _ := strconv.ParseUint(f[2], 10, 64)
	size, _ := strconv.Atoi(f[3])
	value, err := strconv.ParseUint(f[4], 0, 64)
	if err != nil {
		return "", false, err
	}
	e, err := elf.Open(s.binary)
	if err != nil {
		return "", false, err
	}
	defer e.Close()
	symbols, err := e.Symbols()
	if err != nil {
		return "", false, err
	}
	i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == f[1] })
	if i < 0 {
		return "", false, fmt.Errorf("%s: no symbol %s", s.binary, f[1])
	}
	content, err := os.ReadFile(s.binary)
	if err != nil {
		return "", false, err
	}
	address := symbols[i].Value + offset
	for _, p := range e.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address < p.Vaddr+p.Filesz {
			at := content[address-p.Vaddr+p.Off:]
			for k := range size {
				at[k] = byte(value >> (8 * k))
			}
			binary = s.binary + ".constant"
			return binary, true, os.WriteFile(binary, content, 0o777)
		}
	}
	return "", false, fmt.Errorf("%s: %s is in no segment", s.binary, f[1])
}

var constantLine = regexp.MustCompile(`^DATA (\w+)<>\+(\d+)\(SB\)/(\d), \$(0x[0-9a-f]+)$`)

// buildSchemata builds the mutants of functions of kernel_amd64.s in dir, and leaves the file as it was.
func buildSchemata(dir string, mutants []*mutant) (*schemata, error) {
	const name = "kernel_amd64.s"
	file := filepath.Join(dir, name)
	original, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	helper := filepath.Join(dir, "mutant_schemata.go")
	defer func() {
		os.WriteFile(file, original, 0o666)
		os.Remove(helper)
	}()
	declarations, err := os.ReadFile(filepath.Join(dir, "kernel_amd64.go"))
	if err != nil {
		return nil, err
	}
	s := &schemata{filepath.Join(dir, "schemata.test"), map[*mutant]int{}}
	for i, m := range mutants {
		if m.file == name && m.function != "" {
			s.number[m] = i + 1
		}
	}
	for {
		text, owner := s.write(string(original))
		if err := os.WriteFile(helper, s.declare(string(declarations)), 0o666); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			return nil, err
		}
		build := exec.Command("go", "test", "-c", "-asmflags=-e", "-o", s.binary, ".")
		build.Dir = dir
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		if err == nil {
			return s, nil
		}
		wrong := 0
		for _, m := range asmError.FindAllStringSubmatch(string(out), -1) {
			line, _ := strconv.Atoi(m[1])
			if o := owner[line]; o != nil && s.number[o] != 0 {
				delete(s.number, o)
				wrong++
			}
		}
		if wrong == 0 {
			return nil, fmt.Errorf("mutants do not build: %w: %.2000s", err, out)
		}
	}
}

var declaration = regexp.MustCompile(`(?m)^func (\w+)(\(.*[^{])$`)

// declare returns a Go file that chooses the mutant, and that declares the copies, as the originals are: without it the
// runtime cannot move a stack on which one of them stands.
func (s *schemata) declare(original string) []byte {
	var b strings.Builder
	b.WriteString(`package focal

import (
	"os"
	"strconv"
	"unsafe"
)

var mutant uint64

var _ unsafe.Pointer

func init() { mutant, _ = strconv.ParseUint(os.Getenv("` + selector + `"), 10, 64) }
`)
	for _, d := range declaration.FindAllStringSubmatch(original, -1) {
		found := false
		for m, n := range s.number {
			if m.function == d[1] {
				found = true
				fmt.Fprintf(&b, "\n//go:noescape\nfunc %s__%d%s\n", d[1], n, d[2])
			}
		}
		if found {
			fmt.Fprintf(&b, "\n//go:noescape\nfunc %s__0%s\n", d[1], d[2])
		}
	}
	return []byte(b.String())
}

// write returns the assembly with all mutants, and whose each line is.
func (s *schemata) write(original string) (text string, owner map[int]*mutant) {
	byFunction := map[string][]*mutant{}
	for m := range s.number {
		byFunction[m.function] = append(byFunction[m.function], m)
	}
	var out []string
	owner = map[int]*mutant{}
	lines := strings.Split(original, "\n")
	for i := 0; i < len(lines); i++ {
		m := textLine.FindStringSubmatch(lines[i])
		if m == nil || byFunction[m[1]] == nil {
			out = append(out, lines[i])
			continue
		}
		end := i + 1
		for end < len(lines) && (lines[end] == "" || lines[end][0] == '\t' || strings.HasSuffix(lines[end], ":")) {
			end++
		}
		function, copies := m[1], byFunction[m[1]]
		slices.SortFunc(copies, func(a, b *mutant) int { return s.number[a] - s.number[b] })
		header := func(suffix string) string {
			return strings.Replace(lines[i], "·"+function, "·"+function+suffix, 1)
		}
		arguments := lines[i][strings.LastIndex(lines[i], "-")+1:]
		out = append(out, fmt.Sprintf("TEXT ·%s(SB), NOSPLIT, $0-%s", function, arguments), "\tMOVQ ·mutant(SB), AX")
		for _, m := range copies {
			out = append(out, fmt.Sprintf("\tCMPQ AX, $%d", s.number[m]), fmt.Sprintf("\tJEQ mutant%d", s.number[m]))
		}
		out = append(out, fmt.Sprintf("\tJMP ·%s__0(SB)", function))
		for _, m := range copies {
			out = append(out, fmt.Sprintf("mutant%d:", s.number[m]), fmt.Sprintf("\tJMP ·%s__%d(SB)", function, s.number[m]))
		}
		out = append(append(out, "", header("__0")), lines[i+1:end]...)
		for _, m := range copies {
			out = append(append(out, header(fmt.Sprintf("__%d", s.number[m]))), lines[i+1:end]...)
			at := len(out) - (end - i - 1) + (m.line - 1 - (i + 1))
			out[at] = m.new
			for k := range end - i {
				owner[len(out)-k] = m
			}
		}
		i = end - 1
	}
	return strings.Join(out, "\n"), owner
}

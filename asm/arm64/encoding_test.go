package arm64

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/arch/arm64/arm64asm"

	"github.com/gofocal/focal/internal/effort"
)

const (
	root   = "../.." // of the repository
	header = "kernel_arm64.h"
)

// A macro is one of the header's that encode an instruction:
//
//	#define FADD(d, n, m) WORD $(0x4e20d400 | SZ | (m)<<16 | (n)<<5 | (d)) // FADD Vd.T, Vn.T, Vm.T
type macro struct {
	name   string
	params []string
	text   string // from the comment
}

var macroLine = regexp.MustCompile(`(?m)^#define (\w+)\(([\w, ]+)\)\s+WORD \$\((.*)\)\s*// (.*)$`)

func readHeader(t *testing.T) (text string, macros []macro) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, header))
	require.NoError(t, err)
	for _, m := range macroLine.FindAllStringSubmatch(string(b), -1) {
		macros = append(macros, macro{m[1], strings.Split(m[2], ", "), m[4]})
	}
	// There is no other way in which a word gets into a kernel.
	source, err := os.ReadFile(filepath.Join(root, "kernel_arm64.s"))
	require.NoError(t, err)
	words := regexp.MustCompile(`\bD?WORD\b`)
	require.Len(t, words.FindAll(b, -1), len(macros), "an encoding that this test does not understand")
	require.Empty(t, words.FindAll(source, -1))
	return string(b), macros
}

// operands of an instruction, in the order of the macro's parameters
type operands struct {
	double bool // the elements are float64
	values []int
}

// want returns the instruction as the decoder writes it.
func (m *macro) want(o operands) string {
	text := m.text
	arrangement := ".4S"
	if o.double {
		arrangement = ".2D"
	}
	text = strings.ReplaceAll(text, ".T", arrangement)
	for i, p := range m.params {
		v := o.values[i]
		if p == "offset" {
			text = strings.ReplaceAll(text, "#offset", "#"+strconv.Itoa(v))
			text = strings.ReplaceAll(text, ",#0]", "]")
			continue
		}
		text = regexp.MustCompile(`\b([VQWX])`+p+`(\+\d)?\b`).ReplaceAllStringFunc(text, func(s string) string {
			n := v
			if _, plus, ok := strings.Cut(s, "+"); ok {
				more, _ := strconv.Atoi(plus)
				n = (n + more) % 32
			}
			return s[:1] + strconv.Itoa(n)
		})
	}
	return text
}

func decode(t *testing.T, word uint32) arm64asm.Inst {
	t.Helper()
	i, err := arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, word))
	require.NoError(t, err, "%#08x", word)
	return i
}

// Every macro, with every register in each place, for both element types.
func TestMacros(t *testing.T) {
	effort.Long(t)
	text, macros := readHeader(t)
	require.NotEmpty(t, macros)
	type call struct {
		*macro
		operands
	}
	var calls []call
	for i := range macros {
		m := &macros[i]
		add := func(values []int) {
			calls = append(calls, call{m, operands{false, values}}, call{m, operands{true, values}})
		}
		for p, name := range m.params {
			for v := range 64 {
				values := []int{3, 14, 25, 48}[:len(m.params)]
				if j := slices.Index(m.params, "offset"); j >= 0 {
					values[j] = 48
				}
				switch {
				case name == "offset":
					v *= 16
				case name == "r" && v > 30, v > 31: // 31 is the stack pointer
					continue
				case strings.Contains(m.text, "Vn+") && name == "n" && v > 28: // the list would go on at V0
					continue
				}
				values = slices.Clone(values)
				values[p] = v
				add(values)
			}
		}
	}
	var s strings.Builder
	s.WriteString("#include \"" + header + "\"\nTEXT ·words(SB), 4, $0-0\n")
	double := true
	for i, c := range calls {
		if i == 0 || c.double != double {
			if i > 0 {
				s.WriteString("#undef EL\n")
			}
			fmt.Fprintf(&s, "#define EL(f32, f64) %s\n", map[bool]string{false: "f32", true: "f64"}[c.double])
			double = c.double
		}
		args := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(c.values)), ", "), "[]")
		fmt.Fprintf(&s, "\t%s(%s)\n", c.name, args)
	}
	s.WriteString("\tRET\n")

	dir := t.TempDir()
	write(t, dir, "go.mod", "module words\n\ngo 1.24\n")
	write(t, dir, "main.go", "package main\n\nfunc words()\n\nfunc main() { words() }\n")
	write(t, dir, header, text)
	write(t, dir, "words_arm64.s", s.String())
	out := filepath.Join(dir, "words")
	goCommand(t, dir, "build", "-o", out, ".")
	code := functions(t, out, func(name string) bool { return name == "main.words.abi0" })["main.words.abi0"]
	require.GreaterOrEqual(t, len(code), len(calls))
	for i, c := range calls {
		require.Equal(t, c.want(c.operands), decode(t, code[i]).String(), "%s%v: %#08x", c.name, c.values, code[i])
	}
	t.Logf("%d macros, %d instructions", len(macros), len(calls))
}

// Every instruction that a macro has put into a linked kernel is what the macro's comment says, and reaches no slot that the
// kernel does not have.
//
// Which one that is, two more binaries tell, where the macros do not encode their instruction but which macro was called
// with what: the second one has all bits of that the other way round, so both differ in nothing else.
func TestLinked(t *testing.T) {
	effort.Long(t)
	text, macros := readHeader(t)
	source, names := readSource(t)
	linked := program(t, text, names)
	calls, inverse := program(t, tagged(t, text, macros, 0), names), program(t, tagged(t, text, macros, 0xffffffff), names)
	frame, params := number(t, text, "nFRAME"), number(t, text, "nPARAMS")

	used := map[string]int{}
	for _, name := range names {
		code := linked[name]
		require.NotEmpty(t, code, name)
		require.Len(t, calls[name], len(code), name)
		require.Len(t, inverse[name], len(code), name)
		for i, word := range code {
			if word == 0 {
				continue // behind the end
			}
			inst := decode(t, word)
			require.NotRegexp(t, `\b[XW]18\b`, inst.String(), "%s: R18 is the platform's", name)
			require.NotRegexp(t, `^F(RECP|RSQRT)`, inst.String(), "%s: an approximation", name)
			tag := calls[name][i]
			if tag != ^inverse[name][i] {
				continue // the assembler's own
			}
			m, o := untag(macros, tag)
			require.Equal(t, m.want(o), inst.String(), "%s+%#x: %s%v", name, 4*i, m.name, o.values)
			used[m.name]++
			if r := slices.Index(m.params, "r"); r >= 0 && r+1 < len(m.params) { // not DUP
				end := o.values[r+1] + 16*r // of a vector, or of a pair
				switch o.values[r] {
				case frame:
					require.LessOrEqual(t, end, slotsOf(t, text, source, name), "%s: a slot", name)
				case params:
					require.LessOrEqual(t, end, number(t, text, "params"), "%s: a parameter", name)
				}
			}
		}
	}
	for _, m := range macros {
		require.Positive(t, used[m.name], "nobody uses %s", m.name)
	}
	t.Log(used)
}

// tagged returns the header with macros that each put a number that tells its call instead of an instruction, with these
// bits inverted.
func tagged(t *testing.T, text string, macros []macro, invert uint32) string {
	t.Helper()
	require.Less(t, len(macros), 1<<7)
	i := -1
	return macroLine.ReplaceAllStringFunc(text, func(string) string {
		i++
		m := macros[i]
		tag := fmt.Sprintf("%d<<25 | EL(0, 1)<<24", i)
		for k, p := range m.params {
			if p == "offset" {
				tag += " | (offset)/16"
			} else {
				tag += fmt.Sprintf(" | (%s)<<%d", p, 19-5*k)
			}
		}
		return fmt.Sprintf("#define %s(%s) WORD $((%s) ^ %#x)", m.name, strings.Join(m.params, ", "), tag, invert)
	})
}

// readSource returns the file of kernels, and the names of the functions in it.
func readSource(t *testing.T) (source string, names []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "kernel_arm64.s"))
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?m)^TEXT ·(\w+)\(SB\)`).FindAllStringSubmatch(string(b), -1) {
		names = append(names, m[1])
	}
	require.Len(t, names, strings.Count(string(b), "TEXT"))
	return string(b), names
}

// program links the package with this header and returns the code of its functions in assembly, all of them, whoever calls
// them.
func program(t *testing.T, text string, names []string) map[string][]uint32 {
	t.Helper()
	dir := t.TempDir()
	for _, pattern := range []string{"*.go", "*.s", "*.h", "go.mod", "go.sum", "internal/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			name, err := filepath.Rel(root, f)
			require.NoError(t, err)
			write(t, dir, name, string(b))
		}
	}
	write(t, dir, header, text)
	write(t, dir, "all.go", "package focal\n\nvar All = []any{"+strings.Join(names, ", ")+"}\n")
	write(t, dir, "program/main.go", "package main\n\nimport \"github.com/gofocal/focal\"\n\nfunc main() { println(focal.All) }\n")
	file := filepath.Join(dir, "program/out")
	goCommand(t, dir, "build", "-o", file, "./program")
	const prefix, suffix = "github.com/gofocal/focal.", ".abi0"
	code := map[string][]uint32{}
	for name, words := range functions(t, file, func(name string) bool { return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) }) {
		code[name[len(prefix):len(name)-len(suffix)]] = words
	}
	return code
}

func untag(macros []macro, tag uint32) (*macro, operands) {
	m := &macros[tag>>25]
	o := operands{double: tag>>24&1 != 0}
	for k, p := range m.params {
		if p == "offset" {
			o.values = append(o.values, 16*int(tag&(1<<9-1)))
		} else {
			o.values = append(o.values, int(tag>>(19-5*k)&31))
		}
	}
	return m, o
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
}

func goCommand(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-buildvcs=false")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), "go %v: %s", args, &out)
}

// functions returns the code of those functions of a program that are wanted.
func functions(t *testing.T, file string, wanted func(name string) bool) map[string][]uint32 {
	t.Helper()
	f, err := elf.Open(file)
	require.NoError(t, err)
	defer f.Close()
	symbols, err := f.Symbols()
	require.NoError(t, err)
	code := map[string][]uint32{}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC || !wanted(s.Name) {
			continue
		}
		section := f.Sections[s.Section]
		b := make([]byte, s.Size)
		_, err := section.ReadAt(b, int64(s.Value-section.Addr))
		require.NoError(t, err)
		for ; len(b) >= 4; b = b[4:] {
			code[s.Name] = append(code[s.Name], binary.LittleEndian.Uint32(b))
		}
	}
	return code
}

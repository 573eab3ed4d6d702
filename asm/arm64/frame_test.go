package arm64

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// How large a frame is, vet wants as a number at every TEXT. One that is too small for the parameters and slots of
// kernel_arm64.h would assemble without a word, and the kernel would write over its caller's frame.
func TestFrames(t *testing.T) {
	text, _ := readHeader(t)
	source, names := readSource(t)
	require.Contains(t, source, "ADD $16, RSP, PARAMS; ADD $params, PARAMS, SLOTS;") // 8 bytes behind the frame's beginning
	for _, name := range names {
		body := bodyOf(t, source, name)
		frame := regexp.MustCompile(`^TEXT ·\w+\(SB\), 0, \$(\d+)-\d+\n`).FindStringSubmatch(body)
		require.NotNil(t, frame, name)
		if !strings.Contains(body, "ENTER") {
			continue // it has neither
		}
		groups := 1
		if strings.Contains(body, "PASSES(") {
			groups = 16
			require.Contains(t, source, "ADD $(16*64), INDEX, STOP")
		}
		want := 8 + number(t, text, "params") + groups*slotsOf(t, text, source, name)
		require.Equal(t, strconv.Itoa((want+15)&^15), frame[1], "%s: the frame", name)
	}
}

// Parameters and slots lie one behind the other, or one in the place of another.
func TestSlots(t *testing.T) {
	text, _ := readHeader(t)
	const vector, group = 16, 4 * 16
	end := 0
	for _, m := range regexp.MustCompile(`(?m)^#define (param\w*) +(\d+)`).FindAllStringSubmatch(text, -1) {
		require.Equal(t, strconv.Itoa(end), m[2], m[1])
		end += vector
		if strings.HasPrefix(m[1], "paramW") { // an array of weights may stand in their place
			end += group - vector
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^#define slot\w+ +(\d+)`).FindAllStringSubmatch(text, -1) {
		offset, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		require.Zero(t, offset%group, m[0])
		require.Less(t, offset, number(t, text, "softSlots"), m[0])
	}
}

// slotsOf returns the size of a kernel's slots for one group.
func slotsOf(t *testing.T, text, source, name string) int {
	t.Helper()
	all := regexp.MustCompile(`PASS\(\w+, (\w+),`).FindAllStringSubmatch(bodyOf(t, source, name), -1)
	if all == nil {
		return number(t, text, "slots")
	}
	for _, m := range all {
		require.Equal(t, all[0][1], m[1], "%s: passes over different slots", name)
	}
	return number(t, text, all[0][1])
}

// bodyOf returns the text of a function, and behind it those of the macros of passes that it uses.
func bodyOf(t *testing.T, source, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(source, "TEXT ·"+name+"(SB)")
	require.True(t, ok, name)
	body, _, _ := strings.Cut(rest, "\n\n")
	body = "TEXT ·" + name + "(SB)" + body
	for from, macro := 0, regexp.MustCompile(`\w+_PASSES\b`); ; {
		used := macro.FindStringIndex(body[from:])
		if used == nil {
			return body
		}
		passes := body[from+used[0] : from+used[1]]
		from += used[1]
		definition := regexp.MustCompile(`(?m)^#define ` + passes + `\b((?:.*\\\n)*.*)`).FindStringSubmatch(source)
		require.NotNil(t, definition, passes)
		body += definition[1]
	}
}

// number returns what the header defines as a number.
func number(t *testing.T, text, name string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^#define ` + name + ` +(\d+)`).FindStringSubmatch(text)
	require.NotNil(t, m, name)
	n, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	return n
}

// Nothing is defined that nobody uses: no macro, and no constant or offset in kernel_arm64.go.
func TestUsed(t *testing.T) {
	text, _ := readHeader(t)
	source, _ := readSource(t)
	all := text + regexp.MustCompile(`(?m)^#undef .*`).ReplaceAllString(source, "")
	uses := map[string]int{}
	for _, word := range regexp.MustCompile(`\w+`).FindAllString(all, -1) {
		uses[word]++
	}
	for _, m := range regexp.MustCompile(`(?m)^#define (\w+)`).FindAllStringSubmatch(all, -1) {
		require.Greater(t, uses[m[1]], 1, m[1])
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "kernel_arm64.go"), nil, 0)
	require.NoError(t, err)
	names := 0
	check := func(prefix string, idents []*ast.Ident) {
		for _, id := range idents {
			names++
			require.Positive(t, uses[prefix+id.Name], id.Name)
		}
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				if g.Tok == token.CONST {
					check("const_", s.Names)
				}
			case *ast.TypeSpec:
				if fields, ok := s.Type.(*ast.StructType); ok && s.Name.Name == "neon" {
					for _, field := range fields.Fields.List {
						check("neon_", field.Names)
					}
				}
			}
		}
	}
	require.Greater(t, names, 50)
}

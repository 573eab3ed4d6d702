// Package docs has the tests of the documentation: what it says is held against the code.
package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal/internal/oracle"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(text)
}

// The quick start is the package's example, which runs.
func TestQuickStart(t *testing.T) {
	_, program, _ := strings.Cut(read(t, "README.md"), "```go\n")
	program, _, _ = strings.Cut(program, "```\n")
	_, body, _ := strings.Cut(program, "func main() {\n")
	example := read(t, "example_test.go")
	_, example, _ = strings.Cut(example, "func Example() {\n")
	example, _, _ = strings.Cut(example, "\t// Output:")
	require.NotEmpty(t, example)
	assert.Equal(t, example+"}\n", body)
	_, err := parser.ParseFile(token.NewFileSet(), "main.go", program, 0)
	assert.NoError(t, err)
}

// Every source of the root, and every internal package, is named where development.md says what is where; a test beside what it
// tests needs no mention.
func TestRootFiles(t *testing.T) {
	text, names := read(t, "docs/development.md"), map[string]bool{}
	packages, err := os.ReadDir(filepath.Join(root, "internal"))
	require.NoError(t, err)
	for _, p := range packages {
		assert.Contains(t, text, "`internal/"+p.Name()+"`")
	}
	for _, pattern := range []string{"*.go", "*.s", "*.h"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			names[filepath.Base(file)] = true
		}
	}
	require.Contains(t, names, "focal.go")
	for name := range names {
		if tested, ok := strings.CutSuffix(name, "_test.go"); !ok || !names[tested+".go"] {
			assert.Contains(t, text, "`"+name+"`")
		}
	}
	for _, m := range regexp.MustCompile("`(\\w+\\.(?:go|s|h))`").FindAllStringSubmatch(text, -1) {
		assert.True(t, names[m[1]] || m[1] == "main.go", "development.md names %s", m[1])
	}
}

func TestReadmeIsShort(t *testing.T) {
	assert.LessOrEqual(t, len(strings.Fields(read(t, "README.md"))), 900)
}

// The README's bounds are those that the tests hold.
func TestReadmeBounds(t *testing.T) {
	text := strings.Join(strings.Fields(read(t, "README.md")), " ")
	usual := oracle.Promised(2, 0.25, 0.75)
	assert.Contains(t, text, fmt.Sprintf("losses are within %v units in the last place (ULP) of the exact value, gradients within %v, Hessians within %v of "+
		"their terms' magnitudes, probabilities within %v,", usual[oracle.Loss], usual[oracle.Grad], usual[oracle.Hess], usual[oracle.Sigmoid]))
	more := 0.0
	for _, gamma := range []float64{0, 0.7, 2, 2.3, 5} {
		other := oracle.Promised(gamma)
		for q := range usual {
			more = max(more, other[q]-usual[q])
		}
	}
	assert.Contains(t, text, fmt.Sprintf("add at most %v up to γ = 5", more))
}

// What is exported is documented: in the README, or in what semantics.md and recipes.md say.
func TestExportedNames(t *testing.T) {
	text := read(t, "README.md") + read(t, "docs/semantics.md") + read(t, "docs/recipes.md")
	var names []string
	for _, file := range goFiles(t) {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				names = append(names, d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						names = append(names, s.Name.Name)
						if fields, ok := s.Type.(*ast.StructType); ok && s.Name.IsExported() {
							for _, f := range fields.Fields.List {
								for _, n := range f.Names {
									names = append(names, n.Name)
								}
							}
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names = append(names, n.Name)
						}
					}
				}
			}
		}
	}
	exported, missing := 0, []string{}
	for _, name := range names {
		if !ast.IsExported(name) || strings.HasSuffix(name, "Binary") || name == "String" { // interfaces of encoding and fmt
			continue
		}
		exported++
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(text) {
			missing = append(missing, name)
		}
	}
	assert.Empty(t, missing)
	assert.Greater(t, exported, 25)
}

// goFiles returns the files of package focal, parsed.
func goFiles(t *testing.T) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "*.go"))
	require.NoError(t, err)
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, f)
		}
	}
	return files
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	code    = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// Links within the repository lead somewhere.
func TestLinks(t *testing.T) {
	links := 0
	require.NoError(t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == "build") {
			return fs.SkipDir
		}
		if filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			target := m[1] + m[2]
			if strings.Contains(target, "://") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(target, "#")
			if file == "" {
				file = name
			} else {
				file = filepath.Join(filepath.Dir(name), file)
			}
			_, err := os.Stat(file)
			if assert.NoError(t, err, "%s: %s", name, target) && anchor != "" {
				assert.Contains(t, anchors(t, orReadme(file)), anchor, "%s: %s", name, target)
			}
		}
		return nil
	}))
	assert.Greater(t, links, 20)
}

// Every document can be reached from the README.
func TestReachable(t *testing.T) {
	reached := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		name = filepath.Clean(orReadme(name))
		text, err := os.ReadFile(name)
		if reached[name] || filepath.Ext(name) != ".md" || err != nil { // TestLinks is about broken links
			return
		}
		reached[name] = true
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if file, _, _ := strings.Cut(m[1]+m[2], "#"); file != "" && !strings.Contains(file, "://") {
				visit(filepath.Join(filepath.Dir(name), file))
			}
		}
	}
	visit(filepath.Join(root, "README.md"))
	for _, pattern := range []string{"*.md", "*/*.md", "*/*/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, name := range names {
			assert.True(t, reached[filepath.Clean(name)], name)
		}
	}
}

// orReadme returns the README of a folder, which is what is shown of it.
func orReadme(name string) string {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return filepath.Join(name, "README.md")
	}
	return name
}

// anchors returns what GitHub makes of a document's headings.
func anchors(t *testing.T, name string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

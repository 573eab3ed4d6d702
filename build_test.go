package focal

import (
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Neither with -tags purego, nor with a compiler other than Go's own, whose assembler is another one, is there assembly, or
// a function without a body.
func TestNoAssembly(t *testing.T) {
	purego, gccgo, ordinary := build.Default, build.Default, build.Default
	purego.BuildTags = []string{"purego"}
	gccgo.Compiler = "gccgo"
	found := 0
	require.NoError(t, filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if dir == "." {
		} else if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || d.Name()[0] == '.' {
			return fs.SkipDir // another module, or no package
		}
		for _, arch := range []string{"amd64", "arm64", "386"} {
			for name, context := range map[string]build.Context{"purego": purego, "gccgo": gccgo, "": ordinary} {
				context.GOARCH = arch
				p, err := context.ImportDir(dir, 0)
				if no := new(build.NoGoError); errors.As(err, &no) {
					continue
				}
				require.NoError(t, err)
				declared := withoutBody(t, dir, p.GoFiles)
				if name == "" {
					found += len(p.SFiles) + len(declared)
					continue
				}
				require.Empty(t, p.SFiles, "%s on %s: %s", name, arch, dir)
				require.Empty(t, declared, "%s on %s: %s", name, arch, dir)
			}
		}
		return nil
	}))
	require.Greater(t, found, 8, "files of assembly and functions in it")
}

// withoutBody returns the functions that files declare for assembly.
func withoutBody(t *testing.T, dir string, files []string) (names []string) {
	t.Helper()
	for _, f := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, f), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

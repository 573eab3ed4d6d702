package focal

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain holds the machine against the environment, whichever tests are chosen: a run that is meant for a path cannot
// pass on another one.
//
//	FOCAL_EXPECT_PATH=avx2           this must be the path in use
//	FOCAL_REQUIRE_PATH=avx512,avx2   all of these must be there
//
// With -v it names the path. The gate counts the tests of each.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := checkPaths(os.Getenv("FOCAL_EXPECT_PATH"), os.Getenv("FOCAL_REQUIRE_PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if testing.Verbose() && flag.Lookup("test.list").Value.String() == "" {
		fmt.Printf("path %s on %s/%s\n", Path(), runtime.GOOS, runtime.GOARCH)
	}
	os.Exit(m.Run())
}

// checkPaths returns an error if the path in use is not expect, or if one of require, a list with commas, is not there.
func checkPaths(expect, require string) error {
	var available []string
	for _, p := range availablePaths() {
		available = append(available, p.String())
	}
	if expect != "" && Path() != expect {
		return fmt.Errorf("FOCAL_EXPECT_PATH is %s, but the path in use is %s", expect, Path())
	}
	for name := range strings.SplitSeq(require, ",") {
		if name != "" && !slices.Contains(available, name) {
			return fmt.Errorf("FOCAL_REQUIRE_PATH names %s, but there are %v only", name, available)
		}
	}
	return nil
}

func TestCheckPaths(t *testing.T) {
	require.NoError(t, checkPaths("", ""))
	require.NoError(t, checkPaths(Path(), Path()+",generic"))
	require.EqualError(t, checkPaths("mmx", ""), "FOCAL_EXPECT_PATH is mmx, but the path in use is "+Path())
	require.ErrorContains(t, checkPaths("", "generic,mmx"), "FOCAL_REQUIRE_PATH names mmx, but there are [")
}

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

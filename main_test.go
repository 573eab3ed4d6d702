package focal

import (
	"flag"
	"fmt"
	"os"
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

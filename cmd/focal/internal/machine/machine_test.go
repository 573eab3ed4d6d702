package machine

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The features that are listed for a path are those that the dispatch asks for.
func TestPathFeatures(t *testing.T) {
	source, err := os.ReadFile("../../../../kernel_amd64.go")
	require.NoError(t, err)
	for path, function := range map[string]string{"avx2": "hasAVX2", "avx512": "hasAVX512"} {
		body := regexp.MustCompile(`(?s)func ` + function + `\(\) bool \{(.*?)\}`).FindStringSubmatch(string(source))
		require.NotNil(t, body, function)
		var want []string
		for _, m := range regexp.MustCompile(`cpu\.X86\.Has(\w+)`).FindAllStringSubmatch(body[1], -1) {
			switch m[1] {
			case "AVX512": // all of them together
			case "FMA":
				want = append(want, "FMA3")
			default:
				want = append(want, m[1])
			}
		}
		var got []string
		for _, f := range PathFeatures[slices.IndexFunc(PathFeatures, func(p PathFeature) bool { return p.Path == path })].Features {
			got = append(got, f.String())
		}
		assert.ElementsMatch(t, want, got, path)
	}
}

func TestSizeString(t *testing.T) {
	for n, want := range map[int]string{0: "unknown", 512: "512 B", 49152: "48 KiB", 1 << 20: "1 MiB", 1<<20 + 1<<19: "1536 KiB", 33 << 20: "33 MiB", 10<<20 + 1<<19: "10.5 MiB"} {
		assert.Equal(t, want, SizeString(n))
	}
}

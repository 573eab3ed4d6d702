package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/shirou/gopsutil/v4/common"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The features that are listed for a path are those that the dispatch asks for.
func TestPathFeatures(t *testing.T) {
	source, err := os.ReadFile("../../../../dispatch.go")
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

func TestCommitOf(t *testing.T) {
	clone := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "false"}}
	modified := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	for want, info := range map[string]debug.BuildInfo{
		"of the tag cmd/focal/v0.2.0": {Main: debug.Module{Path: "github.com/gofocal/focal/cmd/focal", Version: "v0.2.0", Sum: "h1:x"}},
		"0123456789ab":                {Settings: clone},
		"0123456789ab-modified":       {Settings: modified},
		"unknown":                     {Main: debug.Module{Path: "github.com/gofocal/focal/cmd/focal", Version: "(devel)"}},
	} {
		assert.Equal(t, want, commitOf(&info))
	}
}

func TestSizeString(t *testing.T) {
	for n, want := range map[int]string{0: "unknown", 512: "512 B", 49152: "48 KiB", 1 << 20: "1 MiB", 1<<20 + 1<<19: "1536 KiB", 33 << 20: "33 MiB", 10<<20 + 1<<19: "10.5 MiB"} {
		assert.Equal(t, want, SizeString(n))
	}
}

// Linux describes the cores of Arm by numbers, and a CPU may have cores of two kinds.
func TestArmCores(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it reads what Linux writes")
	}
	proc := t.TempDir()
	describe := func(parts ...string) (name, id string) {
		var text string
		for i, part := range parts {
			text += fmt.Sprintf("processor\t: %d\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: %s\nCPU revision\t: 2\n\n", i, part)
		}
		require.NoError(t, os.WriteFile(filepath.Join(proc, "cpuinfo"), []byte(text), 0o666))
		return fromSystem(context.WithValue(t.Context(), common.EnvKey, common.EnvMap{common.HostProcEnvKey: proc}))
	}
	name, id := describe("0xd0c", "0xd0c")
	assert.Equal(t, "Neoverse-N1", name)
	assert.Equal(t, "ARM part 0xd0c revision 2", id)
	name, id = describe("0xd0b", "0xd05")
	assert.Equal(t, "Cortex-A76 + Cortex-A55", name)
	assert.Equal(t, "ARM part 0xd0b revision 2, ARM part 0xd05 revision 2", id)
	name, _ = describe("0xfff")
	assert.Equal(t, "ARM part 0xfff", name, "unknown parts are numbers")
}

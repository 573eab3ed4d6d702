package arm64

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// How large a frame is, vet wants as a number at every TEXT. One that is too small for the slots of kernel_arm64.h would
// assemble without a word, and the kernel would write over its caller's frame.
func TestFrames(t *testing.T) {
	text, _ := readHeader(t)
	b, err := os.ReadFile(filepath.Join(root, "kernel_arm64.s"))
	require.NoError(t, err)
	source := string(b)

	// There are groups of four vectors, and vectors: it is seen from how they are accessed.
	const vector, group = 16, 4 * 16
	access := regexp.MustCompile(`\b(LOAD|STORE|LDRQ|STRQ)\((?:range\([\w, ]+\)|\w+), n(FRAME|SOFTFRAME), (\w+)\)`)
	parameter := regexp.MustCompile(`\bPARAMETER\(\w+, (\w+)\)|\bPART_(?:IN|FOR)\([\w, ]*\b(part\w+)`)
	type slot struct {
		frame string
		size  int
	}
	slots := map[string]slot{}
	for _, m := range access.FindAllStringSubmatch(text+source, -1) {
		s := slot{m[2], vector}
		if m[1] == "LOAD" || m[1] == "STORE" {
			s.size = group
		}
		if old, ok := slots[m[3]]; ok {
			require.Equal(t, old, s, "%s is accessed in two ways", m[3])
		}
		slots[m[3]] = s
	}
	for _, m := range parameter.FindAllStringSubmatch(source, -1) {
		if name := m[1] + m[2]; slots[name].size == 0 {
			slots[name] = slot{"FRAME", vector}
		}
	}

	// One slot follows the other. The second frame begins at 0 again.
	end := map[string]int{}
	definitions := regexp.MustCompile(`(?m)^#define ((?:slot|part)\w*)\s+(.*?)\s*(?://.*)?$`).FindAllStringSubmatch(text, -1)
	require.NotEmpty(t, definitions)
	for _, m := range definitions {
		offset, err := strconv.Atoi(m[2])
		require.NoError(t, err, m[0])
		s, ok := slots[m[1]]
		require.True(t, ok, "%s: nothing tells its size", m[1])
		require.Equal(t, end[s.frame], offset, "%s: not behind the slot before", m[1])
		end[s.frame] += s.size
	}
	require.Contains(t, source, "ADD $15, FRAME; AND $~15, FRAME; ADD $"+strconv.Itoa(end["FRAME"])+", FRAME, SOFTFRAME;")

	texts := regexp.MustCompile(`(?m)^TEXT ·(\w+)\(SB\), \w+, \$(\d+)-\d+$`).FindAllStringSubmatchIndex(source, -1)
	require.Len(t, texts, strings.Count(source, "TEXT ·"))
	require.Len(t, texts, strings.Count(source, "$frame-"))
	for i, at := range texts {
		name, frame, body := source[at[2]:at[3]], source[at[4]:at[5]], source[at[1]:]
		if i+1 < len(texts) {
			body = source[at[1]:texts[i+1][0]]
		}
		want := 16 + end["FRAME"] // up to 15 bytes in front of the first slot, rounded up as all frames are
		if hasSoftFrame(name) {
			want += end["SOFTFRAME"]
		}
		require.Equal(t, strconv.Itoa(want), frame, "%s: the frame", name)
		require.Contains(t, body, "\tMOVD $frame-"+frame+"(SP), FRAME\n", name)
	}
}

// hasSoftFrame reports whether a kernel has the slots of soft targets.
func hasSoftFrame(name string) bool { return strings.HasPrefix(name, "soft") }

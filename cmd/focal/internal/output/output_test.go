package output

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(name, text string) error {
	f, err := Create(name)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Finish(); err != nil {
		return err
	}
	return f.Publish()
}

// Of many that write one file at once each succeeds or is told that another one does: the file is whole at any time, and
// nothing is left.
func TestAtOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("replaces no file that is open")
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	texts := map[string]bool{}
	for i := range 8 {
		texts[strings.Repeat(string(rune('a'+i)), 100_000)] = true
	}
	require.NoError(t, write(name, strings.Repeat("a", 100_000)))
	var all sync.WaitGroup
	for text := range texts {
		all.Go(func() {
			for range 50 {
				if err := write(name, text); err != nil {
					assert.ErrorIs(t, err, errBusy)
				}
				b, err := os.ReadFile(name)
				assert.NoError(t, err)
				assert.True(t, texts[string(b)], "the file is whole")
			}
		})
	}
	all.Wait()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.NoError(t, write(name, "at last"))
}

// What is in the way is named, and stays, unless it is a file that was left behind.
func TestInTheWay(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	f, err := Create(name)
	require.NoError(t, err)
	temporary := f.file.Name()
	f.Discard()
	require.NoFileExists(t, temporary)

	require.NoError(t, os.WriteFile(temporary, []byte("of a run that was killed"), 0o600))
	require.NoError(t, write(name, "new"))
	require.NoFileExists(t, temporary)

	require.NoError(t, os.Mkdir(temporary, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(temporary, "mine"), nil, 0o666))
	require.Error(t, write(name, "newer"))
	require.FileExists(t, filepath.Join(temporary, "mine"))
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "new", string(b))
}

// A device is written as it stands, and its errors name it.
func TestDevice(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	require.NoError(t, write(os.DevNull, "x"))
	err := write("/dev/full", strings.Repeat("x", 4<<20))
	require.ErrorContains(t, err, "/dev/full: ")
	require.EqualError(t, write("/dev/full", "x"), "/dev/full: no space left on device")
	require.False(t, errors.Is(err, errBusy))
}

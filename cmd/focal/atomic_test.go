package main

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is replaced keeps its permissions, and a link to it remains a link.
func TestReplace(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has other permissions, and links for few")
	}
	inDirectory(t, map[string][]byte{"private": []byte("of before"), "other": nil})
	require.NoError(t, os.Chmod("private", 0o600))
	require.NoError(t, os.Mkdir("links", 0o777))
	require.NoError(t, os.Symlink("../private", "links/link"))
	require.NoError(t, os.Symlink("link", "links/to-link"))
	require.NoError(t, os.Symlink("nothing", "links/dangling"))
	write := func(name, text string) error {
		e := &env{}
		return e.output(name, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
	}
	for _, name := range []string{"private", "links/link", "links/to-link"} {
		require.NoError(t, write(name, name))
		assert.Equal(t, name, string(readFile(t, "private")))
		info, err := os.Lstat("private")
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode())
	}
	to, err := os.Readlink("links/to-link")
	require.NoError(t, err)
	assert.Equal(t, "link", to)
	assert.EqualError(t, write("links/dangling", "x"), "links/dangling: is a link to nothing, and cannot be written")
	require.NoError(t, write("new", "new"))
	a, err := os.Stat("new")
	require.NoError(t, err)
	b, err := os.Stat("other")
	require.NoError(t, err)
	assert.Equal(t, b.Mode(), a.Mode())
	assert.Equal(t, []string{"links", "new", "other", "private"}, names(t))
	inside, err := filepath.Glob("links/.*")
	require.NoError(t, err)
	assert.Empty(t, inside)
}

// What waits for ever can be interrupted, if not at once.
func TestInterruptedTwice(t *testing.T) {
	inDirectory(t, map[string][]byte{"l.npy": npyFile(t, "<i4", "(1,)", false, binary.LittleEndian, []int32{0})})
	if err := exec.Command("mkfifo", "x.npy").Run(); err != nil {
		t.Skip("no mkfifo")
	}
	cmd := process("eval", "-x", "x.npy", "-label", "l.npy", "-loss", "loss.npy")
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	late := time.After(20 * time.Second)
	time.Sleep(time.Second) // until it waits, most likely
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit), err)
			assert.Equal(t, []string{"l.npy", "x.npy"}, names(t))
			return
		case <-time.After(200 * time.Millisecond):
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		case <-late:
			cmd.Process.Kill()
			t.Fatal("cannot be interrupted")
		}
	}
}

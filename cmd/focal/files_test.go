package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
		e := &env{ctx: t.Context()}
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
	assert.EqualError(t, write("links/dangling", "x"), "links/dangling: cannot be written: it is a link to nothing")
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

// waitingEval begins an evaluation that waits in the middle of its input, and returns it when its output has been begun.
func waitingEval(t *testing.T, output string) (cmd *exec.Cmd, feed io.Writer, rest []byte) {
	t.Helper()
	x := npyFile(t, "<f4", "(1000, 50)", false, binary.LittleEndian, make([]float32, 50_000))
	cmd = process("eval", "-x", "-", "-label", "l.npy", "-loss", output)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	before := len(names(t))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	_, err = stdin.Write(x[:len(x)/2])
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(names(t)) == before+1 }, 20*time.Second, 5*time.Millisecond, "the output has been begun")
	return cmd, stdin, x[len(x)/2:]
}

// What a run leaves behind that was killed, the next one takes away that writes the same file; but not what somebody writes.
func TestKilled(t *testing.T) {
	inDirectory(t, map[string][]byte{"l.npy": npyFile(t, "<i4", "(1000,)", false, binary.LittleEndian, make([]int32, 1000))})
	killed, _, _ := waitingEval(t, "loss.npy")
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	require.Len(t, names(t), 2)

	running, feed, rest := waitingEval(t, "other.npy")
	write := func(name string) (int, string) {
		status, _, stderr := focalCommand("eval", "-x", "l32.npy", "-label", "l.npy", "-loss", name)
		return status, stderr
	}
	require.NoError(t, os.WriteFile("l32.npy", npyFile(t, "<f4", "(1000, 1)", false, binary.LittleEndian, make([]float32, 1000)), 0o666))
	status, stderr := write("loss.npy")
	require.Zero(t, status, stderr)
	status, stderr = write("other.npy")
	require.Equal(t, 1, status)
	require.Equal(t, "focal eval: other.npy: cannot be written: another process is writing it\n", stderr)
	_, err := feed.Write(rest)
	require.NoError(t, err)
	require.NoError(t, feed.(io.Closer).Close())
	require.NoError(t, running.Wait())
	require.Len(t, readBack[float32](t, "other.npy", 1000, 50), 50_000)
	require.Equal(t, []string{"l.npy", "l32.npy", "loss.npy", "other.npy"}, names(t))
	status, stderr = write("other.npy")
	require.Zero(t, status, stderr)
}

// A name that is as long as names can be is none too long.
func TestLongName(t *testing.T) {
	inDirectory(t, nil)
	e := &env{ctx: t.Context()}
	for _, n := range []int{250, 254, 255} {
		name := strings.Repeat("n", n)
		require.NoError(t, e.output(name, func(w io.Writer) error { _, err := io.WriteString(w, name); return err }))
		require.Equal(t, name, string(readFile(t, name)))
	}
	require.Len(t, names(t), 3)
}

// Inputs and outputs may be the standard streams, pipes and devices, in all commands.
func TestStreams(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no /dev")
	}
	x := npyFile(t, "<f4", "(2, 2)", false, binary.LittleEndian, []float32{1, 2, 3, 4})
	label := npyFile(t, "|u1", "(2,)", false, binary.LittleEndian, []byte{1, 0})
	inDirectory(t, map[string][]byte{"x.npy": x, "x.label.npy": label})
	files := names(t)
	shell := func(script string) (stdout, stderr string, err error) {
		cmd := exec.Command("sh", "-c", script)
		cmd.Env = append(os.Environ(), "FOCAL_TEST_AS_COMMAND=1", "FOCAL="+os.Args[0])
		var out, diagnostics bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &diagnostics
		err = cmd.Run()
		return out.String(), diagnostics.String(), err
	}
	summary := succeed(t, "score", "x.npy", "-o", "part")
	eval := printed(t, succeed(t, "eval", "-x", "x.npy", "-label", "x.label.npy", "-grad", "grad"), "sum")
	part, grad := string(readFile(t, "part")), string(readFile(t, "grad"))
	for script, want := range map[string][2]string{ // what is printed, and what of it is an output
		`"$FOCAL" score x.npy -o -`:                                               {summary, part},
		`"$FOCAL" score x.npy -o /dev/stdout`:                                     {summary, part},
		`"$FOCAL" score x.npy -o /dev/stdout >file; cat file; rm file`:            {summary, part},
		`"$FOCAL" score x.npy -o /dev/stderr`:                                     {part + summary, ""},
		`"$FOCAL" score x.npy -o /dev/null`:                                       {summary, ""},
		`"$FOCAL" score x.npy -o /dev/fd/3 3>file; cat file >&2; rm file`:         {summary + part, ""},
		`"$FOCAL" info -o /dev/stdout | grep -c ^cpu`:                             {"1\n", ""},
		`"$FOCAL" info -format json -o /dev/null`:                                 {"", ""},
		`"$FOCAL" score x.npy -o - | "$FOCAL" merge - `:                           {summary + summary, ""},
		`"$FOCAL" merge -o - - <part`:                                             {summary, part},
		`mkfifo fifo; cat fifo >&2 & "$FOCAL" score x.npy -o fifo; wait; rm fifo`: {summary + part, ""},
		`"$FOCAL" eval -x - -label x.label.npy -grad - <x.npy`:                    {"sum", grad},
		`cat x.npy | "$FOCAL" eval -x - -label x.label.npy -grad /dev/stdout`:     {"sum", grad},
		`cat x.npy | "$FOCAL" eval -x /dev/stdin -label x.label.npy`:              {"sum", ""},
		`"$FOCAL" eval -x x.npy -label - <x.label.npy`:                            {"sum", ""},
		`(printf 12345; cat x.label.npy) >file; (dd bs=5 count=1 of=/dev/null; "$FOCAL" eval -x x.npy -label - -norm 1) <file 2>/dev/null; rm file`: {"sum", ""},
		`cat x.label.npy | "$FOCAL" eval -x x.npy -label - -norm 1`:                                                                                 {"sum", ""},
		`"$FOCAL" eval -x x.npy -label x.label.npy -grad /dev/null -loss /dev/null`:                                                                 {"sum", ""},
	} {
		stdout, stderr, err := shell(script)
		require.NoError(t, err, "%s: %s", script, stderr)
		if want[0] == "sum" {
			if want[1] == "" {
				stderr = stdout
			} else {
				assert.Equal(t, want[1], stdout, script)
			}
			assert.Equal(t, eval, printed(t, stderr, "sum"), script)
			continue
		}
		assert.Len(t, stdout+stderr, len(want[0])+len(want[1]), script)
		if want[1] != "" {
			assert.Equal(t, want[1], stdout, script)
			assert.Equal(t, want[0], stderr, script)
		}
	}
	assert.Equal(t, append([]string{"grad", "part"}, files...), names(t))
	_, stderr, err := shell(`cat x.label.npy | "$FOCAL" eval -x x.npy -label - -loss loss`)
	assert.Error(t, err)
	assert.Equal(t, "focal eval: -: cannot be read twice, as it must be for the divisor: give it one, such as -norm 3\n", stderr)
}

// Patterns that no shell has replaced are, and what exists is none.
func TestPatterns(t *testing.T) {
	x := npyFile(t, "<f4", "(1, 1)", false, binary.LittleEndian, []float32{1})
	label := npyFile(t, "|u1", "(1,)", false, binary.LittleEndian, []byte{1})
	inDirectory(t, map[string][]byte{"a1.npy": x, "a1.label.npy": label, "a2.npy": x, "a2.label.npy": label, "b[1].npy": x, "b[1].label.npy": label, "b1.npy": nil})
	assert.Equal(t, "2", printed(t, succeed(t, "score", "a*.npy"), "shards"))
	assert.Equal(t, "2", printed(t, succeed(t, "score", "a?.npy", "-o", "part1"), "shards"))
	assert.Equal(t, "1", printed(t, succeed(t, "score", "b[1].npy", "-o", "part2"), "shards"))
	assert.Equal(t, "3", printed(t, succeed(t, "merge", "part[0-9]"), "shards"))
}

// A part that never comes is waited for until the interrupt.
func TestMergeInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("cannot send signals")
	}
	cmd := process("merge", "-")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	require.NoError(t, cmd.Start())
	time.Sleep(time.Second) // until it waits, most likely
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, exitInterrupted, exit.ExitCode())
	case <-time.After(20 * time.Second):
		cmd.Process.Kill()
		t.Fatal("cannot be interrupted")
	}
}

// An interrupt leaves no unfinished file: none is begun in the background, where the end of the program could be first.
func TestNothingLeftOfOutputs(t *testing.T) {
	inDirectory(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := &env{ctx: ctx}
	for range 200 {
		_, err := e.create("out")
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, names(t))
	}
}

// What waits for the other end of a pipe ends at the first interrupt, and leaves nothing behind.
func TestInterruptedWhileItWaits(t *testing.T) {
	files := map[string][]byte{
		"x.npy":       npyFile(t, "<f4", "(1, 1)", false, binary.LittleEndian, []float32{0}),
		"l.npy":       npyFile(t, "<i4", "(1,)", false, binary.LittleEndian, []int32{0}),
		"x.label.npy": npyFile(t, "<i4", "(1,)", false, binary.LittleEndian, []int32{0}),
	}
	inDirectory(t, files)
	if err := exec.Command("mkfifo", "fifo.npy").Run(); err != nil {
		t.Skip("no mkfifo")
	}
	before := names(t)
	for _, args := range []string{
		"eval -x fifo.npy -label l.npy -loss loss.npy",
		"eval -x x.npy -label fifo.npy -loss loss.npy",
		"eval -x x.npy -label l.npy -loss loss.npy -grad fifo.npy",
		"score x.npy fifo.npy -o part",
		"score x.npy -o fifo.npy",
		"merge fifo.npy -o all",
	} {
		cmd := process(strings.Fields(args)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		time.Sleep(500 * time.Millisecond) // until it waits, most likely
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		select {
		case err := <-ended:
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			assert.Equal(t, exitInterrupted, exit.ExitCode(), args)
			assert.Regexp(t, `^focal \w+: interrupted\n$`, stderr.String())
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			t.Fatal(args, "cannot be interrupted")
		}
		assert.Equal(t, before, names(t), args)
	}
}

// Command focal shows what package focal does on this machine: it evaluates the loss of arrays, verifies what the
// documentation promises, and measures, reports and compares speed.
//
//	focal help COMMAND
//
// tells about each of its commands. The exit status is 0, or 1 if a check or the work failed, 2 if the command line is
// wrong, and 130 if it was interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A command is a subcommand. To add one, add it to the table.
type command struct {
	name     string
	synopsis string // arguments
	summary  string // one line
	run      func(e *env, args []string) error
}

func commands() []command {
	return []command{
		{"info", infoSynopsis, "this machine, the paths that it has, and which is taken", runInfo},
		{"eval", evalSynopsis, "the loss and its derivatives of NumPy arrays", runEval},
		{"score", scoreSynopsis, "the exact loss of shards, and their hardest rows: a part", runScore},
		{"merge", mergeSynopsis, "put parts together", runMerge},
		{"verify", verifySynopsis, "hold this machine to the documentation", runVerify},
		{"bench", benchSynopsis, "measure, in the format of Go's benchmarks", runBench},
		{"report", reportSynopsis, "tables and charts of measurements, of one machine or many", runReport},
		{"compare", compareSynopsis, "two measurements, by statistics; fails if something got slower", runCompare},
		{"version", versionSynopsis, "the version of this program, its commit, and the paths", runVersion},
	}
}

// env is what a command has of the world.
type env struct {
	ctx     context.Context
	stdin   io.Reader
	stdout  *checked
	stderr  io.Writer
	command command
}

// checked remembers the first error of a stream: most of what is written to one looks at none.
type checked struct {
	io.Writer
	err error
}

func (c *checked) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// A usageError is a mistake in the command line: exit status 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errCheck is a check that failed, and has been reported: exit status 1.
var errCheck = errors.New("check failed")

const exitInterrupted = 130 // 128 + SIGINT, as shells have it

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process where it waits for ever, such as for a FIFO's writer
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is main without the process: it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{ctx: ctx, stdin: stdin, stdout: &checked{Writer: stdout}, stderr: stderr}
	if len(args) == 0 {
		e.usage(stderr)
		return 2
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(rest) == 0 {
			e.usage(e.stdout)
			return e.status(nil)
		}
		name, rest = rest[0], []string{"-h"}
	case "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			e.command = c
			return e.status(c.run(e, rest))
		}
	}
	fmt.Fprintf(stderr, "focal: no command %q; \"focal help\" lists them\n", name)
	return 2
}

// status reports an error and returns the exit status for it.
func (e *env) status(err error) int {
	var usage usageError
	if e.stdout.err != nil && (err == nil || errors.Is(err, flag.ErrHelp)) {
		err = fmt.Errorf("the standard output: %w", e.stdout.err)
	}
	who, text := strings.TrimSpace("focal "+e.command.name), ""
	if err != nil {
		text = strings.TrimPrefix(err.Error(), "focal: ")
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case e.ctx.Err() != nil:
		fmt.Fprintf(e.stderr, "%s: interrupted\n", who)
		return exitInterrupted
	case errors.Is(err, errCheck):
		return 1
	case errors.As(err, &usage):
		fmt.Fprintf(e.stderr, "%s: %s; \"focal help %s\" helps\n", who, text, e.command.name)
		return 2
	}
	fmt.Fprintf(e.stderr, "%s: %s\n", who, text)
	return 1
}

func (e *env) usage(w io.Writer) {
	fmt.Fprint(w, "usage: focal COMMAND [flags] [files]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s%s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
"focal help COMMAND" tells more. In all commands

  -         as the name of a file is the standard input or output; what a command says besides goes to the standard error
  'a*.npy'  in quotes, or where no shell replaces patterns, stands for the files that match

An output is written whole or not at all. The exit status is 0, or 1 if a check or the work failed, 2 if the command line
is wrong, 130 if it was interrupted.
`)
}

// flags returns the flag set of the command. The text is what -h prints between the synopsis and the flags.
func (e *env) flags(text string) *flag.FlagSet {
	fs := flag.NewFlagSet(e.command.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintf(e.stdout, "usage: focal %s %s\n\n%s\n", e.command.name, e.command.synopsis, strings.TrimSpace(text))
		flags := 0
		fs.VisitAll(func(*flag.Flag) { flags++ })
		if flags > 0 {
			fmt.Fprint(e.stdout, "\nFlags:\n")
			fs.SetOutput(e.stdout)
			fs.PrintDefaults()
		}
	}
	return fs
}

// parse parses flags and files in any order, and returns the files; patterns are replaced by those that match.
func parse(fs *flag.FlagSet, args []string) (files []string, err error) {
	if files, err = parseFiles(fs, args); err != nil {
		return nil, err
	}
	return expand(files)
}

func parseFiles(fs *flag.FlagSet, args []string) (files []string, err error) {
	usage := fs.Usage
	fs.Usage = func() {}
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			usage()
			return nil, err
		} else if err != nil {
			return nil, usageError{err}
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return files, nil
		}
		if parsed := len(args) - len(rest); parsed > 0 && args[parsed-1] == "--" {
			return append(files, rest...), nil
		}
		files, args = append(files, rest[0]), rest[1:]
	}
}

// parseNone is parse for a command that takes no files.
func parseNone(fs *flag.FlagSet, args []string) error {
	files, err := parse(fs, args)
	if err == nil && len(files) > 0 {
		return usagef("unexpected argument %q", files[0])
	}
	return err
}

// progress returns a progress bar on stderr, invisible unless that is a terminal.
func (e *env) progress(steps int, what string) *progressbar.ProgressBar {
	file, ok := e.stderr.(*os.File)
	return progressbar.NewOptions(steps,
		progressbar.OptionSetVisibility(ok && term.IsTerminal(int(file.Fd()))),
		progressbar.OptionSetWriter(e.stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish())
}

// Command focal shows what package focal does on this machine: it evaluates the loss of arrays, verifies what the
// documentation promises, and measures, reports and compares speed.
//
//	focal COMMAND -h
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
	ctx            context.Context
	stdout, stderr io.Writer
	command        command
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
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is main without the process: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	e := &env{ctx: ctx, stdout: stdout, stderr: stderr}
	if len(args) == 0 {
		e.usage(stderr)
		return 2
	}
	if args[0] == "-version" || args[0] == "--version" {
		args = append([]string{"version"}, args[1:]...)
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		e.usage(stdout)
		return 0
	}
	for _, c := range commands() {
		if c.name == args[0] {
			e.command = c
			return e.status(c.run(e, args[1:]))
		}
	}
	fmt.Fprintf(stderr, "focal: no command %q; \"focal help\" lists them\n", args[0])
	return 2
}

// status reports an error and returns the exit status for it.
func (e *env) status(err error) int {
	var usage usageError
	text := ""
	if err != nil {
		text = strings.TrimPrefix(err.Error(), "focal: ")
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case e.ctx.Err() != nil:
		fmt.Fprintf(e.stderr, "focal %s: interrupted\n", e.command.name)
		return exitInterrupted
	case errors.Is(err, errCheck):
		return 1
	case errors.As(err, &usage):
		fmt.Fprintf(e.stderr, "focal %s: %s; \"focal %s -h\" helps\n", e.command.name, text, e.command.name)
		return 2
	}
	fmt.Fprintf(e.stderr, "focal %s: %s\n", e.command.name, text)
	return 1
}

func (e *env) usage(w io.Writer) {
	fmt.Fprint(w, "usage: focal COMMAND [flags] [files]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s%s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n\"focal COMMAND -h\" tells more. The exit status is 0, or 1 if a check or the work failed, 2 if the command\n"+
		"line is wrong, 130 if it was interrupted.\n")
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

// parse parses flags and files in any order, and returns the files.
func parse(fs *flag.FlagSet, args []string) (files []string, err error) {
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

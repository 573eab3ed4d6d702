package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

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

// flags returns the flag set of the command. The text is what -h prints between the synopsis and the flags.
func (e *env) flags(text string) *flag.FlagSet {
	fs := flag.NewFlagSet(e.command.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		usage := strings.TrimSpace("usage: focal " + e.command.name + " " + e.command.synopsis)
		fmt.Fprintf(e.stdout, "%s\n\n%s\n", usage, strings.TrimSpace(text))
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

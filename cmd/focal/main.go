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
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
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
		{"info", infoSynopsis, "this machine, its paths, and which one is in use", runInfo},
		{"eval", evalSynopsis, "loss, gradient and Hessian of NumPy arrays", runEval},
		{"score", scoreSynopsis, "the exact loss and the hardest rows of shards, as a part", runScore},
		{"merge", mergeSynopsis, "combine parts", runMerge},
		{"verify", verifySynopsis, "check this machine against the documentation", runVerify},
		{"bench", benchSynopsis, "measure, in the format of Go's benchmarks", runBench},
		{"report", reportSynopsis, "tables and charts of measurements, of one machine or several", runReport},
		{"compare", compareSynopsis, "compare measurements; can fail if something got slower", runCompare},
		{"version", versionSynopsis, "version, commit and paths of this program", runVersion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process, whatever it waits for
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

func (e *env) usage(w io.Writer) {
	fmt.Fprint(w, "usage: focal COMMAND [flags] [files]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s%s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
"focal help COMMAND" explains a command. In all of them

  -         as a file name is the standard input or output; other messages then go to the standard error
  'a*.npy'  in quotes stands for the files that match

An output is written whole or not at all. The exit status is 0, or 1 if a check or the work failed, 2 if the command line
is wrong, 130 if it was interrupted.
`)
}

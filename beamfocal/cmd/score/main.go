// Command score scores a sharded data set by the sigmoid focal loss, on an engine of Apache Beam:
//
//	score -shards 'data/shard-*.npy' -output out/
//
// prints the total loss, and writes it (out/summary.txt), the figures of each shard (out/shards.csv), the hardest rows of the
// whole set (out/hardest.csv), and what "focal merge" takes (out/part). The documentation of package beamfocal explains shards.
//
// The engine is Prism, within this process, unless Beam's flags say otherwise:
//
//	score … -runner universal -endpoint HOST:PORT -environment_type DOCKER     Flink or Spark, by its job server
//	score … -runner dataflow -project P -region R -staging_location gs://…     Dataflow
//
// Only Prism has been tried. The exit status is 0, or 1 if the work failed, 2 if the command line is wrong.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"

	"github.com/gofocal/focal/beamfocal"
	"github.com/gofocal/focal/internal/shards"
)

// options are the flags of this command.
type options struct {
	beamfocal.Options
	pattern, output, alpha, classes string
	ignore                          shards.Convention
	qualityGiven                    bool
	verbose, beamFlags              bool
}

func (o *options) flags() *flag.FlagSet {
	o.Options = beamfocal.Default()
	fs := flag.NewFlagSet("score", flag.ContinueOnError)
	fs.StringVar(&o.pattern, "shards", "", "the shards' logits: a `pattern` in quotes, such as 'data/shard-*.npy'")
	fs.StringVar(&o.output, "output", "", "`prefix` of the files to be written, such as out/")
	fs.Float64Var(&o.Gamma, "gamma", o.Gamma, "focusing exponent, ≥ 0")
	fs.StringVar(&o.alpha, "alpha", strconv.FormatFloat(o.Alpha, 'g', -1, 64), "`weight` of positives, in [0, 1], or none or -1: every weight is 1")
	fs.BoolVar(&o.ZeroBased, "zero-based", o.ZeroBased, "labels are 0..C-1 for the class and C for background, as in mmdetection")
	o.ignore.Ignore = o.Ignore
	fs.Var(shards.GammaFlag{To: &o.NegGamma}, "gamma-neg", shards.GammaNegUsage)
	fs.Var(shards.IgnoreFlag{To: &o.ignore}, "ignore", shards.IgnoreUsage)
	fs.BoolVar(&o.Weights, "weights", o.Weights, shards.WeightsUsage)
	fs.BoolVar(&o.RowWeights, "row-weights", o.RowWeights, shards.RowWeightsUsage)
	fs.BoolVar(&o.Scores, "scores", o.Scores, shards.ScoresUsage)
	fs.Var(shards.QualityFlag{To: &o.Quality, Given: &o.qualityGiven}, "quality", shards.QualityUsage)
	fs.StringVar(&o.classes, "class-weights", "", shards.ClassWeightsUsage)
	fs.IntVar(&o.Hardest, "hardest", o.Hardest, "how many of the hardest rows are written")
	fs.BoolVar(&o.SkipBad, "skip-bad", o.SkipBad, "skip and report broken shards, instead of failing")
	fs.BoolVar(&o.verbose, "v", false, "print Beam's log, and errors as Beam has them")
	fs.BoolVar(&o.beamFlags, "beam-flags", false, "list Beam's flags, and end")
	return fs
}

func main() {
	var o options
	own := o.flags()
	beams := flag.NewFlagSet("beam", flag.ContinueOnError)
	flag.VisitAll(func(f *flag.Flag) { beams.Var(f.Value, f.Name, f.Usage) })
	own.VisitAll(func(f *flag.Flag) { flag.Var(f.Value, f.Name, f.Usage) })
	flag.Usage = func() { usage(own) }
	flag.Parse()
	if o.beamFlags {
		beams.SetOutput(os.Stdout)
		beams.PrintDefaults()
		return
	}
	beam.Init() // does not return in a worker of a cluster

	err := o.check(flag.Args())
	if err != nil {
		fmt.Fprintf(os.Stderr, "score: %v; \"score -h\" helps\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = o.run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "score: %v\n", err)
		os.Exit(1)
	}
}

func usage(own *flag.FlagSet) {
	out := flag.CommandLine.Output()
	fmt.Fprint(out, `usage: score -shards PATTERN -output PREFIX [flags] [Beam's flags]

Scores the shards of a data set by the sigmoid focal loss, prints the loss, and writes PREFIXsummary.txt, PREFIXshards.csv,
PREFIXhardest.csv, and PREFIXpart for "focal merge".

Flags:
`)
	own.SetOutput(out)
	own.PrintDefaults()
	fmt.Fprint(out, `
Beam's flags say where it runs: within this process without any; with -runner, -endpoint and -environment_type on a
cluster. "score -beam-flags" lists them.
`)
}

// check completes the options, and returns an error if they are wrong. Of arguments there must be none: a pattern without
// quotes leaves here what the shell has made of it but for the first file, and the result would be that of one shard.
func (o *options) check(args []string) (err error) {
	switch {
	case len(args) > 0:
		return fmt.Errorf("unexpected argument %q; the pattern of -shards must be quoted, or the shell replaces it", args[0])
	case o.pattern == "":
		return errors.New("-shards is missing")
	case o.output == "":
		return errors.New("-output is missing")
	}
	if err := cmp.Or(shards.CheckGamma(o.Gamma), shards.CheckHardest(o.Hardest)); err != nil {
		return err
	}
	o.Ignore, o.IgnoreTargets, o.IgnoreNaN = o.ignore.Ignore, o.ignore.IgnoreTargets, o.ignore.IgnoreNaN
	if o.qualityGiven && !o.Scores {
		return errors.New("-quality is about scores, and there are no -scores")
	}
	if o.classes != "" {
		if o.NegWeights, o.PosWeights, err = beamfocal.ClassWeights(context.Background(), o.classes); err != nil {
			return err
		}
	}
	if o.Alpha, err = shards.ParseAlpha(o.alpha); err != nil {
		return err
	}
	for _, name := range []string{o.pattern, o.output} {
		fsys, err := filesystem.New(context.Background(), name)
		if err != nil {
			return fmt.Errorf("%s: want files of the workers, or gs://…", name)
		}
		fsys.Close()
	}
	return o.Check()
}

// run scores, and prints the summary.
func (o *options) run(ctx context.Context, stdout io.Writer) error {
	runner := flag.Lookup("runner").Value.String()
	if visible(runner, o.pattern) {
		if _, err := beamfocal.Match(ctx, o.pattern); err != nil {
			return err
		}
	}
	if !o.verbose {
		beamlog.SetLogger(silent{})
		slog.SetDefault(slog.New(slog.DiscardHandler))
	}
	// Where the workers are goroutines of this process Beam leaves an empty file in the place of their program.
	dir, err := os.MkdirTemp("", "focal-score-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, variable := range []string{"TMPDIR", "TMP"} { // of Unix, of Windows
		defer os.Setenv(variable, os.Getenv(variable))
		os.Setenv(variable, dir)
	}

	p, s := beam.NewPipelineWithRoot()
	beamfocal.Write(s, o.output, beamfocal.Score(s, o.pattern, o.Options))
	if err := beamx.Run(ctx, p); err != nil {
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted")
		case o.verbose:
			return err
		}
		return errors.New(reason(err.Error()))
	}
	switch {
	case flag.Lookup("async").Value.String() == "true":
		return nil // it has only begun
	case !visible(runner, o.output):
		_, err := fmt.Fprintf(stdout, "written     %ssummary.txt and others, on a worker\n", o.output)
		return err
	}
	return beamfocal.Report(ctx, stdout, o.output)
}

// visible reports whether this process sees the files that the workers see: on a cluster those of machines are others.
func visible(runner, name string) bool {
	return strings.Contains(name, "://") || slices.Contains([]string{"", "prism", "PrismRunner", "direct", "DirectRunner"}, runner)
}

// reason returns what an error of a pipeline comes to: Beam puts its plan before it.
func reason(text string) string {
	if i := strings.LastIndex(text, "caused by:"); i >= 0 {
		text = text[i+len("caused by:"):]
	}
	if i := strings.Index(text, "failed:\n"); i >= 0 && strings.Contains(text[:i], "DoFn[") {
		text = text[i+len("failed:\n"):]
	}
	return strings.TrimSpace(text)
}

// silent is a Beam logger that says nothing.
type silent struct{}

func (silent) Log(context.Context, beamlog.Severity, int, string) {}

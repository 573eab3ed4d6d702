// Command score scores a sharded data set by the sigmoid focal loss, on an engine of Apache Beam:
//
//	score -shards 'data/shard-*.npy' -output out/
//
// writes the total loss (out/summary.txt), the figures of each shard (out/shards.csv), the hardest rows of the whole set
// (out/hardest.csv), and what "focal merge" takes (out/part). What a shard is tells the documentation of package beamfocal.
//
// The engine is Prism, within this process, unless Beam's flags say otherwise:
//
//	score … -runner universal -endpoint HOST:PORT -environment_type DOCKER     Flink or Spark, by its job server
//	score … -runner dataflow -project P -region R -staging_location gs://…     Dataflow
//
// Only Prism has been tried.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"

	"github.com/gofocal/focal/beamfocal"
	"github.com/gofocal/focal/internal/shards"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("score: ")
	o := beamfocal.Default()
	pattern := flag.String("shards", "", "the shards' logits: a `pattern`, such as 'data/shard-*.npy'")
	output := flag.String("output", "", "`prefix` of the files to be written, such as out/")
	flag.Float64Var(&o.Gamma, "gamma", o.Gamma, "focusing exponent, ≥ 0")
	alpha := flag.String("alpha", strconv.FormatFloat(o.Alpha, 'g', -1, 64), "`weight` of positives, in [0, 1], or none: every weight is 1")
	flag.BoolVar(&o.ZeroBased, "zero-based", o.ZeroBased, "labels are 0..C-1 for the class and C for background, as in mmdetection")
	ignore := flag.Int64("ignore", int64(o.Ignore), "`label` of the rows that are ignored")
	flag.IntVar(&o.Hardest, "hardest", o.Hardest, "how many of the hardest rows are written")
	flag.BoolVar(&o.SkipBad, "skip-bad", o.SkipBad, "skip and report broken shards, instead of failing")
	flag.Parse()
	beam.Init() // does not return in a worker of a cluster

	err := noArguments(flag.Args())
	if err == nil {
		err = run(*pattern, *output, *alpha, *ignore, o)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// noArguments returns an error if there are any: a pattern without quotes leaves here what the shell has made of it but for
// the first file, and the result would be that of one shard.
func noArguments(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q; the pattern of -shards must be quoted, or the shell replaces it", args[0])
	}
	return nil
}

func run(pattern, output, alpha string, ignore int64, o beamfocal.Options) (err error) {
	switch {
	case pattern == "":
		return fmt.Errorf("-shards is missing")
	case output == "":
		return fmt.Errorf("-output is missing")
	}
	if err := cmp.Or(shards.CheckGamma(o.Gamma), shards.CheckHardest(o.Hardest)); err != nil {
		return err
	}
	if o.Ignore, err = shards.ParseIgnore(ignore); err != nil {
		return err
	}
	if o.Alpha, err = shards.ParseAlpha(alpha); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, s := beam.NewPipelineWithRoot()
	beamfocal.Write(s, output, beamfocal.Score(s, pattern, o))
	return beamx.Run(ctx, p)
}

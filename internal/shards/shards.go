// Package shards scores data sets that are divided into files: what the commands and the pipeline that do so have in
// common. What they have in common with focal eval, which does not, is here too: shapes, labels and flags.
//
// A shard is two NumPy files: the logits, NAME.npy, and beside it the labels, NAME.label.npy, or the targets,
// NAME.targets.npy.
package shards

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

const (
	suffix        = ".npy"
	labelSuffix   = ".label.npy"
	targetsSuffix = ".targets.npy"
)

// blockElements is how many logits are read at a time, if rows are not longer.
const blockElements = 256 << 10

// Options say what is computed. They are the same for all shards.
type Options struct {
	Gamma, Alpha float64
	Labels       Convention
	Hardest      int // how many of the rows with the largest losses are kept
	Workers      int
}

// Check returns an error if the options make no sense.
func (o Options) Check() error {
	if o.Hardest < 0 {
		return fmt.Errorf("the number of hardest rows is %d, want it ≥ 0", o.Hardest)
	}
	_, err := focal.Score([]float64(nil), focal.Labels(nil), o.params())
	return err
}

func (o Options) params() focal.Params {
	return focal.Params{Gamma: o.Gamma, Alpha: o.Alpha, Norm: 1, Workers: o.Workers}
}

// Opener opens a file and tells its size, or a negative one if it is not known. The error of a file that does not exist
// is fs.ErrNotExist.
type Opener func(ctx context.Context, name string) (file io.ReadCloser, size int64, err error)

// Logits returns those of the names that are logits, in their order: a pattern such as shard*.npy fits the files beside
// them as well, which are left out. One of these without its logits is an error.
func Logits(names []string) ([]string, error) {
	have := map[string]bool{}
	for _, name := range names {
		have[name] = true
	}
	var logits []string
	for _, name := range names {
		of, beside := strings.CutSuffix(name, labelSuffix)
		if !beside {
			of, beside = strings.CutSuffix(name, targetsSuffix)
		}
		switch {
		case !beside:
			logits = append(logits, name)
		case !have[of+suffix]:
			return nil, fmt.Errorf("%s: belongs to %s, which is not among the shards", name, of+suffix)
		}
	}
	return logits, nil
}

// Beside returns the names of the files that may be beside the logits: the labels, and the targets.
func Beside(name string) []string {
	base := strings.TrimSuffix(name, suffix)
	return []string{base + labelSuffix, base + targetsSuffix}
}

// Row is a row of a shard, and the sum of its losses at a Norm of 1.
type Row struct {
	Shard string  `json:"shard"`
	Row   int64   `json:"row"`
	Label *int32  `json:"label,omitempty"` // nil: the shard has targets
	Loss  float64 `json:"-"`               // JSON has no infinities
}

// Score reads a shard, block by block, and returns its part. Every error names the file.
func Score(ctx context.Context, open Opener, name string, o Options) (*Part, error) {
	x, err := openArray(ctx, open, name, "f4", "f8")
	if err != nil {
		return nil, err
	}
	defer x.Close()
	s := scorer{ctx: ctx, x: x, o: o}
	beside := Beside(name)
	s.y, err = openArray(ctx, open, beside[0], "i4", "i8")
	if errors.Is(err, fs.ErrNotExist) {
		s.dense = true
		s.y, err = openArray(ctx, open, beside[1], x.Dtype)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is neither %s nor %s", name, beside[0], beside[1])
	} else if err != nil {
		return nil, err
	}
	defer s.y.Close()
	if s.rows, s.cols, err = CheckShapes(x, s.y); err != nil {
		return nil, err
	}

	s.part = NewPart(o)
	if x.Dtype == "f4" {
		err = run[float32](&s)
	} else {
		err = run[float64](&s)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(x.AtEnd(), s.y.AtEnd()); err != nil {
		return nil, err
	}
	s.part.Shards = []Shard{{Name: name, Partial: s.part.Total, Targets: s.dense}}
	return s.part, nil
}

func openArray(ctx context.Context, open Opener, name string, dtypes ...string) (*npyfile.Reader, error) {
	file, size, err := open(ctx, name)
	if err != nil {
		if !strings.Contains(err.Error(), name) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return nil, err
	}
	return npyfile.New(ctx, name, file, size, dtypes...)
}

// scorer scores one shard.
type scorer struct {
	ctx        context.Context
	x, y       *npyfile.Reader
	dense      bool // y has targets and not labels
	o          Options
	rows, cols int
	part       *Part
}

func run[T focal.Float](s *scorer) error {
	step := max(1, min(s.rows, blockElements/max(1, s.cols)))
	x, loss := make([]T, step*s.cols), make([]T, step)
	var t []T
	var label []int32
	if s.dense {
		t = make([]T, len(x))
	} else {
		label = make([]int32, step)
	}
	p := s.o.params()
	for row := 0; row < s.rows; row += step {
		if err := s.ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", s.x.Name, err)
		}
		n := min(step, s.rows-row)
		x := x[:n*s.cols]
		if err := npyfile.Read(s.x, x); err != nil {
			return err
		}
		var y focal.Target
		if s.dense {
			if err := npyfile.Read(s.y, t[:len(x)]); err != nil {
				return err
			}
			y = focal.Dense(t[:len(x)])
		} else {
			if _, _, err := s.o.Labels.Read(s.y, label[:n], row, s.cols); err != nil {
				return err
			}
			y = s.o.Labels.Target(label[:n])
		}
		part, err := focal.Score(x, y, p)
		if errors.Is(err, focal.ErrTarget) {
			if err := CheckTargets(s.y, t[:len(x)], row, s.cols); err != nil { // says where in the file
				return err
			}
		}
		if err == nil {
			err = s.part.Total.Merge(part)
		}
		if err != nil {
			return fmt.Errorf("%s: in the rows from %d on: %w", s.y.Name, row, err)
		}
		if s.o.Hardest == 0 {
			continue
		}
		if err := focal.Rows(loss[:n], x, y, p); err != nil {
			return fmt.Errorf("%s: in the rows from %d on: %w", s.y.Name, row, err)
		}
		for i, v := range loss[:n] {
			r := Row{Shard: s.x.Name, Row: int64(row + i), Loss: float64(v)}
			if !s.dense {
				if label[i] == s.o.Labels.Ignore {
					continue
				}
				if !s.part.wants(r) {
					continue
				}
				l := label[i]
				r.Label = &l
			}
			s.part.keep(r)
		}
	}
	return nil
}

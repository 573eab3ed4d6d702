package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
)

// An accuracy is the error of a peer in units in the last place (ULP), on logits spread over |x| ≤ limit.
type accuracy struct {
	peer, typ   string
	gamma       float64
	output      string // "loss" or "grad"
	limit       float64
	worst, mean float64 // +Inf: a NaN, or an infinity where there should be none
	at          float64 // the logit of the worst error
}

var (
	gammas = []float64{2, 1.5, 2.3}
	limits = []float64{20, 100}
	types  = []string{"f32", "f64"}
)

// pair is a number as the nearest float64 and the rest.
type pair struct{ Hi, Lo float64 }

// exact has, for each logit and each of the gammas, the exact loss and gradient.
type exact [][2]pair

// exactValues runs c/exact.c.
func exactValues(build string, x []float64, label []int32) (exact, error) {
	in := []float64{float64(len(x)), float64(len(gammas))}
	in = append(in, gammas...)
	for i := range x {
		in = append(in, x[i], float64(label[i]))
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, in); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(build, "exact"))
	cmd.Stdin, cmd.Stderr = &b, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("exact: %w", err)
	}
	e := make(exact, len(x)*len(gammas))
	return e, binary.Read(bytes.NewReader(out), binary.LittleEndian, e)
}

// ulpError returns the error of got in units of the spacing of the type's numbers at the exact value, and below the
// normal range in units of the smallest number.
func ulpError(typ string, got float64, want pair) float64 {
	minExp, fraction := -1022, 52
	if typ == "f32" {
		minExp, fraction = -126, 23
	}
	if math.IsNaN(got) || math.IsInf(got, 0) {
		return math.Inf(1)
	}
	m := math.Abs(want.Hi)
	if want.Lo*want.Hi < 0 { // the exact value is nearer to 0 than Hi, which counts where that is a power of two
		m = math.Nextafter(m, 0)
	}
	e := max(math.Ilogb(m), minExp) // Ilogb(0) is math.MinInt32
	return math.Abs(got-want.Hi-want.Lo) / math.Ldexp(1, e-fraction)
}

// measureAccuracy compares all that the peers compute with the exact values.
func measureAccuracy(c *crew, build, dir string) ([]accuracy, error) {
	var all []accuracy
	for _, typ := range types {
		for _, limit := range limits {
			d, x, label, err := accuracyData(dir, limit, typ)
			if err != nil {
				return nil, err
			}
			want, err := exactValues(build, x, label)
			if err != nil {
				return nil, err
			}
			if err := c.load(d, false); err != nil {
				return nil, err
			}
			for _, p := range peers {
				w, _ := c.of(p)
				if w == nil || w.name == "python+pages" { // computes what python does
					continue
				}
				for g, gamma := range gammas {
					got, err := d.accuracyCase(w, p, g, gamma, dir)
					if err != nil {
						return nil, err
					}
					for o, output := range []string{"loss", "grad"} {
						if got[o] == nil {
							continue
						}
						a := accuracy{peer: p.id, typ: typ, gamma: gamma, output: output, limit: limit}
						for i, v := range got[o] {
							e := ulpError(typ, v, want[i*len(gammas)+g][o])
							if e > a.worst {
								a.worst, a.at = e, x[i]
							}
							a.mean += e / float64(len(x))
						}
						all = append(all, a)
					}
				}
			}
		}
	}
	return all, nil
}

// accuracyCase returns the losses and gradients of a peer, nil where it has none.
func (d dataset) accuracyCase(w *process, p peer, id int, gamma float64, dir string) (got [2][]float64, err error) {
	for _, op := range []string{"both", "loss"} {
		err := w.do("case %d %s %s %v 1", id, p.name(), op, gamma)
		var refused errRefused
		if errors.As(err, &refused) {
			continue
		} else if err != nil {
			return got, err
		}
		got[0], got[1], err = d.outputs(w, id, op == "both", dir)
		return got, err
	}
	return got, nil
}

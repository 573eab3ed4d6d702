package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

type shape struct{ rows, cols int }

func (s shape) String() string { return thousands(s.rows) + "×" + thousands(s.cols) }

// A cell is one figure of the tables: one operation of one peer.
type cell struct {
	threads int
	shape   shape
	typ     string
	gamma   float64
	op      string // see README.md, the command case
	peer    string

	reason string    // why there are no times
	ns     []float64 // per element, one for each round; NaN where it was left out
}

// A section is the cells of one shape, all measured in the same rounds.
type section struct {
	shape   shape
	typ     string
	gammas  []float64
	ops     []string      // nil: all that are published
	share   float64       // of the time
	atLeast time.Duration // one timing
}

func (s section) operations() []string {
	if s.ops != nil {
		return s.ops
	}
	return []string{"loss", "both", "targets"}
}

// slow is the length of a call from which on it is made only in the first rounds.
const (
	slow        = 150 * time.Millisecond
	usualRounds = 3
	maxRounds   = 25

	elementwise = 1 << 17 // up to so many elements are compared one by one, above only their sums
)

// runner measures sections.
type runner struct {
	crew    *crew
	threads int
	dir     string
	logf    func(format string, args ...any)
}

// running is a cell that is measured.
type running struct {
	*cell
	worker *process
	id     int
	once   time.Duration // how long a call takes
	warmed bool
	sums   [2]float64 // of the losses and of the gradients, where they are compared
}

// A group is what is compared: one operation at one γ. Focal is the first.
type group []*running

// measure prepares all cases of a section, checks that all compute the same, and times them in rounds.
func (r *runner) measure(s section, budget time.Duration, minRounds int) ([]*cell, error) {
	d, err := timingData(r.dir, s.shape, s.typ)
	if err != nil {
		return nil, err
	}
	if err := r.crew.load(d, true); err != nil {
		return nil, err
	}
	begin := time.Now()
	cells, groups, err := r.prepare(s, d)
	if err != nil {
		return nil, err
	}
	prepared := time.Since(begin)

	rng := rand.New(rand.NewPCG(1, 2))
	rounds := 0
	for ; rounds < minRounds || time.Since(begin) < budget && rounds < maxRounds; rounds++ {
		for _, g := range groups {
			for _, i := range rng.Perm(len(g)) {
				if rounds >= minRounds && g[i].once > slow {
					g[i].ns = append(g[i].ns, math.NaN())
					continue
				}
				if err := g[i].round(s, r.threads); err != nil {
					return nil, err
				}
			}
		}
	}
	r.logf("%d threads, %v, %s: prepared in %.1f s, %d rounds in %.1f s", r.threads, s.shape, s.typ,
		prepared.Seconds(), rounds, (time.Since(begin) - prepared).Seconds())
	return cells, nil
}

// prepare makes the cases of a section, and checks what they compute.
func (r *runner) prepare(s section, d dataset) (cells []*cell, groups []group, err error) {
	id := 0
	for i, gamma := range s.gammas {
		for _, op := range s.operations() {
			if op == "targets" && (i > 0 || r.threads > 1) {
				continue
			}
			var g group
			for _, p := range peers {
				if r.threads > 1 && !p.threads || p.small && d.elements() > elementwise {
					continue
				}
				w, reason := r.crew.timed(p, op)
				c := &cell{threads: r.threads, shape: s.shape, typ: s.typ, gamma: gamma, op: op, peer: p.id, reason: reason}
				cells = append(cells, c)
				if w == nil {
					continue
				}
				k := &running{cell: c, worker: w, id: id}
				err := k.prepare(p, d)
				var refused errRefused
				if errors.As(err, &refused) {
					c.reason = refused.reason
					continue
				} else if err != nil {
					return nil, nil, err
				}
				id++
				g = append(g, k)
			}
			if err := r.check(d, g); err != nil {
				return nil, nil, err
			}
			groups = append(groups, g)
		}
	}
	return cells, groups, nil
}

// prepare makes the case, and calls it once.
func (k *running) prepare(p peer, d dataset) error {
	err := k.worker.do("case %d %s %s %v %d", k.id, p.name(), k.op, k.gamma, k.threads)
	if err != nil {
		return err
	}
	if k.once, err = k.time(1); err != nil {
		return err
	}
	if k.op != "targets" && d.elements() > elementwise {
		k.sums, err = k.readSums()
	}
	return err
}

// time makes the worker do n calls.
func (k *running) time(n int) (time.Duration, error) {
	answer, err := k.worker.ask("time %d %d", k.id, n)
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(answer, 10, 64)
	return time.Duration(ns), err
}

// round measures the cell once more.
func (k *running) round(s section, threads int) error {
	if threads > 1 {
		time.Sleep(2 * time.Millisecond) // thread pools spin for a while when they have nothing to do
	}
	if !k.warmed || k.once < 20*time.Millisecond { // a long call need not be warmed up each time
		once, err := k.time(1)
		if err != nil {
			return err
		}
		k.once, k.warmed = once, true
	}
	calls := max(1, int(s.atLeast/max(k.once, 1)))
	t, err := k.time(calls)
	if err != nil {
		return err
	}
	k.ns = append(k.ns, float64(t.Nanoseconds())/float64(calls)/float64(k.shape.rows*k.shape.cols))
	return nil
}

// check compares what the cells of a group have computed: all elements with focal's, or if they are many the sums.
func (r *runner) check(d dataset, g group) error {
	if len(g) == 0 || g[0].op == "targets" {
		return nil
	}
	base := g[0]
	if base.peer != "focal" {
		return errors.New("focal must be first: all others are compared with it")
	}
	both := strings.HasPrefix(base.op, "both")
	if d.elements() > elementwise {
		for _, k := range g[1:] {
			for i := range k.sums {
				if !(math.Abs(k.sums[i]-base.sums[i]) <= 1e-4*base.sums[0]) {
					return fmt.Errorf("%s is wrong at %v %s γ=%v: the sums are %v, want %v", k.peer, k.shape, k.typ, k.gamma, k.sums, base.sums)
				}
			}
		}
		return nil
	}
	tolerance := 1e-7 // Paddle has γ as a float32
	if d.typ == "f32" {
		tolerance = 1e-5
	}
	wantLoss, wantGrad, err := d.outputs(base.worker, base.id, both, r.dir)
	if err != nil {
		return err
	}
	for _, k := range g[1:] {
		loss, grad, err := d.outputs(k.worker, k.id, both, r.dir)
		if err != nil {
			return err
		}
		for _, v := range []struct{ got, want []float64 }{{loss, wantLoss}, {grad, wantGrad}} {
			for i := range v.got {
				if !(math.Abs(v.got[i]-v.want[i]) <= tolerance*(1+math.Abs(v.want[i]))) {
					return fmt.Errorf("%s is wrong at %v %s γ=%v: element %d is %v, want %v", k.peer, k.shape, k.typ, k.gamma, i, v.got[i], v.want[i])
				}
			}
		}
	}
	return nil
}

// readSums returns the sums of what the last call computed.
func (k *running) readSums() (s [2]float64, err error) {
	answer, err := k.worker.ask("sums %d", k.id)
	if err == nil {
		_, err = fmt.Sscan(answer, &s[0], &s[1])
	}
	return s, err
}

// Statistics

// quantile returns the q-quantile of v, with linear interpolation. NaNs are left out; of none it is NaN.
func quantile(v []float64, q float64) float64 {
	s := slices.DeleteFunc(slices.Clone(v), math.IsNaN)
	if len(s) == 0 {
		return math.NaN()
	}
	slices.Sort(s)
	at := q * float64(len(s)-1)
	i := min(int(at), len(s)-1)
	j := min(i+1, len(s)-1)
	return s[i] + (at-float64(i))*(s[j]-s[i])
}

func median(v []float64) float64 { return quantile(v, 0.5) }

// spread is half the distance of the quartiles, as a part of the median.
func spread(v []float64) float64 { return (quantile(v, 0.75) - quantile(v, 0.25)) / 2 / median(v) }

// ratio is the median of the ratios in the rounds: what slows the machine for a while slows both.
func ratio(v, base []float64) float64 {
	var r []float64
	for i := range min(len(v), len(base)) {
		r = append(r, v[i]/base[i])
	}
	return median(r)
}

package focal

import (
	"sync"
	"sync/atomic"

	"github.com/gofocal/focal/internal/exact"
)

// run does the work of a job whose arguments are checked, in as many units as given. It adds all losses to total, not rounded, unless that is
// nil. With one worker nothing is allocated.
func (j *job[T]) run(units int, total *exact.Total) {
	if workers := goroutines(j.params.workers, units); workers > 1 {
		runParallel(j, units, workers, total)
	} else {
		withScratch(j, total)
	}
}

// runParallel does what run does, with the given number of goroutines, the caller's among them, which have all ended when it
// returns. The sums of blocks are added at the end, in the order of run, so the total has the same bits. Each goroutine
// has a copy of the job, which goes to the heap here, and must not in run.
func runParallel[T Float](j *job[T], units, workers int, total *exact.Total) {
	jobs, totals := make([]job[T], workers), make([]*exact.Total, workers)
	var sums []accumulator
	if j.sum {
		sums = make([]accumulator, units)
	}
	shared := new(atomic.Int64)
	var others sync.WaitGroup
	for i := range jobs {
		jobs[i] = *j
		jobs[i].sums, jobs[i].taken.shared = sums, shared
		if total != nil {
			totals[i] = new(exact.Total)
		}
		if i > 0 {
			others.Add(1)
			go func() {
				defer others.Done()
				withScratch(&jobs[i], totals[i])
			}()
		}
	}
	withScratch(&jobs[0], totals[0])
	others.Wait()
	for _, sum := range sums {
		j.total.addSum(sum)
	}
	if total != nil {
		for _, part := range totals {
			total.Add(part)
		}
	}
}

// work does the units that the job takes, from those that nobody has taken yet, until there are none.
func (j *job[T]) work(s *scratch[T], total *exact.Total) {
	s.patternSide, s.repeated, s.rowEntries = noSide, [2]int{}, 0
	switch {
	case j.perRow != nil:
		j.sumRows(s)
	case total != nil:
		j.scoreBlocks(s, total)
	default:
		j.sumBlocks(s)
	}
}

// tickets are the numbers of units: 0, 1, …, for one goroutine, or for several that share a counter. (One on the stack would
// do for both, but where words have 32 bits it goes to the heap.)
type tickets struct {
	shared *atomic.Int64 // nil: there is one goroutine
	next   int64
}

func (t *tickets) take() int64 {
	if t.shared != nil {
		return t.shared.Add(1) - 1
	}
	t.next++
	return t.next - 1
}

// sumBlocks computes blocks, and the sum of their losses if it is wanted.
func (j *job[T]) sumBlocks(s *scratch[T]) {
	blocks := int64(blockCount(len(j.x)))
	for b := j.taken.take(); b < blocks; b = j.taken.take() {
		s.begin(blockRange(int(b), len(j.x)))
		if !j.sum {
			for s.more() {
				s.next(j)
			}
			continue
		}
		var lanes laneSums
		for s.more() {
			addToLanes(&lanes, s.next(j))
		}
		if sum := totalOf[T](&lanes); j.sums != nil {
			j.sums[b] = sum
		} else {
			j.total.addSum(sum)
		}
	}
}

// blockCount returns how many blocks the given number of elements has.
func blockCount(elements int) int {
	return int((uint(elements) + blockLen - 1) / blockLen)
}

// blockRange returns the elements start..end-1 of block b of the given number of elements. All blocks but the last have
// blockLen.
func blockRange(b, elements int) (start, end int) {
	start = b * blockLen
	return start, start + min(blockLen, elements-start)
}

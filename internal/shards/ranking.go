package shards

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// Row is a row of a shard, and the sum of its losses.
type Row struct {
	Shard string  `json:"shard"`
	Row   int64   `json:"row"`
	Label *int32  `json:"label,omitempty"` // nil: the shard has targets
	Sum   float64 `json:"-"`               // JSON has no infinities
}

// harder orders rows, the hardest first: NaN, and then by sum. Of the same sum they are ordered by where they are, so
// there is one order of all rows.
func harder(a, b Row) int {
	if x, y := math.IsNaN(a.Sum), math.IsNaN(b.Sum); x != y {
		if x {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.Sum, a.Sum), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Row, b.Row))
}

// Ranking is the hardest of the rows that are added to it, in whatever order.
type Ranking struct {
	Most int   // are kept
	Rows []Row // a heap, with the least of them at its root
}

// Add keeps a row if it is among the hardest.
func (k *Ranking) Add(r Row) {
	switch {
	case len(k.Rows) < k.Most:
		heap.Push((*rows)(&k.Rows), r)
	case k.wants(r):
		k.Rows[0] = r
		heap.Fix((*rows)(&k.Rows), 0)
	}
}

// wants reports whether Add would keep the row.
func (k *Ranking) wants(r Row) bool {
	return len(k.Rows) < k.Most || len(k.Rows) > 0 && harder(r, k.Rows[0]) < 0
}

// sorted returns the rows, the hardest first, and leaves the ranking as it is.
func (k *Ranking) sorted() []Row {
	rows := slices.Clone(k.Rows)
	slices.SortFunc(rows, harder)
	return rows
}

// rows implements [heap.Interface].
type rows []Row

func (h rows) Len() int           { return len(h) }
func (h rows) Less(i, j int) bool { return harder(h[i], h[j]) > 0 }
func (h rows) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *rows) Push(r any)        { *h = append(*h, r.(Row)) }
func (h *rows) Pop() any          { panic("rows are replaced, not removed") }

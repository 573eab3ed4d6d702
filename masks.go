package focal

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/race"
)

// A bitmask has a bit for each element of a piece, and padding: assembly may read or write 8 bytes from any byte of it, and
// the masks of narrow rows begin up to a row early and end up to 16 rows late. Bits behind the piece mean nothing.
type bitmask [pieceLen/64 + 5]uint64

// Unsigned numbers are divided in one instruction.
func (m *bitmask) has(i int) bool { return m[uint(i)/64]>>(uint(i)%64)&1 != 0 }
func (m *bitmask) set(i int)      { m[uint(i)/64] |= 1 << (uint(i) % 64) }

// bitsAt returns the address of bit i, a multiple of 8, or nil if there is no mask.
func bitsAt(m *bitmask, i int) *uint64 {
	if m == nil {
		return nil
	}
	return (*uint64)(unsafe.Add(unsafe.Pointer(m), uint(i)/8))
}

// word returns word i of the mask of n elements, without the bits behind them.
func (m *bitmask) word(i, n int) uint64 {
	if rest := n - 64*i; rest < 64 {
		return m[i] & (1<<rest - 1)
	}
	return m[i]
}

// count returns how many of the first n bits are set.
func (m *bitmask) count(n int) (total int) {
	for i := range words(n) {
		total += bits.OnesCount64(m.word(i, n))
	}
	return total
}

// words returns how many words n bits take.
func words(n int) int { return int((uint(n) + 63) / 64) }

// list writes the numbers of those of the first n bits that are set to index, in ascending order, and returns how many there are.
func (m *bitmask) list(index []uint16, n int) (count int) {
	for i := range words(n) {
		for w := m.word(i, n); w != 0; w &= w - 1 {
			index[count] = uint16(64*i + bits.TrailingZeros64(w))
			count++
		}
	}
	return count
}

// setAll sets the first n bits, at least.
func (m *bitmask) setAll(n int) {
	for i := range m[:words(n)] {
		m[i] = ^uint64(0)
	}
}

// clearRange clears the bits from..to-1. There is at least one.
func (m *bitmask) clearRange(from, to int) {
	first, last := from/64, (to-1)/64
	head := ^uint64(0) << (from % 64)
	tail := ^uint64(0) >> (63 - (to-1)%64)
	if first == last {
		m[first] &^= head & tail
		return
	}
	m[first] &^= head
	clear(m[first+1 : last])
	m[last] &^= tail
}

// fewer returns how many of the n elements to take, a multiple of 64, so that at most so many bits are set. There are more in n.
func (m *bitmask) fewer(n, most int) int {
	for i := range words(n) {
		if most -= bits.OnesCount64(m.word(i, n)); most < 0 {
			return 64 * i
		}
	}
	return n
}

// setWhere sets bit at+i where bit i of the first n of the other mask is set.
func (m *bitmask) setWhere(other *bitmask, at, n int) {
	first, shift := at/64, at%64
	for i := range words(n) {
		w := other.word(i, n)
		m[first+i] |= w << shift
		m[first+i+1] |= w >> (63 - shift) >> 1
	}
}

// clearWhere clears bit at+i where bit i of the first n of the other mask is clear.
func (m *bitmask) clearWhere(other *bitmask, at, n int) {
	first, shift := at/64, at%64
	for i := range words(n) {
		w := ^other[i]
		if rest := n - 64*i; rest < 64 {
			w &= 1<<rest - 1
		}
		m[first+i] &^= w << shift
		m[first+i+1] &^= w >> (63 - shift) >> 1
	}
}

// shiftDown moves the bits from shift < 64 on to the beginning, at least n of them.
func (m *bitmask) shiftDown(shift, n int) {
	for i := range words(n) {
		m[i] = m[i]>>shift | m[i+1]<<(64-shift)
	}
}

// nextClear returns the first range of clear bits in from..to-1; it is empty, from to to, if there is none.
func (m *bitmask) nextClear(from, to int) (start, end int) {
	start = to
	for i := from; i < to; i = (i/64 + 1) * 64 {
		if w := ^m[i/64] >> (i % 64); w != 0 {
			start = min(i+bits.TrailingZeros64(w), to)
			break
		}
	}
	end = to
	for i := start; i < to; i = (i/64 + 1) * 64 {
		if w := m[i/64] >> (i % 64); w != 0 {
			end = min(i+bits.TrailingZeros64(w), to)
			break
		}
	}
	return start, end
}

// labelBits makes the masks of n elements in rows of c columns: pos has a bit for each positive, and keep one for each
// element of a row that is not ignored; keep is made only if any row is, which is reported. The elements begin in column
// col of the row of label[0], and there is a label for each of their rows.
func labelBits(pos, keep *bitmask, n int, label []int32, col, c int, offset, ignore int32) (ignored bool) {
	if len(label) >= laneCount && c <= abi.NarrowRow && (col+n+c-1)/c >= laneCount && hasLabelKernels() {
		rows := (col + n + c - 1) / c
		if race.Enabled {
			race.Read(&label[0], rows)
		}
		ignored = labelMasks(path, &pos[0], &keep[0], &label[0], rows, c, offset, ignore)
		if col > 0 {
			pos.shiftDown(col, n)
			if ignored {
				keep.shiftDown(col, n)
			}
		}
		return ignored
	}
	for i := range words(n) {
		pos[i] = 0
	}
	row := -col // where the row begins, relative to the piece; negative if in an earlier one
	for _, v := range label {
		if row >= n {
			break
		}
		if v == ignore {
			if !ignored {
				ignored = true
				keep.setAll(n)
			}
			keep.clearRange(max(row, 0), min(row+c, n))
		} else if j := int(v) - int(offset); uint(j) < uint(c) { // else it is background
			if i := row + j; uint(i) < uint(n) { // else the positive is in another piece
				pos.set(i)
			}
		}
		row += c
	}
	return ignored
}

// labelList does what labelBits does, with a list of the positives instead of bits; it returns how many there are. There is
// room in index for one of each row, and laneCount more.
func labelList(index []uint16, keep *bitmask, n int, label []int32, col, c int, offset, ignore int32) (count int, ignored bool) {
	if len(label) >= laneCount && c <= pieceLen && (col+n-1)/c+1 >= laneCount && hasLabelKernels() {
		rows := (col+n-1)/c + 1
		if race.Enabled {
			race.Read(&label[0], rows)
		}
		count, ignored = labelPositives(path, &index[0], &label[0], rows, c, n, int32(-col), offset, ignore)
		if !ignored {
			return count, false
		}
		keep.setAll(n)
		for r, v := range label[:rows] {
			if v == ignore {
				keep.clearRange(max(r*c-col, 0), min(r*c-col+c, n))
			}
		}
		return count, true
	}
	row := -col
	for _, v := range label {
		if row >= n {
			break
		}
		if v == ignore {
			if !ignored {
				ignored = true
				keep.setAll(n)
			}
			keep.clearRange(max(row, 0), min(row+c, n))
			row += c
			continue
		}
		// Without a branch, which would be mispredicted for every other row.
		j := int(v) - int(offset)
		i := row + j
		index[count] = uint16(i)
		count += inRange(j, c) & inRange(i, n)
		row += c
	}
	return count, ignored
}

// inRange returns 1 if i is in 0..n-1, else 0.
func inRange(i, n int) int { return int(uint((i-n)&^i) >> (bits.UintSize - 1)) }

// targetBits makes two masks: of the targets that are 1, and of those that are neither 0 nor 1. It reports whether there is
// one of the latter.
func targetBits[T Float](pos, soft *bitmask, t []T) (softs bool) {
	if hasLabelKernels() {
		if race.Enabled {
			race.Read(&t[0], len(t))
		}
		if isFloat32[T]() {
			return targetMasksF32(path, &pos[0], &soft[0], asFloat32(&t[0]), len(t))
		}
		return targetMasksF64(path, &pos[0], &soft[0], asFloat64(&t[0]), len(t))
	}
	clear(pos[:words(len(t))])
	clear(soft[:words(len(t))])
	for i, v := range t {
		switch v {
		case 0:
		case 1:
			pos.set(i)
		default:
			softs = true
			soft.set(i)
		}
	}
	return softs
}

// ignoredBits makes the mask of the targets that y ignores, and reports whether there are any; pos and soft are those of targetBits.
func ignoredBits[T Float](ignored *bitmask, y *Target, t []T, pos, soft *bitmask) (some bool) {
	n, v := len(t), T(y.ignore)
	clear(ignored[:words(n)])
	alone := false // what is ignored has been found without a look at each
	switch {
	case !y.ignoring || float64(v) != float64(y.ignore):
	case v == 0 || v == 1:
		for i := range words(n) {
			ignored[i] = pos[i]
			if v == 0 {
				ignored[i] = ^(pos[i] | soft[i])
			}
		}
		alone = true
	case isFloat32[T]() && hasLabelKernels(): // the bits of a number are those of one integer
		var unused bitmask
		bits := int32(math.Float32bits(float32(v)))
		if labelMasks(path, &unused[0], &ignored[0], (*int32)(unsafe.Pointer(&t[0])), n, 1, 0, bits) {
			for i := range words(n) {
				ignored[i] = ^ignored[i]
			}
		} else {
			clear(ignored[:words(n)])
		}
		alone = true
	}
	for i := range words(n) {
		if !alone || y.ignoreNaN {
			for w := soft.word(i, n) &^ ignored[i]; w != 0; w &= w - 1 {
				if isIgnored(y, t[64*i+bits.TrailingZeros64(w)]) {
					ignored[i] |= w & -w
				}
			}
		}
		some = some || ignored.word(i, n) != 0
	}
	return some
}

// A rowEntry tells what laneCount elements of narrow rows are. They are in vectors, each of which has a window of as many labels as
// it has elements, from its first element's row on. The entry says, for each element, which label of the window is its row's, with
// which it is a positive, and where they are wanted the weight of a negative and by which bits that of a positive differs.
type rowEntry struct {
	row, label  [laneCount]int32
	neg, change [laneCount]uint32
	step        [2]int64 // how many bytes after each vector's window that of the next vector begins
}

// rowTable has entries for as many elements as are whole entries and whole rows. After them everything is the same again.
type rowTable [abi.NarrowRow]rowEntry

// set makes the table of rows of c columns, and returns how many entries it has. Few are made sooner, many are faster.
func (t *rowTable) set(c, vector, entries int, offset, ignore int32) int {
	entries = max(entries/c, 1) * c
	row, col := int32(0), int32(0)
	for e := range t[:entries] {
		entry := &t[e]
		for from := 0; from < laneCount; from += vector {
			first := row
			for i := from; i < from+vector; i++ {
				entry.row[i], entry.label[i] = row-first, col+offset
				if entry.label[i] == ignore { // it ignores positives too
					entry.label[i] = math.MinInt32 // which no label is
				}
				if col++; int(col) == c {
					row, col = row+1, 0
				}
			}
			entry.step[from/vector] = int64(4 * (row - first))
		}
	}
	return entries
}

// setWeights sets the weights of entries for rows that begin with the first.
func (t *rowTable) setWeights(entries int, neg, pos []float32) {
	col := 0
	for e := range t[:entries] {
		entry := &t[e]
		for i := range laneCount {
			n, p := math.Float32bits(neg[col]), math.Float32bits(pos[col])
			entry.neg[i], entry.change[i] = n, n^p
			if col++; col == len(neg) {
				col = 0
			}
		}
	}
}

// hasLabelKernels reports whether the path in use has the functions below. They are called with any n > 0. Where there are none, Go
// does it.
func hasLabelKernels() bool { return labelKernels && path != pathGeneric }

// What looks at labels and targets in assembly takes groups of abi.Lanes. The rest, n modulo that, is repeated up to a whole
// group, which changes no answer and only those bits of a mask that mean nothing.

// rest returns a whole group that ends in repetitions of the last of n > 0 elements.
func rest[T int32 | float32 | float64](v *T, n int) (group [abi.Lanes]T) {
	whole := n &^ (abi.Lanes - 1)
	left := copy(group[:], unsafe.Slice(v, n)[whole:])
	for i := left; i < abi.Lanes; i++ {
		group[i] = group[left-1]
	}
	return group
}

// wholes returns how many of n elements are in whole groups, and whether there are others.
func wholes(n int) (whole int, ragged bool) {
	whole = n &^ (abi.Lanes - 1)
	return whole, whole != n
}

// at returns the word of a mask in which the bits from a multiple of abi.Lanes on begin, not necessarily at its first bit.
func at(mask *uint64, bit int) *uint64 { return (*uint64)(unsafe.Add(unsafe.Pointer(mask), bit/8)) }

// labelsValid reports whether all of n labels are at most limit, taken as unsigned, or ignore.
func labelsValid(label *int32, n int, limit uint32, ignore int32) bool {
	if race.Enabled {
		race.Read(label, n)
	}
	whole := 0
	if n >= abi.Lanes && hasLabelKernels() {
		whole, _ = wholes(n)
		if !wholeLabelsValid(path, label, whole, limit, ignore) {
			return false
		}
	}
	for _, v := range part(label, 0, n)[whole:] {
		if uint32(v) > limit && v != ignore {
			return false
		}
	}
	return true
}

func labelMasks(p kernelPath, pos, keep *uint64, label *int32, rows, c int, offset, ignore int32) (ignored bool) {
	whole, ragged := wholes(rows)
	if whole > 0 {
		ignored = wholeLabelMasks(p, pos, keep, label, whole, c, offset, ignore)
	}
	if ragged {
		group := rest(label, rows)
		if wholeLabelMasks(p, at(pos, whole*c), at(keep, whole*c), &group[0], len(group), c, offset, ignore) {
			ignored = true
		}
	}
	return ignored
}

// labelPositives lists the positives of rows of c elements, of which the first begins at element first, among the elements
// 0..limit-1. It may write up to abi.Lanes numbers more. It reports whether any row is ignored.
func labelPositives(p kernelPath, index *uint16, label *int32, rows, c, limit int, first, offset, ignore int32) (count int, ignored bool) {
	whole, ragged := wholes(rows)
	if whole > 0 {
		ignored = wholeLabelList(p, index, &count, label, whole, c, limit, first, offset, ignore)
	}
	if ragged { // the rows of repetitions begin behind the limit
		group := rest(label, rows)
		index = (*uint16)(unsafe.Add(unsafe.Pointer(index), 2*count))
		if wholeLabelList(p, index, &count, &group[0], len(group), c, limit, first+int32(whole*c), offset, ignore) {
			ignored = true
		}
	}
	return count, ignored
}

// withinF32 reports whether all elements, plus a number, are in lo..hi, where lo ≥ 0. NaN is not.
func withinF32(p kernelPath, v *float32, n int, plus, lo, hi float32) bool {
	whole, ragged := wholes(n)
	if whole > 0 && !wholeWithinF32(p, v, whole, plus, lo, hi) {
		return false
	}
	if !ragged {
		return true
	}
	group := rest(v, n)
	return wholeWithinF32(p, &group[0], len(group), plus, lo, hi)
}

func withinF64(p kernelPath, v *float64, n int, plus, lo, hi float64) bool {
	whole, ragged := wholes(n)
	if whole > 0 && !wholeWithinF64(p, v, whole, plus, lo, hi) {
		return false
	}
	if !ragged {
		return true
	}
	group := rest(v, n)
	return wholeWithinF64(p, &group[0], len(group), plus, lo, hi)
}

// targetMasksF32 makes two masks: which targets are 1, and which are neither 0 nor 1. It reports whether any is the latter.
func targetMasksF32(p kernelPath, pos, soft *uint64, t *float32, n int) (softs bool) {
	whole, ragged := wholes(n)
	if whole > 0 {
		softs = wholeTargetMasksF32(p, pos, soft, t, whole)
	}
	if ragged {
		group := rest(t, n)
		if wholeTargetMasksF32(p, at(pos, whole), at(soft, whole), &group[0], len(group)) {
			softs = true
		}
	}
	return softs
}

func targetMasksF64(p kernelPath, pos, soft *uint64, t *float64, n int) (softs bool) {
	whole, ragged := wholes(n)
	if whole > 0 {
		softs = wholeTargetMasksF64(p, pos, soft, t, whole)
	}
	if ragged {
		group := rest(t, n)
		if wholeTargetMasksF64(p, at(pos, whole), at(soft, whole), &group[0], len(group)) {
			softs = true
		}
	}
	return softs
}

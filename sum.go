package focal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/gofocal/focal/internal/exact"
)

// Three sums: that of a call, in float64; that of each row, in float64 too (Rows); that of a part, exactly (Partial).

// accumulator is a sum of losses in float64 with the rounding errors of its additions beside it: hi is the plain sum
// and hi+lo, not rounded, the better one. Losses are never negative, so nothing cancels in hi.
//
// Only additions are used here, so there is no product that a compiler could fuse with one.
type accumulator struct {
	hi, lo float64
}

// add adds v by Knuth's TwoSum.
func (a *accumulator) add(v float64) {
	sum, err := twoSum(a.hi, v)
	a.hi = sum
	a.lo += err
}

// twoSum returns the rounded sum of a and b, and its rounding error exactly.
func twoSum(a, b float64) (sum, err float64) {
	sum = a + b
	part := sum - a
	return sum, (a - (sum - part)) + (b - part)
}

// addSum adds the sum of a block. Of an infinite or NaN sum only hi means anything.
func (a *accumulator) addSum(b accumulator) {
	a.add(b.hi)
	if isFinite(b.hi) {
		a.add(b.lo)
	}
}

// result returns the sum, rounded once.
func (a *accumulator) result() float64 {
	switch {
	case math.IsNaN(a.hi):
		return math.NaN() // not the payload that the order of operands has brought about
	case math.IsInf(a.hi, 0):
		return a.hi
	}
	return a.hi + a.lo
}

// totalOf returns the sum of a block's lanes, added in their order: first those of hi, then those of lo, which only losses of type float64
// have.
func totalOf[T Float](s *laneSums) (a accumulator) {
	for _, v := range &s.Hi {
		if v != 0 { // a zero changes nothing, and few elements use few lanes
			a.add(v)
		}
	}
	if isFloat32[T]() || !isFinite(a.hi) { // if it is not finite, a lane of lo may be Inf-Inf
		return a
	}
	for _, v := range &s.Lo {
		if v != 0 {
			a.add(v)
		}
	}
	return a
}

func isFinite(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }

// Rows writes the loss of each row to dst: the sum of what [Loss] would write for its elements. The hardest rows of a data set have
// the largest. The logits x are row-major [N, C], and dst has N elements; with [Target.Planes] it has the shape of the labels,
// [N, size]. Of a target made by [Dense] len(dst) says how many rows there are.
//
// A row's sum is formed in float64, in the order of the columns and with the rounding errors, and rounded to T at the end: the
// bits depend on the row's own logits, target and weights alone. An ignored row has a loss of 0. A row with a NaN is NaN,
// otherwise one with an infinite loss is +Inf.
//
// Rows reads x and y and writes every element of dst. The slice dst may be exactly x if C is 1; any other overlap of
// dst with x or with a slice of y is [ErrOverlap]. The other errors are [ErrParam], [ErrShape], [ErrTarget] and
// [ErrLabel]; on an error dst is untouched.
func Rows[T Float](dst, x []T, y Target, p Params) error {
	var j job[T]
	j.call("Rows", x, &y)
	j.perRow = given(dst)
	if err := j.prepare(&p); err != nil || len(dst) == 0 {
		return err
	}
	j.c = len(x) / len(dst)
	j.run(j.rowUnits(), nil)
	return nil
}

// checkRows returns an error unless the output of Rows has an element for each row.
func (j *job[T]) checkRows() error {
	rows, logits, size := len(j.perRow), len(j.x), j.y.size()
	switch {
	case j.y.kind == labelTarget && rows != j.y.label.len:
		return fmt.Errorf("focal: %s: len(dst) = %d, want len(label) = %d: %w", j.op, rows, j.y.label.len, ErrShape)
	case j.y.kind == denseTarget && j.c > 0 && rows != logits/j.c:
		return fmt.Errorf("focal: %s: len(dst) = %d, want %d, the rows of C = %d logits that len(x) = %d has: %w",
			j.op, rows, logits/j.c, j.c, logits, ErrShape)
	case logits == 0 && rows > 0:
		return errLen(j.op, "dst", rows, logits)
	case rows == 0 && logits > 0 || rows > 0 && logits%rows != 0:
		return fmt.Errorf("focal: %s: len(dst) = %d, want a number of rows that divides len(x) = %d: %w", j.op, rows, logits, ErrShape)
	case rows%size != 0:
		return fmt.Errorf("focal: %s: len(dst) = %d, want a multiple of Planes' size = %d: %w", j.op, rows, size, ErrShape)
	}
	return nil
}

// The rows of an image, whose logits are C planes of size elements, are summed up side by side, rowTile of them at most. (Without
// planes size is 1, and an image a row.) A unit of work are some whole images, or a tile of one.
const rowTile = 512

// unitImages returns how many images are a unit: as many as a block has, one at least.
func (j *job[T]) unitImages() int { return max(1, blockLen/j.y.size()/j.c) }

// imageTiles returns how many units an image is. If there are several images in a unit it is 1.
func (j *job[T]) imageTiles() int { return (j.y.size()-1)/rowTile + 1 }

// rowUnits returns how many units there are.
func (j *job[T]) rowUnits() int {
	images := len(j.perRow) / j.y.size()
	if tiles := j.imageTiles(); tiles > 1 {
		return images * tiles
	}
	return (images-1)/j.unitImages() + 1
}

// sumRows sums up the rows of the units that it takes.
func (j *job[T]) sumRows(s *scratch[T]) {
	units, size, tiles := int64(j.rowUnits()), j.y.size(), j.imageTiles()
	for u := j.taken.take(); u < units; u = j.taken.take() {
		switch {
		case size == 1:
			first := int(u) * j.unitImages()
			j.sumWholeRows(s, first, min(first+j.unitImages(), len(j.perRow)))
		case tiles == 1:
			first := int(u) * j.unitImages()
			last := min(first+j.unitImages(), len(j.perRow)/size)
			for image := first; image < last; image++ {
				j.sumTile(s, image, 0, size)
			}
		default:
			image, tile := int(u)/tiles, int(u)%tiles
			j.sumTile(s, image, tile*rowTile, min((tile+1)*rowTile, size))
		}
	}
}

// sumWholeRows sums up the rows first..last-1, which have no planes.
func (j *job[T]) sumWholeRows(s *scratch[T], first, last int) {
	row, left := first, j.c // of the row, elements to come
	var sum accumulator
	s.begin(first*j.c, last*j.c)
	for s.more() {
		for loss := s.next(j); len(loss) > 0; {
			n := min(left, len(loss))
			sum = plus(sum, loss[:n])
			loss = loss[n:]
			if left -= n; left == 0 {
				j.perRow[row] = T(sum.result())
				row, left, sum = row+1, j.c, accumulator{}
			}
		}
	}
}

// sumTile sums up the rows at the positions from..to-1 of an image.
func (j *job[T]) sumTile(s *scratch[T], image, from, to int) {
	var room [rowTile]accumulator
	sums, size := room[:to-from], j.y.size()
	parts, length := j.c, to-from // the tile's elements are in so many parts of this length
	if length == size {
		parts, length = 1, j.c*size
	}
	for part := range parts {
		start := (image*j.c+part)*size + from
		s.begin(start, start+length)
		k := 0
		for s.more() {
			for _, v := range s.next(j) {
				sums[k].add(float64(v))
				if k++; k == len(sums) {
					k = 0
				}
			}
		}
	}
	for k := range sums {
		j.perRow[image*size+from+k] = T(sums[k].result())
	}
}

// plus returns a with the numbers added in turn.
func plus[T Float](a accumulator, v []T) accumulator {
	hi, lo := a.hi, a.lo // in registers
	for _, v := range v {
		sum, err := twoSum(hi, float64(v))
		hi = sum
		lo += err
	}
	return accumulator{hi, lo}
}

// Partial is the loss of some rows of a data set, made by [Score]: the sum of the elements' losses, not rounded, and how many rows
// there are of each sort. Parts merge exactly. However the rows were divided, and in whatever order the parts are merged, the
// total is the same, bit for bit, and so is its [Partial.Loss]. Two of them are equal under == if they hold the same.
//
// The zero Partial has no rows.
type Partial struct {
	loss lossKind // the zero one if there are no rows

	sum                 exact.Sum //  of the losses that are finite
	inf, nan            uint64    // how many are not
	rows, fore, ignored uint64    // at most math.MaxInt64
}

// lossKind tells a loss from others that it must not be added to.
type lossKind struct {
	gamma, negGamma, alpha float64
	quality                uint64 // 0: there are no scores; otherwise 1 more than the Quality
}

func newLossKind(p Params, y *Target) lossKind {
	k := lossKind{gamma: p.Gamma + 0, negGamma: p.Gamma + 0, alpha: p.Alpha + 0} // a zero of either sign is the same loss
	if p.NegGamma != nil {
		k.negGamma = *p.NegGamma + 0
	}
	if y.score.given() {
		k.quality = 1 + uint64(y.quality)
	}
	return k
}

// valid reports whether newLossKind returns it for some arguments.
func (k lossKind) valid() bool {
	p := Params{Gamma: k.gamma, NegGamma: &k.negGamma, Alpha: k.alpha}
	zeros := math.Signbit(k.gamma) || math.Signbit(k.negGamma) || k.alpha == 0 && math.Signbit(k.alpha)
	return !zeros && p.check("") == nil && k.quality <= 1+uint64(QualityFocal) && (k.quality == 0 || k.negGamma == k.gamma)
}

// version returns the version of the encoding.
func (k lossKind) version() uint32 {
	if k.negGamma != k.gamma || k.quality > 0 {
		return 2
	}
	return 1
}

// String returns the parameters as they are written in Go, and the Quality.
func (k lossKind) String() string {
	text := fmt.Sprintf("Gamma: %v", k.gamma)
	if k.negGamma != k.gamma {
		text += fmt.Sprintf(", NegGamma: %v", k.negGamma)
	}
	if k.alpha == NoAlpha {
		text += ", Alpha: NoAlpha"
	} else {
		text += fmt.Sprintf(", Alpha: %v", k.alpha)
	}
	if k.quality > 0 {
		text += ", " + Quality(k.quality-1).String()
	}
	return text
}

// Score returns the partial sum of the losses that [Loss] would write for these logits at a Norm of 1. p.Norm is ignored; pass
// the divisor to [Partial.Loss] after merging. Score writes nothing.
//
// Each row of a target made by [Labels] or [ZeroBased] is foreground, background or ignored. With [Dense] each element
// counts as a row of its own, which is foreground if its target is above 0 and not ignored.
//
// The errors are [ErrParam], [ErrShape], [ErrTarget] and [ErrLabel], with a zero Partial.
func Score[T Float](x []T, y Target, p Params) (Partial, error) {
	p.Norm = 1
	var j job[T]
	j.call("Score", x, &y)
	if err := j.prepare(&p); err != nil {
		return Partial{}, err
	}
	part := countRows(&y, j.c)
	if part.rows > 0 {
		part.loss = newLossKind(p, &y)
	}
	var total exact.Total
	j.run(blockCount(len(x)), &total)
	part.sum, part.inf, part.nan = total.Sum, total.Inf, total.NaN
	return part, nil
}

// scoreBlocks adds the losses of the blocks that it takes to a total.
func (j *job[T]) scoreBlocks(s *scratch[T], total *exact.Total) {
	var bins exact.Bins[T]
	blocks := int64(blockCount(len(j.x)))
	for b := j.taken.take(); b < blocks; b = j.taken.take() {
		s.begin(blockRange(int(b), len(j.x)))
		for s.more() {
			bins.Add(s.next(j), total)
		}
	}
	bins.Flush(total)
}

// countRows returns a Partial that has the numbers of rows, or elements. There are c columns if y has labels.
func countRows(y *Target, c int) (p Partial) {
	fore, ignored := y.count(c)
	p.rows, p.fore, p.ignored = uint64(y.label.len+y.dense.len), uint64(fore), uint64(ignored)
	return p
}

// Params returns the Gamma, NegGamma and Alpha that the losses were computed with, and a Norm of 1; for no rows the zero
// Params. NegGamma is nil if it is equal to Gamma.
func (p Partial) Params() Params {
	if p.rows == 0 {
		return Params{}
	}
	params := Params{Gamma: p.loss.gamma, Alpha: p.loss.alpha, Norm: 1}
	if p.loss.negGamma != p.loss.gamma {
		params.NegGamma = &p.loss.negGamma
	}
	return params
}

// String returns the counts, the undivided loss and the parameters, for people to read.
func (p Partial) String() string {
	if p.rows == 0 {
		return "no rows"
	}
	return fmt.Sprintf("%d rows, %d foreground, %d ignored; loss %.6g with %v", p.rows, p.fore, p.ignored, p.Loss(1), p.loss)
}

// Rows returns how many rows there are.
func (p Partial) Rows() int64 { return int64(p.rows) }

// Foreground returns how many rows have a class, and are not ignored: Paddle's fg_num.
func (p Partial) Foreground() int64 { return int64(p.fore) }

// Ignored returns how many rows are ignored.
func (p Partial) Ignored() int64 { return int64(p.ignored) }

// NotFinite returns how many elements have a loss of +Inf, and how many one of NaN.
func (p Partial) NotFinite() (inf, nan uint64) { return p.inf, p.nan }

// Loss returns the sum of the losses divided by norm, rounded once: the nearest float64 to the exact quotient. To divide
// by the number of foreground rows, as is usual, give it float64(p.Foreground()); a norm of 0 counts as 1.
//
// It is NaN if a single loss is, and otherwise +Inf if one is; of the finite ones it is +Inf above the largest float64
// only. If norm is negative, infinite or NaN, it is NaN.
func (p Partial) Loss(norm float64) float64 {
	switch {
	case !(norm >= 0) || math.IsInf(norm, 0) || p.nan > 0:
		return math.NaN()
	case p.inf > 0:
		return math.Inf(1)
	case norm == 0:
		norm = 1
	}
	return p.sum.Over(norm)
}

// Merge adds what other holds to p. The order in which partial sums are merged, and how they are grouped, makes no
// difference.
//
// The losses must have been computed with the same Gamma, NegGamma, Alpha and Quality, otherwise it is [ErrParam]; a Partial
// without rows fits any. More than 2^63-1 rows, or a sum beyond 2^1102, which no rows have, is [ErrPartial]. On an error p is what it was.
func (p *Partial) Merge(other Partial) error {
	merged := *p
	switch {
	case other.rows == 0:
		return nil
	case p.rows == 0:
		*p = other
		return nil
	case p.loss != other.loss:
		return fmt.Errorf("focal: Merge: two losses, {%v} and {%v}, want parts of one: %w", p.loss, other.loss, ErrParam)
	}
	ok := merged.sum.Add(&other.sum)
	for _, count := range []struct {
		to    *uint64
		from  uint64
		limit uint64
	}{
		{&merged.rows, other.rows, math.MaxInt64},
		{&merged.fore, other.fore, math.MaxInt64},
		{&merged.ignored, other.ignored, math.MaxInt64},
		{&merged.inf, other.inf, math.MaxUint64},
		{&merged.nan, other.nan, math.MaxUint64},
	} {
		ok = ok && count.from <= count.limit-*count.to
		*count.to += count.from
	}
	if !ok {
		return fmt.Errorf("focal: Merge: the sum of the counts, or of the losses, is too large: %w", ErrPartial)
	}
	*p = merged
	return nil
}

// The encoding of a Partial, all of it little-endian:
//
//	 0  8  "focalsum"
//	 8  4  version, 1 or 2
//	12  2  f, the index of the first word of the sum that is not 0
//	14  2  w, how many words there are from that to the last one that is not 0
//	16 16  Gamma and Alpha, float64
//	32 40  rows, foreground rows, ignored rows, infinite losses, NaN losses, uint64
//	72 16  version 2 only: NegGamma, float64; 0 without scores, or 1 more than the Quality, uint64
//	   8w  the words of the sum, uint64: word i counts 2^(64i-1074)
//	    4  CRC-32 (Castagnoli) of everything before
//
// There is one encoding for each Partial: it is version 2 if NegGamma differs from Gamma or there are scores.
const (
	partialMagic   = "focalsum"
	partialHeader  = 72
	partialHeader2 = 88
	partialTrailer = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendBinary implements [encoding.BinaryAppender]. It never fails.
func (p Partial) AppendBinary(b []byte) ([]byte, error) {
	first, end := 0, exact.Words
	for end > 0 && p.sum[end-1] == 0 {
		end--
	}
	for first < end && p.sum[first] == 0 {
		first++
	}
	if first == end {
		first, end = 0, 0
	}
	start := len(b)
	le := binary.LittleEndian
	b = append(b, partialMagic...)
	b = le.AppendUint32(b, p.loss.version())
	b = le.AppendUint16(b, uint16(first))
	b = le.AppendUint16(b, uint16(end-first))
	for _, v := range []uint64{math.Float64bits(p.loss.gamma), math.Float64bits(p.loss.alpha), p.rows, p.fore, p.ignored, p.inf, p.nan} {
		b = le.AppendUint64(b, v)
	}
	if p.loss.version() > 1 {
		b = le.AppendUint64(b, math.Float64bits(p.loss.negGamma))
		b = le.AppendUint64(b, p.loss.quality)
	}
	for _, word := range p.sum[first:end] {
		b = le.AppendUint64(b, word)
	}
	return le.AppendUint32(b, crc32.Checksum(b[start:], castagnoli)), nil
}

// MarshalBinary implements [encoding.BinaryMarshaler]. The encoding has a version and a checksum, and takes 76 to 364
// bytes. Partial sums that are equal have the same. It never fails.
func (p Partial) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]. Anything but what MarshalBinary returns is [ErrPartial], and
// leaves p as it was.
func (p *Partial) UnmarshalBinary(b []byte) error {
	le := binary.LittleEndian
	fail := func(format string, args ...any) error {
		return fmt.Errorf("focal: UnmarshalBinary: %s: %w", fmt.Sprintf(format, args...), ErrPartial)
	}
	if len(b) < partialHeader+partialTrailer {
		return fail("%d bytes, want at least %d", len(b), partialHeader+partialTrailer)
	}
	if string(b[:len(partialMagic)]) != partialMagic {
		return fail("it begins with %q, want %q", b[:len(partialMagic)], partialMagic)
	}
	header := partialHeader
	switch version := le.Uint32(b[8:]); version {
	case 1:
	case 2:
		header = partialHeader2
	default:
		return fail("version %d, want 1 or 2", version)
	}
	first, words := int(le.Uint16(b[12:])), int(le.Uint16(b[14:]))
	if want := header + 8*words + partialTrailer; len(b) != want {
		return fail("%d bytes, want %d with %d words", len(b), want, words)
	}
	body, trailer := b[:len(b)-partialTrailer], b[len(b)-partialTrailer:]
	if sum, want := crc32.Checksum(body, castagnoli), le.Uint32(trailer); sum != want {
		return fail("checksum %08x, want %08x", sum, want)
	}
	if first+words > exact.Words || words == 0 && first > 0 {
		return fail("words %d to %d of %d", first, first+words, exact.Words)
	}
	q := Partial{
		loss: lossKind{
			gamma:    math.Float64frombits(le.Uint64(b[16:])),
			negGamma: math.Float64frombits(le.Uint64(b[16:])),
			alpha:    math.Float64frombits(le.Uint64(b[24:])),
		},
		rows:    le.Uint64(b[32:]),
		fore:    le.Uint64(b[40:]),
		ignored: le.Uint64(b[48:]),
		inf:     le.Uint64(b[56:]),
		nan:     le.Uint64(b[64:]),
	}
	if header == partialHeader2 {
		q.loss.negGamma, q.loss.quality = math.Float64frombits(le.Uint64(b[72:])), le.Uint64(b[80:])
		if q.loss.version() != 2 {
			return fail("version 2, want 1, as there is one gamma and there are no scores")
		}
	}
	for i := range words {
		q.sum[first+i] = le.Uint64(b[header+8*i:])
	}
	switch {
	case words > 0 && (q.sum[first] == 0 || q.sum[first+words-1] == 0):
		return fail("a word of 0 at an end of the sum")
	case q.rows > math.MaxInt64 || q.fore > q.rows || q.ignored > q.rows-q.fore:
		return fail("%d rows, %d of them foreground and %d ignored", q.rows, q.fore, q.ignored)
	case q.rows == 0 && q != Partial{}:
		return fail("no rows, but a sum or parameters")
	case !q.loss.valid():
		return fail("there is no such loss: {%v}", q.loss)
	}
	*p = q
	return nil
}

package focal

import (
	"fmt"
	"math"
)

// Ignoring returns t with another ignored value, such as 255 or -100. Of labels it replaces the former one, as PyTorch's
// ignore_index does: -1 is then an error. The value may be one that means a class or background otherwise; rows with that
// label are ignored nevertheless. With [Dense], elements whose target is v are ignored; without Ignoring none is.
//
// Ignored rows and elements have losses and derivatives of 0, even if the logit is NaN or infinite, and add nothing to a sum.
func (t Target) Ignoring(v int32) Target {
	t.ignore, t.ignoring = v, true
	return t
}

// IgnoringNaN returns t, made by [Dense], with those elements ignored whose target is NaN; without it such a target is
// [ErrTarget]. It goes together with [Target.Ignoring]. Labels, which are never NaN, stay as they are.
func (t Target) IgnoringNaN() Target {
	t.ignoreNaN = true
	return t
}

// Planes returns t for logits [N, C, size], row-major with the channels first, as detection heads and segmentation emit them.
// Its labels are [N, size]: the label of position s of image n, label[n·size+s], is for the logits x[(n·C+c)·size+s] of all
// c. A row is what one label stands for. A size below 1 is [ErrTarget] when the target is used.
func (t Target) Planes(size int) Target {
	t.planes, t.planar = size, true
	return t
}

// PlaneSize returns the size given to [Target.Planes], and 1 without it: how many labels, and rows, an image has.
func (t Target) PlaneSize() int { return t.size() }

// Classes returns t for logits of c classes: other logits are [ErrShape]. [Target.Foreground] needs it for [ZeroBased], whose
// background is label c. A c below 1 is [ErrTarget] when the target is used.
func (t Target) Classes(c int) Target {
	t.classes, t.counted = c, true
	return t
}

// WeighRows returns y with a weight for each row, by which the losses and derivatives of all its elements are multiplied. There
// is one for each label; with [Dense] len(w) says how many rows there are, unless the number of classes is known. A nil w is
// all ones.
//
// Weights are finite, ≥ 0 and of the type of the logits. The calls that use the target read them, and return [ErrTarget] or
// [ErrShape] if they do not fit. Where a weight is 0, losses and derivatives are exactly 0, even if the logit is infinite, and NaN
// if it is NaN. Weights of rows, classes and elements combine; that of an element is
//
//	((base · class) · row) · element
//
// Base is alpha/n or (1-alpha)/n. Each product is rounded to the type of the logits. Weights of 1 change no bit. A product
// that underflows is a weight of 0. Each weight, and the product of the largest, base among them, is at most 2^30 in float32 and
// 2^260 in float64, even if no element has all of them. Weights given again replace the former ones.
func WeighRows[T Float](y Target, w []T) Target {
	y.row = weights(w)
	return y
}

// WeighClasses returns y with two weights for each class: neg[j] multiplies the losses and derivatives of the negatives in
// column j, and pos[j] those of the positives; the latter is PyTorch's pos_weight. Each has C elements, or is nil, which is all
// ones. A soft target t has the weight (alpha·t·pos[j] + (1-alpha)·(1-t)·neg[j]) / n. What [WeighRows] says of weights holds here
// too.
func WeighClasses[T Float](y Target, neg, pos []T) Target {
	y.neg, y.pos = weights(neg), weights(pos)
	return y
}

// WeighElements returns y with a weight for each element, in the shape of the logits. A nil w is all ones. What [WeighRows] says
// of weights holds here too.
func WeighElements[T Float](y Target, w []T) Target {
	y.element = weights(w)
	return y
}

// weights returns w as numbers, which are not given if it is nil.
func weights[T Float](w []T) numbers {
	if w == nil {
		return numbers{}
	}
	return numbersOf(w)
}

// Quality says what loss a target made by [Scored] has. In the formulas n is [Params].Norm, p = σ(x), and BCE(x, t) =
// -t·log(p) - (1-t)·log(1-p).
type Quality int

const (
	// Varifocal is varifocal loss (Zhang et al. 2021, arXiv:2008.13367): score/n · BCE(x, score) for a positive whose score is
	// above 0, and (1-alpha)/n · p^gamma · -log(1-p) for all other elements; 1/n instead of (1-alpha)/n with NoAlpha.
	Varifocal Quality = iota

	// Aligned is Varifocal with the weight 1/n for every positive, whatever its score: IA-BCE (Cai et al. 2023,
	// arXiv:2304.07527) and, with scores raised to gamma, the matchability-aware loss of DEIM (Huang et al. 2024,
	// arXiv:2412.04234).
	Aligned

	// QualityFocal is quality focal loss (Li et al. 2020, arXiv:2006.04388): |p-t|^gamma/n · BCE(x, t) for every element, where
	// t is the score of a positive and 0 for a negative. Alpha is ignored.
	QualityFocal
)

func (q Quality) String() string {
	switch q {
	case Varifocal:
		return "Varifocal"
	case Aligned:
		return "Aligned"
	case QualityFocal:
		return "QualityFocal"
	}
	return fmt.Sprintf("Quality(%d)", int(q))
}

// Scored returns y, which has labels, with a score for each row, such as the IoU of the predicted box. The target of the row's
// positive is its score, that of all other elements is 0, and the loss is the one that q names. Scores are in [0, 1] and of
// the type of the logits; those of rows without a class are not looked at.
//
// The calls that use the target read the scores. They return [ErrShape] unless there is one for each label, and [ErrTarget]
// if a score is out of range, y is made by [Dense], or [Params].NegGamma differs from Gamma.
func Scored[T Float](y Target, score []T, q Quality) Target {
	y.score, y.quality = numbersOf(score), q
	return y
}

// checkOptions returns an error unless weights and scores have the type of the logits and a number for each row, class or
// element. If c is 0, there are no rows.
func checkOptions[T Float](y *Target, op string, logits, c int) error {
	if y.score.given() && y.kind == denseTarget {
		return fmt.Errorf("focal: %s: Scored: y is made by Dense, want Labels or ZeroBased: %w", op, ErrTarget)
	}
	if y.quality < Varifocal || y.quality > QualityFocal {
		return fmt.Errorf("focal: %s: Scored: q = %d, want Varifocal, Aligned or QualityFocal: %w", op, int(y.quality), ErrTarget)
	}
	rows := y.label.len
	if y.kind == denseTarget && c > 0 {
		rows = logits / c
	}
	for i := range y.inputs() {
		v := &y.inputs()[i]
		want, per := rows, "row"
		switch i {
		case labelInput, denseInput:
			continue
		case negInput, posInput:
			want, per = c, "class"
		case elementInput:
			want, per = logits, "logit"
		}
		switch {
		case !v.given():
		case v.of != typeOf[T]():
			return fmt.Errorf("focal: %s: %s is of %v, want it of %v, as the logits are: %w", op, inputNames[i].argument, v.of, typeOf[T](), ErrTarget)
		case v.len == 0 && want == 0 && logits > 0: // C is not known
			return fmt.Errorf("focal: %s: %s is empty, want a number for each class, or nil: %w", op, inputNames[i].argument, ErrShape)
		case v.len != want && (per != "class" || c > 0):
			return fmt.Errorf("focal: %s: %s has the length %d, want %d, one for each %s: %w", op, inputNames[i].argument, v.len, want, per, ErrShape)
		}
	}
	if y.counted && c > 0 && y.classes != c {
		return fmt.Errorf("focal: %s: len(x) = %d, which is C = %d, want %d as Classes says: %w", op, logits, c, y.classes, ErrShape)
	}
	return nil
}

// checkWeights returns an error unless all weights are finite and ≥ 0 and no product of them is too large. It finds out whether
// there are any, and whether one may be 0.
func (j *job[T]) checkWeights() error {
	y := &j.y
	for _, w := range [...]*numbers{&y.neg, &y.pos, &y.row, &y.element} {
		j.weighted = j.weighted || w.len > 0
	}
	if !j.weighted {
		return nil
	}
	j.setInverse()
	neg := weightRange{float64(j.params.neg), float64(j.params.neg)} // of the weights of negatives, so far
	pos := weightRange{float64(j.params.pos), float64(j.params.pos)}
	if y.score.given() {
		one := float64(j.params.one)
		pos = weightRange{min(pos.least, one), max(pos.most, one)}
	}
	if err := multiplyRange[T](&neg, j.op, negInput, &y.neg); err != nil {
		return err
	}
	if err := multiplyRange[T](&pos, j.op, posInput, &y.pos); err != nil {
		return err
	}
	before := weightRange{min(neg.least, pos.least), max(neg.most, pos.most)}
	all := before
	err := j.multiplyRows(&all, false)
	if err != nil { // which may be for the bounds of rows
		all = before
		err = j.multiplyRows(&all, true)
	}
	j.zeros = all.least < smallestNormal[T]()
	return err
}

// multiplyRows multiplies a range by the weights of rows and elements. Those of rows may have bounds instead of their range.
func (j *job[T]) multiplyRows(all *weightRange, exactly bool) error {
	const low, high = 0x1p-20, 0x1p10
	w := sliceOf[T](&j.y.row)
	bounded := !exactly && len(w) > 0 && all.most*high <= constantsOf[T]().MaxWeight
	switch {
	case bounded && firstOutside(w, low, high) < 0:
		all.multiply(low, high, smallestNormal[T]())
	case bounded && firstOutside(w, 0, high) < 0:
		all.least = 0
		all.most *= high
	default:
		if err := multiplyRange[T](all, j.op, rowInput, &j.y.row); err != nil {
			return err
		}
	}
	return multiplyRange[T](all, j.op, elementInput, &j.y.element)
}

// weightRange has bounds of some weights.
type weightRange struct{ least, most float64 }

// multiply multiplies it by the range of other weights. A product below the normal range counts as 0: its type may round it to that,
// and then the factors to come cannot raise it again.
func (r *weightRange) multiply(least, most, normal float64) {
	if r.least *= least; r.least < normal {
		r.least = 0
	}
	r.most *= most
}

// multiplyRange multiplies a range by weights, of which each element has one.
func multiplyRange[T Float](r *weightRange, op string, input int, weights *numbers) error {
	w := sliceOf[T](weights)
	if len(w) == 0 {
		return nil
	}
	limit, name := constantsOf[T]().MaxWeight, inputNames[input].argument
	if input == elementInput { // the last ones, which may be many: assembly is faster, and their range does not matter
		normal := smallestNormal[T]()
		tiny, high := T(max(normal/r.least, normal)), T(min(limit/r.most, limit))
		if firstOutside(w, tiny, high) < 0 {
			return nil
		}
		if firstOutside(w, 0, high) < 0 {
			r.least = 0
			return nil
		}
	}
	least, most := 0, 0 // their indices
	for i, v := range w {
		switch {
		case !(v >= 0 && float64(v) <= math.MaxFloat64):
			return fmt.Errorf("focal: %s: %s[%d] = %v, want it finite and ≥ 0: %w", op, name, i, v, ErrTarget)
		case v < w[least]:
			least = i
		case v > w[most]:
			most = i
		}
	}
	if v := w[most]; float64(v)*r.most > limit || float64(v) > limit {
		return fmt.Errorf("focal: %s: %s[%d] = %v, want it and its product with the other weights, up to %v, to be 2^%d or less: %w",
			op, name, most, v, r.most, math.Ilogb(limit), ErrTarget)
	}
	r.multiply(float64(w[least]), float64(w[most]), smallestNormal[T]())
	return nil
}

// smallestNormal returns the smallest number > 0 that is not subnormal.
func smallestNormal[T Float]() float64 {
	if isFloat32[T]() {
		return 0x1p-126
	}
	return 0x1p-1022
}

// checkScores returns an error unless the scores of all rows with a class are in [0, 1].
func (j *job[T]) checkScores() error {
	y := &j.y
	score := sliceOf[T](&y.score)
	if firstOutside(score, 0, 1) < 0 {
		return nil
	}
	for i, v := range score {
		label := y.label.integer(i)
		if !(v >= 0 && v <= 1) && label != int64(y.ignore) && uint64(label-int64(y.offset)) < uint64(j.c) {
			return fmt.Errorf("focal: %s: Scored: score[%d] = %v, want it in [0, 1], as the row has a class: %w", j.op, i, v, ErrTarget)
		}
	}
	return nil
}

// checkGammas returns an error if positives and negatives have different gammas, but a target is neither 0 nor 1.
func (j *job[T]) checkGammas() error {
	if j.y.kind != denseTarget {
		return nil
	}
	t := denseOf[T](&j.y)
	for start := 0; start < len(t); start += pieceLen {
		var pos, soft bitmask
		piece := t[start:min(start+pieceLen, len(t))]
		if !targetBits(&pos, &soft, piece) {
			continue
		}
		for i, v := range piece {
			if v != 0 && v != 1 && !isIgnored(&j.y, v) {
				return fmt.Errorf("focal: %s: t[%d] = %v is soft and NegGamma differs from Gamma, want a target of 0 or 1, or NegGamma nil: %w",
					j.op, start+i, v, ErrTarget)
			}
		}
	}
	return nil
}

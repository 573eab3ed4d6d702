package main

import (
	"errors"
	"math"
	"strings"

	"github.com/gofocal/focal"
)

// Operations "loss:option", "both:option", and with other labels "loss:type@C", "loss:rows@C" and "loss:classes@C". The first edition of the library is measured without this file.

func init() {
	optionTarget = func(b any, p *focal.Params) (focal.Target, int, error) {
		if b, ok := b.(*batch[float64]); ok {
			return withOption(b, p)
		}
		return withOption(b.(*batch[float32]), p)
	}
}

// withOption returns the target of a case with an option and the number of logits that it is for.
func withOption[T focal.Float](b *batch[T], p *focal.Params) (y focal.Target, n int, err error) {
	op, classes, reshaped := strings.Cut(b.op, "@")
	_, option, _ := strings.Cut(op, ":")
	if !reshaped {
		y, err = optionOf(b, p, option)
		return y, len(b.x), err
	}
	label, n, err := reshape(b, classes)
	if err != nil {
		return y, 0, err
	}
	switch y = focal.Labels(label); option {
	case "rows", "classes":
		y = weighed(y, option, some(len(label), weight[T]), some(n/len(label), weight[T]))
	default:
		y, err = labelsOf(label, option)
	}
	return y, n, err
}

func weight[T focal.Float](i int) T { return T(1+i*619%1021) / 512 }

// weighed returns a target with weights of rows or of classes.
func weighed[T focal.Float](y focal.Target, option string, rows, classes []T) focal.Target {
	if option == "rows" {
		return focal.WeighRows(y, rows)
	}
	return focal.WeighClasses(y, classes, classes)
}

// labelsOf returns labels of a type.
func labelsOf(label []int32, typ string) (focal.Target, error) {
	switch typ {
	case "int64":
		return focal.Labels(some(len(label), func(i int) int64 { return int64(label[i]) })), nil
	case "int":
		return focal.Labels(some(len(label), func(i int) int { return int(label[i]) })), nil
	case "uint8":
		return focal.Labels(some(len(label), func(i int) uint8 { return uint8(label[i]) })), nil
	}
	return focal.Target{}, errors.New("there are no labels of " + typ)
}

// optionOf returns the target of the data with an option, or changes p.
func optionOf[T focal.Float](b *batch[T], p *focal.Params, option string) (focal.Target, error) {
	y := focal.Labels(b.label)
	oneIn100 := func(v T) focal.Target {
		dense := hard(b)
		for i := range dense {
			if uint32(i)*2654435761>>16%100 == 7 {
				dense[i] = v
			}
		}
		return focal.Dense(dense)
	}
	sparse := focal.Labels(some(b.rows, func(i int) int32 {
		if i%20 == 0 {
			return 1 + int32(i*31%b.cols)
		}
		return 0
	}))
	score := some(b.rows, func(i int) T { return T(1+i*619%1021) / 1023 })
	switch option {
	case "rows", "classes":
		return weighed(y, option, some(b.rows, weight[T]), some(b.cols, weight[T])), nil
	case "elements":
		return focal.WeighElements(y, some(len(b.x), weight[T])), nil
	case "alpha0":
		p.Alpha = 0
		return y, nil
	case "alpha1":
		p.Alpha = 1
		return y, nil
	case "gamma0":
		p.Gamma = 0
		return y, nil
	case "sparse":
		return sparse, nil
	case "varifocal":
		return focal.Scored(sparse, score, focal.Varifocal), nil
	case "quality":
		return focal.Scored(sparse, score, focal.QualityFocal), nil
	case "dense":
		return focal.Dense(hard(b)), nil
	case "soft1":
		return oneIn100(0.3), nil
	case "ignored":
		return oneIn100(-100).Ignoring(-100), nil
	case "ignoredNaN":
		return oneIn100(T(math.NaN())).IgnoringNaN(), nil
	}
	return focal.Target{}, errors.New("there is no option " + option)
}

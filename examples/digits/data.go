package main

import (
	"math/rand/v2"

	handwritten "github.com/gofocal/focal/examples/internal/digits"
)

const (
	side    = 8           // a digit is side × side pixels
	pixels  = side * side // and so is a window of a canvas
	classes = 10
)

// A digit is one handwritten digit. Its class is the digit plus one, because 0 is the background.
type digit struct {
	pix   [pixels]float32 // row-major, 0 is paper and 1 is ink
	class int32           // 1..classes
}

// loadDigits turns the values into classes and the ink into numbers.
func loadDigits() ([]digit, error) {
	all, err := handwritten.Load()
	if err != nil {
		return nil, err
	}
	digits := make([]digit, len(all))
	for i, d := range all {
		for j, v := range d.Ink {
			digits[i].pix[j] = float32(v) / (handwritten.Levels - 1)
		}
		digits[i].class = int32(d.Value) + 1
	}
	return digits, nil
}

// split shuffles the digits and holds a fifth of them out.
func split(digits []digit, rng *rand.Rand) (train, test []digit) {
	rng.Shuffle(len(digits), func(i, j int) { digits[i], digits[j] = digits[j], digits[i] })
	n := len(digits) / 5
	return digits[n:], digits[:n]
}

// batch lays digits out as the rows of a matrix, with a label to each row.
func batch(digits []digit) (x []float32, label []int32) {
	for i := range digits {
		x = append(x, digits[i].pix[:]...)
		label = append(label, digits[i].class)
	}
	return x, label
}

package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strconv"
)

const (
	side    = 8           // a digit is side × side pixels
	pixels  = side * side // and so is a window of a canvas
	classes = 10
)

//go:embed digits.csv.gz
var digitsCSV []byte // README.md says where it comes from

// A digit is one handwritten digit. Its class is the digit plus one, because 0 is the background.
type digit struct {
	pix   [pixels]float32 // row-major, 0 is paper and 1 is ink
	class int32           // 1..classes
}

// loadDigits reads the embedded file: on each line 64 pixels, 0 to 16, then the label, 0 to 9.
func loadDigits() ([]digit, error) {
	zr, err := gzip.NewReader(bytes.NewReader(digitsCSV))
	if err != nil {
		return nil, err
	}
	cr := csv.NewReader(zr)
	cr.FieldsPerRecord = pixels + 1
	records, err := cr.ReadAll()
	if err != nil {
		return nil, err
	}
	digits := make([]digit, len(records))
	for i, record := range records {
		for j, field := range record {
			v, err := strconv.ParseUint(field, 10, 8)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			if j < pixels {
				digits[i].pix[j] = float32(v) / 16
			} else {
				digits[i].class = int32(v) + 1
			}
		}
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

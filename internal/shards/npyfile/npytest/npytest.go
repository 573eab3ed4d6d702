// Package npytest makes NumPy files for tests, right and wrong ones.
package npytest

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// File returns the contents of a file with the given header, which need not be true, and elements in the given byte order.
func File(t testing.TB, descr, shape string, fortran bool, order binary.ByteOrder, elements any) []byte {
	t.Helper()
	python := map[bool]string{false: "False", true: "True"}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, python[fortran], shape)
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(text)), byte(len(text)>>8))
	b, err := binary.Append(append(b, text...), order, elements)
	require.NoError(t, err)
	return b
}

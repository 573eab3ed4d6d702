package focal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/verify"
)

// The same bits everywhere: this test passes on every path and every GOARCH, with the same constant.
func TestGoldenHash(t *testing.T) {
	for _, path := range control.Paths() {
		t.Run(path, func(t *testing.T) {
			defer control.SetPath(path)()
			require.Equal(t, path, focal.Path())
			hash, err := verify.Hash()
			require.NoError(t, err)
			require.Equal(t, verify.GoldenHash, hash)
		})
	}
}

func TestSetPath(t *testing.T) {
	former := focal.Path()
	for _, path := range control.Paths() {
		restore := control.SetPath(path)
		require.Equal(t, path, focal.Path())
		restore()
		require.Equal(t, former, focal.Path())
	}
	require.Panics(t, func() { control.SetPath("mmx") })
	require.Equal(t, former, focal.Path())
}

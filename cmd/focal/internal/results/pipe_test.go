//go:build unix && !aix && !illumos && !solaris

package results

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Reading ends with the context, also at a pipe into which nobody writes.
func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o666))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Read(ctx, nil, pipe)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

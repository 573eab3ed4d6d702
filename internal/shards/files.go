package shards

import (
	"context"
	"io"

	"github.com/gofocal/focal/internal/shards/npyfile"
)

// OpenFile is the [Opener] of the files of this machine.
func OpenFile(_ context.Context, name string) (io.ReadCloser, int64, error) {
	file, size, err := npyfile.OpenFile(name)
	if err != nil {
		return nil, 0, err
	}
	return file, size, nil
}

// Package npyfile reads NumPy files of numbers from their beginning to their end, whatever their size, and trusts nothing
// that they say of themselves.
package npyfile

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
	"strings"

	"github.com/sbinet/npyio/npy"
)

// maxHeader is the longest header that is read. That of a matrix has some 80 bytes; NumPy itself reads up to 10,000.
const maxHeader = 64 << 10

// Reader reads an array of row-major numbers.
type Reader struct {
	Name  string // of the file
	Shape []int
	Dtype string // NumPy's name, without byte order, one of Floats or Integers

	file   io.ReadCloser
	buffer *bufio.Reader
	start  int64 // where the elements begin
	swap   bool  // they have the other byte order
	stop   func() bool
}

// Open opens a file of this machine and reads its header. It refuses whatever is not an array of the wanted types, in
// row-major order, exactly as long as the header says. When the context ends reading fails.
func Open(ctx context.Context, name string, dtypes ...string) (*Reader, error) {
	file, size, err := OpenFile(name)
	if err != nil {
		return nil, err
	}
	return New(ctx, name, file, size, dtypes...)
}

// OpenFile opens a file and returns its size, which is negative if it is no regular one.
func OpenFile(name string) (file io.ReadCloser, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		f.Close()
		return nil, 0, fmt.Errorf("%s: is a directory", name)
	case err == nil && info.Mode().IsRegular():
		return &localFile{f, info}, info.Size(), nil
	}
	return f, -1, nil
}

// localFile is a regular file, and what it was when it was opened.
type localFile struct {
	*os.File
	opened os.FileInfo
}

// Changed implements [Changer].
func (f *localFile) Changed() bool {
	now, err := os.Stat(f.Name())
	return err != nil || !os.SameFile(f.opened, now) || now.Size() != f.opened.Size() || !now.ModTime().Equal(f.opened.ModTime())
}

// Changer is a file that can tell whether its name stands for something else since it was opened, or its contents were
// replaced.
type Changer interface{ Changed() bool }

// New does what Open does with what is open already, and closes it if it fails. The size is that of all bytes, or negative
// if it is not known.
func New(ctx context.Context, name string, file io.ReadCloser, size int64, dtypes ...string) (*Reader, error) {
	r := &Reader{Name: name, file: file, buffer: bufio.NewReaderSize(file, 1<<20)}
	if err := r.readHeader(size, dtypes); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.stop = context.AfterFunc(ctx, func() { file.Close() })
	return r, nil
}

// Close closes the file.
func (r *Reader) Close() {
	r.stop()
	r.file.Close()
}

func (r *Reader) readHeader(size int64, dtypes []string) error {
	header, err := parseHeader(r.buffer)
	if err != nil {
		return err
	}
	r.start = header.length
	descr := header.Descr
	order, dtype := byte('='), descr.Type
	if len(dtype) > 0 && strings.IndexByte("<>=|", dtype[0]) >= 0 {
		order, dtype = dtype[0], dtype[1:]
	}
	r.Dtype = dtype
	r.swap = order == '<' && !littleEndian || order == '>' && littleEndian
	r.Shape = descr.Shape

	switch {
	case dtype == "O":
		return errors.New("has pickled Python objects as elements, want numbers")
	case !slices.Contains(dtypes, dtype):
		return wrongType(descr.Type, dtypes)
	case descr.Fortran && len(descr.Shape) > 1:
		return errors.New("is in Fortran order, want row-major; numpy.ascontiguousarray(a) makes it so")
	}
	n, ok := r.bytes()
	if !ok {
		return fmt.Errorf("claims the shape %s, which no file can hold", ShapeString(r.Shape))
	}
	if want := r.start + n; size >= 0 && size != want {
		return fmt.Errorf("has %d bytes, want %d for %s of shape %s: truncated, or no plain array", size, want, descr.Type, ShapeString(r.Shape))
	}
	return nil
}

// bytes returns the number of bytes of all elements, if there is such a number.
func (r *Reader) bytes() (int64, bool) {
	n := uint64(r.Dtype[1] - '0') // the size of an element
	empty := false
	for _, d := range r.Shape {
		if d < 0 {
			return 0, false
		}
		empty = empty || d == 0
	}
	if empty {
		return 0, true
	}
	for _, d := range r.Shape {
		high, low := bits.Mul64(n, uint64(d))
		if high != 0 || low > 1<<62 {
			return 0, false
		}
		n = low
	}
	return int64(n), true
}

type arrayHeader struct {
	npy.Header
	length int64 // of everything before the elements
}

var errNotNpy = errors.New("is no NumPy array (.npy), or has a malformed header")

// Start is where the elements begin in the file, in bytes.
func (r *Reader) Start() int64 { return r.start }

// parseHeader reads the header. Its claimed length is checked before, and the parser, which trusts its input, is kept from
// panicking.
func parseHeader(r *bufio.Reader) (h arrayHeader, err error) {
	start, _ := r.Peek(longestPrefix)
	if err := identify(start); err != nil {
		return h, err
	}
	if len(start) < len(npy.Magic)+6 {
		return h, errNotNpy
	}
	text := int64(binary.LittleEndian.Uint32(start[8:]))
	h.length = 12
	if start[6] == 1 { // version 1 has two bytes for the length
		text, h.length = text&0xffff, 10
	}
	switch {
	case string(start[:6]) != string(npy.Magic[:]):
		return h, errNotNpy
	case text > maxHeader:
		return h, fmt.Errorf("claims a header of %d bytes, want at most %d", text, maxHeader)
	}
	defer func() {
		if recover() != nil {
			err = errNotNpy
		}
	}()
	parsed, err := npy.NewReader(io.LimitReader(r, h.length+text))
	if err != nil {
		return h, fmt.Errorf("has a header that cannot be read: %w", err)
	}
	h.length += text
	h.Header = parsed.Header
	return h, nil
}

// AtEnd returns an error unless everything was read, and is what it was when it was opened. A file that is no regular one
// can have more than its header says; one that is can be replaced while it is read.
func (r *Reader) AtEnd() error {
	if _, err := r.buffer.ReadByte(); err == nil {
		return fmt.Errorf("%s: goes on after its last element", r.Name)
	} else if err != io.EOF {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	if c, ok := r.file.(Changer); ok && c.Changed() {
		return fmt.Errorf("%s: was changed or replaced while it was read", r.Name)
	}
	return nil
}

// CanRewind reports whether Rewind is possible: not from a pipe.
func (r *Reader) CanRewind() bool {
	seeker, ok := r.file.(io.Seeker)
	if ok {
		_, err := seeker.Seek(0, io.SeekCurrent)
		ok = err == nil
	}
	return ok
}

// Rewind goes back to the first element.
func (r *Reader) Rewind() error {
	seeker, ok := r.file.(io.Seeker)
	if !ok {
		return fmt.Errorf("%s: cannot be read twice", r.Name)
	}
	if _, err := seeker.Seek(r.start, io.SeekStart); err != nil {
		return fmt.Errorf("%s: cannot be read twice: %w", r.Name, err)
	}
	r.buffer.Reset(r.file)
	return nil
}

// WriteHeader writes the header of a little-endian row-major array, as NumPy does: version 1, aligned to 64 bytes.
func WriteHeader(w io.Writer, dtype string, shape []int) error {
	const before = 10
	text := fmt.Sprintf("{'descr': '<%s', 'fortran_order': False, 'shape': %s, }", dtype, ShapeString(shape))
	padding := (64 - (before+len(text)+1)%64) % 64
	text += strings.Repeat(" ", padding) + "\n"
	header := append(npy.Magic[:], 1, 0)
	header = binary.LittleEndian.AppendUint16(header, uint16(len(text)))
	_, err := w.Write(append(header, text...))
	return err
}

// Write writes elements of a type that NumPy has. It may leave them with their bytes swapped.
func Write[E Element](w io.Writer, src []E) error {
	if !littleEndian {
		swapBytes(src)
	}
	_, err := w.Write(bytesOf(src))
	return err
}

// ShapeString formats a shape as Python formats a tuple.
func ShapeString(shape []int) string {
	if len(shape) == 1 {
		return fmt.Sprintf("(%d,)", shape[0])
	}
	return "(" + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(shape)), ", "), "[]") + ")"
}

// Package output writes files that are whole or not there.
package output

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// File is written under another name in the same directory, and gets its own name once it is complete: nobody ever sees a
// part of it, and what was there before stays until then. The other name depends on its own alone: what a run that was
// killed has left behind is taken away by the next one that writes the file.
//
// What is no regular file, such as a device, a pipe or a stream, is written as it stands.
type File struct {
	Name   string
	target string   // what the name is a link to, or the name; empty: there is nothing to publish
	file   *os.File // nil: somebody else's stream, or closed
	*bufio.Writer
}

var errBusy = errors.New("another process is writing it")

// Create begins to write a file. The permissions of what is replaced are kept, and a symbolic link to it remains one.
func Create(name string) (*File, error) {
	f, err := create(name)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be written: %w", name, bare(err))
	}
	return f, nil
}

func create(name string) (*File, error) {
	f := &File{Name: name, target: name}
	old, err := os.Stat(name)
	switch {
	case err == nil && old.IsDir():
		return nil, errors.New("it is a directory")
	case err == nil && !old.Mode().IsRegular():
		if f.file, err = os.OpenFile(name, os.O_WRONLY, 0); err != nil {
			return nil, err
		}
		f.target = ""
		f.Writer = bufio.NewWriterSize(f.file, 1<<20)
		return f, nil
	case err == nil:
		if f.target, err = filepath.EvalSymlinks(name); err != nil {
			return nil, err
		}
	default:
		if _, err := os.Lstat(name); err == nil {
			return nil, errors.New("it is a link to nothing")
		}
	}
	if f.file, err = temporary(f.target); err != nil {
		return nil, err
	}
	if old != nil {
		if err := f.file.Chmod(old.Mode().Perm()); err != nil {
			f.Discard()
			return nil, err
		}
	}
	f.Writer = bufio.NewWriterSize(f.file, 1<<20)
	return f, nil
}

// To returns a File that is a stream.
func To(name string, w io.Writer) *File {
	return &File{Name: name, Writer: bufio.NewWriterSize(w, 1<<20)}
}

// Write implements [io.Writer]. Its errors name the file.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", f.Name, bare(err))
	}
	return n, err
}

// bare returns what an error of the operating system says without the file, whose name is another one.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// temporary creates the file that is to become the target. It is locked as long as it is open.
func temporary(target string) (*os.File, error) {
	sum := sha256.Sum256([]byte(filepath.Base(target))) // a name with anything added to it could be too long
	name := filepath.Join(filepath.Dir(target), fmt.Sprintf(".focal-%x.tmp", sum[:8]))
	for range 100 { // each time another process was faster
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			if lock(f) == nil && isNamed(f, name) {
				return f, nil
			}
			f.Close()
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, err
		} else if err := reclaim(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, errBusy
}

// isNamed reports whether the file has the name still.
func isNamed(f *os.File, name string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Lstat(name)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// Finish writes what is buffered to the disk. The file does not have its name yet.
func (f *File) Finish() error {
	err := f.Flush()
	if err == nil && f.target != "" {
		err = f.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, bare(err))
	}
	return nil
}

// Publish gives the file its name.
func (f *File) Publish() error {
	if f.file == nil {
		return nil
	}
	var err error
	if runtime.GOOS == "windows" || f.target == "" { // Windows renames no open file; elsewhere it stays locked until it has its name
		err = f.file.Close()
	}
	if err == nil && f.target != "" {
		err = os.Rename(f.file.Name(), f.target)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, bare(err))
	}
	f.file.Close()
	f.file = nil
	return nil
}

// Discard removes the file unless it was published.
func (f *File) Discard() {
	if f.file == nil {
		return
	}
	if f.target != "" && runtime.GOOS != "windows" {
		os.Remove(f.file.Name())
	}
	f.file.Close()
	if f.target != "" && runtime.GOOS == "windows" {
		os.Remove(f.file.Name())
	}
	f.file = nil
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// atomicFile is a file that is written under another name in the same directory, and takes its own name once it is
// complete: nobody ever sees a part of it, and what was there before stays there until then.
type atomicFile struct {
	name   string
	target string // what the name is a link to, or the name
	file   *os.File
	*bufio.Writer
}

// createAtomic begins to write a file. What is there already must be a regular file: a device shall not be replaced. Its
// permissions are kept, and a symbolic link to it remains one.
func createAtomic(name string) (*atomicFile, error) {
	a := &atomicFile{name: name, target: name}
	old, err := os.Stat(name)
	if err == nil {
		if !old.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: is no regular file, and cannot be replaced", name)
		}
		if a.target, err = filepath.EvalSymlinks(name); err != nil {
			return nil, err
		}
	} else if _, err := os.Lstat(name); err == nil {
		return nil, fmt.Errorf("%s: is a link to nothing, and cannot be written", name)
	}
	temporary := fmt.Sprintf(".%s.%08x.tmp", filepath.Base(a.target), rand.Uint32())
	a.file, err = os.OpenFile(filepath.Join(filepath.Dir(a.target), temporary), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be written: %w", name, err)
	}
	if old != nil {
		if err := a.file.Chmod(old.Mode().Perm()); err != nil {
			a.discard()
			return nil, fmt.Errorf("%s: cannot be written: %w", name, err)
		}
	}
	a.Writer = bufio.NewWriterSize(a.file, 1<<20)
	return a, nil
}

// finish writes what is buffered to the disk. The file does not have its name yet.
func (a *atomicFile) finish() error {
	err := a.Flush()
	if err == nil {
		err = a.file.Sync()
	}
	if e := a.file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	return nil
}

// publish gives the file its name.
func (a *atomicFile) publish() error {
	err := os.Rename(a.file.Name(), a.target)
	if err == nil {
		a.file = nil
	}
	return err
}

// discard removes the file unless it was published.
func (a *atomicFile) discard() {
	if a.file != nil {
		a.file.Close()
		os.Remove(a.file.Name())
	}
}

// output writes what write writes to the named file, or to stdout if there is no name or it is "-".
func (e *env) output(name string, write func(io.Writer) error) error {
	if name == "" || name == "-" {
		return write(e.stdout)
	}
	file, err := createAtomic(name)
	if err != nil {
		return err
	}
	defer file.discard()
	if err := write(file); err != nil {
		return err
	}
	if err := file.finish(); err != nil {
		return err
	}
	return file.publish()
}

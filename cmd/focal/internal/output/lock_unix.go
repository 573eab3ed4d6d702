//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package output

import (
	"fmt"
	"os"
	"syscall"
)

// lock keeps others from taking the file for one that was left behind. It ends with the process, however that ends. It is
// an error if another process has it locked; a file system that knows no locks has to do without.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == syscall.EWOULDBLOCK {
		return err
	}
	return nil
}

// reclaim removes a file that was left behind by a process that was killed.
func reclaim(name string) error {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular(): // to open a FIFO would wait
		return fmt.Errorf("%s is in the way", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	switch {
	case lock(f) != nil:
		return errBusy
	case !isNamed(f, name):
		return nil // it was published meanwhile
	}
	return os.Remove(name)
}

//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package output

import "os"

// lock does nothing: Windows removes no file that is open.
func lock(*os.File) error { return nil }

// reclaim removes a file that was left behind by a process that was killed.
func reclaim(name string) error {
	if os.Remove(name) != nil {
		return errBusy
	}
	return nil
}

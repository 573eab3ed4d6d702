// Package control lets this project's own commands and tests choose a path inside one process, so that paths can be
// compared call by call and timed interleaved. Users choose one with GODEBUG instead.
package control

// Paths returns the paths that this machine and this build have, the best one first; "generic" is the last.
var Paths func() []string

// SetPath makes the named path the one in use, and returns how to set the former one again. It panics if Paths does not
// return the name. No kernel may be running.
var SetPath func(name string) (restore func())

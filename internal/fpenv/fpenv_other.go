//go:build purego || !gc || (!amd64 && !arm64)

package fpenv

const available = false

var modes []Mode

func get() uint64 { return 0 }

func set(uint64) {}

//go:build purego || !amd64

package focal

import "unsafe"

// Without assembly the reference is the only path.

func bestPath() kernelPath { return pathGeneric }

func assemblyBlock(kernelPath, kernelID, unsafe.Pointer) bool { return false }

func assemblySigmoid(kernelPath, bool, unsafe.Pointer, unsafe.Pointer, int) bool { return false }

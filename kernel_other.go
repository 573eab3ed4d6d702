//go:build purego || !gc || (!amd64 && !arm64)

package focal

import "unsafe"

// Without assembly the reference is the only path.

func bestPath() kernelPath { return pathGeneric }

func assemblyBlock(kernelPath, kernelID, unsafe.Pointer) bool { return false }

func assemblySigmoid(kernelPath, bool, unsafe.Pointer, unsafe.Pointer, int) bool { return false }

func assemblyLabelsValid(kernelPath, []int32, uint32, int32) bool { return false }

func assemblyTargetsValid(kernelPath, bool, unsafe.Pointer, int) bool { return false }

func assemblyHardMask(kernelPath, bool, *bitmask, unsafe.Pointer, int) bool { return false }

func assemblyLabelMasks(_ kernelPath, _, _ *bitmask, _ []int32, _ int, _, _ int32) bool { return false }

package focal

import "github.com/gofocal/focal/internal/abi"

// What a kernel is told and what it leaves behind; see package abi.
type (
	block[T Float] = abi.Block[T]
	plan[T Float]  = abi.Plan[T]
	bitmask        = abi.Bitmask
	laneSums       = abi.LaneSums
)

const (
	blockLen  = abi.BlockLen
	laneCount = abi.Lanes
)

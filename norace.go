//go:build !race

package focal

const raceEnabled = false

func raceBlock[T Float](*block[T]) {}

func raceRead[E any](*E, int) {}

func raceWrite[E any](*E, int) {}

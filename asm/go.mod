module github.com/gofocal/focal/asm

go 1.25.0

require (
	golang.org/x/mod v0.23.0 // indirect
	golang.org/x/sync v0.11.0 // indirect
	golang.org/x/tools v0.30.0 // indirect
)

require (
	github.com/gofocal/focal v0.0.0
	github.com/mmcloughlin/avo v0.6.0
)

replace github.com/gofocal/focal => ../

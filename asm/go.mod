module github.com/gofocal/focal/asm

go 1.25.0

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	golang.org/x/mod v0.23.0 // indirect
	golang.org/x/sync v0.11.0 // indirect
	golang.org/x/tools v0.30.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

require (
	github.com/gofocal/focal v0.1.0
	github.com/mmcloughlin/avo v0.6.0
	github.com/stretchr/testify v1.10.0
	golang.org/x/arch v0.26.0
)

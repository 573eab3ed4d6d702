module github.com/gofocal/focal/asm/arm64

go 1.25.0

require (
	github.com/stretchr/testify v1.10.0
	golang.org/x/arch v0.26.0
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

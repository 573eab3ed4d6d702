module github.com/gofocal/focal/adapters/gonum

go 1.24.0

require (
	github.com/gofocal/focal v0.1.0
	github.com/stretchr/testify v1.10.0
	gonum.org/v1/gonum v0.17.0
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
	golang.org/x/tools v0.30.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

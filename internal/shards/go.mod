module github.com/gofocal/focal/internal/shards

go 1.25.0

require (
	github.com/gofocal/focal v0.1.0
	github.com/sbinet/npyio v0.6.0
	github.com/stretchr/testify v1.10.0
	github.com/x448/float16 v0.8.4
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
	gonum.org/v1/gonum v0.9.3 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

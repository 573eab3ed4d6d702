module github.com/gofocal/focal

go 1.24

require (
	github.com/stretchr/testify v1.10.0
	golang.org/x/sys v0.30.0
)

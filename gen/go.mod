module github.com/gofocal/focal/gen

go 1.24

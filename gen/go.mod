module github.com/gofocal/focal/gen

go 1.24

require github.com/gofocal/focal v0.0.0

require golang.org/x/sys v0.30.0 // indirect

replace github.com/gofocal/focal => ../

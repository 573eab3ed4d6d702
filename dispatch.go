package focal

// runBlock calls the kernel of the chosen path.
func runBlock[T Float](b *block[T]) { genericBlock(b) }

// runSigmoid calls the sigmoid kernel of the chosen path for n ≤ blockLen elements.
func runSigmoid[T Float](dst, x *T, n int) { genericSigmoid(dst, x, n) }

// Path returns the path that the kernels take in this process: "avx512", "avx2", "neon" or "generic".
func Path() string { return "generic" }

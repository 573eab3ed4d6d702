package focal

func withScratch[T Float](j *job[T]) {
	var s scratch[T]
	j.work(&s)
}

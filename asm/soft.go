package main
func (k *kernel) softBody() {}

//go:build !unix

package demo

// Nothing stops a process here: the rounds that would do without.
const canStop = false

func (l *life) stop() error   { return nil }
func (l *life) resume() error { return nil }

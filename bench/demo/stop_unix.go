//go:build unix

package demo

import "syscall"

// What a phone does to an extension.
const canStop = true

func (l *life) stop() error   { return l.signal(syscall.SIGSTOP) }
func (l *life) resume() error { return l.signal(syscall.SIGCONT) }

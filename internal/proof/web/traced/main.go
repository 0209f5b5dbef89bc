// Command traced does what Go's runtime asks its tables of functions for: it recovers, lets
// stacks grow and be scanned, and says what went wrong. It prints the same before and after
// web/dev/strip.mjs.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

type caught struct{ in string }

// inlined recovers where it is deferred itself, and not where another calls it.
func inlined() any { return recover() }

type named struct{ name string }

func (n named) recovers(into *caught) {
	if r := recover(); r != nil {
		into.in = fmt.Sprint(n.name, ": ", r)
	}
}

type wrapped struct{ named } // its method is made by the compiler

type recoverer interface{ recovers(*caught) }

// attempt tells what becomes of a panic in fn.
func attempt(name string, by recoverer, fn func()) {
	var c caught
	func() {
		defer by.recovers(&c)
		fn()
	}()
	fmt.Println(name, c.in)
}

// tooDeep: a recover that a deferred function's callee calls stops nothing.
func tooDeep() (stopped any) {
	defer func() { stopped = recover() }()
	defer func() { inlined() }()
	panic("from below")
}

type node struct {
	next *node
	pad  [64]int
}

// deep makes the stack grow, with pointers on it that the collector must find.
func deep(n int, above *node) int {
	here := &node{next: above}
	here.pad[n%64] = n
	if n == 0 {
		sum := 0
		runtime.GC()
		for at := here; at != nil; at = at.next {
			for _, p := range at.pad {
				sum += p
			}
		}
		return sum
	}
	return deep(n-1, here) + here.pad[n%64] - n
}

func main() {
	debug.SetGCPercent(1)
	var empty []int
	var nothing *node
	attempt("index", named{"method"}, func() { _ = empty[len(fmt.Sprint())+3] })
	attempt("slice", wrapped{named{"wrapper"}}, func() { _ = empty[len(fmt.Sprint())+1:] })
	attempt("nil", &wrapped{named{"pointer"}}, func() { nothing.pad[1]++ })
	attempt("division", named{"method"}, func() { _ = 1 / len(empty) })
	attempt("type", wrapped{named{"wrapper"}}, func() { _ = any(empty).(fmt.Stringer) })
	fmt.Println("deeper", tooDeep())
	var all sync.WaitGroup
	sums := make([]int, 8)
	for i := range sums {
		all.Go(func() { sums[i] = deep(2000+i, nil) })
	}
	all.Wait()
	fmt.Println("deep", sums)
	names := runtime.CallersFrames(callers())
	for more := true; more; {
		var f runtime.Frame
		f, more = names.Next()
		fmt.Println("frame", f.Function)
	}
	slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{AddSource: true})).Info("with a source")
	fmt.Println("stack", strings.Contains(string(debug.Stack()), "main.main"))
}

//go:noinline
func callers() []uintptr {
	all := make([]uintptr, 8)
	return all[:runtime.Callers(1, all)]
}

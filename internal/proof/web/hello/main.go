//go:build js

// Hello is the least that Go makes of a program with fmt and goroutines: what no program of
// Pawl for WebAssembly can be smaller than ("make wasm").
package main

import "fmt"

func main() {
	said := make(chan string)
	go func() { said <- "hello" }()
	fmt.Println(<-said)
}

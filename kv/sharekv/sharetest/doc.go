// Package sharetest tests engines that are shared by sharekv, and sharekv itself
// with an engine that costs nothing.
//
// [Run] opens a store several times in one process, [RunProcesses] in several,
// which are stopped and killed. Both take a [Subject], which says how to open it.
// [Journal] is the cheap engine: a memkv.Store and a file of what was committed.
// [Pipes] is a transport within one process.
package sharetest

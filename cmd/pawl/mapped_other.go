//go:build !linux && !darwin

package main

// isMapped does not know here: the store is looked at in a copy.
func isMapped(string) bool { return false }

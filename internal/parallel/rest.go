//go:build !js

package parallel

// Rest lets others have the processor where there is one for all, which a browser's pages
// and workers have: calls that compute for long call it between two parts. It must not be
// called in a function that JavaScript has called.
func Rest() {}

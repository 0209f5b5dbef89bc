//go:build !unix

package files

// nonblock is nothing: files there have no such kinds.
const nonblock = 0

//go:build !unix

package files

// NonBlock is nothing: files there have no such kinds.
const NonBlock = 0

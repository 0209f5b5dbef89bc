//go:build !libolm

package interop

func libolm() []Implementation { return nil }

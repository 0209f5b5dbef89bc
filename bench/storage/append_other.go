//go:build !linux

package main

import "os"

// appendSync appends a block and waits until it is on disk.
func appendSync(file *os.File, block []byte) error {
	if _, err := file.Write(block); err != nil {
		return err
	}
	return file.Sync()
}

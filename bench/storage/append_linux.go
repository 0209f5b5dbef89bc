package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// appendSync appends a block and waits until it is on disk.
func appendSync(file *os.File, block []byte) error {
	if _, err := file.Write(block); err != nil {
		return err
	}
	return unix.Fdatasync(int(file.Fd()))
}

//go:build !linux && !darwin

package sqlitekv

import "os"

const seesLocks = false

func setLock(*os.File, int64, bool) {}

// otherLocks adds nothing: this system does not say where others' locks are.
func otherLocks(_ *os.File, _, _ int64, found []int64) []int64 { return found }

func place(os.FileInfo) string { return "" }

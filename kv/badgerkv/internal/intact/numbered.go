package intact

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// numbered returns the numbers in the names of the files with a suffix, in
// rising order. Badger names its files by zero-padded numbers.
func (l *Layout) numbered(suffix string) ([]uint64, error) {
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the store: %w", err)
	}
	var numbers []uint64
	for _, entry := range entries {
		digits, match := strings.CutSuffix(entry.Name(), suffix)
		if !match {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return nil, damaged(entry.Name(), "the name is not a number")
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}

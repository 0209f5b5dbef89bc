package badgerkv

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/pawlkv/pawl/kv/internal/linked"
)

// Err32Bit: this program's int has 32 bits (386, arm, mips), and there Badger
// damages stores: the allocator that it builds tables with (ristretto's) shifts
// the number of a chunk by 32 in an int, gets 0, and writes over its first chunk.
// Nothing was touched. Use SQLite (kv/sqlitekv), which is right there. It is an
// errors.ErrUnsupported.
var Err32Bit = fmt.Errorf(
	"badgerkv: int has 32 bits here, where Badger damages stores: use SQLite (kv/sqlitekv): %w", errors.ErrUnsupported)

// checkProgram refuses to serve in a program in which what the engine promises
// does not hold.
func checkProgram(set *settings) error {
	if err := checkInt(strconv.IntSize); err != nil {
		return err
	}
	return checkLinked(set, linked.Program())
}

func checkInt(bits int) error {
	if bits < 64 {
		return Err32Bit
	}
	return nil
}

//go:build unix && !linux

package files

import (
	"errors"
	"os"
)

// nameless does not make files without a name here.
func nameless(string) (*os.File, error) { return nil, errors.ErrUnsupported }

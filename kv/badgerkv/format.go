package badgerkv

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/wire"
)

const (
	// formatText precedes the number of the format in its file, idText the
	// store's ID in the next line.
	formatText = "pawl store on badger, format "
	idText     = "id "
	format     = 1
)

func formatFile(id wire.ID) string {
	return fmt.Sprintf("%s%d\n%s%x\n", formatText, format, idText, id)
}

// readFormat reads the file that says which format the store has, and returns
// the ID of the store. A store without one has the ID zero.
func readFormat(path string) (id wire.ID, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return id, err
	}
	first, rest, _ := strings.Cut(string(data), "\n")
	number, ours := strings.CutPrefix(first, formatText)
	n, err := strconv.ParseUint(number, 10, 32)
	unreadable := fmt.Errorf("%w: %s: it is not readable", kv.ErrCorrupt, filepath.Base(path))
	switch {
	case !ours, err != nil, n == 0:
		return id, unreadable
	case n > format:
		return id, fmt.Errorf("%w: it has format %d, this one reads up to %d", ErrNewer, n, format)
	case rest == "":
		return id, nil
	}
	text, ours := strings.CutPrefix(strings.TrimSuffix(rest, "\n"), idText)
	if n, err := hex.Decode(id[:], []byte(text[:min(len(text), 2*len(id))])); !ours || err != nil || n != len(id) || len(text) != 2*len(id) {
		return id, unreadable
	}
	return id, nil
}

// errReplaced: what was opened is no longer at its path.
var errReplaced = errors.New("the store's directory was removed or replaced: close the store and open it again")

// checkSame returns an error unless the path still leads to the store that we
// know.
func checkSame(path string, known wire.ID) error {
	id, err := readFormat(filepath.Join(path, formatName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w: %w", kv.ErrUnavailable, errReplaced, err)
	case err != nil:
		return err
	case id != known:
		return fmt.Errorf("%w: %w: %s has another store", kv.ErrUnavailable, errReplaced, path)
	}
	return nil
}

package badgerkv

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
)

const (
	// formatText precedes the number of the format in its file, idText the
	// store's ID in the next line.
	formatText = "pawl store on badger, format "
	idText     = "id "
	format     = 1
)

func formatFile(id sharekv.ID) string {
	return fmt.Sprintf("%s%d\n%s%x\n", formatText, format, idText, id)
}

// readFormat reads the file that says which format the store has, and returns
// the ID of the store. A store without one has the ID zero.
func readFormat(path string) (id sharekv.ID, err error) {
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

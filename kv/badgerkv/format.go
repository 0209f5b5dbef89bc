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
)

func formatFile(format kv.Format, id sharekv.ID) string {
	return fmt.Sprintf("%s%d\n%s%x\n", formatText, format, idText, id)
}

// readFormat reads the file that says which format the store has, and the ID of
// the store. A store without one has the ID zero.
func readFormat(path string) (format kv.Format, id sharekv.ID, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, id, err
	}
	first, rest, _ := strings.Cut(string(data), "\n")
	number, ours := strings.CutPrefix(first, formatText)
	n, err := strconv.ParseUint(number, 10, 32)
	unreadable := fmt.Errorf("%w: %s: it is not readable", kv.ErrCorrupt, filepath.Base(path))
	switch {
	case !ours, err != nil, n == 0:
		return 0, id, unreadable
	case n > uint64(kv.NewestFormat):
		return 0, id, fmt.Errorf("%w: it has format %d, this one reads up to %d", ErrNewer, n, kv.NewestFormat)
	case rest == "":
		return kv.Format(n), id, nil
	}
	text, ours := strings.CutPrefix(strings.TrimSuffix(rest, "\n"), idText)
	if n, err := hex.Decode(id[:], []byte(text[:min(len(text), 2*len(id))])); !ours || err != nil || n != len(id) || len(text) != 2*len(id) {
		return 0, id, unreadable
	}
	return kv.Format(n), id, nil
}

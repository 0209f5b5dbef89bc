package badgerkv

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/internal/files"
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
	data, err := readOwn(path)
	if errors.Is(err, fs.ErrNotExist) && files.IsLink(path) {
		return 0, id, fmt.Errorf("%w: %s is a link that leads nowhere: put the file back", kv.ErrCorrupt, filepath.Base(path))
	}
	if errors.Is(err, files.ErrIrregular) {
		return 0, id, fmt.Errorf("%w: %w: put the file back", kv.ErrCorrupt, err)
	}
	if err != nil {
		return 0, id, err
	}
	first, rest, _ := strings.Cut(string(data), "\n")
	number, ours := strings.CutPrefix(first, formatText)
	n, err := strconv.ParseUint(number, 10, 32)
	unreadable := fmt.Errorf("%w: %s: it is not as it was written: put the file back", kv.ErrCorrupt, filepath.Base(path))
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

// maxFormat is more than a format file has.
const maxFormat = 1 << 10

// readOwn reads a small file of ours.
func readOwn(path string) ([]byte, error) {
	file, err := files.OpenOwn(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFormat))
}

// isManifest reports whether a directory has the manifest of a store of ours.
func isManifest(dir string) bool {
	head, err := readOwn(filepath.Join(dir, badger.ManifestFilename))
	return err == nil && len(head) >= 6 && string(head[:4]) == "Bdgr" && binary.BigEndian.Uint16(head[4:]) == magic
}

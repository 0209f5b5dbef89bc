package intact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pawlkv/pawl/internal/files"
)

// checkLogs follows the transactions through the logs, newest holds the newest
// version of the tables, and returns the newest of all.
func (l *Layout) checkLogs(newest uint64) (uint64, error) {
	numbers, err := l.numbered(".mem")
	if err != nil {
		return 0, err
	}
	head := newest
	for _, n := range numbers {
		log, err := l.readLog(logName(n))
		if err != nil {
			return 0, err
		}
		if log.size == 0 {
			continue // created or dropped at the moment of a crash
		}
		if head, err = log.check(head); err != nil {
			return 0, err
		}
	}
	return head, nil
}

func logName(n uint64) string { return fmt.Sprintf("%05d.mem", n) }

type logFile struct {
	layout *Layout
	name   string
	size   int64
	data   []byte // without most of the zeros at the end
}

// readLog reads a log. Most of it is a hole that has not been written to yet.
func (l *Layout) readLog(name string) (*logFile, error) {
	path := filepath.Join(l.Dir, name)
	file, err := files.OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	f := &logFile{layout: l, name: name}
	part := make([]byte, readSize)
	for {
		n, err := io.ReadFull(file, part)
		if end := nonZero(part[:n]); end > 0 {
			f.data = append(f.data, make([]byte, int(f.size)-len(f.data))...)
			f.data = append(f.data, part[:end]...)
		}
		f.size += int64(n)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			// The last entry and the header may end with zeros of their own.
			f.data = append(f.data, make([]byte, min(logHeader, int(f.size)-len(f.data)))...)
			return f, nil
		case err != nil:
			return nil, unreadable(path, err)
		}
	}
}

// blank is what most of a log consists of.
var blank [4 << 10]byte

// nonZero returns the length of part without the zeros at its end, of which there
// may be many: compared by the page they take a third of the time.
func nonZero(part []byte) int {
	for len(part) >= len(blank) && bytes.Equal(part[len(part)-len(blank):], blank[:]) {
		part = part[:len(part)-len(blank)]
	}
	return len(bytes.TrimRight(part, "\x00"))
}

// check replays the log after head and returns the new head. A log may begin
// before head: a crash came between writing its table and deleting it.
func (f *logFile) check(head uint64) (uint64, error) {
	if f.size < logHeader || binary.BigEndian.Uint64(f.data) != 0 {
		return 0, damaged(f.name, "its first bytes are bad")
	}
	at, last := logHeader, uint64(0)
	for {
		version, size := nextTxn(f.data[at:])
		if size == 0 {
			break
		}
		if after := max(last, head); version > after+1 || last != 0 && version != last+1 {
			return 0, damaged(f.name, "version %d follows version %d", version, after)
		}
		at, last = at+size, version
	}
	head = max(head, last)
	return head, f.checkTail(at, max(last, head))
}

// checkTail judges what comes after the last whole transaction.
func (f *logFile) checkTail(at int, last uint64) error {
	if f.size != f.layout.LogSize && f.size != int64(at) {
		return damaged(f.name, "it was cut off at byte %d: versions up to %d are left", f.size, last)
	}
	for rest := f.data[at:]; len(rest) > 0; {
		if !plausible(rest) {
			rest = rest[1:]
			continue
		}
		e, ok := decodeEntry(rest)
		if !ok {
			rest = rest[1:]
			continue
		}
		if synced, tells := f.layout.Durable(e.key, e.value); tells && e.version > last && synced > last {
			return damaged(f.name, "bad bytes after version %d, and versions up to %d had been stored", last, synced)
		}
		rest = rest[e.size:]
	}
	return nil
}

// nextTxn returns the version and the size of the transaction that data begins
// with, 0 and 0 if no whole one does.
func nextTxn(data []byte) (uint64, int) {
	var version uint64
	for at := 0; ; {
		e, ok := decodeEntry(data[at:])
		if !ok {
			return 0, 0
		}
		at += e.size
		switch {
		case e.flags&flagTxn != 0:
			if version == 0 {
				version = e.version
			}
			if e.version != version {
				return 0, 0
			}
		case e.flags&flagEnd != 0:
			end, err := strconv.ParseUint(string(e.value), 10, 64)
			if err != nil || end != version || version == 0 {
				return 0, 0
			}
			return version, at
		default:
			return 0, 0
		}
	}
}

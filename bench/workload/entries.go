package workload

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pawlkv/pawl/kv"
)

// A file of entries is what a store begins with: keys and values, each after
// its length.

type entryWriter struct {
	file *os.File
	buf  *bufio.Writer
}

func createEntries(path string) (*entryWriter, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &entryWriter{file, bufio.NewWriterSize(file, 1<<20)}, nil
}

func (w *entryWriter) add(key string, value []byte) error {
	var length [2 * binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(key)))
	n += binary.PutUvarint(length[n:], uint64(len(value)))
	w.buf.Write(length[:n])
	w.buf.WriteString(key)
	_, err := w.buf.Write(value) // repeats the errors before it
	return err
}

func (w *entryWriter) close() error { return errors.Join(w.buf.Flush(), w.file.Close()) }

// Bounds of a commit while filling: below kv's.
const (
	fillWrites = 4000
	fillBytes  = kv.EmbeddedBytes / 2
)

// fill puts a file of entries into an empty store, and syncs the last of them.
func fill(ctx context.Context, store kv.Store, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<20)
	limits := store.Limits()
	writes, bytes := min(fillWrites, limits.Writes), min(fillBytes, limits.Bytes/2)
	for done := false; !done; {
		b := &kv.Batch{ID: kv.NewCommitID(0)}
		if done, err = readBatch(r, b, writes, bytes); err != nil {
			return err
		}
		b.Sync = done
		if _, err := store.Commit(ctx, b); err != nil {
			return fmt.Errorf("workload: fill the store: %w", err)
		}
	}
	return nil
}

func readBatch(r *bufio.Reader, b *kv.Batch, writes, bytes int) (done bool, err error) {
	for size := 0; len(b.Writes) < writes && size < bytes; {
		w, err := readEntry(r)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("workload: entries: %w", err)
		}
		b.Writes = append(b.Writes, w)
		size += len(w.Key) + len(w.Value)
	}
	_, err = r.Peek(1)
	return errors.Is(err, io.EOF), nil
}

// readEntry returns io.EOF after the last.
func readEntry(r *bufio.Reader) (kv.Write, error) {
	keySize, err := binary.ReadUvarint(r)
	if err != nil {
		return kv.Write{}, err
	}
	valueSize, err := binary.ReadUvarint(r)
	if err == nil && (keySize > kv.MaxKey || valueSize > kv.EmbeddedBytes) {
		err = kv.ErrTooLarge
	}
	if err != nil {
		return kv.Write{}, noEOF(err)
	}
	b := make([]byte, keySize+valueSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return kv.Write{}, noEOF(err)
	}
	return kv.Write{Key: string(b[:keySize]), Value: b[keySize:]}, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

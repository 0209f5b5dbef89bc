package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/txn"
)

// benchCase is one operation and how many do it at a time.
type benchCase struct {
	name    string
	writers int
	op      operation
}

// Names of the cases, by which the targets refer to them.
const (
	rawAppend  = "append 4 KiB + sync"
	rawQueue   = "16 of them in a row"
	badgerOne  = "Badger SyncWrites, 1 writer"
	badgerMany = "Badger SyncWrites, 64 writers, a key each"
	pawlOne    = "Pawl, 1 writer"
	pawlHot    = "Pawl, 16 writers, one key"
	pawlMany   = "Pawl, 64 writers, a key each"
)

// bed is what the cases run on.
type bed struct {
	value  []byte
	file   *os.File
	badger *badger.DB
	store  *badgerkv.Store
	db     *txn.DB
}

func newBed(dir string, config Config) (*bed, error) {
	file, err := os.Create(filepath.Join(dir, "append"))
	if err != nil {
		return nil, err
	}
	plain, err := badger.Open(badger.DefaultOptions(filepath.Join(dir, "badger")).WithSyncWrites(true).WithLogger(nil))
	if err != nil {
		return nil, err
	}
	store, err := badgerkv.Open(filepath.Join(dir, "pawl"))
	if err != nil {
		return nil, err
	}
	return &bed{
		value: make([]byte, config.Value), file: file, badger: plain,
		store: store, db: txn.New(store, txn.WithSealer(txn.Plaintext)),
	}, nil
}

func (b *bed) close() error {
	return errors.Join(b.file.Close(), b.badger.Close(), b.store.Close())
}

func (b *bed) cases() []benchCase {
	block := make([]byte, 4096)
	return []benchCase{
		{rawAppend, 1, func(context.Context, int) error { return appendSync(b.file, block) }},
		{rawQueue, 1, func(context.Context, int) error { return b.appendMany(block, 16) }},
		{badgerOne, 1, b.badgerRMW},
		{pawlOne, 1, b.pawlRMW},
		{badgerMany, 64, b.badgerRMW},
		{pawlMany, 64, b.pawlRMW},
		{pawlHot, 16, b.pawlHotRMW},
	}
}

// appendMany is what the last of n writers waits for who take turns without any
// cost but the disk's.
func (b *bed) appendMany(block []byte, n int) error {
	for range n {
		if err := appendSync(b.file, block); err != nil {
			return err
		}
	}
	return nil
}

func key(writer int) string { return fmt.Sprintf("account/session/%08d", writer) }

// badgerRMW reads a value and writes it back in a Badger transaction.
func (b *bed) badgerRMW(_ context.Context, writer int) error {
	name := []byte(key(writer))
	return b.badger.Update(func(tx *badger.Txn) error {
		item, err := tx.Get(name)
		if err == nil {
			_, err = item.ValueCopy(nil)
		} else if errors.Is(err, badger.ErrKeyNotFound) {
			err = nil
		}
		return errors.Join(err, tx.Set(name, b.value))
	})
}

// pawlRMW does the same through the storage contract.
func (b *bed) pawlRMW(ctx context.Context, writer int) error {
	name := key(writer)
	snapshot := b.store.Snapshot()
	defer snapshot.Close()
	entries, err := snapshot.Get(ctx, name)
	if err != nil {
		return err
	}
	began, err := snapshot.Version(ctx)
	if err != nil {
		return err
	}
	_, err = b.store.Commit(ctx, &kv.Batch{
		ID:     kv.NewCommitID(began),
		Reads:  []kv.Read{{Key: name, Version: entries[0].Version}},
		Writes: []kv.Write{{Key: name, Value: b.value}},
		Sync:   true,
	})
	return err
}

// hotRecord is the one key that many write.
var hotRecord = txn.Single[blob]{Kind: "hot", Codec: txn.Binary(decodeBlob)}

// blob is a value that is its own encoding.
type blob []byte

func (v blob) AppendBinary(b []byte) ([]byte, error) { return append(b, v...), nil }

func decodeBlob(b []byte) (blob, error) { return b, nil }

// pawlHotRMW does it as callers do, with what package txn does about conflicts.
func (b *bed) pawlHotRMW(ctx context.Context, _ int) error {
	_, err := txn.Do(ctx, b.db, func(tx *txn.Tx) (struct{}, error) {
		if _, _, err := hotRecord.Get(tx); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, hotRecord.Put(tx, b.value)
	})
	return err
}

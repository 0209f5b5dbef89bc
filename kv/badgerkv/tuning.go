package badgerkv

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/pawlkv/pawl/kv"
)

// Sizes that Badger's behaviour follows from. A store that is opened with a
// smaller memTable than it was written with ends the process when its log is
// replayed: change it upwards only.
const (
	// memTable is the size at which a memtable gives way to the next. Badger
	// takes transactions of up to 15% of it, which must hold the largest batch.
	memTable = 16 << 20
	// logSize is the size of the file that Badger makes for a memtable's log.
	logSize = 2 * memTable
	// maxGroup, maxGroupWrites and maxGroupBatches bound one transaction, so that
	// with our own entries (24 bytes an ID in its slot, and at every slots-th
	// version a chunk of 32 bytes an ID and some deletions) it stays under Badger's limits: 15% of
	// memTable, and 26,214 entries. Any single batch fits.
	maxGroup        = kv.EmbeddedBytes + kv.EmbeddedWrites*writeCost
	maxGroupWrites  = 2 * kv.EmbeddedWrites
	maxGroupBatches = 128
	writeCost       = 16 // what Badger adds to a key and its value, and our prefix
	// piece is the longest value that is stored in one: from 1 MiB on Badger
	// would put it into its value log, which is neither covered by the sync of
	// the memtable's log nor by our checks. Ours stays empty.
	piece     = 512 << 10
	maxLevels = 7
	// baseLevel is the size up to which the level below level 0 is the last one,
	// so that a store of few sessions has no others.
	baseLevel = 64 << 20
	// maxFresh is how many tables level 0 may have when the store is opened
	// before they are merged when it is closed.
	maxFresh = 4
	// tableSize is the size of tables below level 0. A compaction builds up to
	// 13 of them at a time and takes twice their size of memory for each.
	tableSize = 1 << 20
	// magic is ours in Badger's manifest, so that other programs' Badger does
	// not take the directory for its own.
	magic = 0x5057
)

// badgerOptions keep memory small: no caches (table pages are the kernel's), no
// compression, few memtables of which each takes memTable and a little more.
func badgerOptions(dir string, logger *slog.Logger, written func()) badger.Options {
	small := badger.DefaultOptions(dir)
	small.TableSizeMultiplier = 1
	return small.
		WithLogger(&badgerLog{to: logger.With(slog.String("from", "badger")), written: written}).
		WithExternalMagic(magic).
		WithSyncWrites(false). // the committer syncs
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1). // and those that open snapshots need
		WithMemTableSize(memTable).
		WithNumMemtables(2).
		WithBaseTableSize(tableSize).
		WithBaseLevelSize(baseLevel).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(1 << 20).
		WithMaxLevels(maxLevels).
		WithNumCompactors(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(3).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithMetricsEnabled(false)
}

// badgerLog passes Badger's messages on. Badger has no other sign of having
// written files than that it says so.
type badgerLog struct {
	to      *slog.Logger
	written func()
}

func (l *badgerLog) Errorf(format string, args ...any)   { l.log(slog.LevelError, format, args) }
func (l *badgerLog) Warningf(format string, args ...any) { l.log(slog.LevelWarn, format, args) }
func (l *badgerLog) Debugf(format string, args ...any)   { l.log(slog.LevelDebug, format, args) }

func (l *badgerLog) Infof(format string, args ...any) {
	l.log(slog.LevelInfo, format, args)
	l.written()
}

func (l *badgerLog) log(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if l.to.Enabled(ctx, level) {
		l.to.Log(ctx, level, strings.TrimSuffix(fmt.Sprintf(format, args...), "\n"))
	}
}

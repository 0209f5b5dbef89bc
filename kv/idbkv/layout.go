package idbkv

import (
	"encoding/binary"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// What the object stores hold, all of it bytes in Uint8Arrays, which IndexedDB
// compares as keys byte by byte:
//
//	meta     name -> number            what the database is, and its format
//	entries  key -> version, value     version as 8 bytes, big-endian
//	commits  version -> {id}           began and random, and one byte more if refused
//	changes  version -> keys written   as watch.EncodeChanges has them
//	turns    ticket -> note            turns that are granted, of all tabs
//
// Each commit and each refusal has a version and a row of its own in commits and in
// changes, so the newest n rows are those of the newest n versions.

const versionSize = 8

// encodeEntry is the value of an entry.
func encodeEntry(version kv.Version, value []byte) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, versionSize+len(value)), uint64(version))
	return append(b, value...)
}

// decodeVersion reads the version from the first bytes of a stored entry.
func decodeVersion(key string, b []byte) (kv.Version, error) {
	if len(b) >= versionSize {
		if version := kv.Version(binary.BigEndian.Uint64(b)); version > 0 && version <= kv.MaxVersion {
			return version, nil
		}
	}
	return 0, fmt.Errorf("%w: the entry of key %q has no version", kv.ErrCorrupt, key)
}

func decodeEntry(key string, b []byte) (kv.Entry, error) {
	version, err := decodeVersion(key, b)
	if err != nil {
		return kv.Entry{Key: key}, err
	}
	return kv.Entry{Key: key, Value: b[versionSize:], Version: version}, nil
}

// encodeID is a commit ID in a row of commits.
func encodeID(id kv.CommitID) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(id.Random)+1), uint64(id.Began))
	return append(b, id.Random[:]...)
}

// encodeRefused is the ID of a batch that was refused although it came again. It sorts
// right behind the same ID applied.
func encodeRefused(id kv.CommitID) []byte { return append(encodeID(id), 1) }

// isRefused reports which of the two an encoded ID is.
func isRefused(b []byte) bool { return len(b) > 8+16 }

// successor returns the first key after all that have the prefix, "" if there
// is none.
func successor(prefix string) string {
	end := []byte(prefix)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) == 0 {
		return ""
	}
	end[len(end)-1]++
	return string(end)
}

// maxSurplus bounds how many rows more than wanted are kept.
const maxSurplus = 256

// dropUpTo returns the version up to which rows are dropped when a commit brings a
// store from one version to another, 0 for none: those that are no longer among the
// newest keep, now and then. No tab has to know what another has dropped.
func dropUpTo(before, now kv.Version, keep int) kv.Version {
	step := kv.Version(min(maxSurplus, keep))
	if before/step == now/step || now <= kv.Version(keep) {
		return 0
	}
	return now - kv.Version(keep)
}

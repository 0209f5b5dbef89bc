package conform

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// request is a line to the program. The parts of the call that it makes are set.
type request struct {
	ID    int64  `json:"id"`
	Call  string `json:"call"`
	Ended string `json:"ended,omitempty"` // how the caller's context ended before the call

	*ofStore
	*ofView
	*ofKeys
	*ofPrefix
	*ofScan
	*ofCommit
	*ofRelease
	*ofWatch
	*ofSince
	*ofCancel
}

type (
	ofStore struct { // open
		Path string `json:"path"`
	}
	ofView struct { // get, scan, version, end
		View int64 `json:"view"`
	}
	ofKeys struct { // get, turn
		Keys [][]byte `json:"keys"`
	}
	ofPrefix struct { // scan, watch
		Prefix []byte `json:"prefix"`
	}
	ofScan struct {
		After []byte `json:"after"` // entries behind this key; null at first
		Most  int    `json:"most"`
	}
	ofCommit struct {
		Began  kv.Version `json:"began"`
		Random []byte     `json:"random"`
		Reads  []read     `json:"reads"`
		Scans  []scanRead `json:"scans"`
		Writes []write    `json:"writes"`
		Turn   kv.TurnID  `json:"turn"`
		Sync   bool       `json:"sync"`
		Again  bool       `json:"again"`
	}
	ofRelease struct {
		Granted kv.TurnID `json:"granted"`
	}
	ofWatch struct { // watch, next, unwatch
		Watch int64 `json:"watch"`
	}
	ofSince struct { // watch
		Since kv.Version `json:"since"`
	}
	ofCancel struct {
		Of  int64  `json:"of"`
		Why string `json:"why"`
	}

	read struct {
		Key     []byte     `json:"key"`
		Version kv.Version `json:"version"`
	}
	scanRead struct {
		Prefix  []byte `json:"prefix"`
		Entries []read `json:"entries"`
	}
	write struct {
		Key    []byte `json:"key"`
		Value  []byte `json:"value"` // null with delete
		Delete bool   `json:"delete"`
	}
)

// answer is a line of the program.
type answer struct {
	ID int64 `json:"id"`

	Error    string   `json:"error"`
	Text     string   `json:"text"`     // for people
	Keys     [][]byte `json:"keys"`     // of a conflict
	Prefixes [][]byte `json:"prefixes"` // likewise

	Limits  *limits    `json:"limits"`
	Entries []entry    `json:"entries"`
	More    bool       `json:"more"`
	Version kv.Version `json:"version"`
	Turn    kv.TurnID  `json:"turn"`
	Change  *change    `json:"change"`
}

type (
	limits struct {
		Bytes      int `json:"bytes"`
		Writes     int `json:"writes"`
		Checks     int `json:"checks"`
		CommitIDs  int `json:"commit_ids"`
		TurnLifeMS int `json:"turn_life_ms"`
	}
	entry struct {
		Key     []byte     `json:"key"`
		Value   []byte     `json:"value"` // null if it is absent
		Version kv.Version `json:"version"`
	}
	change struct {
		Key     []byte     `json:"key"`
		Version kv.Version `json:"version"`
		Head    kv.Version `json:"head"`
		Resync  bool       `json:"resync"`
	}
)

// errorNames are the errors that a program may answer, by their names.
var errorNames = map[string]error{
	"conflict": kv.ErrConflict, "refused": kv.ErrRefused, "unknown": kv.ErrUnknown, "expired": kv.ErrExpired,
	"undecided": kv.ErrUndecided, "unavailable": kv.ErrUnavailable, "closed": kv.ErrClosed, "too_large": kv.ErrTooLarge,
	"invalid": kv.ErrInvalid, "disk_full": kv.ErrDiskFull, "corrupt": kv.ErrCorrupt, "in_use": kv.ErrInUse,
	"foreign": kv.ErrForeign, "newer": kv.ErrNewer, "unusable": kv.ErrUnusable,
	"canceled": context.Canceled, "deadline": context.DeadlineExceeded,
}

// err is the error of an answer to a call with a context.
func (a *answer) err(ctx context.Context) error {
	named, known := errorNames[a.Error]
	switch {
	case a.Error == "":
		return nil
	case !known:
		return fmt.Errorf("conform: the program answers with the error %q, which is not in docs/port/conform.md: %s", a.Error, a.Text)
	case a.Error == "conflict" && len(a.Keys)+len(a.Prefixes) > 0:
		return &kv.ConflictError{Keys: keysOf(a.Keys), Prefixes: keysOf(a.Prefixes)}
	case errors.Is(named, kv.ErrUnknown) && ctx.Err() != nil:
		return fmt.Errorf("%w: %w", named, ctx.Err())
	case a.Text != "":
		return fmt.Errorf("%w: %s", named, a.Text)
	}
	return named
}

// why names how a context has ended; empty if it has not.
func why(ctx context.Context) string {
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline"
	case err != nil:
		return "canceled"
	}
	return ""
}

func keysOf(list [][]byte) (keys []string) {
	for _, key := range list {
		keys = append(keys, string(key))
	}
	return keys
}

// bytesOf is never null in JSON.
func bytesOf(keys []string) [][]byte {
	list := make([][]byte, 0, len(keys))
	for _, key := range keys {
		list = append(list, []byte(key))
	}
	return list
}

func readsOf(reads []kv.Read) []read {
	list := make([]read, 0, len(reads))
	for _, r := range reads {
		list = append(list, read{[]byte(r.Key), r.Version})
	}
	return list
}

package broken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Commit implements kv.Store.
func (s *Store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.Limits()); err != nil && !s.overlooks(b, err) {
		return 0, err
	}
	if s.flaw == CancelIgnored {
		ctx = context.WithoutCancel(ctx)
	}
	if err := ctx.Err(); err != nil {
		return s.canceled(b, err)
	}
	switch {
	case s.flaw == LimitsOverstated && b.Check(halved(s.Limits())) != nil:
		return 0, kv.ErrTooLarge
	case s.flaw == TurnsStrict && b.Turn != 0 && !s.recent(b.Turn):
		return 0, kv.ErrInvalid
	}
	leave, waited := func() {}, error(nil)
	switch s.flaw {
	case TurnsIgnored:
	case TurnsGlobal:
		leave, waited = s.turns.Enter(ctx, &kv.Batch{Turn: b.Turn, Writes: []kv.Write{{Key: "*"}}})
	default:
		leave, waited = s.turns.Enter(ctx, b)
	}
	if waited == nil {
		defer leave()
	}
	if err := ctx.Err(); err != nil && s.flaw == CancelLies {
		return s.canceled(b, err)
	}
	outlasts := errors.Is(waited, kv.ErrClosed) && (s.flaw == CloseOutwaited || s.flaw == CloseLies)
	if waited != nil && !outlasts {
		return 0, waited
	}
	version, err := s.apply(b, outlasts || s.flaw == CloseIgnored)
	if outlasts && s.flaw == CloseLies {
		return 0, kv.ErrClosed
	}
	return version, err
}

func (s *Store) overlooks(b *kv.Batch, err error) bool {
	switch s.flaw {
	case LimitIgnored:
		return errors.Is(err, kv.ErrTooLarge)
	case EmptyScansFree:
		fewer := *b
		fewer.Scans = slices.DeleteFunc(slices.Clone(b.Scans), func(r kv.ScanRead) bool { return len(r.Entries) == 0 })
		return fewer.Check(s.Limits()) == nil
	case InvalidIgnored:
		return errors.Is(err, kv.ErrInvalid)
	}
	return false
}

func halved(limits kv.Limits) kv.Limits {
	limits.Writes, limits.Bytes, limits.Checks = limits.Writes/2, limits.Bytes/2, limits.Checks/2
	return limits
}

func (s *Store) canceled(b *kv.Batch, err error) (kv.Version, error) {
	if s.flaw == CancelIsUnknown {
		return 0, fmt.Errorf("%w: %w", kv.ErrUnknown, err)
	}
	if s.flaw == CancelLies {
		_, _ = s.apply(b, false)
	}
	return 0, s.closedOr(err)
}

// closedOr returns kv.ErrClosed if the store is closed, err otherwise.
func (s *Store) closedOr(err error) error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.closed {
		return kv.ErrClosed
	}
	return err
}

func (s *Store) apply(b *kv.Batch, evenClosed bool) (kv.Version, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.closed && !evenClosed {
		return 0, kv.ErrClosed
	}
	if s.flaw == CheckBeforeID {
		if err := s.validate(b); err != nil {
			return 0, err
		}
	}
	if b.Again && s.flaw == RefusesApplied {
		if err := s.validate(b); err != nil {
			return 0, err
		}
	}
	if version, err := s.resolve(b); version != 0 || err != nil {
		return version, err
	}
	if b.Again && s.flaw == RefusesUnknown {
		return 0, kv.ErrRefused
	}
	if err := s.validate(b); err != nil {
		s.mistreat(b)
		if b.Again && len(b.Writes) > 0 {
			s.refuse(b.ID)
		}
		return 0, err
	}
	if len(b.Writes) == 0 {
		if s.flaw == StoresEmptyIDs {
			s.remember(b.ID, s.disk.head)
		}
		return s.disk.head, nil
	}
	if s.flaw == CheckThenAct {
		s.pause()
	}
	s.applyWrites(b)
	return s.disk.head, nil
}

// mistreat leaves a trace of a batch that was refused.
func (s *Store) mistreat(b *kv.Batch) {
	switch {
	case s.flaw == WriteOnConflict && len(b.Writes) > 0:
		s.disk.head++
		s.write(b.Writes[0])
	case s.flaw == RemembersAll:
		s.remember(b.ID, s.disk.head)
	}
}

// refuse records an ID at a version of its own: it is dropped by that.
func (s *Store) refuse(id kv.CommitID) {
	switch s.flaw {
	case ForgetsRefused:
		return
	case RefusedRenewed, RefusedClog:
	default:
		s.disk.head++
		s.hub.Publish(s.disk.head)
	}
	s.disk.refused[id] = true
	s.remember(id, s.disk.head)
}

// pause lets others in, in the middle of a commit.
func (s *Store) pause() {
	s.disk.mu.Unlock()
	runtime.Gosched()
	s.disk.mu.Lock()
}

func (s *Store) applyWrites(b *kv.Batch) {
	if s.flaw == ViewLags {
		s.before = maps.Clone(s.disk.entries)
	}
	deletion := func(w kv.Write) bool { return w.Delete }
	uncounted := s.flaw == DeletionsUncount && !slices.ContainsFunc(b.Writes, func(w kv.Write) bool { return !deletion(w) })
	if !uncounted {
		s.disk.head++
	}
	for i, w := range b.Writes {
		if i > 0 && s.flaw == TornWrites {
			s.pause()
		}
		s.write(w)
	}
	s.remember(b.ID, s.disk.head)
	s.hub.Publish(s.disk.head, b.Writes)
}

func (s *Store) write(w kv.Write) {
	old := s.disk.entries[w.Key]
	entry := kv.Entry{Key: w.Key, Value: bytes.Clone(w.Value), Version: s.disk.head}
	switch {
	case w.Delete && s.flaw == DeletedShows:
		entry.Value = nil
	case w.Delete, s.flaw == EmptyIsAbsent && len(w.Value) == 0:
		delete(s.disk.entries, w.Key)
		return
	case s.flaw == SameValueSkipped && old.Exists() && bytes.Equal(old.Value, w.Value):
		return
	case s.flaw == ReusesBytes && len(old.Value) == len(w.Value):
		copy(old.Value, w.Value)
		entry.Value = old.Value
	case s.flaw == VersionsRestart:
		entry.Version = old.Version + 1
	case s.flaw == KeepsValue:
		entry.Value = w.Value
	}
	s.disk.entries[w.Key] = entry
}

// resolve returns the version at which the ID was applied, 0 if it was not.
func (s *Store) resolve(b *kv.Batch) (kv.Version, error) {
	if len(b.Writes) == 0 || s.flaw == ForgetIDs {
		return 0, nil
	}
	if s.disk.refused[b.ID] {
		return 0, kv.ErrRefused
	}
	if version, known := s.disk.ids[b.ID]; known {
		return version, nil
	}
	if b.ID.Began < s.disk.dropped && s.flaw != NeverExpires {
		return 0, kv.ErrExpired
	}
	return 0, nil
}

func (s *Store) remember(id kv.CommitID, version kv.Version) {
	s.disk.ids[id] = version
	s.disk.order = append(s.disk.order, id)
	if len(s.disk.order) > s.disk.commitIDs {
		oldest := s.disk.order[0]
		s.disk.order = s.disk.order[1:]
		if s.disk.dropped = s.disk.ids[oldest]; s.flaw == RefusedClog && s.disk.refused[oldest] {
			s.disk.dropped++
		}
		delete(s.disk.ids, oldest)
		delete(s.disk.refused, oldest)
	}
}

func (s *Store) validate(b *kv.Batch) error {
	if len(b.Writes) == 0 && s.flaw == SkipEmpty {
		return nil
	}
	var stale kv.ConflictError
	for _, r := range b.Reads {
		if !s.holds(r) {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, scan := range b.Scans {
		if !s.holdsScan(scan) {
			stale.Prefixes = append(stale.Prefixes, scan.Prefix)
		}
	}
	if s.flaw == CoarseConflicts && b.ID.Began < s.disk.head {
		return &kv.ConflictError{Keys: []string{"*"}}
	}
	switch {
	case len(stale.Keys)+len(stale.Prefixes) == 0:
		return nil
	case s.flaw == SkipNames:
		return kv.ErrConflict
	}
	return &stale
}

func (s *Store) holds(r kv.Read) bool {
	now := s.disk.entries[r.Key].Version
	return now == r.Version || s.flaw == SkipReads ||
		s.flaw == SkipAbsence && r.Version == 0 || s.flaw == SkipExistence && now == 0
}

func (s *Store) holdsScan(scan kv.ScanRead) bool {
	switch s.flaw {
	case SkipScans:
		return true
	case SkipPhantoms:
		return !slices.ContainsFunc(scan.Entries, func(r kv.Read) bool { return !s.holds(r) })
	}
	var now []kv.Read
	for _, key := range slices.Sorted(maps.Keys(s.disk.entries)) {
		if strings.HasPrefix(key, scan.Prefix) {
			now = append(now, kv.Read{Key: key, Version: s.disk.entries[key].Version})
		}
	}
	return slices.Equal(now, scan.Entries)
}

package pawlmautrix

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
	"weak"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// inbound is what mautrix-go keeps with a session of somebody, beside its key.
type inbound struct {
	Chains        []string             `json:"chains,omitempty"`
	Safety        crypto.RatchetSafety `json:"safety"`
	ReceivedAt    time.Time            `json:"received_at"`
	MaxAge        int64                `json:"max_age,omitempty"` // milliseconds
	MaxMessages   int                  `json:"max_messages,omitempty"`
	SharedHistory *bool                `json:"shared_history,omitempty"`
	Scheduled     bool                 `json:"scheduled,omitempty"`
	BackupVersion id.KeyBackupVersion  `json:"backup_version,omitempty"`
	Source        id.KeySource         `json:"source,omitempty"`
	User          id.UserID            `json:"user,omitempty"`
}

// PutGroupSession implements crypto.Store. A copy that came is joined to what is stored:
// nothing that could be read is lost. An object that came from this store, and was
// advanced since, is a deletion: what is before it is forgotten, in whichever process.
func (s *Store) PutGroupSession(ctx context.Context, igs *crypto.InboundGroupSession) error {
	if igs == nil || igs.Internal == nil {
		return fmt.Errorf("%w: a session without its key", ErrHandle)
	}
	first := igs.Internal.FirstKnownIndex()
	key, err := keyOf(igs, first)
	if err != nil {
		return err
	}
	if had, ok := s.gave(igs); ok {
		if first > had {
			if _, err := s.machine.ForgetRoomKeys(ctx, pawl.Forgetting{Session: key.Key.ID(), Below: uint64(first)}); err != nil {
				return err
			}
		}
	} else if err := s.join(ctx, key); err != nil {
		return err
	}
	if err := s.drop(ctx, spaceWithheld, string(igs.ID())); err != nil {
		return err
	}
	return put(ctx, s, spaceInbound, string(igs.ID()), inbound{
		igs.ForwardingChains, igs.RatchetSafety, igs.ReceivedAt, igs.MaxAge, igs.MaxMessages, igs.SharedHistory, igs.IsScheduled,
		igs.KeyBackupVersion, igs.KeySource, igs.SourceUser,
	})
}

func (s *Store) join(ctx context.Context, key pawl.RoomKey) error {
	done, err := s.machine.PutRoomKeys(ctx, []pawl.RoomKey{key})
	if err == nil && len(done.Refused) > 0 {
		err = done.Refused[0].Err
	}
	return err
}

// keyOf is the key of a session of mautrix-go's, from an index on.
func keyOf(igs *crypto.InboundGroupSession, first uint32) (pawl.RoomKey, error) {
	exported, err := igs.Internal.Export(first)
	if err != nil {
		return pawl.RoomKey{}, err
	}
	raw, err := base64.RawStdEncoding.DecodeString(string(exported))
	if err != nil {
		return pawl.RoomKey{}, err
	}
	key, err := group.ParseExportedKey(raw)
	if err != nil {
		return pawl.RoomKey{}, err
	}
	source := group.Source{Provenance: provenances[igs.KeySource], SharedHistory: igs.SharedHistory != nil && *igs.SharedHistory}
	if source.Provenance == 0 {
		source.Provenance = group.File
	}
	if source.Sender, err = ratchet.ParsePublicKey(string(igs.SenderKey)); err != nil {
		return pawl.RoomKey{}, fmt.Errorf("failed to read the sender's key: %w", err)
	}
	if igs.SigningKey != "" {
		if source.Claimed, err = account.ParseVerifyKey(string(igs.SigningKey)); err != nil {
			return pawl.RoomKey{}, fmt.Errorf("failed to read the sender's key: %w", err)
		}
	}
	if n := len(igs.ForwardingChains); source.Provenance == group.Forwarded && n > 0 {
		if source.Giver, err = ratchet.ParsePublicKey(igs.ForwardingChains[n-1]); err != nil {
			return pawl.RoomKey{}, fmt.Errorf("failed to read the forwarder's key: %w", err)
		}
	}
	return pawl.RoomKey{Room: matrix.RoomID(igs.RoomID), Key: key, Source: source}, nil
}

var provenances = map[id.KeySource]group.Provenance{
	id.KeySourceDirect: group.Direct, id.KeySourceBackup: group.Backup, id.KeySourceImport: group.File, id.KeySourceForward: group.Forwarded,
}

// sourceOf is the provenance in mautrix-go's words.
func sourceOf(p group.Provenance) id.KeySource {
	for source, of := range provenances {
		if of == p {
			return source
		}
	}
	return id.KeySourceImport
}

// gave returns from which index on an object was handed out.
func (s *Store) gave(igs *crypto.InboundGroupSession) (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, ok := s.given[weak.Make(igs)]
	return first, ok
}

// GetGroupSession implements crypto.Store.
func (s *Store) GetGroupSession(ctx context.Context, room id.RoomID, name id.SessionID) (*crypto.InboundGroupSession, error) {
	session, err := group.ParseSessionID(string(name))
	if err != nil {
		return nil, nil // nobody's
	}
	key, err := s.machine.RoomKey(ctx, session)
	switch {
	case errors.Is(err, group.ErrNoKey), errors.Is(err, group.ErrForgotten):
		withheld, err := s.GetWithheldGroupSession(ctx, room, name)
		if err != nil || withheld == nil {
			return nil, err
		}
		return nil, withheld
	case err != nil:
		return nil, err
	case id.RoomID(key.Room) != room:
		return nil, nil
	}
	with, _, err := read[inbound](ctx, s, spaceInbound, string(name))
	if err != nil {
		return nil, err
	}
	return s.give(key, with)
}

// give makes an object of a key for mautrix-go.
func (s *Store) give(key pawl.RoomKey, with inbound) (*crypto.InboundGroupSession, error) {
	exported, err := key.Key.Export(nil)
	if err != nil {
		return nil, err
	}
	internal, err := olm.InboundGroupSessionImport(base64.RawStdEncoding.AppendEncode(nil, exported))
	if err != nil {
		return nil, err
	}
	igs := &crypto.InboundGroupSession{
		Internal: internal, SenderKey: id.SenderKey(key.Source.Sender.String()), RoomID: id.RoomID(key.Room),
		ForwardingChains: append([]string{}, with.Chains...), RatchetSafety: with.Safety, ReceivedAt: with.ReceivedAt, MaxAge: with.MaxAge, MaxMessages: with.MaxMessages,
		SharedHistory: with.SharedHistory, IsScheduled: with.Scheduled, KeyBackupVersion: with.BackupVersion,
		KeySource: sourceOf(key.Source.Provenance), SourceUser: with.User,
	}
	if key.Source.Claimed != (account.VerifyKey{}) {
		igs.SigningKey = id.Ed25519(key.Source.Claimed.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for old := range s.given { // what nobody has any more
		if old.Value() == nil {
			delete(s.given, old)
		}
	}
	s.given[weak.Make(igs)] = internal.FirstKnownIndex()
	return igs, nil
}

// redacted is the code of a notice about a session that was given up here.
const redacted = event.RoomKeyWithheldBeeperRedacted

// RedactGroupSession implements crypto.Store: the key is given up, and nothing brings it
// back.
func (s *Store) RedactGroupSession(ctx context.Context, room id.RoomID, name id.SessionID, reason string) error {
	session, err := group.ParseSessionID(string(name))
	if err != nil {
		return nil
	}
	if _, err := s.machine.ForgetRoomKeys(ctx, pawl.Forgetting{Room: matrix.RoomID(room), Session: session}); err != nil {
		return err
	}
	if err := s.drop(ctx, spaceInbound, string(name)); err != nil {
		return err
	}
	return put(ctx, s, spaceWithheld, string(name), event.RoomKeyWithheldEventContent{
		RoomID: room, Algorithm: id.AlgorithmMegolmV1, SessionID: name, Code: redacted, Reason: reason,
	})
}

// redact gives up the sessions of which something holds.
func (s *Store) redact(ctx context.Context, reason string, which func(*crypto.InboundGroupSession) bool) (names []id.SessionID, err error) {
	all, err := s.sessions(ctx, "")
	for _, igs := range all {
		if err == nil && which(igs) {
			err = s.RedactGroupSession(ctx, igs.RoomID, igs.ID(), reason)
			names = append(names, igs.ID())
		}
	}
	return names, err
}

// RedactGroupSessions implements crypto.Store.
func (s *Store) RedactGroupSessions(ctx context.Context, room id.RoomID, sender id.SenderKey, reason string) ([]id.SessionID, error) {
	if room == "" && sender == "" {
		return nil, errors.New("pawlmautrix: room keys to redact: name a room or a sender")
	}
	return s.redact(ctx, reason, func(igs *crypto.InboundGroupSession) bool {
		return (room == "" || igs.RoomID == room) && (sender == "" || igs.SenderKey == sender && igs.KeySource != id.KeySourceForward)
	})
}

// RedactExpiredGroupSessions implements crypto.Store: those whose rotation period is
// twice over, as in mautrix-go.
func (s *Store) RedactExpiredGroupSessions(ctx context.Context) ([]id.SessionID, error) {
	return s.redact(ctx, "expired", func(igs *crypto.InboundGroupSession) bool {
		return !igs.IsScheduled && !igs.ReceivedAt.IsZero() && igs.MaxAge > 0 &&
			igs.ReceivedAt.Add(2*time.Duration(igs.MaxAge)*time.Millisecond).Before(time.Now())
	})
}

// RedactOutdatedGroupSessions implements crypto.Store: those that mautrix-go has put, and
// of which nobody knows when they came. Those that Pawl has received are not looked at,
// unless it is stored of them too.
func (s *Store) RedactOutdatedGroupSessions(ctx context.Context) ([]id.SessionID, error) {
	put, err := rows[inbound](ctx, s, spaceInbound)
	if err != nil {
		return nil, err
	}
	return s.redact(ctx, "outdated", func(igs *crypto.InboundGroupSession) bool {
		_, ok := put[string(igs.ID())]
		return (ok || s.expiry) && igs.ReceivedAt.IsZero()
	})
}

// PutWithheldGroupSession implements crypto.Store.
func (s *Store) PutWithheldGroupSession(ctx context.Context, content event.RoomKeyWithheldEventContent) error {
	if content.SessionID == "" {
		return nil // about no session
	}
	return change(ctx, s, spaceWithheld, string(content.SessionID), func(v *event.RoomKeyWithheldEventContent, ok bool) (bool, error) {
		if ok && v.Code == redacted {
			return false, nil
		}
		*v = content
		return true, nil
	})
}

// GetWithheldGroupSession implements crypto.Store.
func (s *Store) GetWithheldGroupSession(ctx context.Context, room id.RoomID, name id.SessionID) (*event.RoomKeyWithheldEventContent, error) {
	v, ok, err := read[event.RoomKeyWithheldEventContent](ctx, s, spaceWithheld, string(name))
	if err != nil || !ok || v.RoomID != room {
		return nil, err
	}
	return &v, nil
}

// sessions returns the sessions of a room, or all.
func (s *Store) sessions(ctx context.Context, room id.RoomID) (all []*crypto.InboundGroupSession, err error) {
	with, err := rows[inbound](ctx, s, spaceInbound)
	if err != nil {
		return nil, err
	}
	var how pawl.RoomKeyExport
	if room != "" {
		how.Rooms = []matrix.RoomID{matrix.RoomID(room)}
	}
	for key, err := range s.machine.ExportRoomKeys(ctx, how) {
		if err != nil {
			return nil, err
		}
		igs, err := s.give(key, with[key.Key.ID().String()])
		if err != nil {
			return nil, err
		}
		all = append(all, igs)
	}
	return all, nil
}

// GetGroupSessionsForRoom implements crypto.Store.
func (s *Store) GetGroupSessionsForRoom(ctx context.Context, room id.RoomID) dbutil.RowIter[*crypto.InboundGroupSession] {
	return dbutil.NewSliceIterWithError(s.sessions(ctx, room))
}

// GetAllGroupSessions implements crypto.Store.
func (s *Store) GetAllGroupSessions(ctx context.Context) dbutil.RowIter[*crypto.InboundGroupSession] {
	return dbutil.NewSliceIterWithError(s.sessions(ctx, ""))
}

// GetGroupSessionsWithoutKeyBackupVersion implements crypto.Store.
func (s *Store) GetGroupSessionsWithoutKeyBackupVersion(ctx context.Context, version id.KeyBackupVersion) dbutil.RowIter[*crypto.InboundGroupSession] {
	all, err := s.sessions(ctx, "")
	var some []*crypto.InboundGroupSession
	for _, igs := range all {
		if igs.KeyBackupVersion != version {
			some = append(some, igs)
		}
	}
	return dbutil.NewSliceIterWithError(some, err)
}

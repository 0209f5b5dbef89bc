package pawlmautrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/pickle/libolm"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

func (r *databaseReader) olmSessions() error {
	return r.rowsOf("crypto_olm_session",
		"SELECT sender_key, session_id, session, created_at, last_decrypted, last_encrypted FROM crypto_olm_session WHERE account_id=$1 ORDER BY session_id",
		6, 2, r.takeOlm, r.id)
}

// unused is how much later than its creation a session was used: mautrix-go has the
// time of the creation where it was not.
const unused = time.Millisecond

func (r *databaseReader) takeOlm(row row) error {
	own := r.out.Import.Identity.Public()
	s, err := libolm.Session(r.how.PickleKey, row.text(2), own)
	if err != nil {
		return err
	}
	peer, err := ratchet.ParsePublicKey(row.text(0))
	switch {
	case err != nil:
		return err
	case peer == (ratchet.PublicKey{}):
		return errors.New("sender_key is none")
	case s.Initiated() && s.PreKeys().Identity != own, !s.Initiated() && s.PreKeys().Identity != peer:
		return errors.New("it is another device's session")
	case r.known[s.ID()]:
		return errors.New("the session is there twice")
	}
	r.known[s.ID()] = true
	one := pawl.ImportSession{Ratchet: s, Peer: peer, Created: moment(row[3])}
	if at := moment(row[4]); s.HasReceived() && !at.IsZero() {
		one.Received = at
	}
	if at := moment(row[5]); at.Sub(one.Created) > unused {
		one.Sent = at
	}
	r.out.Import.Sessions = append(r.out.Import.Sessions, one)
	return nil
}

func (r *databaseReader) roomKeys() error {
	r.rooms = map[matrix.RoomID]bool{}
	return r.rowsOf("crypto_megolm_inbound_session",
		"SELECT room_id, session_id, sender_key, signing_key, session, forwarding_chains, withheld_code, withheld_reason, ratchet_safety, received_at, "+
			"max_age, max_messages, is_scheduled, key_backup_version, key_source, "+r.since(21, "shared_history", "source_user")+
			" FROM crypto_megolm_inbound_session WHERE account_id=$1 ORDER BY session_id",
		17, 2, r.takeInbound, r.id)
}

func (r *databaseReader) takeInbound(row row) error {
	room, err := matrix.ParseRoomID(row.text(0))
	if err != nil {
		return err
	}
	r.rooms[room] = true
	if row.text(6) != "" {
		return r.takeWithheld(row, room)
	}
	in, err := libolm.Inbound(r.how.PickleKey, row.text(4))
	if err != nil {
		return err
	}
	if in.Key.ID().String() != row.text(1) {
		return errors.New("the pickle is of another session")
	}
	with := inbound{
		ReceivedAt: moment(row[9]), MaxAge: row.integer(10), MaxMessages: int(row.integer(11)), Scheduled: row.boolean(12),
		BackupVersion: id.KeyBackupVersion(row.text(13)), Source: id.KeySource(row.text(14)), User: id.UserID(row.text(16)),
	}
	if chains := row.text(5); chains != "" {
		with.Chains = strings.Split(chains, ",")
	}
	if safety := row.text(8); safety != "" {
		if err := json.Unmarshal([]byte(safety), &with.Safety); err != nil {
			return errors.New("ratchet_safety is no JSON of mautrix-go's")
		}
	}
	if row[15] != nil {
		shared := row.boolean(15)
		with.SharedHistory = &shared
	}
	source, err := sourceIn(row, in.Signed, with)
	if err != nil {
		return err
	}
	if err := r.extra(spaceInbound, row.text(1), with); err != nil {
		return err
	}
	r.out.Import.RoomKeys = append(r.out.Import.RoomKeys, pawl.RoomKey{Room: room, Key: in.Key, Source: source})
	return nil
}

// sourceIn says where a key came from, and no more than its pickle agrees with: who made
// the session gave the key only if the pickle says that it was signed. Rows from before
// mautrix-go noted it say nothing.
func sourceIn(row row, signed bool, with inbound) (s group.Source, err error) {
	if s.Sender, err = ratchet.ParsePublicKey(row.text(2)); err != nil {
		return s, fmt.Errorf("sender_key: %w", err)
	}
	if key := row.text(3); key != "" {
		if s.Claimed, err = account.ParseVerifyKey(key); err != nil {
			return s, fmt.Errorf("signing_key: %w", err)
		}
	}
	s.SharedHistory = with.SharedHistory != nil && *with.SharedHistory
	s.Provenance = provenances[with.Source]
	if with.Source == "" {
		s.Provenance = group.Direct
		if len(with.Chains) > 0 {
			s.Provenance = group.Forwarded
		}
	}
	if s.Provenance == group.Direct && !signed {
		s.Provenance = group.File
	}
	if s.Provenance == group.Forwarded {
		n := len(with.Chains)
		if n > 0 {
			s.Giver, err = ratchet.ParsePublicKey(with.Chains[n-1])
		}
		if n == 0 || err != nil {
			s.Provenance = group.File // nobody knows who gave it
		}
	}
	if s.Provenance == 0 {
		s.Provenance = group.File
	}
	return s, nil
}

// takeWithheld takes a notice. Its row does not say who sent it: that is known where the
// device is.
func (r *databaseReader) takeWithheld(row row, room matrix.RoomID) error {
	session, err := group.ParseSessionID(row.text(1))
	if err != nil {
		return err
	}
	content := event.RoomKeyWithheldEventContent{
		RoomID: id.RoomID(room), Algorithm: id.AlgorithmMegolmV1, SessionID: id.SessionID(row.text(1)), SenderKey: id.Curve25519(row.text(2)),
		Code: event.RoomKeyWithheldCode(row.text(6)), Reason: row.text(7),
	}
	if from, known := r.senders[row.text(2)]; known && content.Code != redacted {
		w := group.Withheld{Room: room, Session: session, From: from, Code: group.Code(content.Code), Reason: content.Reason, At: moment(row[9])}
		if w, err = group.NewWithheld(w); err != nil {
			return err
		}
		r.out.Import.Withheld = append(r.out.Import.Withheld, w)
	}
	return r.extra(spaceWithheld, row.text(1), content)
}

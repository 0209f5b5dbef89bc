package pawlmautrix

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/matrix"
)

// devices reads whose devices are followed, and what they are.
func (r *databaseReader) devices() error {
	users := map[id.UserID]*devices{}
	of := func(user string) (*devices, error) {
		name, err := matrix.ParseUserID(user)
		if err != nil {
			return nil, err
		}
		if users[id.UserID(name)] == nil {
			users[id.UserID(name)] = &devices{Devices: map[id.DeviceID]stored{}}
		}
		return users[id.UserID(name)], nil
	}
	own := r.out.Import.Identity.Public().String()
	err := r.rowsOf("crypto_device", "SELECT user_id, device_id, identity_key, signing_key, trust, deleted, name FROM crypto_device ORDER BY user_id, device_id", 7, 2,
		func(row row) error {
			u, err := of(row.text(0))
			if err != nil {
				return err
			}
			if row.text(2) == own && row.text(1) == string(r.out.Import.DeviceID) {
				r.owner = id.UserID(row.text(0))
			}
			r.senders[row.text(2)] = matrix.UserID(row.text(0))
			u.Devices[id.DeviceID(row.text(1))] = stored{
				Curve25519: id.IdentityKey(row.text(2)), Ed25519: id.SigningKey(row.text(3)), Trust: int(row.integer(4)), Deleted: row.boolean(5), Name: row.text(6),
			}
			r.out.Devices++
			return nil
		})
	if err != nil {
		return err
	}
	err = r.rowsOf("crypto_tracked_user", "SELECT user_id, devices_outdated, "+r.since(22, "last_attempt", "error_count")+" FROM crypto_tracked_user ORDER BY user_id", 4, 1,
		func(row row) error {
			u, err := of(row.text(0))
			if err != nil {
				return err
			}
			u.Tracked, u.Outdated, u.LastAttempt, u.Errors = true, row.boolean(1), row.integer(2), int(row.integer(3))
			r.out.Import.Users = append(r.out.Import.Users, matrix.UserID(row.text(0)))
			return nil
		})
	for _, name := range sorted(users) {
		u := users[name]
		if too := r.extra(spaceDevices, string(name), u); too != nil { // of very many: those that are there
			for device, d := range u.Devices {
				if d.Deleted {
					delete(u.Devices, device)
				}
			}
			if too = r.extra(spaceDevices, string(name), u); too != nil {
				r.leaveOut("crypto_device", string(name), too)
			}
		}
	}
	return err
}

// sorted are the names of a map, in order.
func sorted[K ~string, V any](m map[K]V) []K {
	names := make([]K, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// outbound counts the sessions that mautrix-go sends in.
func (r *databaseReader) outbound() error {
	return r.rowsOf("crypto_megolm_outbound_session", "SELECT room_id FROM crypto_megolm_outbound_session WHERE account_id=$1 ORDER BY room_id", 1, 1,
		func(row row) error {
			room, err := matrix.ParseRoomID(row.text(0))
			if err != nil {
				return err
			}
			r.rooms[room] = true
			r.out.Outbound++
			return nil
		}, r.id)
}

// encryptedRooms are those that mautrix-go's StateStore knows, if it is in the same
// database, and those in which there are Megolm sessions.
func (r *databaseReader) encryptedRooms() error {
	is, err := r.has("mx_room_state")
	if err != nil {
		return err
	}
	if is {
		err = r.rowsOf("mx_room_state", "SELECT room_id, encryption FROM mx_room_state WHERE encryption IS NOT NULL ORDER BY room_id", 2, 1, r.takeRoom)
	}
	for _, room := range sorted(r.rooms) {
		r.out.Import.Rooms = append(r.out.Import.Rooms, pawl.ImportRoom{Room: room})
	}
	return err
}

func (r *databaseReader) takeRoom(row row) error {
	room, err := matrix.ParseRoomID(row.text(0))
	if err != nil || row.text(1) == "null" {
		return err
	}
	var content event.EncryptionEventContent
	if json.Unmarshal([]byte(row.text(1)), &content) != nil || content.Algorithm == "" {
		r.rooms[room] = true
		return errors.New("the room's encryption cannot be read: it is taken as encrypted, with the settings that the specification has")
	}
	delete(r.rooms, room)
	r.out.Import.Rooms = append(r.out.Import.Rooms, pawl.ImportRoom{Room: room, Encryption: row.text(1)})
	return nil
}

// messages are the events of sessions that were read.
func (r *databaseReader) messages() error {
	of := map[string]group.SessionID{}
	for _, k := range r.out.Import.RoomKeys {
		of[k.Key.ID().String()] = k.Key.ID()
	}
	return r.rowsOf("crypto_message_index", `SELECT session_id, "index", event_id, timestamp FROM crypto_message_index ORDER BY session_id, "index"`, 4, 2,
		func(row row) error {
			session, known := of[row.text(0)]
			if !known {
				return nil // another account's, or of a key that is gone
			}
			name, index := matrix.EventID(row.text(2)), row.integer(1)
			if err := name.Check(); err != nil {
				return err
			}
			if index < 0 || index >= 1<<32 {
				return fmt.Errorf("an index of %d", index)
			}
			r.out.Import.Messages = append(r.out.Import.Messages, pawl.ImportMessage{Session: session, Index: uint32(index), Event: name})
			return r.extra(spaceIndices, fmt.Sprint(row.text(0), " ", index), message{id.EventID(name), row.integer(3)})
		})
}

// identities are users' cross-signing keys.
func (r *databaseReader) identities() error {
	all := map[id.UserID]map[id.CrossSigningUsage]id.CrossSigningKey{}
	err := r.rowsOf("crypto_cross_signing_keys", "SELECT user_id, usage, key, first_seen_key FROM crypto_cross_signing_keys ORDER BY user_id, usage", 4, 2,
		func(row row) error {
			user, err := matrix.ParseUserID(row.text(0))
			if err != nil {
				return err
			}
			key, err := account.ParseVerifyKey(row.text(2))
			if err != nil {
				return err
			}
			first, err := account.ParseVerifyKey(row.text(3))
			if err != nil {
				return err
			}
			usage := id.CrossSigningUsage(row.text(1))
			if usage == id.XSUsageMaster {
				r.out.Import.Identities = append(r.out.Import.Identities, pawl.ImportIdentity{User: user, Master: key, First: first})
			}
			if all[id.UserID(user)] == nil {
				all[id.UserID(user)] = map[id.CrossSigningUsage]id.CrossSigningKey{}
			}
			all[id.UserID(user)][usage] = id.CrossSigningKey{Key: id.Ed25519(key.String()), First: id.Ed25519(first.String())}
			return nil
		})
	for _, user := range sorted(all) {
		if too := r.extra(spaceIdentities, string(user), all[user]); too != nil {
			r.leaveOut("crypto_cross_signing_keys", string(user), too)
		}
	}
	return err
}

// signatures are those on cross-signing and device keys.
func (r *databaseReader) signatures() error {
	all := map[string]signed{}
	err := r.rowsOf("crypto_cross_signing_signatures",
		"SELECT signed_user_id, signed_key, signer_user_id, signer_key, signature FROM crypto_cross_signing_signatures ORDER BY signed_user_id, signed_key, signer_user_id, signer_key", 5, 4,
		func(row row) error {
			name, by := keyName(id.UserID(row.text(0)), id.Ed25519(row.text(1))), id.UserID(row.text(2))
			if len(name) > pawl.MaxExtraName || row.text(4) == "" {
				return errors.New("it is of nobody, or none")
			}
			if all[name] == nil {
				all[name] = signed{}
			}
			if all[name][by] == nil {
				all[name][by] = map[id.Ed25519]string{}
			}
			all[name][by][id.Ed25519(row.text(3))] = row.text(4)
			return nil
		})
	for _, name := range sorted(all) {
		if too := r.extra(spaceSignatures, name, all[name]); too != nil {
			r.leaveOut("crypto_cross_signing_signatures", name, too)
		}
	}
	return err
}

func (r *databaseReader) secrets() error {
	return r.rowsOf("crypto_secrets", "SELECT name, secret FROM crypto_secrets WHERE account_id=$1 ORDER BY name", 2, 1, func(row row) error {
		content, err := pickle.Open(r.how.PickleKey, row.text(1))
		if err != nil {
			return err
		}
		defer clear(content)
		r.out.Secrets++
		return r.extra(spaceSecrets, row.text(0), string(content))
	}, r.id)
}

// hashes are of Olm messages that were handled.
func (r *databaseReader) hashes() error {
	return r.rowsOf("crypto_olm_message_hash", "SELECT message_hash, received_at FROM crypto_olm_message_hash WHERE account_id=$1 ORDER BY message_hash", 2, 0,
		func(row row) error {
			hash, at := row.text(0), moment(row[1])
			if len(hash) != 32 {
				return fmt.Errorf("a hash of %d bytes", len(hash))
			}
			if time.Since(at) > hashLife {
				return nil
			}
			return r.extra(spaceHashes, hex.EncodeToString([]byte(hash)), at)
		}, r.id)
}

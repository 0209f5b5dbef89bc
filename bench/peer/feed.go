package peer

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
)

// feedFormat is the version of the feed's file.
const feedFormat = 1

// Feed is what messages are made of: the same for all systems.
type Feed struct {
	Format   int       `json:"format"`
	Seed     uint64    `json:"seed"`
	RoomKeys []RoomKey `json:"room_keys"`
}

// RoomKey is a Megolm session at its beginning, as m.room_key carries it.
type RoomKey struct {
	RoomID     string `json:"room_id"`
	SessionID  string `json:"session_id"`
	SessionKey string `json:"session_key"`
}

// Megolm's session sharing format: version, index, ratchet, key, signature.
const (
	sharingVersion = 2
	ratchetSize    = 128
)

// NewFeed makes n room keys. The same seed makes the same ones: they are for
// measuring only.
func NewFeed(seed uint64, n int) Feed {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	source := rand.NewChaCha8(s)
	f := Feed{Format: feedFormat, Seed: seed, RoomKeys: make([]RoomKey, n)}
	for i := range f.RoomKeys {
		f.RoomKeys[i] = newRoomKey(source, i)
	}
	return f
}

func newRoomKey(source *rand.ChaCha8, i int) RoomKey {
	fill := func(b []byte) { _, _ = source.Read(b) } // it never fails
	seed := make([]byte, ed25519.SeedSize)
	fill(seed)
	signer := ed25519.NewKeyFromSeed(seed)
	public := signer.Public().(ed25519.PublicKey)

	key := binary.BigEndian.AppendUint32([]byte{sharingVersion}, 0)
	key = append(key, make([]byte, ratchetSize)...)
	fill(key[len(key)-ratchetSize:])
	key = append(key, public...)
	key = append(key, ed25519.Sign(signer, key)...)
	return RoomKey{
		RoomID:     fmt.Sprintf("!room%d:example.org", i),
		SessionID:  base64.RawStdEncoding.EncodeToString(public),
		SessionKey: base64.RawStdEncoding.EncodeToString(key),
	}
}

// Save writes the feed's file.
func (f Feed) Save(path string) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// LoadFeed reads a feed's file and wants n room keys in it.
func LoadFeed(path string, n int) (Feed, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Feed{}, err
	}
	var f Feed
	if err := decode(b, &f); err != nil {
		return Feed{}, err
	}
	if f.Format != feedFormat {
		return Feed{}, fmt.Errorf("%w: feed of format %d, not %d", ErrProtocol, f.Format, feedFormat)
	}
	if len(f.RoomKeys) < n {
		return Feed{}, fmt.Errorf("%w: feed of %d room keys, not %d", ErrProtocol, len(f.RoomKeys), n)
	}
	return f, nil
}

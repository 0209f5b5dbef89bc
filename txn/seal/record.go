package seal

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/vmihailenco/msgpack/v5"
	"golang.org/x/crypto/chacha20poly1305"

	fields "github.com/pawlkv/pawl/internal/record"
)

const (
	recordVersion = 1
	fieldCount    = 7
	// maxRecord is far above the 150 bytes that a record has.
	maxRecord   = 1024
	sumSize     = 8
	wrappedSize = chacha20poly1305.NonceSizeX + keySize + chacha20poly1305.Overhead
)

// record is the keyring as stored: the version byte, these fields as a msgpack
// array, and the first 8 bytes of the SHA-256 of all that, which tells damage
// from a wrong passphrase.
type record struct {
	KDF     kind
	Time    uint32
	Memory  uint32 // KiB
	Threads uint8
	Salt    []byte
	Store   []byte
	Wrapped []byte // nonce, then the data key sealed under the wrapping key
}

func (r *record) params() params { return params{r.KDF, r.Time, r.Memory, r.Threads} }

// encode returns the record as stored.
func (r *record) encode() ([]byte, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	return append(body, checksum(body)...), nil
}

func (r *record) body() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte(recordVersion)
	enc := msgpack.NewEncoder(&b)
	enc.UseArrayEncodedStructs(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("seal: encode the keyring: %w", err)
	}
	return b.Bytes(), nil
}

// bound returns what the wrapped key is bound to: all other fields.
func (r *record) bound() ([]byte, error) {
	header := *r
	header.Wrapped = nil
	return header.body()
}

func checksum(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:sumSize]
}

// decodeRecord accepts exactly what encode returns for fields in their bounds.
func decodeRecord(b []byte) (*record, error) {
	switch {
	case len(b) == 0 || len(b) > maxRecord:
		return nil, fmt.Errorf("%w: %d bytes", ErrFormat, len(b))
	case len(b) < 1+sumSize:
		return nil, fmt.Errorf("%w: %d bytes", ErrFormat, len(b))
	}
	// Whatever the version, the checksum comes last: it tells a newer record
	// from a damaged one.
	body, sum := b[:len(b)-sumSize], b[len(b)-sumSize:]
	switch {
	case !bytes.Equal(sum, checksum(body)):
		return nil, fmt.Errorf("%w: the checksum does not match", ErrFormat)
	case b[0] > recordVersion:
		return nil, fmt.Errorf("%w: the keyring has version %d, this program reads %d", ErrVersion, b[0], recordVersion)
	case b[0] < recordVersion:
		return nil, fmt.Errorf("%w: version %d", ErrFormat, b[0])
	}
	r, err := readFields(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if canonical, err := r.body(); err != nil || !bytes.Equal(canonical, body) {
		return nil, fmt.Errorf("%w: not in the only valid form", ErrFormat)
	}
	return r, r.check()
}

// readFields reads what body wrote. The library would make room for as many bytes as the
// record says that a field has, which may be 4 GiB.
func readFields(body []byte) (*record, error) {
	r := new(record)
	err := fields.Decode("keyring", body, recordVersion, fieldCount, func(in *fields.Reader) {
		r.KDF = kind(in.Text(maxRecord))
		r.Time, r.Memory = uint32(in.Uint(math.MaxUint32)), uint32(in.Uint(math.MaxUint32))
		r.Threads = uint8(in.Uint(math.MaxUint8))
		for _, field := range []*[]byte{&r.Salt, &r.Store, &r.Wrapped} {
			*field = bytes.Clone(in.Bytes(maxRecord))
		}
	})
	return r, err
}

func (r *record) check() error {
	if len(r.Salt) != saltSize || len(r.Store) != len(StoreID{}) || len(r.Wrapped) != wrappedSize {
		return fmt.Errorf("%w: salt, store id and key of %d, %d and %d bytes", ErrFormat, len(r.Salt), len(r.Store), len(r.Wrapped))
	}
	return r.params().check()
}

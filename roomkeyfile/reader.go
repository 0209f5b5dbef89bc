package roomkeyfile

import (
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/secret"
)

// Reader reads a room key file.
type Reader struct {
	secret.Guard
	file     io.ReadSeeker
	start    int64 // where the file begins
	head     head
	text     int64 // bytes of the JSON
	sealed   sealing
	mac      [macSize]byte // that was verified
	count    int
	unlocked bool
	another  bool
}

// NewReader looks at a file from where it stands: whether it is a room key file,
// whole. That takes no passphrase. It fails with [ErrFormat], [ErrCut], [ErrVersion],
// [ErrRounds], or an error of the file.
func NewReader(file io.ReadSeeker) (*Reader, error) {
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("roomkeyfile: the file must be one that can be read twice: %w", err)
	}
	r := &Reader{file: file, start: start}
	b, err := openBody(file)
	if err != nil {
		return nil, err
	}
	decoded := b.bytes()
	first := make([]byte, headSize)
	n, err := io.ReadFull(decoded, first)
	if err != nil {
		return nil, short(int64(n), err)
	}
	rest, err := io.Copy(io.Discard, decoded)
	if err != nil {
		return nil, err
	}
	if rest < macSize {
		return nil, short(headSize+rest, io.EOF)
	}
	r.text = rest - macSize
	if r.head, err = parseHead(first); err == nil {
		r.another, err = b.another()
	}
	return r, err
}

// short is the error of a file that has too few bytes between its lines.
func short(n int64, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("%w: %d bytes between its lines, and there are %d at least", ErrCut, n, headSize+macSize)
}

// Rounds returns how many rounds it takes to try a passphrase: see [WeakRounds].
func (r *Reader) Rounds() int { return int(r.head.rounds) }

// Another returns whether a second file begins behind the end of this one, within 64 KiB:
// it is not read, and whoever put two into one should know.
func (r *Reader) Another() bool { return r.another }

// Unlock makes the file's keys from a passphrase, of which the bytes count as they
// are, and verifies the HMAC over the whole file; only then it decrypts and counts
// the room keys. It takes up to a second for each million [Reader.Rounds], of which
// it waits for none any more when ctx ends. It fails with [ErrPassphrase], with
// [ErrFormat] if what is encrypted is not an array, with ctx's error or the file's.
func (r *Reader) Unlock(ctx context.Context, passphrase []byte) error {
	sealed, err := r.derive(ctx, passphrase)
	if err != nil {
		return err
	}
	r.sealed = sealed
	if err := r.verify(ctx); err != nil {
		return err
	}
	n := 0
	for _, err := range r.entries(ctx) {
		if err != nil {
			return err
		}
		n++
	}
	r.count, r.unlocked = n, true
	return nil
}

func (r *Reader) derive(ctx context.Context, passphrase []byte) (sealing, error) {
	type result struct {
		sealing
		err error
	}
	made := make(chan result, 1)
	given := string(passphrase) // which the caller may erase when this has returned
	go func() {
		s, err := derive(given, r.head)
		made <- result{s, err}
	}()
	select {
	case m := <-made:
		return m.sealing, m.err
	case <-ctx.Done():
		return sealing{}, ctx.Err()
	}
}

// verify reads the file and compares its HMAC.
func (r *Reader) verify(ctx context.Context) error {
	p, err := r.open(ctx)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, p.sealed); err != nil {
		return err
	}
	stored, err := p.end()
	if err != nil {
		return err
	}
	if !hmac.Equal(p.mac.Sum(nil), stored) {
		return ErrPassphrase
	}
	copy(r.mac[:], stored)
	return nil
}

// pass is one reading of a file, from its beginning.
type pass struct {
	decoded io.Reader // what stands between the lines
	sealed  io.Reader // of it the JSON, as it is encrypted, which goes into mac
	mac     hash.Hash
}

func (r *Reader) open(ctx context.Context) (pass, error) {
	if _, err := r.file.Seek(r.start, io.SeekStart); err != nil {
		return pass{}, fmt.Errorf("roomkeyfile: %w", err)
	}
	b, err := openBody(&ending{ctx, r.file})
	if err != nil {
		return pass{}, err
	}
	p := pass{decoded: b.bytes(), mac: r.sealed.mac()}
	first := make([]byte, headSize)
	if _, err := io.ReadFull(p.decoded, first); err != nil {
		return pass{}, changed(err)
	}
	p.mac.Write(first)
	p.sealed = io.TeeReader(io.LimitReader(p.decoded, r.text), p.mac)
	return p, nil
}

// end returns what stands after the JSON, and nothing after it.
func (p pass) end() ([]byte, error) {
	stored, err := io.ReadAll(io.LimitReader(p.decoded, macSize+1))
	if err != nil {
		return nil, err
	}
	if len(stored) != macSize {
		return nil, ErrChanged
	}
	return stored, nil
}

// changed says of a file that was whole and ends too early now that it has changed.
func changed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrChanged
	}
	return err
}

// ending is a reader that ends with a context.
type ending struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (e *ending) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}

// Count returns how many room keys there are, those that cannot be read included, once
// the file is unlocked.
func (r *Reader) Count() int { return r.count }

// Keys yields the room keys, in the order of the file, each with the provenance
// [group.File]. One that cannot be read is yielded as an error, [group.ErrMalformed],
// [group.ErrVersion] or [matrix.ErrRoomID], with as much of it as is known, and the
// sequence goes on; any other error is the last: [ErrLocked], [ErrChanged], or one of
// the file. It begins anew each time that it is ranged over.
func (r *Reader) Keys() iter.Seq2[group.RoomKey, error] {
	return func(yield func(group.RoomKey, error) bool) {
		if !r.unlocked {
			yield(group.RoomKey{}, ErrLocked)
			return
		}
		for raw, err := range r.entries(context.Background()) {
			var k group.RoomKey
			if err == nil {
				k, err = parseKey(raw)
			}
			if !yield(k, err) {
				return
			}
		}
	}
}

// entries yields the elements of the array, and an error last. Of a file that has
// changed since its HMAC was verified the end tells; until then nothing worse comes of
// it than keys of whoever has the file in his hands.
func (r *Reader) entries(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		p, err := r.open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		plain := cipher.StreamReader{S: r.sealed.stream(r.head), R: p.sealed}
		for raw, err := range elements(plain) {
			if err != nil {
				err = r.blame(p, err)
			}
			if !yield(raw, err) || err != nil {
				return
			}
		}
		if err := r.unchanged(p); err != nil {
			yield(nil, err)
		}
	}
}

// blame says whether JSON is what it is because the file has changed.
func (r *Reader) blame(p pass, err error) error {
	if !errors.Is(err, ErrFormat) {
		return changed(err)
	}
	return errors.Join(r.unchanged(p), err)
}

// unchanged reads the file to its end and compares its HMAC with that which was
// verified.
func (r *Reader) unchanged(p pass) error {
	if _, err := io.Copy(io.Discard, p.sealed); err != nil {
		return changed(err)
	}
	stored, err := p.end()
	if err != nil {
		return err
	}
	if !hmac.Equal(p.mac.Sum(nil), r.mac[:]) || !hmac.Equal(stored, r.mac[:]) {
		return ErrChanged
	}
	return nil
}

package calls

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"errors"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Request is a call of a device that runs in a tab. Fields that the call does not have
// are zero.
type Request struct {
	Call      string
	Peer, Key ratchet.PublicKey
	Text      []byte
	Messages  []pawl.Incoming
	Count     int
	Upload    pawl.Upload
	Receipts  []session.ReceiptID
	Now       time.Time
}

// Answer is what came of a request.
type Answer struct {
	Identity  pawl.Identity
	Decrypted []Decrypted
	Encrypted pawl.Encrypted
	Upload    pawl.Upload
	Swept     pawl.Swept
	Broken    []string
	Found     pawl.Inspection
	Failed    *Failure
}

// Decrypted is a pawl.Result: its own type refuses to be written.
type Decrypted struct {
	Plaintext []byte
	Duplicate bool
	Session   ratchet.SessionID
	Receipt   session.ReceiptID
	Failed    *Failure
}

// Result is what it was in the tab.
func (d Decrypted) Result() pawl.Result {
	return pawl.Result{
		Decrypted: pawl.Decrypted{Plaintext: d.Plaintext, Duplicate: d.Duplicate, Session: d.Session, Receipt: d.Receipt},
		Err:       d.Failed.Err(),
	}
}

// kinds are the errors that stay what they are on their way.
var kinds = []error{
	kv.ErrConflict, kv.ErrUnknown, kv.ErrUnavailable, kv.ErrDiskFull, kv.ErrCorrupt, kv.ErrClosed,
	pawl.ErrNoAccount, pawl.ErrAlreadyProcessed, pawl.ErrNoSession, pawl.ErrUnknownSession, pawl.ErrUnknownOneTimeKey,
	pawl.ErrNeedsRecovery, ratchet.ErrMAC, ratchet.ErrKeyGone, ratchet.ErrUnknownChain, context.DeadlineExceeded,
}

// Failure is an error on its way.
type Failure struct {
	Text  string
	Kinds []int // of kinds
}

func failureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{Text: err.Error()}
	for i, kind := range kinds {
		if errors.Is(err, kind) {
			f.Kinds = append(f.Kinds, i)
		}
	}
	return f
}

// Err is the error, nil where there was none.
func (f *Failure) Err() error {
	if f == nil {
		return nil
	}
	return f
}

// Error implements error.
func (f *Failure) Error() string { return f.Text }

// Is makes errors.Is true for the kinds of the error that it was.
func (f *Failure) Is(target error) bool {
	for _, i := range f.Kinds {
		if kinds[i] == target {
			return true
		}
	}
	return false
}

// Answer makes the call.
func (q Request) Answer(ctx context.Context, m *pawl.Machine) (a Answer) {
	a.Failed = failureOf(q.call(ctx, m, &a))
	return a
}

func (q Request) call(ctx context.Context, m *pawl.Machine, a *Answer) (err error) {
	switch q.Call {
	case "identity":
		a.Identity, err = m.Identity(ctx)
	case "decrypt":
		var d pawl.Decrypted
		d, err = m.Decrypt(ctx, q.Messages[0].Sender, q.Messages[0].Message)
		a.Decrypted = []Decrypted{{d.Plaintext, d.Duplicate, d.Session, d.Receipt, nil}}
	case "batch":
		var results []pawl.Result
		results, err = m.DecryptBatch(ctx, q.Messages)
		for _, r := range results {
			a.Decrypted = append(a.Decrypted, Decrypted{r.Plaintext, r.Duplicate, r.Session, r.Receipt, failureOf(r.Err)})
		}
	case "encrypt":
		a.Encrypted, err = m.Encrypt(ctx, q.Peer, q.Text)
	case "encrypt new":
		a.Encrypted, err = m.Encrypt(ctx, q.Peer, q.Text, pawl.WithOneTimeKey(q.Key))
	case "upload":
		a.Upload, err = m.KeysForUpload(ctx, q.Count)
	case "published":
		err = m.MarkPublished(ctx, q.Upload)
	case "abandon":
		err = m.Abandon(ctx, q.Upload)
	case "acknowledge":
		err = m.Acknowledge(ctx, q.Receipts...)
	case "sweep":
		a.Swept, err = m.Sweep(ctx, q.Now)
	case "check":
		a.Broken, err = m.Check(ctx)
	case "inspect":
		a.Found, err = m.Inspect(ctx)
	default:
		err = errors.New("calls: no call " + q.Call)
	}
	return err
}

// Pack makes a request or an answer a word of a step.
func Pack(v any) (string, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return base64.StdEncoding.EncodeToString(b.Bytes()), err
}

// Unpack is the inverse of Pack.
func Unpack(word string, into any) error {
	b, err := base64.StdEncoding.DecodeString(word)
	if err != nil {
		return err
	}
	return gob.NewDecoder(bytes.NewReader(b)).Decode(into)
}

package pawl

import (
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Option configures [Open].
type Option func(*options)

type options struct {
	unlock   seal.Unlock
	unlocked bool
	cost     seal.Cost
	witness  witness.Witness
	blind    bool // without the engine's witness
	tools    machine.Tools
}

func defaults() options {
	return options{tools: machine.Tools{Rand: rand.Reader, Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
}

// witnessOf returns what is to witness a store, or nil.
func (o *options) witnessOf(store kv.Store) (witness.Witness, lineage.Watch) {
	engines := witness.Of(store)
	switch {
	case o.witness != nil && isSameFile(o.witness, engines):
		return o.witness, lineage.TheEnginesOn
	case o.witness != nil:
		return o.witness, lineage.TheCallers
	case o.blind || engines == nil:
		return nil, lineage.Nobody
	}
	return engines, lineage.TheEngines
}

// isSameFile reports whether two witnesses are one file.
func isSameFile(a, b witness.Witness) bool {
	one, ok := a.(*witness.File)
	other, also := b.(*witness.File)
	return ok && also && one == other
}

// WithPassphrase opens, or creates, a store sealed under a passphrase of at
// least one byte. Argon2id takes 19 MiB and some tens of milliseconds, in every
// process that opens the store: [WithCost] chooses otherwise. A phone's client
// uses WithKey: its extensions have little memory.
func WithPassphrase(passphrase []byte) Option { return withUnlock(seal.Passphrase(passphrase)) }

// WithKey opens, or creates, a store sealed under 32 random bytes, such as a
// key kept by the platform's keychain.
func WithKey(key [32]byte) Option { return withUnlock(seal.RawKey(key)) }

// WithCost chooses what it takes to derive the key from a passphrase, where one
// is set: of a store that Open creates, and by Store.ChangePassphrase. It is
// recorded with the store, so that all others need not know it. Open fails with
// seal.ErrCost below 7 MiB with 5 passes or an equal, and above 256 MiB or 16
// passes. Without it, ChangePassphrase keeps what is recorded.
func WithCost(c seal.Cost) Option { return func(o *options) { o.cost = c } }

func withUnlock(u seal.Unlock) Option {
	return func(o *options) { o.unlock, o.unlocked = u, true }
}

// WithCache chooses between txn.NoCache, the default, and txn.Validated. Both
// give the same answers.
func WithCache(p txn.CachePolicy) Option { return withTxn(txn.WithCache(p)) }

// WithLogger sets the logger; the default discards. Conflicts, retries, turns
// and validated failures are told there, without names or secrets.
func WithLogger(log *slog.Logger) Option {
	return func(o *options) {
		o.tools.Log = log
		withTxn(txn.WithLogger(log))(o)
	}
}

// WithObserver sets a function that receives a report for every transaction.
func WithObserver(f func(txn.Report)) Option { return withTxn(txn.WithObserver(f)) }

// WithTransactions passes options on to package txn.
func WithTransactions(opts ...txn.Option) Option { return withTxn(opts...) }

func withTxn(opts ...txn.Option) Option {
	return func(o *options) { o.tools.Txn = append(o.tools.Txn, opts...) }
}

// WithWitness compares the store with a witness of how far it had come, and
// lets the witness see every commit. Of a store that went back in time, and of
// one of which the witness cannot tell, all accounts must be recovered before
// they send again; see [Machine.Recover]. A store that never had a witness is
// taken as it is, but an empty one whose witness has seen another takes no account: that
// was lost, and its devices with it. All who open a store give it the same witness: from then on
// nothing is sent where it is not given (ErrUnwitnessed). To go back to the engine's
// give that, witness.Of(store); the accounts must be recovered then.
//
// Without this option the witness is the one that the engine keeps beside its
// store (witness.Keeper): kv/badgerkv and kv/sqlitekv keep a file there. An engine
// that keeps none, such as kv/memkv, has none.
func WithWitness(w witness.Witness) Option { return func(o *options) { o.witness = w } }

// WithoutNoticingCopies opens the store without the witness that its engine keeps:
// two copies of it, or it and a backup, encrypt under the same message keys, and
// nobody notices. It is for stores that are copied on purpose and never send for
// long, as in tests. From a store that ever had a witness nothing is sent without
// it (ErrUnwitnessed). A witness given by WithWitness is used all the same.
func WithoutNoticingCopies() Option { return func(o *options) { o.blind = true } }

// WithClock replaces time.Now. The clock may go backwards.
func WithClock(now func() time.Time) Option { return func(o *options) { o.tools.Now = now } }

// WithRand replaces crypto/rand as the source of keys. It must be a
// cryptographic source and safe for concurrent use.
func WithRand(r io.Reader) Option { return func(o *options) { o.tools.Rand = r } }

package calls

import (
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Calls on a machine: the account, its keys, and Olm messages.
func init() {
	machineCall("identity", "Machine.Identity", "", func(g given, a *machine, _ nothing) (pawl.Identity, error) {
		return a.machine.Identity(g.ctx)
	})
	machineCall("inspect", "Machine.Inspect", "", func(g given, a *machine, _ nothing) (pawl.Inspection, error) {
		return a.machine.Inspect(g.ctx)
	})
	machineCall("check", "Machine.Check", "", func(g given, a *machine, _ nothing) (brokenResult, error) {
		broken, err := a.machine.Check(g.ctx)
		return brokenResult{broken}, err
	})
	machineCall("needs_recovery", "Machine.NeedsRecovery", "", func(g given, a *machine, _ nothing) (recoveryResult, error) {
		why, needed, err := a.machine.NeedsRecovery(g.ctx)
		r := recoveryResult{Needed: needed, Since: why.Since}
		if needed {
			r.Cause = why.Cause.String()
		}
		return r, err
	})
	machineCall("recover", "Machine.Recover", "", func(g given, a *machine, _ nothing) (pawl.Recovered, error) {
		return a.machine.Recover(g.ctx)
	})
	machineCall("sweep", "Machine.Sweep", "", func(g given, a *machine, p sweepParams) (pawl.Swept, error) {
		if p.Now.IsZero() {
			p.Now = time.Now()
		}
		return a.machine.Sweep(g.ctx, p.Now)
	})

	machineCall("keys_for_upload", "Machine.KeysForUpload", "", func(g given, a *machine, p countParams) (pawl.Upload, error) {
		return a.machine.KeysForUpload(g.ctx, p.Count)
	})
	machineCall("outstanding", "Machine.Outstanding", "", func(g given, a *machine, _ nothing) (pawl.Upload, error) {
		return a.machine.Outstanding(g.ctx)
	})
	machineCall("mark_published", "Machine.MarkPublished", "", func(g given, a *machine, p uploadParams) (nothing, error) {
		return nothing{}, a.machine.MarkPublished(g.ctx, p.upload())
	})
	machineCall("abandon", "Machine.Abandon", "", func(g given, a *machine, p uploadParams) (nothing, error) {
		return nothing{}, a.machine.Abandon(g.ctx, p.upload())
	})

	machineCall("encrypt", "Machine.Encrypt", "the plaintext", func(g given, a *machine, p encryptParams) (pawl.Encrypted, error) {
		var options []pawl.EncryptOption
		if p.OneTimeKey != (ratchet.PublicKey{}) {
			options = append(options, pawl.WithOneTimeKey(p.OneTimeKey))
		}
		return a.machine.Encrypt(g.ctx, p.Peer, g.body, options...)
	})
	machineCall("decrypt", "Machine.Decrypt", "", func(g given, a *machine, p pawl.Incoming) (pawl.Decrypted, error) {
		return a.machine.Decrypt(g.ctx, p.Sender, p.Message)
	})
	machineCall("decrypt_batch", "Machine.DecryptBatch", "", func(g given, a *machine, p batchParams) (batchResult, error) {
		results, err := a.machine.DecryptBatch(g.ctx, p.Messages)
		return batchResult{results}, err
	})
	machineCall("acknowledge", "Machine.Acknowledge", "", func(g given, a *machine, p receiptParams) (nothing, error) {
		return nothing{}, a.machine.Acknowledge(g.ctx, p.Receipts...)
	})
	machineCall("acknowledge_known", "Machine.AcknowledgeKnown", "", func(g given, a *machine, p receiptParams) (knownResult, error) {
		known, err := a.machine.AcknowledgeKnown(g.ctx, p.Receipts...)
		return knownResult{known}, err
	})
	machineCall("sessions", "Machine.Sessions", "", func(g given, a *machine, p peerParams) (sessionsResult, error) {
		all, err := a.machine.Sessions(g.ctx, p.Peer)
		return sessionsResult{all}, err
	})
}

type (
	brokenResult   struct{ Broken []string }
	recoveryResult struct {
		Needed bool
		Since  time.Time
		Cause  string
	}
	sweepParams  struct{ Now time.Time }
	countParams  struct{ Count int }
	uploadParams struct {
		OneTimeKeys []otk.ID
		Fallback    otk.ID
	}
	encryptParams struct {
		Peer       ratchet.PublicKey
		OneTimeKey ratchet.PublicKey
	}
	batchParams    struct{ Messages []pawl.Incoming }
	batchResult    struct{ Results []pawl.Result }
	receiptParams  struct{ Receipts []session.ReceiptID }
	knownResult    struct{ Known int }
	peerParams     struct{ Peer ratchet.PublicKey }
	sessionsResult struct{ Sessions []pawl.SessionInfo }
)

func (p uploadParams) upload() pawl.Upload {
	return pawl.Upload{OneTimeKeys: p.OneTimeKeys, Fallback: p.Fallback}
}

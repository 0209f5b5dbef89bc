package main

// toDeviceMutants break to-device messages.
var toDeviceMutants = []mutant{
	{
		name: "a used one-time key keeps its private part",
		file: "internal/machine/todevice/decrypt.go",
		old:  "case !key.Fallback():", new: "case false:",
		pkgs: []string{"."},
	},
	{
		name: "a decrypted message leaves no receipt",
		file: "internal/machine/todevice/decrypt.go",
		old:  "return d, records.Receipts.Put(tx, session.NewReceipt(id, s.ID(), plaintext.Key, at))", new: "return d, nil",
		pkgs: []string{"."},
	},
	{
		name: "receipts of format 1 are not looked for",
		file: "internal/machine/todevice/messages.go",
		old:  "case f.oldReceipts:", new: "case false:",
		pkgs: []string{"."},
	},
	{
		name: "encrypting does not store the step",
		file: "internal/machine/todevice/encrypt.go",
		old:  "return records.Sessions.Put(tx, s)", new: "return nil",
		pkgs: []string{"."},
	},
	{
		name: "a hint is believed rather than the store",
		file: "internal/machine/todevice/messages.go",
		old:  "c, err := records.ReadPeer(tx, peer)",
		new:  "c, err := records.ReadPeer(tx, peer)\n\tif hinted, ok := m.hints.peers.Get(peer); ok {\n\t\tc.Peer = hinted.peer\n\t}",
		pkgs: []string{"."},
	},
	{
		name: "a message of a damaged session looks like a broken session",
		file: "internal/machine/todevice/decrypt.go",
		old:  "case (none || errors.Is(err, ErrUnknownSession)) && mayBeOfBroken(", new: "case false && mayBeOfBroken(",
		pkgs: []string{"."},
	},
	{
		name: "one damaged peer ends a whole batch",
		file: "internal/machine/todevice/messages.go",
		old:  "if errors.As(err, new(*txn.RecordError)) {", new: "if false {",
		pkgs: []string{"."},
	},
	{
		name: "a stranger that was written to stays one",
		file: "internal/machine/todevice/encrypt.go",
		old:  "if a.Raised() && c.Standing() == session.Stranger {", new: "if false {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "a batch reads all that its senders have",
		file: "internal/machine/todevice/batch.go",
		old:  "enoughRead = 1 << 20", new: "enoughRead = 1 << 40",
		pkgs: []string{"./internal/machine/todevice"},
	},
	{
		name: "a second session is opened under one ratchet key",
		file: "internal/machine/todevice/decrypt.go",
		old:  "\tif session.Known(c.Sessions, in.normal.RatchetKey) {", new: "\tif false {",
		pkgs: []string{"."},
	},
	{
		name: "a second session turns to a ratchet key that another has",
		file: "internal/machine/todevice/decrypt.go",
		old:  "!s.Knows(in.normal.RatchetKey) && session.Known(c.Sessions, in.normal.RatchetKey)", new: "false",
		pkgs: []string{"."},
	},
	{
		name: "a message that was not tried in all is a failure of all",
		file: "internal/machine/todevice/decrypt.go",
		old:  "case none && left > 0:", new: "case false:",
		pkgs: []string{"."},
	},
	{
		name: "a batch that takes long is tried as a whole for ever",
		file: "internal/machine/todevice/batch.go",
		old:  "if tx.Attempt() > splitAfter && len(all) > 1 {", new: "if false {",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "all messages of a batch have one place in the order",
		file: "internal/machine/todevice/batch.go",
		old:  "\t\tin.place = i\n", new: "",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "a lost one-time key looks like a foreign one",
		file: "internal/machine/todevice/decrypt.go",
		old:  "if e.Public == public {", new: "if e.Public == public && false {",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "a lost fallback key looks like a foreign one",
		file: "internal/machine/todevice/decrypt.go",
		old:  "if f.Public == public {", new: "if f.Public == public && false {",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "a session whose key is used, and that is missing, is passed over",
		file: "internal/machine/todevice/decrypt.go",
		old:  "if !used || by != opens ||", new: "if true || by != opens || !used ||",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "we may write to ourselves",
		file: "internal/machine/todevice/encrypt.go",
		old:  "if a.Identity() == c.Peer.Identity() {", new: "if false {",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "a message whose key is gone wedges its sender",
		file: "internal/machine/todevice/unread.go",
		old:  "ratchet.ErrGap} {", new: "ratchet.ErrGap, ratchet.ErrKeyGone} {",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a changed copy of what was read wedges its sender",
		file: "internal/machine/todevice/unread.go",
		old:  ", errors.Is(err, errKnown):", new: ":",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a message of a pruned session wedges its sender",
		file: "internal/machine/todevice/unread.go",
		old:  "return machine.IsSetAside(err)", new: "return true",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a message of a chain that was dropped is of none",
		file: "internal/machine/todevice/decrypt.go",
		old:  "	case none && slices.ContainsFunc(c.Sessions,", new: "	case false && slices.ContainsFunc(c.Sessions,",
		pkgs: []string{"./internal/machine/unwedge"},
	},
}

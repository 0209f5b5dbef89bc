package records

import (
	"fmt"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/txn"
)

// GroupIns: a Megolm session that somebody sends in, group-in/<session id>. The
// name leaves out the room: a session is of one room, and a key that says another
// one meets the record and does not join.
var GroupIns = txn.JoinRecord[group.SessionID, group.Inbound]{Record: txn.Record[group.SessionID, group.Inbound]{
	Kind: "group-in", Codec: machine.Encoded[group.Inbound]{Read: group.DecodeInbound},
	Name: group.Inbound.ID, Path: txn.Spelled[group.SessionID],
}}

func groupInKind() Kind {
	return Kind{Records: many(&GroupIns.Record), Check: checkGroupIns, Sweep: sweepGroupIns}
}

// GroupInShare is what changing a session takes of a commit: it has 1,700 bytes
// at most, and is sealed under a key of some 60.
var GroupInShare = machine.Share{Bytes: 2 << 10, Writes: 1, Checks: 1}

// checkGroupIns: all copies of a session are of one ratchet. What is not is no use:
// which of them is right nobody can tell here.
func checkGroupIns(c *Checkup) {
	for in := range readable(c, &GroupIns.Record) {
		if in.Joins(in) {
			continue
		}
		id := in.ID()
		says := fmt.Sprintf("the keys of session %s are not of one ratchet", id)
		c.Find(GroupIns.Kind, inOne("set it aside: its keys come again, or are lost", func(tx *txn.Tx, a *machine.Account) error {
			in, ok, err := GroupIns.Get(tx, id)
			if err != nil || !ok || in.Joins(in) {
				return err
			}
			key, err := GroupIns.Key(tx, id)
			if err != nil {
				return err
			}
			version, err := GroupIns.Version(tx, id)
			if err != nil {
				return err
			}
			_, err = machine.SetAside(tx, a, key, version, machine.Aside{Name: id[:], Why: says})
			return err
		}), "%s", says)
	}
}

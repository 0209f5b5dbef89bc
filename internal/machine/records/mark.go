package records

import (
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Marks: what is left of a session that was pruned or swept, mark/<session id>.
var Marks = txn.Record[ratchet.SessionID, session.Mark]{
	Kind: "mark", Codec: machine.Encoded(session.DecodeMark),
	Name: session.Mark.ID, Path: txn.Spelled[ratchet.SessionID],
}

var markKind = Kind{Records: many(&Marks)}

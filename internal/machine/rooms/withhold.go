package rooms

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// notice is the content of m.room_key.withheld.
type notice struct {
	Algorithm string        `json:"algorithm"`
	Code      group.Code    `json:"code"`
	Reason    string        `json:"reason"`
	SenderKey string        `json:"sender_key"`
	Room      matrix.RoomID `json:"room_id,omitempty"`
	Session   string        `json:"session_id,omitempty"`
}

// reasons say the codes in words, for people.
var reasons = map[group.Code]string{
	group.Blacklisted: "The sender does not send keys to this device.",
	group.Unverified:  "The sender sends keys to verified devices only.",
	group.NoOlm:       "The sender could not open an Olm session with this device.",
}

// withhold tells devices why they do not get the key, one commit a request.
func (c *call) withhold(ctx context.Context, p *plan) error {
	slices.SortFunc(p.withhold, func(a, b refusal) int { return byName(a.to, b.to) })
	for todo := p.withhold; len(todo) > 0; {
		some := todo[:min(len(todo), MostMessages)]
		done, err := txn.Do(ctx, c.account.DB, func(tx *txn.Tx) (int, error) { return c.withholdSome(tx, p, some) })
		if err != nil {
			return err
		}
		todo = todo[done:]
	}
	return nil
}

func (c *call) withholdSome(tx *txn.Tx, p *plan, some []refusal) (int, error) {
	s, err := c.current(tx, p)
	if err != nil {
		return 0, err
	}
	messages := perDevice{}
	n := 0
	for i, r := range some {
		if i > 0 && !tx.Room(4, 2) {
			break
		}
		if err := c.refuse(tx, s, r, i+1, messages); err != nil {
			return 0, err
		}
		n++
	}
	if len(messages) == 0 {
		return n, nil
	}
	body, err := messages.body()
	if err != nil {
		return 0, err
	}
	_, err = outbox.Add(tx, c.account, s.v, outbox.New{Kind: outbox.ToDevice, EventType: withheldType, Body: body})
	return n, err
}

// refuse notes that a device does not get the key, and tells it why: once for each
// session, and that it has none once until it had one.
func (c *call) refuse(tx *txn.Tx, s state, r refusal, place int, messages perDevice) error {
	told, was, err := records.GivenTo(tx, c.shareName(s, r.to), r.to.Curve25519)
	if err != nil {
		return err
	}
	at, err := c.account.Moment(tx, s.v, place)
	if err != nil {
		return err
	}
	share := group.Share{
		Room: c.room, Session: s.out.ID(), User: r.to.User, Device: r.to.Device, Key: r.to.Curve25519, Outcome: group.NotGiven, Code: r.code, At: at,
	}
	if r.code == group.NoOlm {
		share.Outcome, share.Code = group.NotReached, ""
	}
	if was && (told.Outcome == share.Outcome && told.Code == share.Code || told.Outcome.Has()) {
		return nil
	}
	n := notice{Algorithm: account.Megolm, Code: r.code, Reason: reasons[r.code], SenderKey: s.v.Identity().String()}
	known := false
	if r.code == group.NoOlm {
		known, err = records.TellNoOlm(tx, r.to.Curve25519, at.Time)
	} else {
		n.Room, n.Session = c.room, s.out.ID().String()
	}
	if err != nil {
		return err
	}
	if !known {
		content, err := json.Marshal(n)
		if err != nil {
			return err
		}
		messages.add(r.to.Name, content)
	}
	return records.Shares.Put(tx, share)
}

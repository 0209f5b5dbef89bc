package devices

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Sent applies an answer. First identities and devices change, as far as they do at
// all, then whoever waits for them is told (Settle), and then the answer counts as
// known: killed anywhere between, the same request goes out again, and what was
// applied is found as it is.
func (q *Queries) Sent(ctx context.Context, r outbox.Request, response []byte) error {
	users, err := decodeUsers(r.Data)
	if err != nil {
		return err
	}
	answers, err := q.parse(ctx, response, users)
	if err != nil {
		return err
	}
	refused := map[matrix.UserID][]device.Refusal{}
	var told []matrix.UserID
	for _, of := range answers.Users {
		told = append(told, of.User)
		if refused[of.User], err = q.apply(ctx, r, answers, of); err != nil {
			return err
		}
	}
	for _, settle := range q.settle {
		if err := settle(ctx, told); err != nil {
			return err
		}
	}
	now := q.account.Store.Now()
	return q.finish(ctx, r, users, func(t device.Tracking) device.Tracking {
		list, known := refused[t.User]
		if !known {
			return t.Failed(now, now)
		}
		if slices.ContainsFunc(list, func(r device.Refusal) bool { return r.Reason() == device.ReasonDamaged }) {
			t = t.AnsweredInPart(list, now)
		} else {
			t = t.Answered(list)
		}
		q.warn(ctx, t.User, t)
		return t
	})
}

// parse verifies an answer. The own identity in it counts already: others that its
// user-signing key signed are vouched for.
func (q *Queries) parse(ctx context.Context, response []byte, users []matrix.UserID) (device.Answers, error) {
	own, err := txn.View(ctx, q.account.DB, q.own)
	if err != nil {
		return device.Answers{}, err
	}
	for _, u := range users {
		if u != own.User {
			continue
		}
		first, err := device.ParseAnswer(response, []matrix.UserID{u}, own)
		if err != nil {
			return first, fmt.Errorf("%w: %w", outbox.ErrAnswer, err)
		}
		for _, a := range first.Users {
			k, _ := device.Known{Identity: own.Identity}.See(a.Identity)
			own.Identity = k.Identity
		}
	}
	answers, err := device.ParseAnswer(response, users, own)
	if err == nil && len(answers.Users) == 0 && answers.Others > 0 {
		err = errors.New("it is of users that nobody asked for")
	}
	if err != nil {
		return answers, fmt.Errorf("%w: %w", outbox.ErrAnswer, err)
	}
	return answers, nil
}

// own is the device that judges. An own identity that cannot be read vouches for
// nobody.
func (q *Queries) own(tx *txn.Tx) (device.Own, error) {
	v, err := q.account.Active(tx)
	if err != nil {
		return device.Own{}, err
	}
	return ownOf(tx, v)
}

func ownOf(tx *txn.Tx, v account.Account) (device.Own, error) {
	k, err := records.IdentityOf(tx, v.User())
	if err != nil && !machine.IsDamage(err) {
		return device.Own{}, err
	}
	own := device.Own{Name: device.Name{User: v.User(), Device: v.Device()}, Ed25519: v.Fingerprint(), Identity: k.Identity}
	return own, nil
}

// apply changes what is known of one user, in as many commits as the engine needs,
// and returns what was refused.
func (q *Queries) apply(ctx context.Context, r outbox.Request, answers device.Answers, of device.Answer) ([]device.Refusal, error) {
	p, err := txn.View(ctx, q.account.DB, func(tx *txn.Tx) (planned, error) { return q.plan(tx, of) })
	if err != nil {
		return nil, err
	}
	refused := p.Refused
	if p.identity {
		more, err := txn.Do(ctx, q.account.DB, func(tx *txn.Tx) ([]device.Refusal, error) { return q.applyIdentity(tx, r, of) })
		if err != nil {
			return nil, err
		}
		refused = append(refused, more...)
	}
	for part := range p.Parts(q.account.Store.PerCommit(changeShare)) {
		more, err := txn.Do(ctx, q.account.DB, func(tx *txn.Tx) ([]device.Refusal, error) { return q.applyDevices(tx, r, answers, part) })
		if err != nil {
			return nil, err
		}
		refused = append(refused, more...)
	}
	return refused, nil
}

// changeShare is what changing a device takes of a commit. What is read and written
// of the query and the user's rooms beside that, of any number of devices, is within
// what there is for the last three of 16.
var changeShare = machine.Share{Bytes: records.DeviceShare.Bytes, Writes: 2, Checks: 4}

// planned is what an answer changes of a user.
type planned struct {
	device.Plan
	identity bool // or the own signature
}

// plan says what an answer changes, in one view.
func (q *Queries) plan(tx *txn.Tx, of device.Answer) (p planned, err error) {
	v, err := q.account.Active(tx)
	if err != nil {
		return p, err
	}
	known, damaged, err := records.DevicesOf(tx, of.User)
	if err != nil {
		return p, err
	}
	q.account.Store.Tell(tx, damaged.All())
	if of.User == v.User() {
		of = onlyOwn(of, v)
	}
	k, err := records.IdentityOf(tx, of.User)
	if err != nil && !machine.IsDamage(err) {
		return p, err
	}
	next, _ := k.See(of.Identity)
	p.identity = err != nil && !of.Identity.IsZero() || next != k
	if !p.identity && of.Signature.By != (account.VerifyKey{}) {
		s, _, err := records.OwnSignature.Get(tx)
		if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
			return p, err
		}
		p.identity = s != of.Signature
	}
	p.Plan = of.Plan(known)
	return p, nil
}

// onlyOwn refuses what an answer says of the own device, unless it is what the
// account is.
func onlyOwn(of device.Answer, v account.Account) device.Answer {
	var claims []device.Claim
	for _, c := range of.Claims {
		if c.Device == v.Device() && (c.Curve25519 != v.Identity() || c.Ed25519 != v.Fingerprint()) {
			of.Refused = append(of.Refused, device.Refusal{User: c.User, Device: c.Device, Err: device.ErrChanged})
			continue
		}
		claims = append(claims, c)
	}
	of.Claims = claims
	return of
}

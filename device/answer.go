package device

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Claim is a device in an answer: what it says of itself, signed by itself, and
// whether its user's self-signing key signed it.
type Claim struct {
	Keys
	SignedBy account.VerifyKey // the self-signing key that signed the device, or zero
}

// Answer is what an answer to /keys/query says of one user.
type Answer struct {
	User     matrix.UserID
	Claims   []Claim // in the order of their ids
	Identity Identity
	Refused  []Refusal
	// Signature is that of the self-signing key on the own device, if it has one.
	Signature OwnSignature
}

// Answers are what an answer says of the users that were asked for.
type Answers struct {
	Users []Answer
	// Silent are users who were asked for and of whom it says nothing that can be
	// read: their server did not answer, say. They stay outdated.
	Silent []matrix.UserID
	// Others is how many users it has that nobody asked for.
	Others int
	// shared are the Curve25519 keys that more than one device claims.
	shared map[ratchet.PublicKey]bool
}

// ParseAnswer verifies an answer to /keys/query. Users that nobody asked for are
// passed over. A device that is not believable is in Refused; only an answer that
// is not one at all fails, with [ErrForm].
func ParseAnswer(raw []byte, asked []matrix.UserID, own Own) (Answers, error) {
	o, err := parseObject(raw)
	if err != nil {
		return Answers{}, err
	}
	parts := map[string]map[matrix.UserID]json.RawMessage{"device_keys": nil, "master_keys": nil, "self_signing_keys": nil, "user_signing_keys": nil}
	for name := range parts {
		if parts[name], err = o.byUser(name); err != nil {
			return Answers{}, err
		}
	}
	answers := Answers{shared: map[ratchet.PublicKey]bool{}}
	seen := map[ratchet.PublicKey]bool{}
	asked = slices.Compact(slices.Sorted(slices.Values(asked)))
	for user := range parts["device_keys"] {
		if _, was := slices.BinarySearch(asked, user); !was {
			answers.Others++
		}
	}
	for _, user := range asked {
		var devices map[matrix.DeviceID]json.RawMessage
		if json.Unmarshal(parts["device_keys"][user], &devices) != nil || devices == nil {
			answers.Silent = append(answers.Silent, user)
			continue
		}
		identity := rawIdentity{master: parts["master_keys"][user], selfSigning: parts["self_signing_keys"][user]}
		if user == own.User {
			identity.userSigning = parts["user_signing_keys"][user]
		}
		answer := parseUser(user, devices, identity, own)
		if user == own.User {
			answer.Signature = signatureOn(devices[own.Device], user, answer.Identity.SelfSigning)
		}
		for _, c := range answer.Claims {
			answers.shared[c.Curve25519] = seen[c.Curve25519]
			seen[c.Curve25519] = true
		}
		answers.Users = append(answers.Users, answer)
	}
	return answers, nil
}

// byUser is a member with something for each user, or none.
func (o object) byUser(name string) (all map[matrix.UserID]json.RawMessage, err error) {
	if part, there := o.members[name]; there && json.Unmarshal(part, &all) != nil {
		return nil, fmt.Errorf("%w: %s is not an object", ErrForm, name)
	}
	return all, nil
}

// maxParsed is how many devices of a user are verified, by their ids: a server may
// show any number, and each takes a tenth of a millisecond. What is known of the
// others stays as it is.
const maxParsed = 2 * MaxKept

func parseUser(user matrix.UserID, devices map[matrix.DeviceID]json.RawMessage, raw rawIdentity, own Own) Answer {
	a := Answer{User: user}
	var refused []error
	a.Identity, refused = parseIdentity(user, raw, own)
	for _, err := range refused {
		a.Refused = append(a.Refused, Refusal{User: user, Err: err})
	}
	for i, id := range slices.Sorted(maps.Keys(devices)) {
		if i >= maxParsed {
			a.Refused = append(a.Refused, Refusal{user, id, ErrMany})
			continue
		}
		c, err := parseClaim(Name{user, id}, devices[id], a.Identity)
		if err != nil {
			a.Refused = append(a.Refused, Refusal{user, id, err})
			continue
		}
		a.Claims = append(a.Claims, c)
	}
	return a
}

func parseClaim(of Name, raw []byte, by Identity) (Claim, error) {
	o, err := parseObject(raw)
	if err != nil {
		return Claim{}, err
	}
	k, err := parseKeys(of, o)
	if err != nil {
		return Claim{}, err
	}
	c := Claim{Keys: k}
	if o.signedByKey(of.User, by.SelfSigning) == nil {
		c.SignedBy = by.SelfSigning
	}
	return c, nil
}

// signatureOn is a self-signing key's signature on a device.
func signatureOn(raw []byte, user matrix.UserID, by account.VerifyKey) (s OwnSignature) {
	o, err := parseObject(raw)
	if err != nil || by == (account.VerifyKey{}) {
		return s
	}
	var all map[matrix.UserID]map[string]json.RawMessage
	if json.Unmarshal(o.members["signatures"], &all) != nil {
		return s
	}
	for _, name := range o.signers(user) {
		if key, wrong := account.ParseVerifyKey(name); wrong != nil || key != by || o.signed(user, name, by) != nil {
			continue
		}
		var text string
		if json.Unmarshal(all[user]["ed25519:"+name], &text) != nil {
			continue
		}
		if signature, wrong := account.ParseSignature(text); wrong == nil {
			return OwnSignature{by, signature}
		}
	}
	return s
}

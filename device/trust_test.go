package device_test

import (
	"strings"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
)

// What happens to the identities of alice, whose device it is, and of bob, by letters.
// Each of them may have one master key, and later another.
const (
	// Of alice: the first master key is seen, the other is, what is there is verified,
	// accepted, signed by the device.
	ofAlice = "aAvcs"
	// Of bob: the same, and what is there is vouched for by alice's user-signing key.
	ofBob = "bByko"
	acts  = ofAlice + ofBob
)

// people are alice and bob as package device keeps them.
type people struct{ alice, bob device.Known }

// key is a key of somebody: for each master key there are all of them.
func key(of, what byte, master int) (k account.VerifyKey) {
	k[0], k[1], k[2] = of, what, byte(master)
	return k
}

func seen(of byte, master int) device.Identity {
	i := device.Identity{User: alice, Master: key(of, 'm', master), SelfSigning: key(of, 's', master)}
	if i.UserSigning = key(of, 'u', master); of == 'b' {
		i.User, i.UserSigning = bob, account.VerifyKey{}
	}
	return i
}

// does applies an act. What nobody has seen nobody verifies, accepts or signs.
func (p people) does(act byte) people {
	switch act {
	case 'a', 'A':
		p.alice, _ = p.alice.See(seen('a', strings.IndexByte("aA", act)))
	case 'b', 'B':
		p.bob, _ = p.bob.See(seen('b', strings.IndexByte("bB", act)))
	}
	if strings.IndexByte(ofAlice, act) >= 0 && p.alice.IsZero() || strings.IndexByte(ofBob, act) >= 0 && p.bob.IsZero() {
		return p
	}
	switch act {
	case 'v':
		p.alice = p.alice.Verify()
	case 'c':
		p.alice = p.alice.Accept()
	case 's':
		i := p.alice.Identity
		i.SignedHere = true
		p.alice, _ = p.alice.See(i)
	case 'y':
		p.bob = p.bob.Verify()
	case 'k':
		p.bob = p.bob.Accept()
	case 'o':
		i := p.bob.Identity
		i.VouchedBy = p.alice.UserSigning
		p.bob, _ = p.bob.See(i)
	}
	return p
}

// who says who is verified: nobody, alice, or both, which no order of acts may have
// for bob alone.
func (p people) who(t *testing.T, order string) byte {
	t.Helper()
	a, b := p.alice.IsVerified(p.alice), p.bob.IsVerified(p.alice)
	for _, of := range []struct {
		is, changed bool
		known       device.Known
	}{{a, p.alice.Changed(), p.alice}, {b, p.bob.Changed(), p.bob}} {
		d := device.Device{Claim: device.Claim{Keys: device.Keys{Name: device.Name{User: of.known.User}}, SignedBy: of.known.SelfSigning}}
		want := device.CrossSigned
		switch {
		case of.is:
			want = device.Verified
		case of.known.IsZero() || of.changed:
			want = device.Unsigned
		}
		if got := of.known.Of(d, p.alice); got != want {
			t.Errorf("%s: a device of %q is %v, want %v", order, of.known.User, got, want)
		}
	}
	switch {
	case b && !a:
		return 'b'
	case b:
		return '2'
	case a:
		return 'a'
	}
	return '-'
}

// expected says the same by the history alone.
func expected(order string) byte {
	last := func(until int, any string) int { return strings.LastIndexAny(order[:until], any) }
	all := len(order)
	shown := func(until int, masters string) byte { // the master key that was seen last
		if at := last(until, masters); at >= 0 {
			return order[at]
		}
		return 0
	}
	// at is the master key that was there at the last of these acts.
	at := func(masters, any string) byte {
		until := last(all, any)
		if until < 0 {
			return 0
		}
		return shown(until, masters)
	}
	pinned := func(masters, judged string) byte {
		if k := at(masters, judged); k != 0 {
			return k
		}
		if first := strings.IndexAny(order, masters); first >= 0 {
			return order[first]
		}
		return 0
	}
	alice, bob := shown(all, "aA"), shown(all, "bB")
	// A key that is seen again as it is changes nothing; a signature is gone with the next
	// key that is seen without it.
	signed := alice != 0 && last(all, "s") > last(all, "aA")
	if alice == 0 || pinned("aA", "vc") != alice || at("aA", "v") != alice && !signed {
		return '-'
	}
	vouch := last(all, "o")
	vouched := vouch > last(all, "bB") && bob != 0 && shown(vouch, "aA") == alice
	if bob == 0 || pinned("bB", "yk") != bob || at("bB", "y") != bob && !vouched {
		return 'a'
	}
	return '2'
}

// TestOrdersOfTrust: in whichever order identities are seen, changed, verified, accepted
// and signed, nobody is verified but while the own identity is trusted by an explicit
// act, and then those who were compared with the key that they have, before or after
// that, and those whom it vouches for.
func TestOrdersOfTrust(t *testing.T) {
	most := 6
	if testing.Short() {
		most = 5
	}
	ends := map[byte]int{}
	var walk func(p people, order string)
	walk = func(p people, order string) {
		got, want := p.who(t, order), expected(order)
		if ends[got]++; got != want {
			t.Errorf("%s: verified %c, want %c", order, got, want)
		}
		if len(order) == most || t.Failed() {
			return
		}
		for i := range acts {
			walk(p.does(acts[i]), order+acts[i:i+1])
		}
	}
	walk(people{}, "")
	if ends['b'] > 0 || ends['-'] < ends['a'] || ends['a'] < ends['2'] || ends['2'] < 10 {
		t.Errorf("orders by who is verified in the end: %v", ends)
	}
}

// TestTrustInOrder: who is verified after each act, of orders that matter.
func TestTrustInOrder(t *testing.T) {
	for order, want := range map[string]string{
		"ab":       "--",       // being seen is nothing
		"by":       "--",       // without own keys nobody can be verified
		"bya":      "---",      // nor by own keys that were only seen
		"byav":     "---2",     // what was compared before counts
		"avby":     "-aa2",     // as what is compared after
		"byas":     "---2",     // a signature of this device is an act, too
		"byac":     "----",     // accepting is none
		"abo":      "---",      // the own key vouches for nobody
		"abov":     "---2",     // until it is trusted
		"avboA":    "-aa2-",    // a change of the own key takes all of it
		"avbyA":    "-aa2-",    // and what was compared here
		"avbyAc":   "-aa2--",   // accepted it is not trusted
		"avbyAv":   "-aa2-2",   // trusted anew, what was compared here counts again
		"avboAv":   "-aa2-a",   // who was vouched for by the old one is not verified
		"avbyAa":   "-aa2-2",   // the old one comes back
		"avbyAva":  "-aa2-2-",  // but not past what was accepted since
		"avbyAvac": "-aa2-2--", // which has to be verified again
		"avbyB":    "-aa2a",    // a change of the other's key takes that one's alone
		"avbyBk":   "-aa2aa",   // accepted it is not verified
		"avbyBy":   "-aa2a2",
		"avbyBb":   "-aa2a2",  // the verified one comes back
		"avbyBkb":  "-aa2aaa", // and is a change, if the other was accepted
		"byBkav":   "-----a",  // what was compared was another key
		"byBav":    "----a",   // and nobody has accepted this one
		"byBavy":   "----a2",
		"bBaAvsy":  "----aa2",
		"asbyA":    "-aa2-",
		"asa":      "-a-", // the server shows the signature no longer
	} {
		p := people{}
		for i := range order {
			p = p.does(order[i])
			if got := p.who(t, order[:i+1]); got != want[i] {
				t.Errorf("%s of %s: verified %c, want %c", order[:i+1], order, got, want[i])
			}
		}
		if len(want) != len(order) {
			t.Errorf("%s: %s", order, want)
		}
	}
}

package otk

import (
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/ratchet"
)

func TestImportedKeysAreNeverOffered(t *testing.T) {
	p, err := NewPool().Import(7, []Entry{{ID: 5, Public: ratchet.PublicKey{5}, Stage: Published}, {ID: 2, Public: ratchet.PublicKey{2}, Stage: Abandoned}},
		[]Fallback{{ID: 3, Published: true}, {ID: 6, Published: true}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, offered := p.Offer(10, noon); len(offered) > 0 {
		t.Errorf("offered %v", offered)
	}
	ids := []ID{}
	for e := range p.Entries() {
		if ids = append(ids, e.ID); !e.InBody.Equal(noon) {
			t.Errorf("key %v was in a body at %v", e.ID, e.InBody)
		}
	}
	current, previous := p.Fallbacks()
	if !slices.Equal(ids, []ID{2, 5}) || current.ID != 6 || previous.ID != 3 || p.Next() != 8 {
		t.Errorf("ids %v, fallback keys %v and %v, next %v", ids, current.ID, previous.ID, p.Next())
	}
	encoded, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodePool(encoded); err != nil {
		t.Error(err)
	}
	more, err := p.Import(7, []Entry{{ID: 4, Stage: Published}}, nil, noon)
	if err != nil || more.Len() != 3 || p.Len() != 2 {
		t.Errorf("a second part: %d keys, %v", more.Len(), err)
	}
}

func TestImportRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		keys      []Entry
		fallbacks []Fallback
		want      error
	}{
		"a key to be offered":     {[]Entry{{ID: 1, Stage: Generated}}, nil, ErrStage},
		"an offered key":          {[]Entry{{ID: 1, Stage: Offered}}, nil, ErrStage},
		"no id":                   {[]Entry{{Stage: Published}}, nil, ErrFormat},
		"an id after the last":    {[]Entry{{ID: 9, Stage: Published}}, nil, ErrFormat},
		"an id twice":             {[]Entry{{ID: 1, Stage: Published}, {ID: 1, Stage: Published}}, nil, ErrFormat},
		"an id of a fallback key": {[]Entry{{ID: 1, Stage: Published}}, []Fallback{{ID: 1}}, ErrFormat},
		"too many fallback keys":  {nil, make([]Fallback, MaxFallbacks+1), ErrFull},
		"too many keys":           {make([]Entry, MaxKeys+1), nil, ErrFull},
	} {
		if _, err := NewPool().Import(8, c.keys, c.fallbacks, noon); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}

func TestTombstonesOfOthers(t *testing.T) {
	k := Tombstone(4, ratchet.PublicKey{1}, ratchet.SessionID{2}, Moment{Time: noon})
	encoded, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeKey(encoded)
	by, at, used := back.Used()
	if err != nil || !used || by != (ratchet.SessionID{2}) || !at.Equal(noon) || back.ID() != 4 || back.Fallback() {
		t.Errorf("%v, %v, %v, %v", by, at, used, err)
	}
	if _, err := k.Pair(); !errors.Is(err, ErrUsed) {
		t.Errorf("its pair: %v, want ErrUsed", err)
	}
}

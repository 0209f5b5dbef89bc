//go:build libolm

package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	libolmc "maunium.net/go/mautrix/crypto/libolm"
)

// MegolmSession is a session and what is sent and given away in it.
type MegolmSession struct {
	Name      string       `json:"name"`
	Comment   string       `json:"comment,omitempty"`
	Random    Hex          `json:"random"`
	SessionID string       `json:"session_id"`
	Steps     []MegolmStep `json:"steps"`
}

// MegolmStep is one thing that happens in a session.
type MegolmStep struct {
	Do        string `json:"do"` // encrypt, share, export, advance
	Index     uint32 `json:"index"`
	Plaintext Hex    `json:"plaintext,omitempty"`
	Body      Body   `json:"body,omitempty"`
}

// megolmScript is a libolm session to send in and one that reads all of it.
type megolmScript struct {
	random Hex
	sender *libolmc.OutboundGroupSession
	state  pickle.OutboundGroup // at index 0
	reader interop.GroupReader
	steps  []MegolmStep
}

func newMegolm() (s *megolmScript, err error) {
	s = &megolmScript{}
	random, err := interop.RecordRandomness(func() (err error) {
		s.sender, err = libolmc.NewOutboundGroupSession()
		return err
	})
	if err != nil {
		return nil, err
	}
	s.random = used(random)
	pickled, err := s.sender.Pickle([]byte("vectors"))
	if err != nil {
		return nil, err
	}
	raw, err := pickle.Open([]byte("vectors"), pickled)
	if err != nil {
		return nil, err
	}
	if s.state, err = pickle.DecodeOutboundGroup(raw); err != nil {
		return nil, err
	}
	if !bytes.Equal(s.state.Ratchet[:], random[:len(s.state.Ratchet)]) {
		return nil, errors.New("libolm's ratchet is not what it read first")
	}
	s.reader, err = interop.Libolm{}.FromShared(unbase64(s.sender.Key()))
	return s, err
}

func unbase64(s string) []byte {
	b, err := bodyEncoding.DecodeString(s)
	if err != nil {
		panic(err) // libolm wrote it
	}
	return b
}

// index is that of the next message.
func (s *megolmScript) index() uint32 { return uint32(s.sender.MessageIndex()) }

func (s *megolmScript) encrypt(text string) error {
	index := s.index()
	body, err := s.sender.Encrypt([]byte(text))
	s.steps = append(s.steps, MegolmStep{Do: "encrypt", Index: index, Plaintext: Hex(text), Body: unbase64(string(body))})
	return err
}

func (s *megolmScript) share() {
	s.steps = append(s.steps, MegolmStep{Do: "share", Index: s.index(), Body: unbase64(s.sender.Key())})
}

func (s *megolmScript) export(index uint32) error {
	b, err := s.reader.Export(index)
	s.steps = append(s.steps, MegolmStep{Do: "export", Index: index, Body: b})
	return err
}

// at returns the state at an index.
func (s *megolmScript) at(index uint32) (pickle.OutboundGroup, error) {
	b, err := s.reader.Export(index)
	if err != nil {
		return pickle.OutboundGroup{}, err
	}
	state := s.state
	state.Index = index
	copy(state.Ratchet[:], b[5:])
	return state, nil
}

// advance loses all messages up to an index.
func (s *megolmScript) advance(index uint32) error {
	state, err := s.at(index)
	if err != nil {
		return err
	}
	pickled, err := pickle.Seal([]byte("vectors"), state.Encode())
	if err != nil {
		return err
	}
	s.sender = libolmc.NewBlankOutboundGroupSession()
	s.steps = append(s.steps, MegolmStep{Do: "advance", Index: index})
	return s.sender.Unpickle(pickled, []byte("vectors"))
}

// megolmPlaces are indices about which parts of the ratchet move.
var megolmPlaces = []uint32{1, 2, 254, 255, 256, 257, 511, 512, 10000, 1<<16 - 1, 1 << 16, 1<<16 + 1, 1<<24 - 1, 1 << 24, 1<<24 + 256, 1<<31 - 2}

var megolmSessions = []struct {
	name, comment string
	play          func(*megolmScript) error
}{
	{"messages", "from the first on, each of another length", func(s *megolmScript) error {
		s.share()
		for n := range 20 {
			if err := s.encrypt(fmt.Sprintf("%0*d", n+1, n)); err != nil {
				return err
			}
		}
		s.share()
		return nil
	}},
	{"exports", "the ratchet at many indices", func(s *megolmScript) error {
		for _, index := range megolmPlaces {
			if err := s.export(index); err != nil {
				return err
			}
		}
		return nil
	}},
	{"far ahead", "messages after many that were lost", func(s *megolmScript) error {
		for _, index := range megolmPlaces {
			if err := s.advance(index); err != nil {
				return err
			}
			if err := s.encrypt(fmt.Sprint("message ", index)); err != nil {
				return err
			}
			s.share()
		}
		return nil
	}},
}

func makeMegolmSessions() (File, error) {
	var vectors []MegolmSession
	for _, v := range megolmSessions {
		s, err := newMegolm()
		if err != nil {
			return File{}, err
		}
		id := string(s.sender.ID())
		if err := v.play(s); err != nil {
			return File{}, fmt.Errorf("%s: %w", v.name, err)
		}
		vectors = append(vectors, MegolmSession{Name: v.name, Comment: v.comment, Random: s.random, SessionID: id, Steps: s.steps})
	}
	return File{
		Kind:        "megolm-session",
		Description: "Megolm sessions: with the given randomness, encrypting, sharing and exporting give exactly these bytes.",
		Expect:      verdictNames(interop.Accepted),
		Vectors:     vectors,
	}, nil
}

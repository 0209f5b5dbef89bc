package group

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestHintsChangeNoAnswer: whatever hint is given, of the same session, of another,
// of a copy that is there no more, the answer is that without one.
func TestHintsChangeNoAnswer(t *testing.T) {
	var bodies [2][][]byte
	var first [2]Key
	for i := range first {
		s := mustSender(t, byte(70+i))
		st := *s.state.Peek()
		st.ratchet.advance(250)
		s = restored(st)
		first[i] = s.Key()
		for n := range 12 {
			var body []byte
			s, body = mustEncrypt(t, s, fmt.Sprint("text ", n))
			bodies[i] = append(bodies[i], body)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		hints := []Reached{{}}
		for range 8 {
			i := rapid.IntRange(0, 1).Draw(t, "session")
			in := mustInbound(t, NewCopy(first[i], Source{Provenance: Backup}))
			if at := rapid.IntRange(0, 8).Draw(t, "direct"); at > 0 {
				in = in.Join(mustInbound(t, NewCopy(mustAdvance(t, first[i], 250+uint32(at)), Source{Provenance: Direct})))
			}
			in = in.Forget(uint64(rapid.SampledFrom([]int{0, 0, 252, 257}).Draw(t, "floor")))
			m := mustParse(t, rapid.SampledFrom(bodies[rapid.IntRange(0, 1).Draw(t, "of")]).Draw(t, "message"))
			want, wantErr := in.Decrypt(m)
			got, next, err := in.DecryptFrom(rapid.SampledFrom(hints).Draw(t, "hint"), m)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || string(got.Text) != string(want.Text) || got.Source != want.Source {
				t.Fatalf("with a hint %q, %v; without %q, %v", got.Text, err, want.Text, wantErr)
			}
			hints = append(hints, next)
		}
	})
}

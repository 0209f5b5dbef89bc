package pawlbridge

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/synapse"
	"github.com/pawlkv/pawl/matrix"
)

var where = flag.String("synapse", "", "the virtual environment that has Synapse, for a real homeserver")

// transaction is one that Synapse has sent.
type transaction struct {
	path string
	body []byte
}

// passage is what Synapse's transactions go through.
type passage struct {
	mu  sync.Mutex
	all []transaction
}

func (p *passage) list() []transaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.all)
}

// onSynapse is a world on a real homeserver, whose application service makes devices by
// MSC4190 or logs in: Synapse lets it do one of both.
func onSynapse(t *testing.T, msc4190 bool) (*world, *passage) {
	t.Helper()
	w := &world{TB: t, folder: t.TempDir(), address: free(t), log: zerolog.New(io.Discard)}
	w.service = hs.Service{URL: fmt.Sprintf("http://%s", w.address), ServerToken: serverToken, Token: serviceToken, Prefix: "@net_"}
	to, err := url.Parse(w.service.URL)
	if err != nil {
		t.Fatal(err)
	}
	p, proxy := &passage{}, httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorHandler = func(a http.ResponseWriter, _ *http.Request, _ error) { a.WriteHeader(http.StatusBadGateway) }
	through := httptest.NewServer(http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if strings.HasPrefix(r.URL.Path, transactionsPath) {
			p.mu.Lock()
			p.all = append(p.all, transaction{r.URL.Path, body})
			p.mu.Unlock()
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(a, r)
	}))
	t.Cleanup(through.Close)
	s := synapse.Start(t, *where, "example.org", synapse.Service{
		"id": "net", "url": through.URL, "as_token": w.service.Token, "hs_token": w.service.ServerToken,
		"sender_localpart": "net_bot", "rate_limited": false,
		"namespaces": map[string]any{
			"users": []any{map[string]any{"exclusive": true, "regex": `@net_.*:example\.org`}}, "rooms": []any{}, "aliases": []any{},
		},
		"de.sorunome.msc2409.push_ephemeral": true, "org.matrix.msc3202": true, "io.element.msc4190": msc4190,
	})
	s.AddUser(matrix.UserID(carol), "secret")
	w.s, w.at = s, s.URL()
	return w, p
}

// brought are the kinds of what transactions had for a device.
func brought(all []transaction, device id.DeviceID) map[string]bool {
	found := map[string]bool{}
	for _, one := range all {
		var t struct {
			ToDevice []struct {
				Device id.DeviceID `json:"to_device_id"`
			} `json:"de.sorunome.msc2409.to_device"`
			Lists struct {
				Changed []id.UserID `json:"changed"`
			} `json:"org.matrix.msc3202.device_lists"`
			Counts map[id.UserID]map[id.DeviceID]json.RawMessage `json:"org.matrix.msc3202.device_one_time_keys_count"`
			Unused map[id.UserID]map[id.DeviceID]json.RawMessage `json:"org.matrix.msc3202.device_unused_fallback_key_types"`
		}
		if json.Unmarshal(one.body, &t) != nil {
			continue
		}
		for _, e := range t.ToDevice {
			found["to-device events"] = found["to-device events"] || e.Device == device
		}
		found["device lists"] = found["device lists"] || slices.Contains(t.Lists.Changed, carol)
		found["counts"] = found["counts"] || t.Counts[bridgeBot][device] != nil
		found["fallback types"] = found["fallback types"] || t.Unused[bridgeBot][device] != nil
	}
	return found
}

// put gives the bridge a transaction of Synapse's again, and returns the answer's status.
func (b *bridge) put(one transaction, token string) int {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPut, b.service.URL+one.path, bytes.NewReader(one.body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// A bridge on Synapse talks both ways, in each way that to-device events come and that a
// device is made. In transactions Synapse sends all that belongs to the device; none of
// them changes anything when it comes again, or from somebody else.
func TestBridgeOnSynapse(t *testing.T) {
	if *where == "" {
		t.Skip("without Synapse: run make e2e")
	}
	for name, set := range map[string]func(*bridgeconfig.EncryptionConfig){
		"in transactions, MSC4190": func(c *bridgeconfig.EncryptionConfig) {},
		"in transactions, login":   func(c *bridgeconfig.EncryptionConfig) { c.MSC4190 = false },
		"in syncs, MSC4190":        func(c *bridgeconfig.EncryptionConfig) { c.Appservice = false },
		"in syncs, login":          func(c *bridgeconfig.EncryptionConfig) { c.Appservice, c.MSC4190 = false, false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var config bridgeconfig.Config
			config.Encryption.MSC4190 = true
			set(&config.Encryption)
			w, passed := onSynapse(t, config.Encryption.MSC4190)
			store := w.openStore(nil)
			b, p, room := w.with(func(c *bridgeconfig.Config) { set(&c.Encryption) })
			b.say(room, "from the bridge")
			p.reads("from the bridge")
			p.say(room, "to the bridge")
			b.reads("to the bridge")
			late := w.person(carol, "TABLET") // whose keys change carol's list, and who asks for keys of the bot's
			b.knows(p, carol, 2)
			b.say(room, "to all")
			late.reads("to all")
			device := b.connector.Crypto.Client().DeviceID
			b = b.again()
			p.say(room, "again")
			b.reads("again")
			if now := b.connector.Crypto.Client().DeviceID; now != device {
				t.Errorf("started again the device is %s, and was %s", now, device)
			}
			got := brought(passed.list(), device)
			if !b.connector.Config.Encryption.Appservice {
				return
			}
			for _, kind := range []string{"to-device events", "device lists", "counts", "fallback types"} {
				if !got[kind] {
					t.Errorf("Synapse's transactions had no %s", kind)
				}
			}
			for token, status := range map[string]int{"another's": http.StatusUnauthorized, w.service.ServerToken: http.StatusOK} {
				p.awaits("the end of requests", func() bool { return len(b.stored(store).Requests) == 0 })
				before, read := b.stored(store), b.count("again")
				for _, one := range passed.list() {
					if is := b.put(one, token); is != status {
						t.Errorf("with token %q %s is answered with %d, want %d", token, one.path, is, status)
					}
				}
				now := b.stored(store)
				if !reflect.DeepEqual(now.Peers, before.Peers) || !reflect.DeepEqual(now.Records, before.Records) || b.count("again") != read {
					t.Errorf("with token %q there is %+v, and was %+v", token, now, before)
				}
			}
		})
	}
}

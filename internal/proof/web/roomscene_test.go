package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/matrix"
)

// rotation is after how many messages a room's key is replaced.
const rotation = 4

// roomStory is examples/web in a browser, and its peers, in a room of a homeserver.
type roomStory struct {
	t       *testing.T
	server  *hs.Server
	site    *Server
	browser *Browser
	device  oracle.Device // in the browser
	token   string
	room    matrix.RoomID
	peers   []*roomPeer
	ear     *Tab // of the same origin, which hears what is told to the pages
	worker  serviceworker.RegistrationID

	mu     sync.Mutex
	life   oracle.Life
	pushed []matrix.EventID
}

// heardEvent is what a place of the device tells that it has read.
type heardEvent struct {
	ID     matrix.EventID `json:"id"`
	Sender matrix.UserID  `json:"sender"`
	By     string         `json:"by"`
	Body   string         `json:"body"`
	Error  string         `json:"error"`
}

func newRoomStory(t *testing.T) *roomStory {
	t.Helper()
	folder, sdk, mautrix := Package(t), sdkProgram(t), mautrixProgram(t)
	server, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	y := &roomStory{t: t, server: server, site: NewServer(t, filepath.Join(folder, "pawl.wasm")), browser: Shared(t)}
	y.device = oracle.Device{User: "@alice:example.org", ID: "PHONE"}
	y.life.Ours = []oracle.Device{y.device}
	y.serveExample(folder)
	for _, user := range []matrix.UserID{y.device.User, "@bob:example.org", "@carol:example.org", "@admin:example.org"} {
		server.AddUser(user, "secret")
	}
	y.token = server.Login(y.device.User, y.device.ID)
	made := y.ask(server.Login("@admin:example.org", "BROWSER"), "createRoom", map[string]any{"preset": "public_chat", "initial_state": []any{map[string]any{
		"type": "m.room.encryption", "state_key": "", "content": map[string]any{"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": rotation},
	}}})
	y.room = matrix.RoomID(made["room_id"].(string))
	y.peers = []*roomPeer{
		newRoomPeer(t, server, oracle.Device{User: "@bob:example.org", ID: "MAUTRIX"}, mautrix),
		newRoomPeer(t, server, oracle.Device{User: "@carol:example.org", ID: "SDK"}, sdk),
	}
	y.ear = y.browser.Open(y.site.URL + "/elsewhere")
	t.Cleanup(y.ear.Close)
	y.ear.eval(`globalThis.heard = []; globalThis.ear = new BroadcastChannel("example"); ear.onmessage = (e) => heard.push(e.data)`)
	return y
}

// serveExample has the example with its package, and the homeserver, on one origin.
func (y *roomStory) serveExample(folder string) {
	y.t.Helper()
	home, err := url.Parse(y.server.URL())
	if err != nil {
		y.t.Fatal(err)
	}
	const example = mainModule + "/examples/web"
	lines := 0
	for _, file := range []string{"index.html", "page.js", "worker.js", "service.js", "client.js", "session.js"} {
		text, err := os.ReadFile(filepath.Join(example, file))
		if err != nil {
			y.t.Fatal(err)
		}
		lines += strings.Count(string(text), "\n")
	}
	if lines > 250 {
		y.t.Errorf("the example has %d lines, want at most 250", lines)
	}
	y.site.mux.Handle("/example/", strict(http.StripPrefix("/example/", http.FileServer(http.Dir(example)))))
	y.site.mux.Handle("/example/pawl/", strict(http.StripPrefix("/example/pawl/", http.FileServer(http.Dir(folder)))))
	y.site.mux.Handle("/_matrix/", httputil.NewSingleHostReverseProxy(home))
}

// ask asks the homeserver for something that is granted.
func (y *roomStory) ask(token, path string, body any) map[string]any {
	y.t.Helper()
	status, answer, err := hs.Ask(y.t.Context(), token, "POST", y.server.URL()+"/_matrix/client/v3/"+path, body)
	if err != nil || status != http.StatusOK {
		y.t.Fatalf("%s: %d %v %v", path, status, answer, err)
	}
	return answer
}

// open opens a page of the example.
func (y *roomStory) open() *Tab {
	y.t.Helper()
	tab := y.browser.Open(y.site.URL + "/example/index.html")
	y.t.Cleanup(tab.Close)
	return tab
}

// reload loads a page again.
func (y *roomStory) reload(page *Tab) {
	y.t.Helper()
	if err := chromedp.Do(page.Ctx, chromedp.Navigate(y.site.URL+"/example/index.html")); err != nil {
		y.t.Fatal(err)
	}
}

// call calls something of a page's client, and returns what it promises.
func (y *roomStory) call(page *Tab, what string, args ...any) string {
	y.t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		y.t.Fatal(err)
	}
	said, err := chromedp.Run(page.Ctx, chromedp.Evaluate[string](fmt.Sprintf("client.%s(...%s).then(String)", what, text), chromedp.EvalAwaitPromise))
	if err != nil {
		y.t.Errorf("client.%s: %v", what, err)
	}
	return said
}

func (y *roomStory) login(page *Tab) {
	y.t.Helper()
	y.call(page, "login", map[string]any{"homeserver": y.site.URL, "user": y.device.User, "device": y.device.ID, "token": y.token})
}

// sends lets a page, or by it the service worker, send.
func (y *roomStory) sends(page *Tab, how, body string) matrix.EventID {
	y.t.Helper()
	return matrix.EventID(y.call(page, how, y.room, body))
}

// enter has everybody in the room, and the service worker known.
func (y *roomStory) enter() {
	y.t.Helper()
	of := map[matrix.UserID]matrix.DeviceID{y.device.User: y.device.ID}
	y.ask(y.token, "join/"+url.PathEscape(string(y.room)), map[string]any{})
	for _, p := range y.peers {
		p.do(bot.Command{Name: "join", Room: string(y.room)})
		of[p.User] = p.ID
	}
	registered := chromedp.Events(y.ear.Ctx, serviceworker.WorkerRegistrationUpdated)
	if _, err := chromedp.Call(y.ear.Ctx, serviceworker.Enable, cdp.Empty{}); err != nil {
		y.t.Fatal(err)
	}
	for e, err := range registered {
		if err != nil {
			y.t.Fatal(err)
		}
		for _, r := range e.Registrations {
			if strings.HasPrefix(r.ScopeURL, y.site.URL+"/example/") {
				y.worker = r.RegistrationID
			}
		}
		if y.worker != "" {
			break
		}
	}
	if err := y.server.Settle(y.t.Context(), of); err != nil {
		y.t.Fatal(err)
	}
}

// push tells the service worker of an event, as a push gateway does.
func (y *roomStory) push(event matrix.EventID) {
	y.t.Helper()
	data, err := json.Marshal(map[string]any{"room_id": y.room, "event_id": event})
	if err != nil {
		y.t.Fatal(err)
	}
	_, err = chromedp.Call(y.ear.Ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{
		Origin: y.site.URL, RegistrationID: y.worker, Data: string(data),
	})
	if err != nil {
		y.t.Errorf("push %s: %v", event, err)
	}
}

// heard is what was read so far.
func (y *roomStory) heard() (all []heardEvent) {
	y.t.Helper()
	text, err := chromedp.Run(y.ear.Ctx, chromedp.Evaluate[string](`JSON.stringify(heard)`))
	if err == nil {
		err = json.Unmarshal([]byte(text), &all)
	}
	if err != nil {
		y.t.Fatal(err)
	}
	return all
}

// shown looks whether a page shows so many messages.
func (y *roomStory) shown(page *Tab, want int) {
	y.t.Helper()
	count := `new Set([...document.querySelectorAll("#messages li:not([data-error])")].map((line) => line.dataset.id)).size`
	if got, err := chromedp.Run(page.Ctx, chromedp.Evaluate[int](count)); err != nil || got != want {
		y.t.Errorf("a page shows %d messages (%v), want %d", got, err, want)
	}
}

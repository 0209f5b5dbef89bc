package pawlbridge

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/configupgrade"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// longest is for a busy machine.
const longest = time.Minute

const (
	bridgeBot = id.UserID("@net_bot:example.org")
	ghost     = id.UserID("@net_u_ghost:example.org")
	carol     = id.UserID("@carol:example.org")
	dave      = id.UserID("@dave:example.org")

	serviceToken = "theservices"
	serverToken  = "theservers"
)

// network is a network that nobody is in.
type network struct{}

func (network) Init(*bridgev2.Bridge)       {}
func (network) Start(context.Context) error { return nil }
func (network) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "Net", NetworkURL: "https://example.org", NetworkID: "net", BeeperBridgeType: "net"}
}
func (network) GetDBMetaTypes() database.MetaTypes { return database.MetaTypes{} }
func (network) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}
func (network) GetConfig() (string, any, configupgrade.Upgrader)         { return "", nil, nil }
func (network) LoadUserLogin(context.Context, *bridgev2.UserLogin) error { return nil }
func (network) GetLoginFlows() []bridgev2.LoginFlow                      { return nil }
func (network) GetBridgeInfoVersion() (int, int)                         { return 1, 1 }
func (network) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, bridgev2.ErrNotLoggedIn
}

// world is a homeserver with an application service.
type world struct {
	testing.TB
	s       hs.Homeserver
	at      string     // where it is
	fake    *hs.Server // nil: it is a real one, which sends transactions by itself
	service hs.Service
	address *net.TCPAddr // where the bridge listens
	folder  string
	config  func(*bridgeconfig.Config) // changes it
	store   any                        // nil: a path
	log     zerolog.Logger
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, folder: t.TempDir(), address: free(t), log: zerolog.New(io.Discard)}
	w.service = hs.Service{URL: fmt.Sprintf("http://%s", w.address), ServerToken: serverToken, Token: serviceToken, Prefix: "@net_"}
	s, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Register(w.service)
	w.s, w.fake, w.at = s, s, s.URL()
	for _, u := range []id.UserID{bridgeBot, ghost, carol, dave} {
		s.AddUser(matrix.UserID(u), "secret")
	}
	return w
}

// free is an address that nobody listens at.
func free(t testing.TB) *net.TCPAddr {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr)
}

// settings are a bridge's configuration.
func (w *world) settings() *bridgeconfig.Config {
	c := &bridgeconfig.Config{}
	c.Homeserver.Address, c.Homeserver.Domain = w.at, "example.org"
	c.AppService.ID, c.AppService.ASToken, c.AppService.HSToken = "net", serviceToken, serverToken
	c.AppService.Hostname, c.AppService.Port = "127.0.0.1", uint16(w.address.Port)
	c.AppService.Bot.Username, c.AppService.UsernameTemplate = "net_bot", "net_u_{{.}}"
	c.Bridge.CommandPrefix = "!net"
	c.Bridge.Permissions = bridgeconfig.PermissionConfig{"*": &bridgeconfig.PermissionLevelAdmin}
	e := &c.Encryption
	e.Allow, e.Default, e.PickleKey = true, true, "secret"
	e.Appservice, e.MSC4190 = true, true
	if w.config != nil {
		w.config(c)
	}
	return c
}

package main

import (
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/id"
)

// Config says how a bridge is set up. All that it keeps is in Folder.
type Config struct {
	Homeserver, Domain    string
	AppToken, ServerToken string
	Socket                string // where it listens for transactions
	Folder                string
	Appservice            bool // to-device events come in transactions, not in syncs
	MSC4190               bool // the device is made without a login
	Rooms, Ghosts         int
	Users                 []id.UserID // who is in all rooms
	Rotation              int         // messages that are encrypted with one key
}

// matrix is what mautrix-go makes of a bridge's configuration file.
func (c *Config) matrix() *bridgeconfig.Config {
	var to bridgeconfig.Config
	to.Homeserver.Address, to.Homeserver.Domain, to.Homeserver.RetryLimit = c.Homeserver, c.Domain, 4
	to.AppService.ID, to.AppService.ASToken, to.AppService.HSToken = "echo", c.AppToken, c.ServerToken
	to.AppService.Hostname, to.AppService.EphemeralEvents = c.Socket, true
	to.AppService.Bot.Username, to.AppService.UsernameTemplate = "echobot", "echo_{{.}}"
	to.Bridge.CommandPrefix, to.Bridge.PortalEventBuffer = "!echo", 64
	to.Bridge.Permissions = bridgeconfig.PermissionConfig{"*": &bridgeconfig.PermissionLevelUser}
	e := &to.Encryption
	e.Allow, e.Default, e.Require = true, true, true
	e.Appservice, e.MSC4190, e.PickleKey = c.Appservice, c.MSC4190, "secret"
	e.Rotation.EnableCustom, e.Rotation.Messages, e.Rotation.Milliseconds = true, c.Rotation, 604_800_000
	return &to
}

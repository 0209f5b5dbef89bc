package main

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/configupgrade"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
)

// network has chats, each with some ghosts and all users in it.
type network struct {
	config    Config
	connector *matrix.Connector
	bridge    *bridgev2.Bridge
	tell      func(Line)
}

var none bridgev2.NetworkGeneralCapabilities

func (n *network) Init(b *bridgev2.Bridge)     { n.bridge = b }
func (n *network) Start(context.Context) error { return nil }
func (n *network) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "Echo", NetworkURL: "https://example.org", NetworkID: "echo", BeeperBridgeType: "echo"}
}
func (n *network) GetDBMetaTypes() database.MetaTypes                    { return database.MetaTypes{} }
func (n *network) GetCapabilities() *bridgev2.NetworkGeneralCapabilities { return &none }
func (n *network) GetConfig() (string, any, configupgrade.Upgrader)      { return "", nil, nil }
func (n *network) GetBridgeInfoVersion() (information, capabilities int) { return 1, 1 }
func (n *network) GetLoginFlows() []bridgev2.LoginFlow                   { return nil }
func (n *network) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, bridgev2.ErrInvalidLoginFlowID
}

func (n *network) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	login.Client = &account{n, login}
	return nil
}

// account is a user's.
type account struct {
	*network
	login *bridgev2.UserLogin
}

func (a *account) Connect(context.Context)      {}
func (a *account) Disconnect()                  {}
func (a *account) IsLoggedIn() bool             { return true }
func (a *account) LogoutRemote(context.Context) {}
func (a *account) IsThisUser(_ context.Context, id networkid.UserID) bool {
	return string(id) == string(a.login.ID)
}
func (a *account) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return &event.RoomFeatures{MaxTextLength: 1000}
}

func chat(room int) networkid.PortalID  { return networkid.PortalID(fmt.Sprint("chat", room)) }
func ghost(number int) networkid.UserID { return networkid.UserID(fmt.Sprint("ghost", number)) }

// GetChatInfo: each ghost is in one chat.
func (a *account) GetChatInfo(_ context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	var room int
	if _, err := fmt.Sscanf(string(portal.ID), "chat%d", &room); err != nil {
		return nil, err
	}
	members := bridgev2.ChatMemberMap{}
	for i := room; i < a.config.Ghosts; i += a.config.Rooms {
		members[ghost(i)] = bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: ghost(i)}}
	}
	for _, u := range a.config.Users {
		members[networkid.UserID(u)] = bridgev2.ChatMember{EventSender: bridgev2.EventSender{SenderLogin: networkid.UserLoginID(u)}}
	}
	return &bridgev2.ChatInfo{Name: new(string(portal.ID)), Members: &bridgev2.ChatMemberList{IsFull: true, MemberMap: members}}, nil
}

func (a *account) GetUserInfo(_ context.Context, g *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	return &bridgev2.UserInfo{Name: new(string(g.ID))}, nil
}

// HandleMatrixMessage is where a message of Matrix has arrived.
func (a *account) HandleMatrixMessage(_ context.Context, m *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	a.tell(Line{Event: "handled", ID: string(m.Event.ID), Body: m.Content.Body})
	noted := &database.Message{ID: networkid.MessageID(m.Event.ID), SenderID: networkid.UserID(a.login.ID)}
	return &bridgev2.MatrixMessageResponse{DB: noted}, nil
}

// say has a ghost say something in Matrix. The network says it again, after a crash,
// until it is told that the bridge has noted it.
func (n *network) say(login *bridgev2.UserLogin, q Line) {
	message := networkid.MessageID(q.ID)
	login.QueueRemoteEvent(&simplevent.PreConvertedMessage{
		EventMeta: simplevent.EventMeta{
			Type: bridgev2.RemoteEventMessage, PortalKey: networkid.PortalKey{ID: chat(q.Room)}, Timestamp: time.Now(),
			Sender: bridgev2.EventSender{Sender: ghost(q.Ghost)},
			PostHandleFunc: func(ctx context.Context, portal *bridgev2.Portal) {
				noted, err := n.bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, message)
				if noted == nil {
					n.tell(Line{Event: "unsent", ID: q.ID, Error: fmt.Sprint(err)})
					return
				}
				n.tell(Line{Event: "sent", ID: q.ID})
			},
		},
		ID: message,
		Data: &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
			Type: event.EventMessage, Content: &event.MessageEventContent{MsgType: event.MsgText, Body: q.Body},
		}}},
	})
}

package pawlmautrix

import (
	"context"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// What is written to the StateStore, each put off where another process has it locked.

// MarkRegistered implements mautrix-go's StateStore of application services.
func (s *stateStore) MarkRegistered(ctx context.Context, user id.UserID) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.MarkRegistered(ctx, user) })
}

// SetMembership implements mautrix.StateStore.
func (s *stateStore) SetMembership(ctx context.Context, room id.RoomID, user id.UserID, membership event.Membership) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.SetMembership(ctx, room, user, membership) })
}

// SetMember implements mautrix.StateStore.
func (s *stateStore) SetMember(ctx context.Context, room id.RoomID, user id.UserID, member *event.MemberEventContent) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.SetMember(ctx, room, user, member) })
}

// ClearCachedMembers implements mautrix.StateStore.
func (s *stateStore) ClearCachedMembers(ctx context.Context, room id.RoomID, memberships ...event.Membership) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.ClearCachedMembers(ctx, room, memberships...) })
}

// ReplaceCachedMembers implements mautrix.StateStore.
func (s *stateStore) ReplaceCachedMembers(ctx context.Context, room id.RoomID, all []*event.Event, only ...event.Membership) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.ReplaceCachedMembers(ctx, room, all, only...) })
}

// MarkMembersFetched implements mautrix.StateStore.
func (s *stateStore) MarkMembersFetched(ctx context.Context, room id.RoomID) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.MarkMembersFetched(ctx, room) })
}

// SetPowerLevels implements mautrix.StateStore.
func (s *stateStore) SetPowerLevels(ctx context.Context, room id.RoomID, levels *event.PowerLevelsEventContent) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.SetPowerLevels(ctx, room, levels) })
}

// SetCreate implements mautrix.StateStore.
func (s *stateStore) SetCreate(ctx context.Context, evt *event.Event) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.SetCreate(ctx, evt) })
}

// SetJoinRules implements mautrix.StateStore.
func (s *stateStore) SetJoinRules(ctx context.Context, room id.RoomID, rules *event.JoinRulesEventContent) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.SetJoinRules(ctx, room, rules) })
}

// SetHistoryVisibility implements mautrix.StateStore.
func (s *stateStore) SetHistoryVisibility(ctx context.Context, room id.RoomID, content *event.HistoryVisibilityEventContent) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.SetHistoryVisibility(ctx, room, content) })
}

// SetEncryptionEvent implements mautrix.StateStore.
func (s *stateStore) SetEncryptionEvent(ctx context.Context, room id.RoomID, content *event.EncryptionEventContent) error {
	return s.later.do(ctx, func(ctx context.Context) error { return s.SQLStateStore.SetEncryptionEvent(ctx, room, content) })
}

// What a C program does with the library, and what it does wrong. It is built with
// AddressSanitizer and ends with 0 if all was as it must be. Arguments: the directory to
// work in, and "badger" or "sqlite".

#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pawl.h"

static int failures;

#define CHECK(what, ...) do { if (!(what)) { failures++; printf("%s:%d: %s: ", __FILE__, __LINE__, #what); printf(__VA_ARGS__); printf("\n"); } } while (0)

#define BYTES(text) (const uint8_t *)(text), strlen(text)

static const uint8_t key[32] = {7};

// has returns the number behind "name": in an answer.
static pawl_handle number(const pawl_bytes *b, const char *name) {
	char want[64];
	snprintf(want, sizeof want, "\"%s\":", name);
	char *text = strndup((const char *)b->data, b->length);
	char *at = strstr(text, want);
	pawl_handle n = at == NULL ? 0 : strtoull(at + strlen(want), NULL, 10);
	free(text);
	return n;
}

static int says(const pawl_bytes *b, const char *part) { return memmem(b->data, b->length, part, strlen(part)) != NULL; }

// call makes a call and expects a code; an error tells the same number.
static void expect(int line, pawl_code want, pawl_handle on, const char *name, const char *params, const char *body) {
	pawl_bytes out;
	pawl_code got = pawl_call(on, name, BYTES(params), BYTES(body), 60000, 0, &out);
	CHECK(got == want, "line %d: %s %s: %d, %.*s", line, name ? name : "NULL", params, got, (int)out.length, out.data);
	CHECK(out.length > 0 && out.data[0] == '{', "line %d: no answer", line);
	if (got != PAWL_OK) CHECK(number(&out, "number") == (pawl_handle)got, "line %d: %.*s", line, (int)out.length, out.data);
	pawl_free(&out);
	CHECK(out.data == NULL && out.length == 0, "line %d: not freed", line);
}
#define EXPECT(...) expect(__LINE__, __VA_ARGS__)

static pawl_handle open_store(const char *engine, const char *path) {
	char params[4096];
	snprintf(params, sizeof params, "{\"v\":1,\"engine\":\"%s\",\"path\":\"%s\",\"secret\":\"key\"}", engine, path);
	pawl_bytes out;
	pawl_code got = pawl_open(BYTES(params), key, sizeof key, PAWL_FOREVER, 0, &out);
	CHECK(got == PAWL_OK, "%.*s", (int)out.length, out.data);
	pawl_handle h = number(&out, "store");
	pawl_free(&out);
	return h;
}

static pawl_handle open_machine(pawl_handle store) {
	pawl_bytes out;
	pawl_code got = pawl_call(store, "open_or_create", BYTES("{\"v\":1,\"user\":\"@alice:example.org\",\"device\":\"PHONE\"}"),
		NULL, 0, PAWL_FOREVER, 0, &out);
	CHECK(got == PAWL_OK, "%.*s", (int)out.length, out.data);
	pawl_handle h = number(&out, "machine");
	pawl_free(&out);
	return h;
}

// every_call makes each call by its name: without parameters, with wrong ones, and on
// wrong handles. None may crash, and each ends with a code that there is.
static void every_call(pawl_handle store, pawl_handle machine) {
	pawl_bytes names;
	CHECK(pawl_names(&names) == PAWL_OK, "no names");
	char *all = strndup((const char *)names.data, names.length);
	pawl_free(&names);
	int made = 0;
	for (char *rest = all, *name; (name = strtok_r(rest, "[]{}\",:", &rest)) != NULL;) {
		if (strlen(name) < 2) continue; // "v" and its value
		made++;
		static const char *params[] = {"", "{\"v\":1}", "{", "{\"v\":2}", "{\"v\":1,\"none\":1}", "[[[[", "\xff"};
		for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
			pawl_handle on[] = {store, machine, 0, 1, ~(pawl_handle)0};
			for (size_t j = 0; j < sizeof on / sizeof *on; j++) {
				if (strcmp(name, "wait_for_room_key") == 0 && i < 2 && j == 1) continue; // it waits
				pawl_bytes out;
				pawl_code got = pawl_call(on[j], name, BYTES(params[i]), BYTES(j == 1 ? "" : "body"), 60000, 0, &out);
				CHECK(j < 2 || got == PAWL_HANDLE, "%s on no handle: %d", name, got);
				CHECK(i < 2 || got == PAWL_HANDLE || got == PAWL_PARAMS || got == PAWL_NO_CALL, "%s %s: %d", name, params[i], got);
				CHECK(got != PAWL_FAILED, "%s %s failed", name, params[i]);
				pawl_free(&out);
			}
			pawl_bytes out;
			pawl_code got = pawl_stream(machine, name, BYTES(params[i]), &out);
			if (got == PAWL_OK) CHECK(pawl_close(number(&out, "stream")) == PAWL_OK, "%s: not closed", name);
			pawl_free(&out);
		}
	}
	CHECK(made > 60, "%d calls have names", made);
	free(all);
}

static void bad_arguments(pawl_handle store) {
	pawl_bytes out;
	CHECK(pawl_call(store, "check_store", NULL, 0, NULL, 0, -1, 0, NULL) == PAWL_PARAMS, "no place for the answer");
	CHECK(pawl_open(NULL, 0, NULL, 0, -1, 0, NULL) == PAWL_PARAMS, "no place for the answer");
	CHECK(pawl_token(NULL) == PAWL_PARAMS, "no place for the token");
	CHECK(pawl_watch(store, NULL, NULL) == PAWL_PARAMS, "no callback");
	CHECK(pawl_open(NULL, 0, NULL, 0, -1, 0, &out) == PAWL_PARAMS, "no parameters");
	pawl_free(&out);
	pawl_free(&out);
	CHECK(pawl_call(store, "check_store", NULL, 7, NULL, 0, -1, 0, &out) == PAWL_PARAMS && says(&out, "not in memory"), "a length of nothing");
	pawl_free(&out);
	CHECK(pawl_call(store, "check_store", key, SIZE_MAX, NULL, 0, -1, 0, &out) == PAWL_PARAMS, "an error number as a length");
	pawl_free(&out);
	CHECK(pawl_call(store, "change_passphrase", NULL, 0, NULL, 8, -1, 0, &out) == PAWL_PARAMS, "a passphrase of nothing");
	pawl_free(&out);
	CHECK(pawl_open(key, SIZE_MAX, key, SIZE_MAX, -1, 0, &out) == PAWL_PARAMS, "an error number as a length");
	pawl_free(&out);
	static const size_t lengths[] = {(size_t)(uint32_t)-1, PTRDIFF_MAX, PTRDIFF_MAX - 1, PTRDIFF_MAX / 2, ((size_t)1 << 30) + 1};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		CHECK(pawl_call(store, "check_store", key, lengths[i], NULL, 0, -1, 0, &out) == PAWL_PARAMS && says(&out, "of at most"), "parameters of %zu bytes", lengths[i]);
		pawl_free(&out);
		CHECK(pawl_call(store, "change_passphrase", NULL, 0, key, lengths[i], -1, 0, &out) == PAWL_PARAMS && says(&out, "of at most"), "a passphrase of %zu bytes", lengths[i]);
		pawl_free(&out);
	}
	CHECK(pawl_stream(store, "events", NULL, 7, &out) == PAWL_PARAMS, "a length of nothing");
	pawl_free(&out);
	pawl_free(NULL);
	EXPECT(PAWL_PARAMS, store, "create", "{\"v\":1,\"user\":\"@a:example.org\",\"device\":\"\\ud800\"}", "");
	EXPECT(PAWL_NO_CALL, store, NULL, "", "");
	EXPECT(PAWL_NO_CALL, store, "", "", "");
	EXPECT(PAWL_NO_CALL, store, "check", "", "");
	EXPECT(PAWL_HANDLE, store + 1000, "check_store", "", "");
	CHECK(pawl_close(0) == PAWL_HANDLE && pawl_cancel(store) == PAWL_HANDLE, "a store is no token");
	CHECK(pawl_next(store, 0, 0, &out) == PAWL_HANDLE, "a store is no stream");
	pawl_free(&out);
	CHECK(pawl_call(store, "check_store", NULL, 0, NULL, 0, -1, store, &out) == PAWL_HANDLE, "a store as a token");
	pawl_free(&out);
}

// Callbacks.

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
	int items, lines, ended, threads;
	pthread_t thread;
	pawl_code last;
	pawl_handle store;
} seen;

static void on_thread(void) {
	if (seen.threads == 0 || !pthread_equal(seen.thread, pthread_self())) seen.threads++;
	seen.thread = pthread_self();
}

static void on_item(void *user, pawl_handle stream, pawl_code code, const uint8_t *data, size_t length) {
	CHECK(user == &seen && stream != 0 && length > 0 && data[0] == '{', "a callback is given nothing");
	EXPECT(PAWL_OK, seen.store, "stats", "", ""); // calls may be made here
	pthread_mutex_lock(&mu);
	on_thread();
	if (code == PAWL_OK) seen.items++;
	else seen.ended++, seen.last = code;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mu);
}

static void on_log(void *user, int32_t level, const uint8_t *data, size_t length) {
	(void)user; (void)level;
	CHECK(length > 0 && data[0] == '{' && data[length - 1] == '}', "a line is no JSON: %.*s", (int)length, data);
	pthread_mutex_lock(&mu);
	on_thread();
	seen.lines++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mu);
}

static void await(const int *what, int least) {
	pthread_mutex_lock(&mu);
	while (*what < least) pthread_cond_wait(&changed, &mu);
	pthread_mutex_unlock(&mu);
}

static void callbacks(pawl_handle store, pawl_handle machine) {
	seen.store = store;
	pawl_bytes out;
	CHECK(pawl_stream(machine, "events", NULL, 0, &out) == PAWL_OK, "%.*s", (int)out.length, out.data);
	pawl_handle stream = number(&out, "stream");
	pawl_free(&out);
	CHECK(pawl_watch(machine, on_item, &seen) == PAWL_HANDLE, "a machine is no stream");
	CHECK(pawl_watch(stream, on_item, &seen) == PAWL_OK, "not watched");
	await(&seen.items, 1);
	CHECK(pawl_close(stream) == PAWL_OK, "not closed");
	await(&seen.ended, 1);
	CHECK(seen.last == PAWL_CANCELED || seen.last == PAWL_END, "it ended with %d", seen.last);
	CHECK(seen.threads == 1, "callbacks came from %d threads", seen.threads);
}

// Streams, deadlines and tokens.

struct waiter { pawl_handle machine, token; pawl_code code; };

static void *wait_for_key(void *arg) {
	struct waiter *w = arg;
	pawl_bytes out;
	w->code = pawl_call(w->machine, "wait_for_room_key",
		BYTES("{\"v\":1,\"room\":\"!r:example.org\",\"session\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}"), NULL, 0,
		PAWL_FOREVER, w->token, &out);
	pawl_free(&out);
	return NULL;
}

static void waits(pawl_handle machine) {
	struct waiter w = {.machine = machine};
	CHECK(pawl_token(&w.token) == PAWL_OK, "no token");
	pthread_t t[8];
	for (int i = 0; i < 8; i++) pthread_create(&t[i], NULL, wait_for_key, &w);
	CHECK(pawl_cancel(w.token) == PAWL_OK, "not canceled");
	for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
	CHECK(w.code == PAWL_CANCELED, "waiting ended with %d", w.code);
	CHECK(pawl_close(w.token) == PAWL_OK && pawl_cancel(w.token) == PAWL_HANDLE, "the token is not closed");
	pawl_bytes out;
	CHECK(pawl_stream(machine, "export_room_keys", NULL, 0, &out) == PAWL_OK, "%.*s", (int)out.length, out.data);
	pawl_handle stream = number(&out, "stream");
	pawl_free(&out);
	CHECK(pawl_next(stream, 60000, 0, &out) == PAWL_END && says(&out, "\"code\":\"end\""), "%.*s", (int)out.length, out.data);
	pawl_free(&out);
	CHECK(pawl_close(stream) == PAWL_OK && pawl_close(stream) == PAWL_HANDLE, "closed twice");
}

// Signals: the host's handlers stay, and are called on threads that are in Go too.

static volatile sig_atomic_t signals;
static void on_signal(int n) { (void)n; signals++; }

static void signalled(pawl_handle machine) {
	static const int some[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM, SIGPROF, SIGPIPE};
	const int n = sizeof some / sizeof *some;
	for (int i = 0; i < n; i++) {
		struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART}, now;
		sigaction(some[i], &action, NULL);
		EXPECT(PAWL_OK, machine, "identity", "", "");
		sigaction(some[i], NULL, &now);
		CHECK(now.sa_handler == on_signal, "the handler of signal %d was changed", some[i]);
		int before = signals;
		raise(some[i]);
		CHECK(signals == before + 1, "signal %d did not come", some[i]);
	}
}

// A forked process: every function returns at once, and says why.
static void forked(pawl_handle store, pawl_handle machine) {
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		alarm(60); // what hangs is killed
		pawl_bytes out;
		pawl_handle token = 5;
		int before = failures;
		CHECK(pawl_call(machine, "identity", NULL, 0, NULL, 0, -1, 0, &out) == PAWL_FORKED && says(&out, "\"code\":\"forked\""), "a call");
		CHECK(number(&out, "number") == PAWL_FORKED, "its number");
		pawl_free(&out);
		CHECK(pawl_open(NULL, 0, NULL, 0, -1, 0, &out) == PAWL_FORKED, "open");
		pawl_free(&out);
		CHECK(pawl_stream(machine, "events", NULL, 0, &out) == PAWL_FORKED, "stream");
		pawl_free(&out);
		CHECK(pawl_next(machine, -1, 0, &out) == PAWL_FORKED, "next");
		pawl_free(&out);
		CHECK(pawl_codes(&out) == PAWL_FORKED, "codes");
		pawl_free(&out);
		CHECK(pawl_names(&out) == PAWL_FORKED, "names");
		pawl_free(&out);
		CHECK(pawl_close(store) == PAWL_FORKED && pawl_cancel(store) == PAWL_FORKED, "close");
		CHECK(pawl_token(&token) == PAWL_FORKED && token == 0, "token");
		CHECK(pawl_watch(store, on_item, NULL) == PAWL_FORKED && pawl_log(on_log, NULL, 0) == PAWL_FORKED, "callbacks");
		CHECK(pawl_abi_version() == PAWL_ABI_VERSION, "version");
		fflush(stdout);
		_exit(failures != before);
	}
	int status = 0;
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
	EXPECT(PAWL_OK, machine, "identity", "", "");
}

// Threads: many call at once, and the store is closed under them.

static void *hammer(void *arg) {
	pawl_handle machine = *(pawl_handle *)arg;
	for (;;) {
		pawl_bytes out;
		pawl_code got = pawl_call(machine, "change_extra", BYTES("{\"v\":1,\"space\":\"s\",\"name\":\"n\",\"new\":\"eA\"}"),
			NULL, 0, PAWL_FOREVER, 0, &out);
		if (got != PAWL_OK) CHECK(got == PAWL_HANDLE || got == PAWL_CLOSED, "%d, %.*s", got, (int)out.length, out.data);
		pawl_free(&out);
		if (got != PAWL_OK) return NULL;
	}
}

static void threads(pawl_handle store, pawl_handle machine) {
	pthread_t t[8];
	for (int i = 0; i < 8; i++) pthread_create(&t[i], NULL, hammer, &machine);
	for (int i = 0; i < 20; i++) EXPECT(PAWL_OK, machine, "inspect", "", "");
	CHECK(pawl_close(store) == PAWL_OK, "not closed");
	for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
	EXPECT(PAWL_HANDLE, machine, "identity", "", "");
}

int main(int argc, char **argv) {
	if (argc != 3) return 2;
	char path[4096];
	snprintf(path, sizeof path, "%s/store", argv[1]);
	CHECK(pawl_abi_version() == PAWL_ABI_VERSION, "version %u", pawl_abi_version());
	CHECK(pawl_log(on_log, NULL, PAWL_LOG_DEBUG) == PAWL_OK, "no log");
	pawl_handle store = open_store(argv[2], path), machine = open_machine(store);
	EXPECT(PAWL_OK, machine, "identity", "", "");
	bad_arguments(store);
	callbacks(store, machine);
	CHECK(pawl_log(NULL, NULL, 0) == PAWL_OK, "the log goes on");
	waits(machine);
	signalled(machine);
	forked(store, machine);
	every_call(store, machine);
	pawl_bytes out;
	CHECK(pawl_codes(&out) == PAWL_OK && says(&out, "\"number\":1,\"code\":\"undecided\""), "%.*s", (int)out.length, out.data);
	pawl_free(&out);
	pawl_handle other = open_store("memory", ""), another = open_machine(other);
	threads(other, another);
	CHECK(pawl_close(store) == PAWL_OK && pawl_close(store) == PAWL_HANDLE, "closed twice");
	if (failures == 0) printf("ok\n");
	return failures != 0;
}

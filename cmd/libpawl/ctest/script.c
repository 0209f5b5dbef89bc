// Plays a script of calls with good arguments: each must succeed, and at the end every
// call and stream that the library has must have been made. It is built with
// AddressSanitizer. Arguments: the script, and "badger" or "sqlite", which @{engine} is,
// and the directory for stores, @{path}.
//
// A line is: a name for the answer, or "-"; what it is called on, a name of a line that
// opened it; the call; its parameters without "v"; then perhaps | and what goes beside
// them. ${name/path} is a part of an answer, as JSON, and @{name/path} the text that the
// part is. "- is" in place of a call names what stands beside. A path goes
// by members, by places in arrays, by * for the first and by member=text for the one that
// has it; it leads into JSON that is a text, too.

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pawl.h"

static int line_number;

#define FAIL(...) do { printf("line %d: ", line_number); printf(__VA_ARGS__); printf("\n"); exit(1); } while (0)

// JSON as far as it is needed.

static const char *space(const char *p) { while (isspace((unsigned char)*p)) p++; return p; }

// behind returns what follows a value.
static const char *behind(const char *p) {
	p = space(p);
	int depth = 0;
	do {
		if (*p == '"') {
			for (p++; *p != '"'; p++) {
				if (*p == '\\') p++;
				if (*p == 0) FAIL("JSON ends in a text");
			}
			p++;
		} else if (*p == '{' || *p == '[') {
			depth++, p++;
		} else if (*p == '}' || *p == ']') {
			depth--, p++;
		} else if (*p == 0) {
			FAIL("JSON ends early");
		} else {
			p += strcspn(p, depth > 0 ? "\"{}[]" : ",}] \n");
		}
	} while (depth > 0);
	return p;
}

static char *copy(const char *from, const char *to) { return strndup(from, (size_t)(to - from)); }

// text returns what a JSON text says.
static char *text(const char *p) {
	char *all = malloc(strlen(p) + 1), *out = all;
	for (p++; *p != '"'; p++) {
		if (*p != '\\') { *out++ = *p; continue; }
		unsigned c;
		switch (*++p) {
		case 'n': *out++ = '\n'; break;
		case 't': *out++ = '\t'; break;
		case 'u':
			if (sscanf(p + 1, "%4x", &c) != 1 || c > 127) FAIL("a text with \\%.5s", p);
			*out++ = (char)c, p += 4;
			break;
		default: *out++ = *p;
		}
	}
	*out = 0;
	return all;
}

static char *part(const char *json, const char *path);

// is_one reports whether a step of a path is member=text, and the value has that member.
static int is_one(const char *value, const char *step, size_t n) {
	const char *equals = memchr(step, '=', n);
	if (equals == NULL || *value != '{') return 0;
	char *member = copy(step, equals), *found = part(value, member);
	size_t length = (size_t)(step + n - equals - 1);
	int is = found != NULL && *found == '"' && strlen(found) == length + 2 && memcmp(found + 1, equals + 1, length) == 0;
	free(member);
	free(found);
	return is;
}

// part returns what a path leads to, or NULL.
static char *part(const char *json, const char *path) {
	json = space(json);
	if (*path == 0) return copy(json, behind(json));
	if (*json == '"') {
		char *inside = text(json), *found = part(inside, path);
		free(inside);
		return found;
	}
	if (*json != '{' && *json != '[') return NULL;
	size_t n = strcspn(path, "/");
	const char *rest = path[n] == '/' ? path + n + 1 : path + n;
	int is_object = *json == '{', place = 0;
	for (const char *p = space(json + 1); *p != '}' && *p != ']'; place++) {
		char key[32];
		const char *name = key, *end;
		size_t length = (size_t)snprintf(key, sizeof key, "%d", place);
		if (is_object) {
			name = p + 1, end = behind(p), length = (size_t)(end - p - 2);
			p = space(space(end) + 1); // a colon
		}
		if ((n == 1 && *path == '*') || (n == length && memcmp(name, path, n) == 0) || is_one(p, path, n)) return part(p, rest);
		p = space(behind(p));
		if (*p == ',') p = space(p + 1);
	}
	return NULL;
}

// Answers by their names.

static struct { char *name, *json; } answers[200];
static int known;

static const char *answer(const char *name, size_t length) {
	for (int i = known; i-- > 0;) {
		if (strlen(answers[i].name) == length && memcmp(answers[i].name, name, length) == 0) return answers[i].json;
	}
	FAIL("nothing is called %.*s", (int)length, name);
}

static void keep(const char *name, char *json) {
	if (known == sizeof answers / sizeof *answers) FAIL("too many answers");
	answers[known].name = strdup(name), answers[known++].json = json;
}

static pawl_handle handle(const char *name) {
	const char *json = answer(name, strlen(name));
	static const char *kinds[] = {"store", "machine", "stream"};
	for (int i = 0; i < 3; i++) {
		char *n = part(json, kinds[i]);
		pawl_handle h = n == NULL ? 0 : strtoull(n, NULL, 10);
		free(n);
		if (h != 0) return h;
	}
	FAIL("%s opened nothing", name);
}

// filled returns a text with parts of answers in place of their names.
static char *filled(const char *from) {
	char *all = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&all, &size);
	while (*from != 0) {
		if ((*from != '$' && *from != '@') || from[1] != '{') { fputc(*from++, out); continue; }
		const char *name = from + 2, *end = strchr(name, '}');
		if (end == NULL) FAIL("a } is missing");
		char *path = copy(name, end);
		size_t length = strcspn(path, "/");
		char *found = part(answer(path, length), path[length] == '/' ? path + length + 1 : path + length);
		if (found == NULL) FAIL("there is no %s in %s", path, answer(path, length));
		if (*from == '@') {
			char *says = text(found);
			fputs(says, out);
			free(says);
		} else {
			fputs(found, out);
		}
		free(found);
		free(path);
		from = end + 1;
	}
	fclose(out);
	return all;
}

// Calls.

static char made[8192] = "\"open\"";

static char *done(pawl_code code, pawl_bytes *out, const char *what) {
	char *json = copy((const char *)out->data, (const char *)out->data + out->length);
	pawl_free(out);
	if (code != PAWL_OK) FAIL("%s: %d, %s", what, code, json);
	char *v = part(json, "v");
	if (v == NULL || strcmp(v, "1") != 0) FAIL("%s: no version: %s", what, json);
	free(v);
	return json;
}

static char *call(const char *on, const char *name, const char *given, const char *beside) {
	pawl_bytes out;
	char *params = malloc(strlen(given) + 16);
	sprintf(params, "{\"v\":1%s%s", given[1] == '}' ? "" : ",", given + 1);
	// Copies of their exact sizes: reading behind one is found.
	size_t np = strlen(params), nb = strlen(beside);
	uint8_t *p = memcpy(malloc(np), params, np), *b = nb == 0 ? NULL : memcpy(malloc(nb), beside, nb);
	free(params);
	pawl_code code;
	int is_stream = 0;
	if (strcmp(on, "library") == 0) {
		code = pawl_open(p, np, b, nb, PAWL_FOREVER, 0, &out);
	} else if (strcmp(name, "next") == 0) {
		code = pawl_next(handle(on), PAWL_FOREVER, 0, &out);
	} else {
		is_stream = strcmp(name, "events") == 0 || strcmp(name, "export_room_keys") == 0;
		code = is_stream ? pawl_stream(handle(on), name, p, np, &out)
			: pawl_call(handle(on), name, p, np, b, nb, 60000, 0, &out);
	}
	free(p);
	free(b);
	char *json = done(code, &out, name);
	char quoted[64];
	snprintf(quoted, sizeof quoted, "\"%s\"", name);
	if (strstr(made, quoted) == NULL) strcat(made, quoted);
	return json;
}

static void play(char *line) {
	char *rest = line, *name = strtok_r(rest, " ", &rest), *on = strtok_r(rest, " ", &rest), *what = strtok_r(rest, " ", &rest);
	if (what == NULL) FAIL("a line has a name, what is called, and a call");
	if (strcmp(what, "close") == 0) {
		pawl_code code = pawl_close(handle(on));
		if (code != PAWL_OK) FAIL("closing: %d", code);
		return;
	}
	char *given = rest, *bar = strstr(given, "| ");
	if (bar != NULL) *bar = 0;
	char *params = filled(*given == '{' ? given : "{}"), *beside = filled(bar == NULL ? "" : bar + 2);
	char *json = strcmp(what, "is") == 0 ? strdup(beside) : call(on, what, params, beside);
	free(params);
	free(beside);
	if (strcmp(name, "-") == 0) free(json);
	else keep(name, json);
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	FILE *script = fopen(argv[1], "r");
	if (script == NULL) FAIL("no script");
	char quoted[4096];
	snprintf(quoted, sizeof quoted, "\"%s\"", argv[2]);
	keep("engine", strdup(quoted));
	snprintf(quoted, sizeof quoted, "\"%s/script\"", argv[3]);
	keep("path", strdup(quoted));
	char *line = NULL;
	size_t size = 0;
	for (ssize_t n; (n = getline(&line, &size, script)) > 0;) {
		line_number++;
		if (line[n - 1] == '\n') line[n - 1] = 0;
		if (*line != 0 && *line != '#') play(line);
	}
	free(line);
	fclose(script);

	pawl_bytes out;
	char *names = done(pawl_names(&out), &out, "names");
	static const char *lists[] = {"store", "machine", "streams"};
	int all = 0, missing = 0;
	for (int i = 0; i < 3; i++) {
		char *list = part(names, lists[i]);
		for (char *rest = list, *name; (name = strtok_r(rest, "[],", &rest)) != NULL; all++) {
			if (strstr(made, name) == NULL) missing++, printf("the script makes no call %s\n", name);
		}
		free(list);
	}
	free(names);
	for (int i = 0; i < known; i++) free(answers[i].name), free(answers[i].json);
	if (all < 60) FAIL("the library has %d calls", all);
	if (missing == 0) printf("ok\n");
	return missing != 0;
}

// Errors: what a call failed with has a code, by which programs decide.

/** An error of a call, or of the module itself. docs/errors.md and docs/web.md list the codes. */
export class PawlError extends Error {
	constructor(code, message, more = {}) {
		super(message, more.cause === undefined ? undefined : { cause: more.cause });
		this.name = "PawlError";
		Object.assign(this, more);
		this.code = code;
		this.remedy = more.remedy ?? remedies[code] ?? "none";
	}
}

// The codes of the module itself, and what a program may do about each.
const remedies = {
	ended: "reopen", // the program had ended before the call: nothing was done
	program: "none", // the program cannot be loaded, or is not the one of this module
	randomness: "none",
	secret: "call", // what is to unlock the store is not of the kind that open takes
	canceled: "none",
};

/** What a call is answered with that was under way when the program ended. */
export const lost = (why) =>
	new PawlError("unknown", `the program has ended (${why}): whether the call had its effect is not known; open the store again, and make the call again`, { remedy: "reopen" });

/** What a call is answered with that is made after the program ended. */
export const over = () => new PawlError("ended", "the store was closed, or its program has ended: nothing was done; open the store again");

// In a page and in a worker, as a module.
import * as pawl from "/pawl/pawl.js";
import * as calls from "/pawl/calls.js";
import "/module/play.js";
import "/module/cases.js";
import "/module/sync.js";
import "/module/run.js";

runAsked(pawl, calls);

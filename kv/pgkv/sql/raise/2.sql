-- Version 1 was changed in place while nobody used it: it may have these two with
-- answers of other types. What is connected calls the new ones from now on.
DROP FUNCTION IF EXISTS pawl.durability(boolean);
DROP FUNCTION IF EXISTS pawl.fit(pawl.spaces, text, boolean);

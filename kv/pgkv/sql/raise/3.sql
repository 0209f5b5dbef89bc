-- Programs of before the last of version 1 leave turns without saying how long the next
-- ones last.
DROP FUNCTION IF EXISTS pawl.leave(text, bigint[], text);

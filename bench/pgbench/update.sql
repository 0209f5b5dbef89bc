-- What a commit is held against: an UPDATE of one's own row with as many bytes.
UPDATE bare SET value = convert_to(repeat(md5(random()::text), 16), 'UTF8') WHERE id = :client_id;

-- For a program that can't be changed: the database writes the event, in the program's own transaction.
-- snippet: begin
CREATE FUNCTION post_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)
    VALUES (gen_random_uuid(), 'post', NEW.id::text, 'PostPublished', jsonb_build_object('id', NEW.id, 'title', NEW.title));
    RETURN NULL;
END $$;

CREATE TRIGGER post_published AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION post_published();
-- snippet: end

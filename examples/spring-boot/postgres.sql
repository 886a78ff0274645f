-- The database of Post, its account, and Outferry's: psql -U postgres -f postgres.sql
-- Outferry makes the publication of the outbox by itself. Only the table's owner may, so it is a member of post.
CREATE ROLE post LOGIN PASSWORD 'post';
CREATE DATABASE post OWNER post;
CREATE ROLE outferry LOGIN REPLICATION PASSWORD 'outferry' IN ROLE post;

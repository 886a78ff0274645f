// Writes a post and its event with node-postgres.
import { randomUUID } from "node:crypto";
import pg from "pg";

// snippet: begin
async function publish(client, title) {
  await client.query("BEGIN");
  try {
    const { rows: [post] } = await client.query("INSERT INTO posts (title) VALUES ($1) RETURNING id", [title]);
    await client.query(
      "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ($1, 'post', $2, 'PostPublished', $3)",
      [randomUUID(), post.id, { id: Number(post.id), title }],
    );
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}
// snippet: end

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
try {
  await publish(client, process.argv[2]);
} finally {
  await client.end();
}

// Writes a post and its event with Prisma. Its models, in schema.prisma:
//
//   model Post {
//     id    BigInt @id @default(autoincrement())
//     title String @db.VarChar(255)
//     @@map("posts")
//   }
//
//   model OutboxEvent {
//     id            String @id @default(uuid()) @db.Uuid
//     aggregatetype String @db.VarChar(255)
//     aggregateid   String @db.VarChar(255)
//     type          String @db.VarChar(255)
//     payload       Json?
//     @@map("outbox")
//   }

// snippet: begin
export async function publish(prisma, title) {
  await prisma.$transaction(async (tx) => {
    const post = await tx.post.create({ data: { title } });
    await tx.outboxEvent.create({
      data: {
        aggregatetype: "post",
        aggregateid: String(post.id),
        type: "PostPublished",
        payload: { id: Number(post.id), title },
      },
    });
  });
}
// snippet: end

// Writes a post and its event with Prisma. Its models are in schema.prisma.
import { PrismaPg } from "@prisma/adapter-pg";
import prismaClient from "@prisma/client";

// snippet: begin
async function publish(prisma, title) {
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

const prisma = new prismaClient.PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }) });
try {
  await publish(prisma, process.argv[2]);
} finally {
  await prisma.$disconnect();
}

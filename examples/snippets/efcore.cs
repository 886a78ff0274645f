// Writes a post and its event with Entity Framework Core and Npgsql.
using System.ComponentModel.DataAnnotations.Schema;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;

// snippet: begin
[Table("posts")]
public class Post
{
    [Column("id")] public long Id { get; set; }
    [Column("title")] public required string Title { get; set; }
}

[Table("outbox")]
public class OutboxEvent
{
    [Column("id")] public Guid Id { get; init; } = Guid.CreateVersion7();
    [Column("aggregatetype")] public required string AggregateType { get; init; }
    [Column("aggregateid")] public required string AggregateId { get; init; }
    [Column("type")] public required string Type { get; init; }
    [Column("payload", TypeName = "jsonb")] public required string Payload { get; init; }
}

public class Blog(DbContextOptions<Blog> options) : DbContext(options)
{
    public DbSet<Post> Posts => Set<Post>();
    public DbSet<OutboxEvent> Outbox => Set<OutboxEvent>();

    public async Task PublishAsync(string title)
    {
        await using var transaction = await Database.BeginTransactionAsync();
        var post = new Post { Title = title };
        Posts.Add(post);
        await SaveChangesAsync(); // the database gives the id
        Outbox.Add(new OutboxEvent
        {
            AggregateType = "post",
            AggregateId = post.Id.ToString(),
            Type = "PostPublished",
            Payload = JsonSerializer.Serialize(new { id = post.Id, title }),
        });
        await SaveChangesAsync();
        await transaction.CommitAsync();
    }
}
// snippet: end

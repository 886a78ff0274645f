import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.EntityManager;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.util.Map;
import java.util.UUID;
import org.hibernate.annotations.Immutable;
import org.hibernate.annotations.JdbcTypeCode;
import org.hibernate.cfg.Configuration;
import org.hibernate.type.SqlTypes;

/** Writes a post and its event with JPA. */
class Jpa {
  // snippet: begin
  @Entity
  @Table(name = "posts")
  static class Post {
    @Id
    @GeneratedValue(strategy = GenerationType.IDENTITY)
    Long id;

    String title;
  }

  @Entity
  @Immutable
  @Table(name = "outbox")
  static class OutboxEvent {
    @Id UUID id = UUID.randomUUID();

    @Column(name = "aggregatetype", nullable = false)
    String aggregateType;

    @Column(name = "aggregateid", nullable = false)
    String aggregateId;

    @Column(nullable = false)
    String type;

    @JdbcTypeCode(SqlTypes.JSON) // needs Jackson; not @Lob, or PostgreSQL keeps the payload elsewhere
    Map<String, Object> payload;
  }

  /** Runs in a transaction, as by @Transactional. */
  static void publish(EntityManager em, String title) {
    var post = new Post();
    post.title = title;
    em.persist(post);

    var event = new OutboxEvent();
    event.aggregateType = "post";
    event.aggregateId = post.id.toString();
    event.type = "PostPublished";
    event.payload = Map.of("id", post.id, "title", title);
    em.persist(event);
  }
  // snippet: end

  public static void main(String[] args) {
    var configuration = new Configuration()
        .addAnnotatedClass(Post.class)
        .addAnnotatedClass(OutboxEvent.class)
        .setProperty("jakarta.persistence.jdbc.url", System.getenv("JDBC_URL"));
    try (var factory = configuration.buildSessionFactory()) {
      factory.runInTransaction(em -> publish(em, args[0]));
    }
  }
}

import java.util.Map;
import java.util.UUID;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.transaction.support.TransactionTemplate;
import tools.jackson.databind.json.JsonMapper;

/** Writes a post and its event with Spring's JdbcClient. */
class Jdbc {
  // snippet: begin
  /** Runs in a transaction, as by @Transactional. */
  static void publish(JdbcClient jdbc, String title) {
    long id = jdbc.sql("INSERT INTO posts (title) VALUES (?) RETURNING id").param(title).query(Long.class).single();
    jdbc.sql("""
            INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)
            VALUES (:event, 'post', :post, 'PostPublished', :payload::jsonb)""")
        .param("event", UUID.randomUUID())
        .param("post", Long.toString(id))
        .param("payload", JsonMapper.shared().writeValueAsString(Map.of("id", id, "title", title)))
        .update();
  }
  // snippet: end

  public static void main(String[] args) {
    var database = new DriverManagerDataSource(System.getenv("JDBC_URL"));
    var transaction = new TransactionTemplate(new DataSourceTransactionManager(database));
    transaction.executeWithoutResult(status -> publish(JdbcClient.create(database), args[0]));
  }
}

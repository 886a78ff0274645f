import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Applies each event once, however often it comes. */
class Consumer {
  // snippet: begin
  static KafkaConsumer<String, String> consumer(String brokers, String topic, String group) {
    var settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("group.id", group);
    settings.put("auto.offset.reset", "earliest");
    settings.put("isolation.level", "read_committed"); // of a Kafka transaction that was aborted it sees nothing
    settings.put("enable.auto.commit", "false"); // consume commits, after the work
    var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    consumer.subscribe(List.of(topic));
    return consumer;
  }

  static void consume(KafkaConsumer<String, String> consumer, Connection database) throws SQLException {
    database.setAutoCommit(false);
    while (true) {
      for (var record : consumer.poll(Duration.ofSeconds(1))) {
        if (isNew(database, record)) {
          apply(database, record);
        }
        database.commit(); // the change and the note that its event is done, together
      }
      consumer.commitSync(); // only now: a crash before it repeats events, and they are known
    }
  }

  static boolean isNew(Connection database, ConsumerRecord<String, String> record) throws SQLException {
    var id = Objects.requireNonNull(record.headers().lastHeader("id"), "a record without the header id");
    try (var note = database.prepareStatement("INSERT INTO processed_events (event_id) VALUES (?) ON CONFLICT DO NOTHING")) {
      note.setString(1, new String(id.value(), StandardCharsets.UTF_8));
      return note.executeUpdate() == 1;
    }
  }
  // snippet: end

  static void apply(Connection database, ConsumerRecord<String, String> record) throws SQLException {
    try (var insert = database.prepareStatement("INSERT INTO posts (title) VALUES (?)")) {
      insert.setString(1, record.value());
      insert.executeUpdate();
    }
  }

  public static void main(String[] args) throws SQLException {
    try (var consumer = consumer(System.getenv("KAFKA_BROKERS"), System.getenv("TOPIC"), System.getenv("TOPIC") + "-java");
        var database = DriverManager.getConnection(System.getenv("JDBC_URL"))) {
      consume(consumer, database);
    }
  }
}

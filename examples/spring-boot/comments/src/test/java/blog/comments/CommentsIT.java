package blog.comments;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blog.CommentsApplication;
import blog.OldRows;
import blog.inbox.ImpossibleEventException;
import blog.inbox.ReceivedEvent;
import com.zaxxer.hikari.HikariDataSource;
import jakarta.persistence.EntityManagerFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.hibernate.SessionFactory;
import org.hibernate.stat.Statistics;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.test.util.ReflectionTestUtils;
import org.springframework.transaction.CannotCreateTransactionException;

/** What Comments does with posts that it hears of, on the real MySQL. */
@SpringBootTest(classes = CommentsApplication.class, webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = {
        "spring.kafka.listener.auto-startup=false", "spring.jpa.properties.hibernate.generate_statistics=true",
        "spring.datasource.hikari.maximum-pool-size=1"})
class CommentsIT {

    @Autowired
    private Comments comments;
    @Autowired
    private OldRows oldRows;
    @Autowired
    private HikariDataSource database;
    @Autowired
    private PostListener listener;
    @Autowired
    private KnownPostRepository posts;
    @Autowired
    private EntityManagerFactory factory;
    @Autowired
    private JdbcTemplate sql;

    @LocalServerPort
    private int port;

    private Statistics statistics;

    @BeforeEach
    void empty() {
        for (String table : new String[] {"comments", "known_posts", "processed_events"}) {
            sql.update("delete from " + table);
        }
        statistics = factory.unwrap(SessionFactory.class).getStatistics();
        statistics.clear();
    }

    @Test
    void commentsOnUnknownAndDeletedPostsAreRefused() {
        assertThatThrownBy(() -> comments.add(1, "Ken", "Hi.")).isInstanceOf(Refusals.UnknownPost.class);
        hear(UUID.randomUUID(), "PostPublished", "{\"id\": 1, \"author\": \"Ada\", \"title\": \"Hello\"}");
        comments.add(1, "Ken", "Hi.");
        hear(UUID.randomUUID(), "PostDeleted", "{\"id\": 1}");
        assertThatThrownBy(() -> comments.add(1, "Ken", "Hi.")).isInstanceOf(Refusals.DeletedPost.class);
        assertThat(comments.on(1)).hasSize(1);
    }

    @Test
    void anEventThatComesAgainChangesNothing() {
        UUID first = UUID.randomUUID();
        hear(first, "PostPublished", "{\"id\": 1, \"title\": \"Hello\"}");
        UUID second = UUID.randomUUID();
        hear(second, "PostEdited", "{\"id\": 1, \"title\": \"Hello again\"}");
        hear(UUID.randomUUID(), "PostEdited", "{\"id\": 1, \"title\": \"Goodbye\"}");
        hear(first, "PostPublished", "{\"id\": 1, \"title\": \"Hello\"}");
        hear(second, "PostEdited", "{\"id\": 1, \"title\": \"Hello again\"}");
        assertThat(sql.queryForObject("select title from known_posts", String.class)).isEqualTo("Goodbye");
        assertThat(sql.queryForObject("select count(*) from processed_events", Long.class)).isEqualTo(3);
    }

    /** An event that fails is not noted as applied, or the next attempt would find nothing to do. */
    @Test
    void anEventThatFailsCanBeAppliedLater() {
        UUID edit = UUID.randomUUID();
        assertThatThrownBy(() -> hear(edit, "PostEdited", "{\"id\": 1, \"title\": \"Hello\"}")).isInstanceOf(ImpossibleEventException.class);
        assertThat(sql.queryForObject("select count(*) from processed_events", Long.class)).isZero();
        hear(UUID.randomUUID(), "PostPublished", "{\"id\": 1, \"title\": \"Hi\"}");
        hear(edit, "PostEdited", "{\"id\": 1, \"title\": \"Hello\"}");
        assertThat(sql.queryForObject("select title from known_posts", String.class)).isEqualTo("Hello");
    }

    @Test
    void anEventOfAnotherTypeIsNoneOfItsBusiness() {
        hear(UUID.randomUUID(), "PostLiked", "{\"postId\": 1}");
        hear(UUID.randomUUID(), "PostsCounted", "7");
        assertThat(posts.count()).isZero();
    }

    @Test
    void clientsAreToldWhyTheyAreRefused() throws Exception {
        HttpResponse<String> answer = comment();
        assertThat(answer.statusCode()).isEqualTo(404);
        assertThat(answer.body()).contains("there is no such post, or it has not been heard of yet");
    }

    @Test
    void clientsAreToldNothingOfTheDatabase() throws Exception {
        hear(UUID.randomUUID(), "PostPublished", "{\"id\": 1, \"title\": \"Hello\"}");
        sql.execute("alter table outbox rename to away");
        try {
            HttpResponse<String> answer = comment();
            assertThat(answer.statusCode()).isEqualTo(500);
            assertThat(answer.body()).doesNotContainIgnoringCase("insert").doesNotContain("outbox");
        } finally {
            sql.execute("alter table away rename to outbox");
        }
    }

    private HttpResponse<String> comment() throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:" + port + "/posts/1/comments"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"author\": \"Ken\", \"body\": \"Hi.\"}")).build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    }

    /** By this FailedEvents knows that the event is not to blame. */
    @Test
    void anEventFindsNoDatabase() throws SQLException {
        try (Connection theOnlyOne = database.getConnection()) {
            database.setConnectionTimeout(250);
            assertThatThrownBy(() -> hear(UUID.randomUUID(), "PostPublished", "{\"id\": 1, \"title\": \"Hello\"}"))
                    .isInstanceOf(CannotCreateTransactionException.class);
        } finally {
            database.setConnectionTimeout(30_000);
        }
    }

    @Test
    void aNoteIsDeletedWhenKafkaHasForgottenTheEvent() {
        hear(UUID.randomUUID(), "PostPublished", "{\"id\": 1, \"title\": \"Hello\"}");
        oldRows.delete();
        assertThat(sql.queryForObject("select count(*) from processed_events", Long.class)).isEqualTo(1);
        sql.update("update processed_events set processed_at = processed_at - interval 31 day");
        oldRows.delete();
        assertThat(sql.queryForObject("select count(*) from processed_events", Long.class)).isZero();
    }

    @Test
    void aNewPostIsSavedWithoutASelect() {
        posts.save(new KnownPost(1, "Hello"));
        assertThat(statistics.getPrepareStatementCount()).isEqualTo(1);
    }

    @Test
    void whatWasSavedOrReadIsNotNewAndCanBeDeleted() {
        KnownPost saved = posts.save(new KnownPost(1, "Hello"));
        posts.save(new KnownPost(2, "Hello"));
        posts.delete(saved);
        posts.delete(posts.findById(2L).orElseThrow());
        assertThat(posts.count()).isZero();
    }

    /** Why isNew is not always true. */
    @Test
    void whatClaimsToBeNewIsNotDeleted() {
        KnownPost saved = posts.save(new KnownPost(1, "Hello"));
        ReflectionTestUtils.setField(saved, "isNew", true);
        posts.delete(saved);
        assertThat(posts.count()).isEqualTo(1);
    }

    private void hear(UUID id, String type, String payload) {
        ConsumerRecord<String, String> record = new ConsumerRecord<>("outbox.event.post", 0, 0, "1", payload);
        record.headers().add("id", id.toString().getBytes(StandardCharsets.UTF_8));
        record.headers().add("eventType", type.getBytes(StandardCharsets.UTF_8));
        assertThat(ReceivedEvent.of(record).id()).isEqualTo(id);
        listener.on(record);
    }
}

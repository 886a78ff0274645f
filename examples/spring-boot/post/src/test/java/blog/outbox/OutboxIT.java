package blog.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blog.OldRows;
import blog.PostApplication;
import jakarta.persistence.EntityManager;
import jakarta.persistence.EntityManagerFactory;
import org.hibernate.SessionFactory;
import org.hibernate.stat.Statistics;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.test.util.ReflectionTestUtils;
import org.springframework.transaction.IllegalTransactionStateException;
import org.springframework.transaction.support.TransactionTemplate;

/** The rules of an outbox entity, on the real PostgreSQL. */
@SpringBootTest(classes = PostApplication.class, webEnvironment = SpringBootTest.WebEnvironment.NONE, properties = {
        "spring.kafka.listener.auto-startup=false", "spring.jpa.properties.hibernate.generate_statistics=true"})
class OutboxIT {

    record Told(String title) {
    }

    @Autowired
    private Outbox outbox;
    @Autowired
    private OldRows oldRows;
    @Autowired
    private EntityManager entities;
    @Autowired
    private EntityManagerFactory factory;
    @Autowired
    private JdbcTemplate sql;
    @Autowired
    private TransactionTemplate transaction;

    private Statistics statistics;

    @BeforeEach
    void empty() {
        sql.update("delete from outbox");
        statistics = factory.unwrap(SessionFactory.class).getStatistics();
        statistics.clear();
    }

    @Test
    void anEventIsOneInsertAndNoSelect() {
        transaction.executeWithoutResult(tx -> outbox.add("post", 1, new Told("Hello")));
        assertThat(statistics.getEntityInsertCount()).isEqualTo(1);
        assertThat(statistics.getPrepareStatementCount()).isEqualTo(1);
    }

    /** Why {@link Outbox} doesn't save by a repository, which merges what has an id already. */
    @Test
    void mergingSelectsFirst() {
        transaction.executeWithoutResult(tx -> entities.merge(event()));
        assertThat(statistics.getEntityInsertCount()).isEqualTo(1);
        assertThat(statistics.getPrepareStatementCount()).isEqualTo(2);
    }

    @Test
    void thePayloadIsJsonAndNotALargeObject() {
        transaction.executeWithoutResult(tx -> {
            entities.persist(event());
            entities.flush();
            assertThat(sql.queryForObject("select pg_typeof(payload)::text from outbox", String.class)).isEqualTo("jsonb");
            assertThat(sql.queryForObject("select payload ->> 'title' from outbox", String.class)).isEqualTo("Hello");
            tx.setRollbackOnly();
        });
    }

    @Test
    void aWrittenEventNeverChanges() {
        transaction.executeWithoutResult(tx -> {
            OutboxEvent event = event();
            entities.persist(event);
            entities.flush();
            ReflectionTestUtils.setField(event, "type", "Another");
            entities.flush();
            assertThat(sql.queryForObject("select type from outbox", String.class)).isEqualTo("Told");
            tx.setRollbackOnly();
        });
        assertThat(statistics.getEntityUpdateCount()).isZero();
    }

    @Test
    void anEventNeedsTheTransactionOfItsChange() {
        assertThatThrownBy(() -> outbox.add("post", 1, new Told("Hello"))).isInstanceOf(IllegalTransactionStateException.class);
        assertThat(rows()).isZero();
    }

    @Test
    void aRowStaysForAWhileAndIsDeletedThen() {
        transaction.executeWithoutResult(tx -> {
            outbox.add("post", 1, new Told("Hello"));
            outbox.add("post", 2, new Told("Hello"));
        });
        oldRows.delete();
        assertThat(rows()).isEqualTo(2);
        sql.update("update outbox set created_at = now() - interval '8 days' where aggregate_id = '1'");
        oldRows.delete();
        assertThat(sql.queryForObject("select aggregate_id from outbox", String.class)).isEqualTo("2");
    }

    private OutboxEvent event() {
        return new OutboxEvent("post", "1", "Told", "{\"title\": \"Hello\"}");
    }

    private long rows() {
        return sql.queryForObject("select count(*) from outbox", Long.class);
    }
}

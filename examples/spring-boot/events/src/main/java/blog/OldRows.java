package blog;

import jakarta.persistence.EntityManager;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.springframework.scheduling.annotation.EnableScheduling;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.stereotype.Component;
import org.springframework.transaction.annotation.Transactional;

/** Keeps both tables small. */
@Component
@EnableScheduling
public class OldRows {

    /** Outferry reads the database's log; from the table it reads only at its very first start, which may be late. */
    static final Duration EVENTS = Duration.ofDays(7);

    /** Longer than Kafka keeps a record, since until then it may be delivered again. */
    static final Duration NOTES = Duration.ofDays(30);

    private final EntityManager entities;

    OldRows(EntityManager entities) {
        this.entities = entities;
    }

    @Scheduled(initialDelay = 1, fixedDelay = 1, timeUnit = TimeUnit.HOURS)
    @Transactional
    public void delete() {
        delete("delete from OutboxEvent where createdAt < ?1", EVENTS);
        delete("delete from ProcessedEvent where processedAt < ?1", NOTES);
    }

    private void delete(String query, Duration age) {
        entities.createQuery(query).setParameter(1, Instant.now().minus(age)).executeUpdate();
    }
}

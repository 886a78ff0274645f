package blog.inbox;

import jakarta.persistence.EntityManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.stereotype.Component;
import org.springframework.transaction.annotation.Transactional;

/**
 * Applies each event once. Kafka delivers again what a consumer did not live to acknowledge, so each event's
 * id is committed together with what the event changed. The note is one for the whole service: where two of its
 * listeners follow the same topic, the second finds each event applied, so each needs notes of its own.
 */
@Component
public class Inbox {

    private static final Logger log = LoggerFactory.getLogger(Inbox.class);

    private final EntityManager entities;

    Inbox(EntityManager entities) {
        this.entities = entities;
    }

    /**
     * Runs a change, unless the event was applied before. Where two consumers hold the same event at once, the
     * primary key lets one commit; the other fails, is delivered the event again, and finds it applied.
     */
    @Transactional
    public void once(ReceivedEvent event, Runnable change) {
        if (entities.find(ProcessedEvent.class, event.id()) != null) {
            log.info("event {} was applied before", event.id());
            return;
        }
        entities.persist(new ProcessedEvent(event.id()));
        change.run();
    }
}

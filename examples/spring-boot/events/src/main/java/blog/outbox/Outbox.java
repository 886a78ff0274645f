package blog.outbox;

import jakarta.persistence.EntityManager;
import org.springframework.stereotype.Component;
import org.springframework.transaction.annotation.Propagation;
import org.springframework.transaction.annotation.Transactional;
import tools.jackson.databind.json.JsonMapper;

/** Where a service leaves its events, in the transaction in which it changes its own rows. */
@Component
public class Outbox {

    private final EntityManager entities;
    private final JsonMapper json;

    Outbox(EntityManager entities, JsonMapper json) {
        this.entities = entities;
        this.json = json;
    }

    /**
     * Adds an event to the transaction that is under way; without one it fails, since the event would then be
     * published whether the change is committed or not. The class of the event is its type.
     *
     * <p>{@code persist}, not a repository's {@code save}: the id is assigned here, so {@code save} would take
     * the row for an old one and select it first.
     */
    @Transactional(propagation = Propagation.MANDATORY)
    public void add(String aggregateType, Object aggregateId, Object event) {
        entities.persist(new OutboxEvent(aggregateType, aggregateId.toString(),
                event.getClass().getSimpleName(), json.writeValueAsString(event)));
    }
}

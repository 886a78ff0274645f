package blog.outbox;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.UUID;
import org.hibernate.annotations.Immutable;
import org.hibernate.annotations.JdbcTypeCode;
import org.hibernate.type.SqlTypes;

/**
 * A row of the outbox table: an event as it is published. It is written once and never changed, so it has
 * no setters. Only {@link Outbox} makes one.
 */
@Entity
@Immutable
@Table(name = "outbox")
class OutboxEvent {

    /** Becomes the header {@code id}, by which consumers know an event that comes twice. */
    @Id
    private UUID id;

    /** Names the topic. */
    @Column(nullable = false)
    private String aggregateType;

    /** Becomes the record's key: events of one aggregate arrive in the order of their commits. */
    @Column(nullable = false)
    private String aggregateId;

    @Column(nullable = false)
    private String type;

    /** A JSON column. Never {@code @Lob}, which on PostgreSQL stores a number in place of the text. */
    @JdbcTypeCode(SqlTypes.JSON)
    private String payload;

    @Column(nullable = false)
    private Instant createdAt;

    protected OutboxEvent() {
        // for JPA
    }

    OutboxEvent(String aggregateType, String aggregateId, String type, String payload) {
        this.id = UUID.randomUUID();
        this.aggregateType = aggregateType;
        this.aggregateId = aggregateId;
        this.type = type;
        this.payload = payload;
        this.createdAt = Instant.now();
    }
}

package blog.inbox;

import java.nio.charset.StandardCharsets;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * An event of another service. Read from the record's headers directly: Spring's messages have a header
 * {@code id} of their own, which hides that of the record.
 */
public record ReceivedEvent(UUID id, String type, String payload) {

    public static ReceivedEvent of(ConsumerRecord<String, String> record) {
        return new ReceivedEvent(UUID.fromString(header(record, "id")), header(record, "eventType"), record.value());
    }

    private static String header(ConsumerRecord<?, ?> record, String name) {
        Header header = record.headers().lastHeader(name);
        if (header == null) {
            throw new IllegalArgumentException("the record has no header " + name);
        }
        return new String(header.value(), StandardCharsets.UTF_8);
    }
}

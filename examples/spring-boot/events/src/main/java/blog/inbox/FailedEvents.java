package blog.inbox;

import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.KafkaException;
import org.springframework.kafka.config.TopicBuilder;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.listener.RetryListener;
import org.springframework.transaction.CannotCreateTransactionException;
import org.springframework.util.backoff.BackOff;
import org.springframework.util.backoff.ExponentialBackOff;
import tools.jackson.core.JacksonException;

/**
 * What becomes of an event that can't be applied: it is tried again, less and less often, while later events
 * of its partition wait. After two minutes it goes to the topic's dead letters, {@code <topic>-dlt}, for a
 * person to look at, and the later events of its key overtake it. What no retry can mend goes there at once.
 * While the database is away, no event is to blame, and all of them wait.
 */
@Configuration
class FailedEvents {

    private static final Logger log = LoggerFactory.getLogger(FailedEvents.class);

    @Bean
    DefaultErrorHandler retriesThenDeadLetters(KafkaTemplate<?, ?> template, KafkaAdmin admin) {
        var letters = new DeadLetterPublishingRecoverer(template, (record, cause) -> new TopicPartition(deadLetters(record), 0));
        DefaultErrorHandler handler = new DefaultErrorHandler((record, cause) -> {
            // Made when it is needed and not at the start, when Kafka may be away; a topic that is there stays as it is.
            admin.createOrModifyTopics(TopicBuilder.name(deadLetters(record)).partitions(1).build());
            letters.accept(record, cause);
        });
        handler.addNotRetryableExceptions(JacksonException.class, IllegalArgumentException.class, ImpossibleEventException.class);
        handler.setBackOffFunction(FailedEvents::backOff);
        handler.setRetryListeners(new Says());
        handler.setLogLevel(KafkaException.Level.DEBUG);
        return handler;
    }

    static String deadLetters(ConsumerRecord<?, ?> record) {
        return record.topic() + "-dlt";
    }

    static BackOff backOff(ConsumerRecord<?, ?> record, Exception cause) {
        ExponentialBackOff backOff = new ExponentialBackOff(200, 2);
        backOff.setMaxInterval(10_000);
        if (!(cause instanceof CannotCreateTransactionException)) {
            backOff.setMaxElapsedTime(120_000);
        }
        return backOff;
    }

    /** Tells of causes by their classes: a message may hold what the event says. The dead letter's headers have it all. */
    static class Says implements RetryListener {

        @Override
        public void failedDelivery(ConsumerRecord<?, ?> record, Exception cause, int attempt) {
            log.warn("event not applied, {}, attempt {}: {}", place(record), attempt, classes(cause));
        }

        @Override
        public void recovered(ConsumerRecord<?, ?> record, Exception cause) {
            log.error("event set aside in {}, {}: {}", deadLetters(record), place(record), classes(cause));
        }

        @Override
        public void recoveryFailed(ConsumerRecord<?, ?> record, Exception cause, Exception failure) {
            log.error("event not set aside in {}, {}: {}", deadLetters(record), place(record), classes(failure));
        }

        private static String place(ConsumerRecord<?, ?> record) {
            return record.topic() + "-" + record.partition() + " offset " + record.offset();
        }

        private static String classes(Throwable cause) {
            return Stream.iterate(cause, c -> c != null, Throwable::getCause)
                    .map(c -> c.getClass().getSimpleName()).collect(Collectors.joining(", by "));
        }
    }
}

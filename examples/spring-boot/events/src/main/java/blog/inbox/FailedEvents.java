package blog.inbox;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.transaction.CannotCreateTransactionException;
import org.springframework.util.backoff.BackOff;
import org.springframework.util.backoff.ExponentialBackOff;
import tools.jackson.core.JacksonException;

/**
 * What becomes of an event that can't be applied: it is tried again, less and less often, while later events
 * of its partition wait. After two minutes it goes to the topic's dead letters, {@code <topic>-dlt}, for a
 * person to look at. What no retry can mend goes there at once. While the database is away, no event is to
 * blame, and all of them wait.
 */
@Configuration
class FailedEvents {

    @Bean
    DefaultErrorHandler retriesThenDeadLetters(KafkaTemplate<?, ?> template) {
        DefaultErrorHandler handler = new DefaultErrorHandler(new DeadLetterPublishingRecoverer(template));
        handler.addNotRetryableExceptions(JacksonException.class, IllegalArgumentException.class);
        handler.setBackOffFunction(FailedEvents::backOff);
        return handler;
    }

    static BackOff backOff(ConsumerRecord<?, ?> record, Exception cause) {
        ExponentialBackOff backOff = new ExponentialBackOff(200, 2);
        backOff.setMaxInterval(10_000);
        if (!(cause instanceof CannotCreateTransactionException)) {
            backOff.setMaxElapsedTime(120_000);
        }
        return backOff;
    }
}
